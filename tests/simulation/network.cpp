#include "tests/simulation/network.hpp"

#include <algorithm>

namespace strata::tests::simulation {

std::shared_ptr<connection> network::connect(std::uint64_t proposer, consensus::node_id acceptor) {
  auto made = std::make_shared<connection>();
  made->proposer = proposer;
  made->acceptor = acceptor;
  made->through_ = this;
  return made;
}

void connection::send(const consensus::proposer_message& message, std::shared_ptr<const core::bytes> wal) {
  if (!proposer_open_) return;
  deliver(last_to_acceptor_, 0, [self = shared_from_this(), message, wal = std::move(wal)] {
    if (self->acceptor_open_) self->to_acceptor(message, wal);
  });
}

void connection::send(const consensus::acceptor_message& message, micros delay) {
  if (!acceptor_open_) return;
  deliver(last_to_proposer_, delay, [self = shared_from_this(), message] {
    if (self->proposer_open_) self->to_proposer(message);
  });
}

void connection::deliver(micros& last, micros delay, std::function<void()> what) {
  auto& world = through_->world_;
  if (lost_) return;
  if (world.chaos && world.chance(world.opts().message_lost)) return lose();
  last = std::max(last, world.now() + delay + world.latency());
  world.after(last - world.now(), [self = shared_from_this(), what = std::move(what)] {
    if (self->lost_) return;
    if (!self->through_->reaches(self->proposer, self->acceptor)) return self->lose();
    what();
  });
}

void connection::lose() {
  if (lost_) return;
  lost_ = true;
  auto& world = through_->world_;
  ++world.seen.connections_lost;
  world.trace("connection lost", proposer, acceptor.value);
  // Half-open: one side goes on waiting until it gives up by itself.
  if (!world.chance(world.opts().half_open) || !world.chance(500))
    world.after(world.latency(), [self = shared_from_this()] {
      if (std::exchange(self->proposer_open_, false)) self->told_proposer();
    });
  if (!world.chance(world.opts().half_open) || !world.chance(500))
    world.after(world.latency(), [self = shared_from_this()] {
      if (std::exchange(self->acceptor_open_, false)) self->told_acceptor();
    });
}

void connection::close(bool by_proposer) {
  if (by_proposer) {
    if (!std::exchange(proposer_open_, false)) return;
    deliver(last_to_acceptor_, 0, [self = shared_from_this()] {
      if (std::exchange(self->acceptor_open_, false)) self->told_acceptor();
    });
  } else {
    if (!std::exchange(acceptor_open_, false)) return;
    deliver(last_to_proposer_, 0, [self = shared_from_this()] {
      if (std::exchange(self->proposer_open_, false)) self->told_proposer();
    });
  }
}

}  // namespace strata::tests::simulation
