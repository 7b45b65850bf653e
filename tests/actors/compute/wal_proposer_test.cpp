#include "actors/compute/wal_proposer.hpp"

#include <boost/test/unit_test.hpp>
#include <future>

#include "actors/compute/postgres_stream.hpp"
#include "actors/runtime/actor_base.hpp"
#include "actors/runtime/outside.hpp"
#include "actors/runtime/system.hpp"
#include "tests/support/acceptor_server.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/strata_server.hpp"

namespace strata::tests {
namespace {

using namespace std::chrono_literals;
using namespace actors::compute;
namespace runtime = actors::runtime;

/// What the owner of a proposer was told.
struct told {
  std::mutex mutex;
  int elected = 0;
  consensus::term in;
  core::lsn start;
  bool synced = false;
  bool superseded = false;
  bool quorum = false;
  template <class Function>
  auto look(Function function) {
    const std::lock_guard lock(mutex);
    return function(*this);
  }
};

class owner final : public runtime::actor_base<proposer_owner_actor> {
 public:
  static constexpr const char* kind = "test.proposer_owner";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;
  owner(const runtime::actor_setup& setup, std::shared_ptr<told> into) : actor_base(setup), into_(std::move(into)) {}

 private:
  friend actor_base;
  void on(const proposer_elected& event) {
    const std::lock_guard lock(into_->mutex);
    ++into_->elected;
    into_->in = event.in;
    into_->start = event.start;
  }
  void on(const proposer_synced&) {
    const std::lock_guard lock(into_->mutex);
    into_->synced = true;
  }
  void on(const proposer_superseded&) {
    const std::lock_guard lock(into_->mutex);
    into_->superseded = true;
  }
  void on(const feed_lost&) {}
  void on(const proposer_quorum& event) {
    const std::lock_guard lock(into_->mutex);
    into_->quorum = event.reached;
  }
  std::shared_ptr<told> into_;
};

/// One proposer with its owner.
struct proposal {
  proposal(runtime::process_system& system, wal_proposer_options options) : system_(system) {
    owner_ = runtime::spawn<owner>(system.actors(), {"owner", 0}, news);
    options.owner = owner_;
    options.label = {"test", 0};
    options.tick = 100ms;
    proposer = spawn_wal_proposer(system.actors(), std::move(options));
  }
  ~proposal() {
    caf::anon_send_exit(proposer, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(owner_, caf::exit_reason::user_shutdown);
  }
  proposer_status status() const {
    return *runtime::ask_and_wait(system_.actors(), proposer, get_proposer_status{}, 5s);
  }
  void wait_until_synced() const {
    wait_until(
        "a proposer is elected and synced", [&] { return news->look([](auto& of) { return of.synced; }); }, 10s);
  }
  runtime::process_system& system_;
  std::shared_ptr<told> news = std::make_shared<told>();
  proposer_owner_actor owner_;
  wal_proposer_actor proposer;
};

/// Three acceptors and a Postgres that commits when the proposer says so.
struct with_quorum {
  with_quorum() {
    postgres.configure("synchronous_standby_names = 'strata'");
    postgres.configure("wal_sender_timeout = 0");
    postgres.configure("restart_after_crash = off");
    postgres.start();
    // The standby is not there yet: what makes the table must not wait for it.
    postgres.execute("set synchronous_commit = off; create table rows (id int primary key, filler text)");
    postgres.execute("set synchronous_commit = off; checkpoint");
    start = lsn_from(postgres.value("select pg_current_wal_insert_lsn()"));
    postgres.execute("set synchronous_commit = local; select txid_current()");
    machine.tenant = core::make_id<core::tenant_id>();
    machine.timeline = core::make_id<core::timeline_id>();
    machine.cluster = {150000, 4711, 16u << 20};
    machine.timeline_start = start;
    machine.members.generation = 1;
    for (const auto& each : acceptors) machine.members.members.push_back(each->address());
  }
  std::unique_ptr<proposal> propose(std::size_t memory = 64u << 20) {
    return std::make_unique<proposal>(system, wal_proposer_options{.proposer = machine, .memory_bytes = memory});
  }
  std::unique_ptr<proposal> propose_and_stream(std::size_t memory = 64u << 20) {
    auto made = propose(memory);
    made->wait_until_synced();
    caf::anon_send(made->proposer, stream_postgres{postgres.conninfo()});
    return made;
  }
  std::future<void> insert(int id) {
    return std::async(std::launch::async,
                      [this, id] { postgres.execute("insert into rows values (" + std::to_string(id) + ")"); });
  }
  /// A commit with one record of so many MiB before it.
  std::future<void> emit(int megabytes) {
    return std::async(std::launch::async, [this, megabytes] {
      postgres.execute("select pg_logical_emit_message(true, 'test', repeat('x', " + std::to_string(megabytes) +
                       " * 1024 * 1024))");
    });
  }
  static bool done(std::future<void>& of, std::chrono::milliseconds within) {
    return of.wait_for(within) == std::future_status::ready;
  }
  void need_done(std::future<void>& of) const {
    BOOST_TEST_REQUIRE(done(of, 20s));
    of.get();
  }
  int holding(core::lsn at) const {
    int count = 0;
    for (const auto& each : acceptors) count += each->flush_lsn() >= at ? 1 : 0;
    return count;
  }
  void wait_until_waiting(int count) {
    wait_until("a commit waits for the quorum", [&] {
      return postgres.value("select count(*) from pg_stat_activity where wait_event = 'SyncRep'") ==
             std::to_string(count);
    });
  }

