#include <boost/test/unit_test.hpp>
#include <fstream>

#include "actors/broker/broker.hpp"
#include "actors/broker/broker_link.hpp"
#include "actors/runtime/outside.hpp"
#include "actors/runtime/system.hpp"
#include "actors/safekeeper/supervisor.hpp"
#include "tests/safekeeper_process/safekeeper_fixture.hpp"

using namespace strata;
using namespace strata::tests;
namespace sk = strata::actors::safekeeper;
namespace runtime = strata::actors::runtime;
using namespace std::chrono_literals;

namespace {

/// The role in this process, with a broker that all share.
class role {
 public:
  role(runtime::process_system& system, const messages::broker_link_actor& link, std::uint64_t id,
       std::string directory, std::string backup, sk::ask_donor ask)
      : system_(system), id_(id) {
    std::filesystem::create_directories(directory);
    auto listener = io::listen_tcp("127.0.0.1", 0);
    port_ = listener->port;
    supervisor_ = sk::spawn_supervisor(system.actors(), {.self = {id},
                                                         .directory = std::move(directory),
                                                         .disk = &io::real_disk(),
                                                         .backup_directory = std::move(backup),
                                                         .wal_listener = *std::move(listener),
                                                         .wal_address = "127.0.0.1:" + std::to_string(port_),
                                                         .http_address = "127.0.0.1:1",
                                                         .broker = link,
                                                         .ask = std::move(ask)});
    timelines_ = runtime::ask_and_wait(system.actors(), supervisor_, messages::get_services{}, 10s)->timelines;
  }
  ~role() { actors::runtime::stop_and_wait(system_.actors(), supervisor_); }
  role(const role&) = delete;
  role& operator=(const role&) = delete;

  template <class Request>
  auto ask(Request request) const {
    return runtime::ask_and_wait(system_.actors(), timelines_, std::move(request), 10s);
  }
  [[nodiscard]] messages::wal_timeline_info info(const wal_identity& of) const {
    auto found = ask(messages::get_wal_timeline{{of.tenant, of.timeline}});
    if (!found) throw std::runtime_error(core::to_string(found.error()));
    return *std::move(found);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] consensus::member member() const { return {{id_}, "127.0.0.1", port_}; }

 private:
  runtime::process_system& system_;
  std::uint64_t id_;
  std::uint16_t port_ = 0;
  messages::safekeeper_supervisor_actor supervisor_;
  messages::wal_timelines_actor timelines_;
};

struct two_peers {
  two_peers() {
    both.generation = 1;
    both.members = {first.member(), second.member()};
  }
  temp_dir home;
  runtime::process_system system;
  actors::broker::broker_actor broker = actors::broker::spawn_broker(system.actors(), {"", 0});
  messages::broker_link_actor link = actors::broker::spawn_broker_link(system.actors(), {"", 0}, broker);
  /// Instead of HTTP.
  std::function<core::result<messages::wal_donor>(const std::string& host)> at_host;
  sk::ask_donor ask = [this](const std::string& host, const core::timeline_key&) { return at_host(host); };
  role first{system, link, 1, (home / "1").string(), "", ask};
  role second{system, link, 2, (home / "2").string(), "", ask};
  wal_identity id;
  growing_wal wal;
  consensus::configuration both;

