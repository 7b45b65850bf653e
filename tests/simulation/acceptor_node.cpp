#include "tests/simulation/acceptor_node.hpp"

#include <algorithm>

namespace strata::tests::simulation {

using consensus::append;
using consensus::append_reply;
using consensus::elected;
using consensus::greeting;
using consensus::vote_reply;

const core::tenant_id the_tenant{{7}};
const core::timeline_id the_timeline{{8}};
const consensus::cluster_identity the_cluster{150020, 4711, segment_size};

acceptor_node::acceptor_node(world& in, oracle& judge, consensus::node_id id, bool pulled_only)
    : world_(in), oracle_(judge), id_(id), pulled_only_(pulled_only) {
  (void)disk_.make_directory("/safekeeper").has_value();
  disk_.sync_directory("/");
  disk_.decide = [this](simulated_disk::call what, const std::string&) {
    if (calls_until_crash_ >= 0 && calls_until_crash_-- == 0) return simulated_disk::fault::crash;
    using call = simulated_disk::call;
    const bool lies = world_.opts().broken == sabotage::disks_lie && world_.chance(200);
    if (lies && (what == call::sync || what == call::sync_directory)) return simulated_disk::fault::lie;
    const bool needs_room = what == call::create || what == call::write || what == call::resize ||
                            what == call::rename || what == call::make_directory;
    return needs_room && world_.now() < full_until_ && world_.chance(800) ? simulated_disk::fault::disk_full
                                                                          : simulated_disk::fault::none;
  };
}

timeline_journal::options acceptor_node::where() const {
  return {.directory = "/safekeeper/timeline", .self = id_, .preallocated_bytes = 16u << 10};
}

// ---- connections

bool acceptor_node::accept(const std::shared_ptr<connection>& from) {
  if (!up_) return false;
  connections_.push_back(from);
  from->to_acceptor = [this, raw = from.get()](const consensus::proposer_message& message,
                                               std::shared_ptr<const core::bytes> wal) {
    if (!up_) return;
    inbox_.push_back({raw->shared_from_this(), message, std::move(wal)});
    work_soon(0);
  };
  from->told_acceptor = [this, raw = from.get()] {
    std::erase_if(inbox_, [raw](const letter& each) { return each.from.get() == raw; });
    std::erase_if(connections_, [raw](const auto& each) { return each.get() == raw; });
  };
  return true;
}

void acceptor_node::disconnect_all(bool silently) {
  inbox_.clear();
  unsettled_.reset();
  for (const auto& each : std::exchange(connections_, {})) {
    if (silently)
      each->vanish(false);
    else
      each->close(false);
  }
}

// ---- work

void acceptor_node::work_soon(micros delay) {
  if (working_) return;
  working_ = true;
  world_.after(delay + static_cast<micros>(world_.random(300)), [this, life = life_] {
    if (life != life_) return;
    working_ = false;
    guarded([this] { work(); });
  });
}

void acceptor_node::work() {
  if (!inbox_.empty()) handle_batch();
  if (!up_) return;
  const bool slow = world_.now() < slow_until_;
  const micros busy = slow ? 20 * millisecond + static_cast<micros>(world_.random(100 * millisecond)) : 200;
  if (!inbox_.empty() || unsettled_) work_soon(busy);
}

/// The first letters of one connection, together.
void acceptor_node::handle_batch() {
  const auto from = inbox_.front().from;
  // What another connection has written is answered there, not here.
  if (unsettled_ && unsettled_ != from) {
    settle();
    if (!journal_ && inbox_.empty()) return;
  }
  std::vector<letter> batch;
  while (!inbox_.empty() && inbox_.front().from == from && batch.size() < world_.opts().batch_max) {
    batch.push_back(std::move(inbox_.front()));
    inbox_.pop_front();
  }
  if (!journal_) {
    const auto* first = std::get_if<greeting>(&batch.front().message);
    if (first == nullptr || pulled_only_) return from->close(false);
    auto made = timeline_journal::create(
        disk_, where(), {.tenant = first->tenant, .timeline = first->timeline, .members = first->members});
    if (!made) {
      if (made.error().code != core::errc::disk_full) throw violation("create: " + to_string(made.error()));
      return fail();
    }
    journal_ = std::move(*made);
  }
  std::vector<timeline_journal::incoming> messages;
  for (const auto& each : batch) {
    if (const auto* won = std::get_if<elected>(&each.message)) election_point_ = won->start_streaming_at;
    messages.push_back({each.message, each.wal ? core::bytes_view(*each.wal) : core::bytes_view()});
  }
  const bool split = world_.chance(world_.opts().split_sync);
  const auto outcome = split ? journal_->write(messages) : journal_->handle(messages);
  unsettled_ = split && !outcome.refused ? from : nullptr;
  if (split && outcome.refused && !outcome.failed) {
    // The appends before it are still owed an answer.
    const auto settled = journal_->sync();
    answer(from, settled.replies);
  }
  if (take_outcome(from, outcome)) after_step();
}

void acceptor_node::settle() {
  const auto to = std::exchange(unsettled_, nullptr);
  if (!journal_) return;
  if (take_outcome(to, journal_->sync())) after_step();
}

/// False: the journal is gone.
bool acceptor_node::take_outcome(const std::shared_ptr<connection>& from, const timeline_journal::outcome& outcome) {
  answer(from, outcome.replies);
  if (!outcome.refused) return true;
  if (outcome.failed) {
    if (outcome.refused->code != core::errc::disk_full) throw violation("the disk: " + to_string(*outcome.refused));
    fail();
    return false;
  }
  ++world_.seen.refused_messages;
  world_.trace("refused", id_.value, static_cast<std::uint64_t>(outcome.refused->code));
  if (world_.talkative) std::printf("    %s\n", outcome.refused->detail.c_str());
  from->close(false);
  from->told_acceptor();
  return true;
}

void acceptor_node::answer(const std::shared_ptr<connection>& to,
                           const std::vector<consensus::acceptor_message>& replies) {
  for (const auto& reply : replies) {
    if (const auto* vote = std::get_if<vote_reply>(&reply)) {
      promised_term_ = std::max(promised_term_, vote->in);
      world_.trace("vote", id_.value, vote->in.value, vote->given ? 1 : 0);
    }
    if (const auto* appended = std::get_if<append_reply>(&reply); appended && appended->flush_lsn.valid()) {
      promised_term_ = std::max(promised_term_, appended->in);
      promised_flush_ = std::max(promised_flush_, appended->flush_lsn);
      world_.trace("flushed", id_.value, appended->in.value, appended->flush_lsn.value);
    }
    to->send(reply, world_.now() < slow_until_ ? static_cast<micros>(world_.random(100 * millisecond)) : 0);
  }
}

/// After everything it did: what it believes must be so.
void acceptor_node::after_step() {
  const auto now = journal_->position();
  if (election_point_ != core::lsn::max()) {
    // The cut is done, or was refused.
    promised_flush_ = std::min(promised_flush_, now.flush_lsn);
    election_point_ = core::lsn::max();
  }
  if (now.flush_lsn < promised_flush_)
    throw violation("acceptor " + to_string(id_) + " has lost WAL that it acknowledged");
  oracle_.believed(id_.value, now.commit_lsn, journal_->state().history);
  world_.trace("acceptor", id_.value, now.in.value, now.write_lsn.value);
}

void acceptor_node::told(const consensus::acceptor_input& news) {
  if (!journal()) return;
  guarded([&] {
    if (auto done = journal_->tell(news); !done) {
      if (done.error().code != core::errc::disk_full) throw violation("tell: " + to_string(done.error()));
      return fail();
    }
    after_step();
  });
}

void acceptor_node::pull(const consensus::acceptor_state& state, const core::bytes& wal) {
  if (!up_ || journal_) return;
  guarded([&] {
    auto made = timeline_journal::create(disk_, where(), state, [&](core::lsn from, core::bytes_span to) {
      const auto at = from - state.local_start;
      const auto count = std::min<std::size_t>({to.size(), wal.size() - at, std::size_t{40'000}});
      std::copy_n(wal.begin() + static_cast<std::ptrdiff_t>(at), count, to.begin());
      return core::result<std::size_t>(count);
    });
    if (!made) {
      if (made.error().code != core::errc::disk_full) throw violation("pull: " + to_string(made.error()));
      return fail();
    }
    journal_ = std::move(*made);
    ++world_.seen.pulls;
    world_.trace("pulled", id_.value, state.in.value, journal_->position().flush_lsn.value);
    check_content();
  });
}

void acceptor_node::back_up(core::lsn backed_up) {
  if (!journal() || !journal_->log()) return;
  told(consensus::timeline_news{.backup_lsn = backed_up, .remote_consistent = backed_up});
  if (!journal()) return;
  guarded([&] {
    const auto before = journal_->log()->begin();
    auto done = journal_->save_positions();
    if (done) done = journal_->remove_wal_before(backed_up);
    if (!done) {
      if (done.error().code != core::errc::disk_full) throw violation("remove: " + to_string(done.error()));
      return fail();
    }
    if (journal_->log()->begin() != before) ++world_.seen.removals;
  });
}

// ---- faults

/// Runs what uses the disk; the machine may stop inside.
void acceptor_node::guarded(const std::function<void()>& what) {
  try {
    what();
  } catch (const simulated_crash&) {
    ++world_.seen.crashes_inside_calls;
    calls_until_crash_ = -1;
    up_ = true;
    crash(world_.chance(700));
  }
}

void acceptor_node::crash(bool machine) {
  if (!up_) return;
  world_.trace(machine ? "machine crashes" : "process crashes", id_.value);
  ++(machine ? world_.seen.machine_crashes : world_.seen.process_crashes);
  up_ = false;
  ++life_;
  working_ = false;
  journal_.reset();
  if (machine) disk_.crash(world_.generator());
  disconnect_all(machine && world_.chance(500));
  world_.after(10 * millisecond + static_cast<micros>(world_.random(600 * millisecond)), [this, life = life_] {
    if (life == life_) restart();
  });
}

/// The disk is full: the journal is opened again, later.
void acceptor_node::fail() {
  ++world_.seen.failures_of_full_disks;
  world_.trace("full", id_.value);
  up_ = false;
  ++life_;
  working_ = false;
  journal_.reset();
  disconnect_all(false);
  world_.after(50 * millisecond, [this, life = life_] {
    if (life == life_) restart();
  });
}

void acceptor_node::restart() {
  guarded([this] {
    auto opened = timeline_journal::open(disk_, where());
    if (!opened && opened.error().code == core::errc::disk_full) return fail();
    if (!opened && (opened.error().code != core::errc::not_found || promised_term_.value > 0))
      throw violation("acceptor " + to_string(id_) + " does not open: " + to_string(opened.error()));
    up_ = true;
    if (!opened) return;
    journal_ = std::move(*opened);
    const auto now = journal_->position();
    world_.trace("restarted", id_.value, now.in.value, now.flush_lsn.value);
    if (now.in < promised_term_) throw violation("acceptor " + to_string(id_) + " has forgotten a vote");
    if (now.flush_lsn < std::min(promised_flush_, election_point_))
      throw violation("acceptor " + to_string(id_) + " has lost WAL that it acknowledged: it ends at " +
                      to_string(now.flush_lsn) + " instead of " + to_string(promised_flush_));
    promised_flush_ = std::min(promised_flush_, now.flush_lsn);
    election_point_ = core::lsn::max();
    oracle_.believed(id_.value, now.commit_lsn, journal_->state().history);
    check_content();
  });
}

void acceptor_node::check_content() const {
  if (!journal_ || !journal_->log()) return;
  const auto log = journal_->log();
  const auto history = journal_->state().history.up_to(journal_->position().flush_lsn);
  const auto end = journal_->position().flush_lsn;
  core::bytes all(end - log->begin());
  if (all.empty()) return;
  const auto got = log->read(log->begin(), all);
  if (!got) throw violation("acceptor " + to_string(id_) + " can't read its log: " + to_string(got.error()));
  if (all != oracle_.content(history, log->begin(), end))
    throw violation("the log of acceptor " + to_string(id_) + " is not what its proposers have written");
}

void acceptor_node::heal() {
  calls_until_crash_ = -1;
  full_until_ = slow_until_ = 0;
}

}  // namespace strata::tests::simulation
