#include "tests/simulation/compute.hpp"

#include <algorithm>
#include <cstdio>

namespace strata::tests::simulation {

using consensus::append;
using consensus::node_id;
using consensus::proposer;

namespace {
constexpr micros heartbeat_interval = 150 * millisecond;
constexpr micros silence_max = 900 * millisecond;
}  // namespace

compute::compute(world& in, network& net, oracle& judge, controller& control, node_list& nodes,
                 core::lsn timeline_start, std::uint64_t place)
    : world_(in),
      network_(net),
      oracle_(judge),
      controller_(control),
      nodes_(nodes),
      timeline_start_(timeline_start),
      place_(place) {}

// ---- life

void compute::start() {
  if (retired_ || machine_) return;
  wal_.reset();
  consensus::proposer_options with{.tenant = the_tenant,
                                   .timeline = the_timeline,
                                   .cluster = the_cluster,
                                   .members = controller_.members(),
                                   .timeline_start = timeline_start_};
  with.window_bytes = world_.opts().window_bytes;
  begin(std::move(with));
}

void compute::begin(consensus::proposer_options with) {
  ++life_;
  ++starts_;
  world_.trace("proposer starts", place_, starts_, with.members.generation);
  machine_ = std::make_unique<proposer>(std::move(with));
  may_write_ = false;
  links_.clear();
  waiting_.clear();
  for (const auto& each : machine_->options().members.all()) connect(each.id);
  world_.after(heartbeat_interval, [this, life = life_] { tick(life); });
}

void compute::end(bool orderly) {
  ++life_;
  machine_.reset();
  waiting_.clear();
  for (auto& [id, each] : links_) {
    if (!each.over) continue;
    if (orderly)
      each.over->close(true);
    else
      each.over->vanish(true);
  }
  links_.clear();
}

void compute::start_later() {
  world_.after(50 * millisecond + static_cast<micros>(world_.random(800 * millisecond)), [this, life = life_] {
    if (life == life_) start();
  });
}

void compute::crash() {
  if (!machine_) return;
  ++world_.seen.proposer_crashes;
  world_.trace("proposer crashes", place_);
  end(world_.chance(500));
  start_later();
}

void compute::retire() {
  retired_ = true;
  end(true);
}

bool compute::goes_on(core::lsn behind) const {
  return machine_ && machine_->now() == proposer::phase::leading && machine_->commit_lsn() > behind;
}

// ---- connections

void compute::connect(node_id to) {
  auto& link = links_[to];
  if (link.connecting || link.over) return;
  link.connecting = true;
  world_.after(world_.latency(), [this, to, life = life_] {
    if (life != life_) return;
    auto& link = links_[to];
    link.connecting = false;
    if (!network_.reaches(place_, to)) return;
    auto made = network_.connect(place_, to);
    made->to_proposer = [this, to, life, raw = made.get()](const consensus::acceptor_message& message) {
      if (life != life_ || links_[to].over.get() != raw) return;
      links_[to].heard = world_.now();
      feed(consensus::acceptor_said{to, message});
    };
    made->told_proposer = [this, to, life, raw = made.get()] {
      if (life == life_ && links_[to].over.get() == raw) drop(to);
    };
    if (!nodes_[to.value - 1]->accept(made)) return;
    link.over = std::move(made);
    link.heard = world_.now();
    feed(consensus::acceptor_connected{to});
  });
}

void compute::drop(node_id to) {
  auto& link = links_[to];
  if (!link.over) return;
  link.over->close(true);
  link.over.reset();
  feed(consensus::acceptor_lost{to});
}

void compute::tick(std::uint64_t life) {
  if (life != life_) return;
  std::vector<node_id> silent;
  for (const auto& each : machine_->options().members.all()) {
    const auto& link = links_[each.id];
    if (!link.over)
      connect(each.id);
    else if (world_.now() - link.heard > silence_max)
      silent.push_back(each.id);
  }
  for (const auto id : silent) drop(id);
  // Competing proposers must not campaign in step for ever.
  if (world_.chance(700) || machine_->now() == proposer::phase::leading) feed(consensus::heartbeat_due{});
  if (life != life_) return;
  world_.after(heartbeat_interval + static_cast<micros>(world_.random(50 * millisecond)), [this, life] { tick(life); });
}

// ---- the machine

void compute::feed(const consensus::proposer_input& input) {
  waiting_.push_back(input);
  if (std::exchange(feeding_, true)) return;
  while (!waiting_.empty() && machine_) {
    const auto next = std::move(waiting_.front());
    waiting_.pop_front();
    const auto life = life_;
    for (const auto& effect : machine_->step(next)) {
      carry_out(effect);
      if (life != life_) break;
    }
  }
  feeding_ = false;
}

void compute::carry_out(const consensus::proposer_effect& effect) {
  if (const auto* each = std::get_if<consensus::send_to>(&effect)) {
    send(each->node, each->message);
  } else if (const auto* election = std::get_if<consensus::election_won>(&effect)) {
    won(*election);
  } else if (const auto* commit = std::get_if<consensus::committed>(&effect)) {
    oracle_.committed(machine_->in(), commit->to);
    if (!may_write_ && commit->to >= machine_->start_lsn()) {
      may_write_ = true;
      world_.after(1, [this, life = life_] { write(life); });
    }
  } else if (const auto* newer = std::get_if<consensus::superseded>(&effect)) {
    ++world_.seen.superseded;
    world_.trace("superseded", place_, newer->by.value);
    end(true);
    start_later();
  } else if (const auto* changed = std::get_if<consensus::members_changed>(&effect)) {
    change_members(changed->to);
  } else if (const auto* dropped = std::get_if<consensus::drop_connection>(&effect)) {
    world_.trace("dropped", place_, dropped->node.value);
    if (world_.talkative) std::printf("    %s\n", dropped->why);
    drop(dropped->node);
  }
}

void compute::won(const consensus::election_won& effect) {
  donor_ = effect.donor;
  if (!wal_) {
    const auto& history = machine_->history();
    wal_ =
        std::make_shared<written_wal>(effect.start, oracle_.record_before(history.up_to(effect.start), effect.start));
    announced_ = effect.start;
  }
  oracle_.elected(place_ * 1'000'000 + starts_, effect.in, effect.start, machine_->history(), wal_);
  if (world_.chance(world_.opts().write_early)) {
    may_write_ = true;
    world_.after(1, [this, life = life_] { write(life); });
  }
}

void compute::change_members(const consensus::configuration& to) {
  auto with = machine_->options();
  // Nothing to go on with before the first commit: a new Postgres, then.
  const bool goes_on = machine_->now() == proposer::phase::leading && machine_->commit_lsn() >= machine_->start_lsn() &&
                       machine_->commit_lsn().valid();
  with.members = to;
  if (goes_on) {
    with.resumes = {machine_->in()};
    with.written = machine_->written();
  } else if (with.resumes.empty()) {
    wal_.reset();
  }
  end(true);
  begin(std::move(with));
}

void compute::send(node_id to, const consensus::proposer_message& message) {
  const auto& link = links_[to];
  if (!link.over) return;
  std::shared_ptr<core::bytes> bytes;
  if (const auto* piece = std::get_if<append>(&message); piece && piece->end > piece->begin) {
    bytes = bytes_of(*piece);
    if (!bytes) return drop(to);
    if (world_.chaos && world_.chance(world_.opts().damaged_append)) {
      // A bit of a record; bytes outside of records are not checked by anybody, Postgres included.
      const auto at = world_.random(bytes->size());
      if ((*bytes)[at] != 0 && (piece->begin + at).value % pg::wal_page_size >= 40) {
        (*bytes)[at] ^= static_cast<std::uint8_t>(1u << world_.random(8));
        ++world_.seen.damaged_appends;
        world_.trace("damaged", place_, to.value, (piece->begin + at).value);
      }
    }
  }
  link.over->send(message, std::move(bytes));
}

/// Own WAL, or that of an acceptor which has it in our term, or what was backed up.
std::shared_ptr<core::bytes> compute::bytes_of(const append& message) {
  if (wal_ && message.begin >= wal_->start()) {
    const auto own = wal_->bytes(message.begin, message.end);
    return std::make_shared<core::bytes>(own.begin(), own.end());
  }
  auto bytes = std::make_shared<core::bytes>(message.end - message.begin);
  std::vector<node_id> asked{donor_};
  for (const auto& peer : machine_->peers())
    if (peer.now == proposer::peer::state::streaming) asked.push_back(peer.id);
  for (const auto id : asked) {
    auto* journal = nodes_[id.value - 1]->journal();
    if (journal == nullptr || !journal->log() || !network_.reaches(place_, id)) continue;
    const auto at = journal->position();
    if (at.in != machine_->in() || at.last_log_term != machine_->in() || at.flush_lsn < message.end) continue;
    const auto got = journal->log()->read(message.begin, *bytes);
    if (!got && got.error().code == core::errc::out_of_range) continue;
    if (!got || *got != bytes->size()) throw violation("a donor can't be read");
    return bytes;
  }
  if (world_.opts().removal && message.end <= oracle_.committed()) {
    *bytes = oracle_.content(machine_->history(), message.begin, message.end);
    return bytes;
  }
  return nullptr;
}

// ---- Postgres

void compute::write(std::uint64_t life) {
  if (life != life_ || !machine_ || machine_->now() != proposer::phase::leading) return;
  const auto& options = world_.opts();
  if (writes_) {
    for (auto records = 1 + world_.random(4); records > 0; --records)
      wal_->add_record(machine_->in(), next_record_++, 16 + world_.random(options.record_size_max));
    if (world_.chance(options.segment_switch)) wal_->add_switch();
    if (world_.chance(options.part_of_record)) {
      announced_ = announced_ + world_.random(wal_->end() - announced_ + 1);
      feed(consensus::wal_written{announced_});
      if (life != life_) return;
    }
    if (announced_ < wal_->end() && !world_.chance(options.part_of_record / 4)) {
      announced_ = wal_->end();
      feed(consensus::wal_written{announced_});
    }
  } else if (announced_ < wal_->end()) {
    announced_ = wal_->end();
    feed(consensus::wal_written{announced_});
  }
  if (life != life_) return;
  world_.after(1 + static_cast<micros>(world_.random(static_cast<std::uint64_t>(2 * options.write_interval))),
               [this, life] { write(life); });
}

}  // namespace strata::tests::simulation