  void make_on(const role& which) const {
    messages::create_wal_timeline wanted;
    wanted.state.tenant = id.tenant;
    wanted.state.timeline = id.timeline;
    wanted.state.cluster = {150020, test_system_id, 16u << 20};
    wanted.state.members = both;
    BOOST_REQUIRE(which.ask(wanted).has_value());
  }
};

void say_feedback(wal_client& to, core::lsn at) {
  core::bytes content;
  protocol::encode(protocol::pageserver_feedback{at, at, at, 0, 1}, content);
  core::bytes feedback{'z'};
  core::append_be(feedback, static_cast<std::uint64_t>(content.size()));
  core::append(feedback, content);
  to.send_copy_data(feedback);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(safekeeper_process_peers, two_peers)

BOOST_AUTO_TEST_CASE(who_has_missed_wal_fetches_it_and_all_come_to_rest_when_the_pageserver_has_it) {
  wal.grow(2u << 20);
  make_on(second);
  {
    test_proposer proposer(first.port(), id);
    BOOST_REQUIRE(proposer.lead(both, {3}, wal.start()));
    proposer.push(wal.start(), wal.from(wal.start()), wal.end());
    proposer.say(consensus::append{1, {3}, wal.end(), wal.end(), wal.end(), {}});
    while (proposer.hear_one<consensus::append_reply>().commit_lsn < wal.end()) continue;
  }
  wait_until("the other has all of it", [&] { return second.info(id).flush_lsn == wal.end(); });
  BOOST_TEST((second.info(id).state.history == first.info(id).state.history));
  wait_until("it knows what is committed", [&] { return second.info(id).state.commit_lsn == wal.end(); });
  const core::bytes got = stream_wal(second.port(), id, wal.start(), wal.end() - wal.start());
  BOOST_TEST(std::equal(got.begin(), got.end(), wal.from(wal.start()).begin(), wal.from(wal.start()).end()));
  BOOST_TEST(first.info(id).condition == "active");
  wait_until("the first hears of the second", [&] { return first.info(id).peers.size() == 1; });

  wal_client page(first.port(), id);
  page.query("START_REPLICATION PHYSICAL " + core::to_string(wal.end()));
  say_feedback(page, wal.end());
  std::string ended;
  for (auto each = page.next(); each; each = page.next()) {
    if (each->tag != 'E') continue;
    ended = each->text();
    break;
  }
  BOOST_TEST(ended.find("C00000") != std::string::npos);
  BOOST_TEST(ended.find("ending streaming to") != std::string::npos);
  wait_until("the first rests", [&] { return first.info(id).condition == "idle"; });
  wait_until("the second has heard and rests, too", [&] { return second.info(id).condition == "idle"; });

  // And wakes.
  test_proposer next(second.port(), id);
  BOOST_REQUIRE(next.lead(both, {4}, wal.start()));
  const core::lsn from = wal.grow(100'000);
  next.push(from, wal.from(from), from);
  BOOST_TEST(second.info(id).condition == "active");
}

BOOST_AUTO_TEST_CASE(the_proposers_feedback_is_the_pageservers) {
  wal.grow(100'000);
  test_proposer proposer(first.port(), id);
  BOOST_REQUIRE(proposer.lead(both, {1}, wal.start()));
  proposer.push(wal.start(), wal.from(wal.start()), wal.end());
  wal_client page(first.port(), id);
  page.query("START_REPLICATION PHYSICAL " + core::to_string(wal.start()));
  say_feedback(page, core::lsn(0x1000100));
  wait_until("the proposer hears of it", [&] {
    proposer.say(consensus::append{1, {1}, wal.end(), wal.end(), wal.end(), {}});
    const auto reply = proposer.hear();
    return reply.feedback && reply.feedback->remote_consistent == core::lsn(0x1000100);
  });
}

BOOST_AUTO_TEST_CASE(a_stream_of_a_term_ends_with_the_term) {
  wal.grow(100'000);
  test_proposer proposer(first.port(), id);
  BOOST_REQUIRE(proposer.lead(both, {1}, wal.start()));
  proposer.push(wal.start(), wal.from(wal.start()), {});
  wal_client peer(first.port(), id);
  peer.query("START_REPLICATION PHYSICAL " + core::to_string(wal.start()) + " (term='1')");
  BOOST_TEST(peer.next()->tag == 'W');
  BOOST_REQUIRE(first.ask(messages::bump_wal_term{{id.tenant, id.timeline}, consensus::term{2}}).has_value());
  auto told = peer.next();
  while (told && told->tag == 'd') told = peer.next();
  BOOST_TEST((told && told->tag == 'E'));
}

BOOST_AUTO_TEST_CASE(who_is_left_out_takes_no_part) {
  wal.grow(100'000);
  test_proposer proposer(first.port(), id);
  BOOST_REQUIRE(proposer.lead(both, {1}, wal.start()));
  proposer.push(wal.start(), wal.from(wal.start()), {});
  consensus::configuration without = both;
  without.generation = 2;
  without.members = {second.member()};
  BOOST_REQUIRE(first.ask(messages::switch_wal_members{{id.tenant, id.timeline}, without}).has_value());
  const core::lsn from = wal.grow(1000);
  BOOST_CHECK_THROW(proposer.push(from, wal.from(from), {}), std::runtime_error);
  test_proposer again(first.port(), id);
  BOOST_CHECK_THROW(again.lead(both, {2}, wal.start()), std::runtime_error);
  test_proposer other(second.port(), id);
  BOOST_TEST(other.lead(without, {2}, wal.start()));
}

BOOST_AUTO_TEST_CASE(who_is_excluded_deletes_its_copy_and_may_be_asked_again) {
  make_on(first);
  consensus::configuration without = both;
  without.generation = 2;
  without.members = {second.member()};
  const messages::exclude_wal_member exclude{{id.tenant, id.timeline}, without};
  const auto excluded = first.ask(exclude);
  BOOST_REQUIRE(excluded.has_value());
  BOOST_TEST(excluded->had_timeline);
  const auto gone = first.ask(messages::get_wal_timeline{{id.tenant, id.timeline}});
  BOOST_REQUIRE(!gone.has_value());
  BOOST_TEST((gone.error().code == core::errc::not_found));
  BOOST_TEST(
      !std::filesystem::exists(home / "1" / "timelines" / core::to_string(id.tenant) / core::to_string(id.timeline)));
  const auto again = first.ask(exclude);
  BOOST_REQUIRE(again.has_value());
  BOOST_TEST(!again->had_timeline);
}

BOOST_AUTO_TEST_CASE(a_configuration_that_counts_on_it_excludes_nobody) {
  make_on(first);
  const core::timeline_key key{id.tenant, id.timeline};
  const auto member = first.ask(messages::exclude_wal_member{key, both});
  BOOST_REQUIRE(!member.has_value());
  BOOST_TEST((member.error().code == core::errc::invalid_argument));
  // Left out in generation 2, which arrives after generation 3 has it again.
  consensus::configuration again = both;
  again.generation = 3;
  BOOST_REQUIRE(first.ask(messages::switch_wal_members{key, again}).has_value());
  consensus::configuration late = both;
  late.generation = 2;
  late.members = {second.member()};
  const auto refused = first.ask(messages::exclude_wal_member{key, late});
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST((refused.error().code == core::errc::conflict));
  BOOST_TEST(first.info(id).state.members.generation == 3u);
}

BOOST_AUTO_TEST_CASE(a_timeline_is_pulled_from_a_donor_that_another_safekeeper_reported) {
  wal.grow(1u << 20);
  consensus::configuration alone = both;
  alone.members = {first.member()};
  {
    test_proposer proposer(first.port(), id);
    BOOST_REQUIRE(proposer.lead(alone, {3}, wal.start()));
    proposer.push(wal.start(), wal.from(wal.start()), wal.end());
  }
  at_host = [this](const std::string& host) -> core::result<messages::wal_donor> {
    if (host != "good:1") return core::error{core::errc::unavailable, "nothing answers"};
    const auto found = first.info(id);
    return messages::wal_donor{found.state, found.wal_begin, found.flush_lsn,
                               first.member().host + ":" + std::to_string(first.port())};
  };
  const core::timeline_key key{id.tenant, id.timeline};
  const auto none = second.ask(messages::pull_wal_timeline{key, {"bad:1"}});
  BOOST_REQUIRE(!none.has_value());
  BOOST_TEST((none.error().code == core::errc::unavailable));
  BOOST_TEST(none.error().detail == "no host has the timeline; bad:1: nothing answers");
  const auto pulled = second.ask(messages::pull_wal_timeline{key, {"bad:1", "good:1"}});
  BOOST_REQUIRE(pulled.has_value());
  BOOST_TEST((pulled->flush_lsn == first.info(id).flush_lsn));
}

BOOST_AUTO_TEST_SUITE_END()