  postgres_cluster postgres{{.config = {"wal_level = replica", "max_wal_senders = 10", "autovacuum = off"}}};
  core::lsn start;
  std::vector<std::unique_ptr<acceptor_server>> acceptors = [] {
    std::vector<std::unique_ptr<acceptor_server>> made;
    for (std::uint64_t id = 1; id <= 3; ++id) made.push_back(std::make_unique<acceptor_server>(id));
    return made;
  }();
  consensus::proposer_options machine;
  runtime::process_system system;
};

BOOST_FIXTURE_TEST_SUITE(actors_compute_wal_proposer, with_quorum)

BOOST_AUTO_TEST_CASE(a_commit_returns_when_a_majority_has_it) {
  const auto running = propose_and_stream();
  BOOST_TEST((running->news->look([](auto& of) { return of.start; }) == start));
  for (int id = 0; id < 50; ++id) {
    auto inserted = insert(id);
    need_done(inserted);
    const auto at = lsn_from(postgres.value("select pg_current_wal_flush_lsn()"));
    // A transaction's own WAL; what the server wrote behind it needs nobody.
    BOOST_TEST(holding(lsn_from(postgres.value(
                   "select flush_lsn from pg_stat_replication where application_name = 'strata'"))) >= 2);
    BOOST_TEST((at >= start));
  }
  wait_until("all acceptors have the same", [&] {
    return holding(running->status().written) == 3 && running->status().commit == running->status().written;
  });
  const core::lsn end = running->status().commit;
  BOOST_TEST((acceptors[0]->wal(start, end) == acceptors[1]->wal(start, end)));
  BOOST_TEST((acceptors[0]->wal(start, end) == acceptors[2]->wal(start, end)));
  BOOST_TEST(postgres.value("select sync_state from pg_stat_replication") == "sync");
}

BOOST_AUTO_TEST_CASE(one_acceptor_that_holds_still_or_dies_does_not_stop_commits) {
  const auto running = propose_and_stream();
  acceptors[2]->pause();
  for (int id = 0; id < 20; ++id) {
    auto inserted = insert(id);
    need_done(inserted);
  }
  acceptors[2]->resume();
  acceptors[0]->stop();
  for (int id = 20; id < 40; ++id) {
    auto inserted = insert(id);
    need_done(inserted);
  }
  acceptors[0]->start();
  wait_until("the one that was away catches up", [&] { return holding(running->status().commit) == 3; });
}

BOOST_AUTO_TEST_CASE(without_a_majority_commits_wait_and_with_one_they_go_on) {
  const auto running = propose_and_stream();
  auto first = insert(1);
  need_done(first);
  wait_until("the quorum is told", [&] { return running->news->look([](auto& of) { return of.quorum; }); });
  acceptors[0]->stop();
  acceptors[1]->stop();
  auto second = insert(2);
  wait_until_waiting(1);
  BOOST_TEST(postgres.value("select count(*) from rows") == "1");
  wait_until("the loss is told", [&] { return running->news->look([](auto& of) { return !of.quorum; }); });
  BOOST_TEST(!done(second, 300ms));
  acceptors[1]->start();
  need_done(second);
  BOOST_TEST(postgres.value("select count(*) from rows") == "2");
  BOOST_TEST(running->news->look([](auto& of) { return of.elected; }) == 1);
}

BOOST_AUTO_TEST_CASE(whoever_is_superseded_acknowledges_nothing_more) {
  const auto running = propose_and_stream();
  auto first = insert(1);
  need_done(first);
  const core::lsn committed = running->status().commit;
  const auto next = propose();
  next->wait_until_synced();
  BOOST_TEST((next->news->look([](auto& of) { return of.start; }) >= committed));
  auto second = insert(2);
  wait_until("the first hears of it", [&] { return running->news->look([](auto& of) { return of.superseded; }); });
  BOOST_TEST(!done(second, 500ms));
  BOOST_TEST(!next->news->look([](auto& of) { return of.superseded; }));
  postgres.kill_all();
  BOOST_CHECK_THROW(second.get(), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(an_acceptor_that_lags_behind_memory_is_fed_from_another_one) {
  const auto running = propose_and_stream(4u << 20);
  auto first = insert(1);
  need_done(first);
  acceptors[2]->stop();
  const core::lsn there = acceptors[2]->flush_lsn();
  postgres.execute("insert into rows select i, repeat('x', 900) from generate_series(10, 30000) i");
  const core::lsn committed = running->status().commit;
  BOOST_TEST((committed - there > 20u << 20));
  acceptors[2]->start();
  // Meanwhile commits go on.
  for (int id = 100'000; id < 100'010; ++id) {
    auto inserted = insert(id);
    need_done(inserted);
  }
  wait_until(
      "it has caught up", [&] { return holding(running->status().commit) == 3; }, 60s);
  const core::lsn end = running->status().commit;
  BOOST_TEST((acceptors[2]->wal(start, end) == acceptors[0]->wal(start, end)));
  BOOST_TEST(acceptors[0]->bytes_lent() + acceptors[1]->bytes_lent() > 10u << 20);
}

BOOST_AUTO_TEST_CASE(postgres_waits_when_memory_is_full_of_what_no_majority_has) {
  const auto running = propose_and_stream(4u << 20);
  auto first = insert(1);
  need_done(first);
  acceptors[0]->pause();
  acceptors[1]->pause();
  auto second = std::async(std::launch::async, [&] {
    postgres.execute("insert into rows select i, repeat('x', 900) from generate_series(10, 20000) i");
  });
  wait_until("memory is full", [&] { return running->status().written - running->status().commit > 3u << 20; });
  BOOST_TEST(!done(second, 500ms));
  BOOST_TEST((running->status().written - running->status().commit <= 4u << 20));
  acceptors[0]->resume();
  acceptors[1]->resume();
  need_done(second);
  BOOST_TEST(postgres.value("select count(*) from rows") == "19992");
}

BOOST_AUTO_TEST_CASE(a_record_longer_than_memory_is_committed) {
  const auto running = propose_and_stream(4u << 20);
  for (const int megabytes : {3, 4, 5, 40}) {
    auto written = emit(megabytes);
    need_done(written);
    auto after = insert(megabytes);
    need_done(after);
  }
  wait_until("all acceptors have the same", [&] { return holding(running->status().commit) == 3; });
  const core::lsn end = running->status().commit;
  BOOST_TEST((end - start > 52u << 20));
  BOOST_TEST((acceptors[0]->wal(start, end) == acceptors[1]->wal(start, end)));
  BOOST_TEST((acceptors[0]->wal(start, end) == acceptors[2]->wal(start, end)));
}

BOOST_AUTO_TEST_CASE(the_rest_of_a_segment_longer_than_memory_is_committed) {
  const auto running = propose_and_stream(4u << 20);
  for (int id = 1; id <= 3; ++id) {
    postgres.execute("select pg_switch_wal()");
    auto inserted = insert(id);
    need_done(inserted);
  }
  wait_until("all acceptors have it", [&] { return holding(running->status().commit) == 3; });
}

BOOST_AUTO_TEST_CASE(who_comes_in_the_middle_of_a_long_record_is_fed_by_postgres) {
  const auto running = propose_and_stream(4u << 20);
  acceptors[2]->stop();
  auto written = emit(60);
  wait_until("memory has given up a part of the record",
             [&] { return running->status().written - running->status().commit > 8u << 20; });
  // Without the second the record can't be committed, and nobody but Postgres has what it lacks now.
  acceptors[1]->stop();
  acceptors[1]->start();
  need_done(written);
  auto after = insert(1);
  need_done(after);
  acceptors[2]->start();
  wait_until(
      "all acceptors have the same", [&] { return holding(running->status().commit) == 3; }, 60s);
  const core::lsn end = running->status().commit;
  BOOST_TEST((acceptors[1]->wal(start, end) == acceptors[0]->wal(start, end)));
  BOOST_TEST((acceptors[2]->wal(start, end) == acceptors[0]->wal(start, end)));
}

BOOST_AUTO_TEST_CASE(members_may_change_in_the_middle_of_a_long_record) {
  const auto running = propose_and_stream(4u << 20);
  auto written = emit(60);
  wait_until("memory has given up a part of the record",
             [&] { return running->status().written - running->status().commit > 8u << 20; });
  consensus::configuration next = machine.members;
  next.generation = 2;
  for (const auto& each : acceptors) each->give(consensus::switch_members{next});
  need_done(written);
  auto after = insert(1);
  need_done(after);
  BOOST_TEST(running->status().generation == 2u);
  BOOST_TEST(!running->news->look([](auto& of) { return of.superseded; }));
}

BOOST_AUTO_TEST_CASE(a_newer_configuration_is_adopted_while_postgres_runs) {
  const auto running = propose_and_stream();
  auto first = insert(1);
  need_done(first);
  consensus::configuration next = machine.members;
  next.generation = 2;
  for (const auto& each : acceptors) each->give(consensus::switch_members{next});
  std::vector<std::future<void>> inserts;
  for (int id = 2; id < 12; ++id) inserts.push_back(insert(id));
  for (auto& each : inserts) need_done(each);
  BOOST_TEST(running->status().generation == 2u);
  BOOST_TEST((running->status().in > running->news->look([](auto& of) { return of.in; })));
  BOOST_TEST(running->news->look([](auto& of) { return of.elected; }) == 1);
  BOOST_TEST(!running->news->look([](auto& of) { return of.superseded; }));
}

BOOST_AUTO_TEST_CASE(a_walsender_that_was_ended_is_followed_by_another_one_where_the_first_stopped) {
  const auto running = propose_and_stream();
  auto first = insert(1);
  need_done(first);
  postgres.execute("select pg_terminate_backend(pid) from pg_stat_replication");
  auto second = insert(2);
  need_done(second);
  const core::lsn end = running->status().commit;
  wait_until("all have it", [&] { return holding(end) == 3; });
  BOOST_TEST((acceptors[0]->wal(start, end) == acceptors[2]->wal(start, end)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
