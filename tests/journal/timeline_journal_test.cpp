#include "journal/timeline_journal.hpp"

#include <boost/test/unit_test.hpp>

#include "journal/acceptor_state_codec.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/simulated_disk.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/wal_builder.hpp"

namespace strata::tests {
namespace {

using consensus::acceptor_message;
using consensus::append_reply;
using consensus::term;
using consensus::term_history;
using consensus::vote_reply;
using core::errc;
using journal::timeline_journal;

constexpr std::uint32_t segment_size = 1u << 20;
const core::tenant_id tenant{{1}};
const core::timeline_id timeline{{2}};
const consensus::cluster_identity cluster{150020, 4711, segment_size};
const consensus::node_id self{1};

const consensus::configuration members{1, {{{1}, "a", 1}, {{2}, "b", 2}, {{3}, "c", 3}}, std::nullopt};

consensus::acceptor_state fresh_state() {
  return {.tenant = tenant, .timeline = timeline, .cluster = {}, .members = members};
}
journal::timeline_journal::options at(const std::string& directory) {
  return {.directory = directory, .self = self, .preallocated_bytes = 64u << 10};
}
template <class T>
std::string why(const core::result<T>& failed) {
  return failed ? std::string() : to_string(failed.error());
}

/// A journal in a directory of a disk in memory, and a proposer that says what it is told to say.
struct stage {
  simulated_disk disk;
  std::unique_ptr<journal::timeline_journal> journal;
  wal_builder wal{{.start = core::lsn(segment_size), .segment_size = segment_size}};
  term in{0};
  term_history history;

  stage() {
    BOOST_REQUIRE(disk.make_directory("/sk"));
    disk.sync_directory("/");
    auto made = journal::timeline_journal::create(disk, at("/sk/timeline"), fresh_state());
    BOOST_REQUIRE_MESSAGE(made, why(made));
    journal = std::move(*made);
  }
  explicit stage(core::lsn start) : stage() { wal = wal_builder({.start = start, .segment_size = segment_size}); }

  journal::timeline_journal::outcome say(const consensus::proposer_message& message, core::bytes_view bytes = {}) {
    const journal::timeline_journal::incoming one{message, bytes};
    return journal->handle({&one, 1});
  }
  void greet() {
    const auto done = say(consensus::greeting{tenant, timeline, members, cluster});
    BOOST_REQUIRE(!done.refused);
    BOOST_REQUIRE(done.replies.size() == 1u);
  }
  vote_reply vote() {
    in = in.next();
    const auto done = say(consensus::vote_request{1, in});
    BOOST_REQUIRE(!done.refused && done.replies.size() == 1u);
    return std::get<vote_reply>(done.replies[0]);
  }
  /// Greeted, voted for and elected to write behind `point`.
  void elect(std::optional<core::lsn> point = {}) {
    greet();
    const auto voted = vote();
    BOOST_REQUIRE(voted.given);
    const auto from = point.value_or(voted.flush_lsn.valid() ? voted.flush_lsn : wal.start());
    history = voted.history.up_to(from).with({in, from});
    const auto done = say(consensus::elected{1, in, from, history});
    BOOST_REQUIRE_MESSAGE(!done.refused, (done.refused ? to_string(*done.refused) : ""));
  }
  core::bytes_view bytes(core::lsn begin, core::lsn end) {
    return core::bytes_view(wal.stream()).subspan(begin - wal.start(), end - begin);
  }
  consensus::append message(core::lsn begin, core::lsn end, core::lsn commit = {}) {
    return {1, in, begin, end, commit, {}};
  }
  /// Everything the journal does not have, in appends of one call.
  journal::timeline_journal::outcome send_all(core::lsn commit = {}) {
    std::vector<journal::timeline_journal::incoming> messages;
    for (auto from = journal->position().write_lsn; from < wal.position();) {
      const auto to = std::min(wal.position(), from + consensus::append_size_max);
      messages.push_back({message(from, to, commit), bytes(from, to)});
      from = to;
    }
    return journal->handle(messages);
  }
  void reopen() {
    journal.reset();
    auto opened = journal::timeline_journal::open(disk, at("/sk/timeline"));
    BOOST_REQUIRE_MESSAGE(opened, why(opened));
    journal = std::move(*opened);
  }
  void crash(std::uint64_t seed) {
    journal.reset();
    std::mt19937_64 random(seed);
    disk.crash(random);
    reopen();
  }
  core::bytes content() {
    const auto log = journal->log();
    core::bytes all(log->end() - log->begin());
    if (!all.empty()) BOOST_REQUIRE(log->read(log->begin(), all));
    return all;
  }
};

wal_record noop(std::size_t size = 40) { return {.info = 0x20, .main_data = core::bytes(size, 0x77)}; }

}  // namespace

BOOST_AUTO_TEST_SUITE(journal_timeline_journal)

BOOST_AUTO_TEST_CASE(an_append_is_answered_with_the_end_of_its_last_whole_record) {
  stage the;
  const auto first = the.wal.append(noop());
  const auto second = the.wal.append(noop(20000));
  the.elect();
  const auto middle = second.start + 9000;
  const auto start = the.wal.start();
  auto done = the.say(the.message(start, middle), the.bytes(start, middle));
  BOOST_REQUIRE(!done.refused && done.replies.size() == 1u);
  BOOST_TEST((std::get<append_reply>(done.replies[0]).flush_lsn == first.end));
  BOOST_TEST((the.journal->position().write_lsn == middle));
  done = the.say(the.message(middle, second.end, first.end), the.bytes(middle, second.end));
  BOOST_REQUIRE(!done.refused && done.replies.size() == 1u);
  BOOST_TEST((std::get<append_reply>(done.replies[0]).flush_lsn == second.end));
  BOOST_TEST((std::get<append_reply>(done.replies[0]).commit_lsn == first.end));
  BOOST_TEST((the.content() == the.wal.stream()));
}

BOOST_AUTO_TEST_CASE(appends_of_one_call_are_synced_once_and_answered_once) {
  stage the;
  for (int i = 0; i < 200; ++i) the.wal.append(noop(2000));
  the.elect();
  // The first append makes room in the file.
  const auto some = the.wal.start() + 5000;
  BOOST_REQUIRE(!the.say(the.message(the.wal.start(), some), the.bytes(the.wal.start(), some)).refused);
  std::vector<journal::timeline_journal::incoming> messages;
  for (int i = 0; i < 20; ++i) {
    const auto from = some + 1000u * static_cast<unsigned>(i);
    messages.push_back({the.message(from, from + 1000), the.bytes(from, from + 1000)});
  }
  const auto calls = the.disk.counted().calls;
  const auto done = the.journal->handle(messages);
  BOOST_TEST(!done.refused);
  BOOST_TEST(done.taken == 20u);
  BOOST_TEST(done.replies.size() == 1u);
  BOOST_TEST(the.disk.counted().calls - calls == 2u);  // a write and a sync

  // In two steps: nothing is promised before the sync.
  const auto from = some + 20000;
  const journal::timeline_journal::incoming one{the.message(from, from + 3000), the.bytes(from, from + 3000)};
  const auto flushed = the.journal->position().flush_lsn;
  BOOST_TEST(the.journal->write({&one, 1}).replies.empty());
  BOOST_TEST((the.journal->position().flush_lsn == flushed));
  BOOST_TEST(the.journal->sync().replies.size() == 1u);
  BOOST_TEST((the.journal->position().flush_lsn > flushed));
  BOOST_TEST(the.journal->sync().replies.empty());
}

BOOST_AUTO_TEST_CASE(a_vote_and_acknowledged_wal_survive_any_crash) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    stage the;
    for (int i = 0; i < 30; ++i) the.wal.append(noop(500));
    the.elect();
    BOOST_REQUIRE(!the.send_all().refused);
    const auto end = the.wal.position();
    const auto next = the.in.next();
    the.say(consensus::vote_request{1, next});
    // Written, never synced.
    the.in = next;
    the.crash(seed);
    BOOST_TEST((the.journal->position().in == next));
    BOOST_TEST((the.journal->position().flush_lsn == end));
    BOOST_TEST((the.journal->state().history == the.history));
    BOOST_TEST((the.content() == the.wal.stream()));
    BOOST_TEST(!std::get<vote_reply>(the.say(consensus::vote_request{1, next}).replies[0]).given);
  }
}

BOOST_AUTO_TEST_CASE(a_torn_record_at_the_end_is_cut_off_and_comes_again) {
  stage the;
  const auto first = the.wal.append(noop());
  const auto second = the.wal.append(noop(20000));
  the.elect();
  const auto start = the.wal.start();
  BOOST_REQUIRE(!the.say(the.message(start, second.end - 100), the.bytes(start, second.end - 100)).refused);
  the.reopen();
  BOOST_TEST((the.journal->position().flush_lsn == first.end));
  BOOST_TEST((the.journal->position().write_lsn == first.end));
  // The next proposer writes another record there, at once or with the log cut once more.
  the.wal = wal_builder({.start = start, .segment_size = segment_size});
  the.wal.append(noop());
  the.elect();
  the.wal.append(noop(300));
  const auto done = the.send_all();
  BOOST_REQUIRE(!done.refused);
  BOOST_TEST((the.journal->position().flush_lsn == the.wal.position()));
  BOOST_TEST((the.content() == the.wal.stream()));
  the.reopen();
  BOOST_TEST((the.content() == the.wal.stream()));
}

BOOST_AUTO_TEST_CASE(an_election_cuts_off_what_nobody_acknowledged) {
  stage the;
  const auto kept = the.wal.append(noop());
  the.wal.append(noop(9000));
  the.elect();
  BOOST_REQUIRE(!the.send_all().refused);
  // Won by somebody whose log ends before.
  wal_builder other({.start = the.wal.start(), .segment_size = segment_size});
  other.append(noop());
  the.wal = other;
  the.wal.append(noop(77));
  the.in = the.in.next();
  BOOST_REQUIRE(std::get<vote_reply>(the.say(consensus::vote_request{1, the.in}).replies[0]).given);
  the.history = the.history.with({the.in.next(), kept.end});
  the.in = the.in.next();
  BOOST_TEST(!the.say(consensus::elected{1, the.in, kept.end, the.history}).refused);
  BOOST_TEST((the.journal->position().flush_lsn == kept.end));
  BOOST_REQUIRE(!the.send_all(the.wal.position()).refused);
  BOOST_TEST((the.content() == the.wal.stream()));
  BOOST_TEST((the.journal->position().commit_lsn == the.wal.position()));
  the.reopen();
  BOOST_TEST((the.content() == the.wal.stream()));
}

BOOST_AUTO_TEST_CASE(a_switch_is_whole_when_the_segment_is) {
  stage the;
  const auto first = the.wal.append(noop());
  const auto switched = the.wal.append_switch();
  BOOST_TEST((switched.end == core::lsn(2 * segment_size)));
  const auto behind = the.wal.append(noop());
  the.elect();
  const auto start = the.wal.start();
  for (auto from = start; from < switched.end;) {
    const auto to = std::min(switched.end, from + 100000);
    const auto done = the.say(the.message(from, to), the.bytes(from, to));
    BOOST_REQUIRE(!done.refused);
    BOOST_TEST((std::get<append_reply>(done.replies[0]).flush_lsn == (to == switched.end ? to : first.end)));
    from = to;
    if (to == switched.end - 48576) {
      // A restart inside the padding: the switch comes again as a whole.
      the.reopen();
      BOOST_TEST((the.journal->position().write_lsn == first.end));
      the.elect();
      from = first.end;
    }
  }
  BOOST_REQUIRE(!the.send_all(switched.end).refused);
  BOOST_TEST((the.journal->position().flush_lsn == behind.end));
  the.reopen();
  BOOST_TEST((the.journal->position().flush_lsn == behind.end));
  BOOST_TEST((the.content() == the.wal.stream()));
}

BOOST_AUTO_TEST_CASE(a_record_may_end_with_its_page) {
  // From the middle of a page, too: a timeline begins where its ancestor is.
  for (const std::uint64_t start : std::initializer_list<std::uint64_t>{
           std::uint64_t{segment_size}, segment_size + 8192ull + 1024, segment_size + 2 * 8192ull}) {
    stage the{core::lsn(start)};
    the.wal.fill_page_until(0);
    const auto end = the.wal.position();
    BOOST_TEST(end.value % 8192 == 0u);
    the.elect();
    BOOST_REQUIRE(!the.send_all(end).refused);
    BOOST_TEST((the.journal->position().flush_lsn == end));
    the.reopen();
    BOOST_TEST((the.journal->position().flush_lsn == end));
    the.elect();
    the.wal.append(noop(10000));
    BOOST_REQUIRE(!the.send_all().refused);
    BOOST_TEST((the.journal->position().flush_lsn == the.wal.position()));
    BOOST_TEST((the.content() == the.wal.stream()));
  }
}

BOOST_AUTO_TEST_CASE(damaged_wal_is_refused_and_what_was_good_stays) {
  stage the;
  the.wal.append(noop());
  const auto good = the.wal.append(noop(700));
  const auto bad = the.wal.append(noop(20000));
  the.elect();
  const auto start = the.wal.start();
  const auto sound = the.wal.stream();
  the.wal.stream()[bad.end - start - 500] ^= 4;
  // Its beginning looks sound and is taken; the rest, in the same call as the good record or later, is not.
  const std::vector<journal::timeline_journal::incoming> messages{
      {the.message(start, bad.start + 3000), the.bytes(start, bad.start + 3000)},
      {the.message(bad.start + 3000, bad.end), the.bytes(bad.start + 3000, bad.end)}};
  const auto done = the.journal->handle(messages);
  BOOST_REQUIRE(done.refused);
  BOOST_TEST(done.refused->code == errc::corrupt);
  BOOST_TEST(!done.failed);
  BOOST_TEST(done.taken == 1u);
  BOOST_TEST((the.journal->position().flush_lsn == good.end));
  BOOST_TEST((the.journal->position().write_lsn == good.end));
  for (const auto& reply : done.replies) BOOST_TEST((std::get<append_reply>(reply).flush_lsn == good.end));

  // The proposer comes again with what it should have sent.
  the.wal.stream() = sound;
  the.elect();
  BOOST_REQUIRE(!the.send_all().refused);
  BOOST_TEST((the.journal->position().flush_lsn == bad.end));
  the.reopen();
  BOOST_TEST((the.content() == sound));

  // WAL of another cluster.
  wal_builder foreign({.start = core::lsn(2 * segment_size), .segment_size = segment_size, .system_id = 9});
  stage other{core::lsn(2 * segment_size)};
  foreign.append(noop());
  other.wal = foreign;
  other.elect();
  const auto refused = other.send_all();
  BOOST_REQUIRE(refused.refused);
  BOOST_TEST(refused.refused->detail.find("system 9") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_refusal_changes_nothing) {
  stage the;
  the.wal.append(noop());
  the.elect();
  BOOST_REQUIRE(!the.send_all().refused);
  const auto state = the.journal->state();
  const auto end = the.wal.position();
  const core::bytes piece(64);
  const auto refused_as = [&](const consensus::proposer_message& message, core::bytes_view bytes, errc code) {
    const auto done = the.say(message, bytes);
    BOOST_REQUIRE(done.refused);
    BOOST_TEST((done.refused->code == code), to_string(*done.refused));
    BOOST_TEST(!done.failed);
    BOOST_TEST(done.replies.empty());
    BOOST_TEST((the.journal->state() == state));
    BOOST_TEST((the.journal->position().write_lsn == end));
  };
  refused_as(the.message(end + 8, end + 72), piece, errc::out_of_range);
  refused_as(the.message(end, end + 64), core::bytes_view(piece).first(8), errc::invalid_argument);
  refused_as(consensus::greeting{core::tenant_id{{9}}, timeline, members, cluster}, {}, errc::conflict);
  refused_as(consensus::greeting{tenant, timeline, members, {120000, 4711, segment_size}}, {}, errc::invalid_argument);
  refused_as(consensus::greeting{tenant, timeline, members, {150020, 4711, 12345}}, {}, errc::invalid_argument);
  refused_as(consensus::greeting{tenant, timeline, members, {150020, 4711, 2 * segment_size}}, {}, errc::conflict);
  refused_as(consensus::vote_request{7, term{100}}, {}, errc::conflict);
}

BOOST_AUTO_TEST_CASE(a_full_disk_fails_the_journal_and_a_new_one_goes_on) {
  for (int nth = 0; nth < 6; ++nth) {
    stage the;
    for (int i = 0; i < 40; ++i) the.wal.append(noop(1000));
    the.elect();
    int call = 0;
    the.disk.decide = [&](simulated_disk::call what, const std::string&) {
      const bool needs_room = what == simulated_disk::call::write || what == simulated_disk::call::resize;
      return needs_room && call++ == nth ? simulated_disk::fault::disk_full : simulated_disk::fault::none;
    };
    const auto done = the.send_all();
    the.disk.decide = nullptr;
    if (!done.refused) {
      BOOST_TEST(nth >= 3);
      break;
    }
    BOOST_TEST(done.failed);
    BOOST_TEST(done.refused->code == errc::disk_full);
    BOOST_TEST(done.replies.empty());
    BOOST_TEST(the.say(the.message(the.wal.start(), the.wal.start())).refused->code == errc::unavailable);
    the.reopen();
    the.elect();
    BOOST_REQUIRE(!the.send_all().refused);
    BOOST_TEST((the.content() == the.wal.stream()));
  }
}

BOOST_AUTO_TEST_CASE(a_crash_at_any_call_keeps_every_promise) {
  for (int nth = 0;; ++nth) {
    bool crashed = false;
    for (std::uint64_t outcome = 0; outcome < 6; ++outcome) {
      stage the;
      int call = 0;
      the.disk.decide = [&](simulated_disk::call, const std::string&) {
        return call++ == nth ? simulated_disk::fault::crash : simulated_disk::fault::none;
      };
      core::lsn promised;
      term voted;
      crashed = false;
      core::bytes sent;
      try {
        for (int round = 0; round < 3; ++round) {
          for (int i = 0; i < 10; ++i) the.wal.append(noop(300 + 977 * static_cast<std::size_t>(i * round)));
          sent = the.wal.stream();
          the.elect();
          voted = the.in;
          const auto done = the.send_all(promised);
          BOOST_REQUIRE(!done.refused);
          promised = std::get<append_reply>(done.replies.back()).flush_lsn;
          BOOST_REQUIRE(the.journal->save_positions());
        }
      } catch (const simulated_crash&) {
        crashed = true;
      }
      the.disk.decide = nullptr;
      the.crash(outcome);
      BOOST_TEST((the.journal->position().flush_lsn >= promised));
      BOOST_TEST((the.journal->position().in >= voted));
      if (the.journal->log()) {
        const auto content = the.content();
        BOOST_TEST(std::equal(content.begin(), content.end(), sent.begin()));
      }
      the.in = term{100};
      the.elect();
      the.wal.append(noop());
      BOOST_TEST(!the.send_all().refused);
      BOOST_TEST((the.journal->position().flush_lsn == the.wal.position()));
    }
    if (!crashed) {
      BOOST_TEST(nth > 30);
      break;
    }
  }
}

BOOST_AUTO_TEST_CASE(wal_goes_only_when_it_is_durably_known_that_nobody_needs_it) {
  stage the;
  for (int i = 0; i < 40; ++i) the.wal.append(noop(100000));
  the.elect();
  BOOST_REQUIRE(!the.send_all(the.wal.position()).refused);
  BOOST_REQUIRE(!the.say(the.message(the.wal.position(), the.wal.position(), the.wal.position())).refused);
  const auto first = the.journal->log()->begin();
  const auto end = the.wal.position();
  const auto removed_up_to = [&] {
    BOOST_REQUIRE(the.journal->remove_wal_before(core::lsn::max()));
    return the.journal->log()->begin();
  };
  BOOST_TEST((removed_up_to() == first));
  BOOST_REQUIRE(the.journal->tell(consensus::timeline_news{.remote_consistent = end}));
  BOOST_REQUIRE(the.journal->save_positions());
  BOOST_TEST((removed_up_to() == first));
  const core::lsn backed_up(3 * segment_size);
  BOOST_REQUIRE(the.journal->tell(consensus::timeline_news{.backup_lsn = backed_up}));
  BOOST_TEST((removed_up_to() == first));  // known, but not durably
  BOOST_REQUIRE(the.journal->save_positions());
  BOOST_TEST((removed_up_to() == backed_up));
  the.reopen();
  BOOST_TEST((the.journal->log()->begin() == backed_up));
  BOOST_TEST((the.journal->position().flush_lsn == end));
  // More is gone than may be.
  the.journal.reset();
  const auto names = the.disk.list("/sk/timeline");
  BOOST_REQUIRE(names && names->front().ends_with(".frames"));
  BOOST_REQUIRE(the.disk.remove("/sk/timeline/" + names->front()));
  BOOST_TEST(journal::timeline_journal::open(the.disk, at("/sk/timeline")).error().code == errc::corrupt);
}

BOOST_AUTO_TEST_CASE(a_timeline_is_pulled_with_its_wal) {
  stage the;
  for (int i = 0; i < 20; ++i) the.wal.append(noop(30000));
  the.elect();
  BOOST_REQUIRE(!the.send_all().refused);
  BOOST_REQUIRE(!the.say(the.message(the.wal.position(), the.wal.position(), the.wal.position())).refused);
  const auto log = the.journal->log();
  const auto from_peer = [&](core::lsn from, core::bytes_span to) -> core::result<std::size_t> {
    if (from == log->end()) return std::size_t{0};
    return log->read(from, to);
  };
  const auto state = the.journal->state();
  // Torn off in between: there is no timeline, and the next attempt is not disturbed.
  int pieces = 0;
  const auto breaks = [&](core::lsn from, core::bytes_span to) -> core::result<std::size_t> {
    if (++pieces == 3) return core::error{errc::unavailable, "the peer has gone"};
    return from_peer(from, to.first(1000));
  };
  BOOST_TEST(journal::timeline_journal::create(the.disk, at("/sk/pulled"), state, breaks).error().code ==
             errc::unavailable);
  BOOST_TEST(journal::timeline_journal::open(the.disk, at("/sk/pulled")).error().code == errc::not_found);
  const auto too_little = [&](core::lsn from, core::bytes_span to) -> core::result<std::size_t> {
    if (from >= state.commit_lsn - 5000) return std::size_t{0};
    return from_peer(from, to.first(1000));
  };
  BOOST_TEST((journal::timeline_journal::create(the.disk, at("/sk/pulled"), state, too_little).error().code ==
              errc::invalid_argument));
  auto pulled = journal::timeline_journal::create(the.disk, at("/sk/pulled"), state, from_peer);
  BOOST_REQUIRE_MESSAGE(pulled, why(pulled));
  BOOST_TEST(((*pulled)->state() == state));
  BOOST_TEST(((*pulled)->position().flush_lsn == the.wal.position()));
  BOOST_TEST(journal::timeline_journal::create(the.disk, at("/sk/pulled"), state, from_peer).error().code ==
             errc::conflict);
}

BOOST_AUTO_TEST_CASE(it_works_on_a_real_disk) {
  const temp_dir directory;
  auto& disk = io::real_disk();
  wal_builder wal({.start = core::lsn(3 * segment_size + 8192), .segment_size = segment_size});
  for (int i = 0; i < 30; ++i) wal.append(noop(60000));
  const auto where = at((directory / "timeline").string());
  {
    auto made = journal::timeline_journal::create(disk, where, fresh_state());
    BOOST_REQUIRE_MESSAGE(made, why(made));
    const term_history history({{term{1}, wal.start()}});
    std::vector<journal::timeline_journal::incoming> messages{
        {consensus::greeting{tenant, timeline, members, cluster}, {}},
        {consensus::vote_request{1, term{1}}, {}},
        {consensus::elected{1, term{1}, wal.start(), history}, {}}};
    for (auto from = wal.start(); from < wal.position();) {
      const auto to = std::min(wal.position(), from + consensus::append_size_max);
      messages.push_back({consensus::append{1, term{1}, from, to, {}, {}},
                          core::bytes_view(wal.stream()).subspan(from - wal.start(), to - from)});
      from = to;
    }
    const auto done = (*made)->handle(messages);
    BOOST_REQUIRE(!done.refused);
    BOOST_TEST(done.replies.size() == 3u);
    (*made)->rest();
  }
  auto opened = journal::timeline_journal::open(disk, where);
  BOOST_REQUIRE_MESSAGE(opened, why(opened));
  BOOST_TEST(((*opened)->position().flush_lsn == wal.position()));
  core::bytes all(wal.stream().size());
  BOOST_REQUIRE((*opened)->log()->read(wal.start(), all));
  BOOST_TEST((all == wal.stream()));
}

BOOST_AUTO_TEST_CASE(the_state_of_an_acceptor_is_read_as_it_was_written) {
  auto state = fresh_state();
  state.cluster = cluster;
  state.members.new_members = {{{4}, "host-4.example", 5454}, {{5}, "", 0}};
  state.in = term{9};
  state.history = term_history({{term{3}, core::lsn(800)}, {term{9}, core::lsn(1000)}});
  state.timeline_start = core::lsn(800);
  state.local_start = core::lsn(900);
  state.commit_lsn = core::lsn(1010);
  state.backup_lsn = core::lsn(1);
  state.peer_horizon = core::lsn(2);
  state.remote_consistent = core::lsn(3);
  const auto encoded = journal::encode(state);
  BOOST_TEST((*journal::decode_acceptor_state(encoded) == state));
  for (std::size_t size = 0; size < encoded.size(); ++size)
    BOOST_TEST(!journal::decode_acceptor_state(core::bytes_view(encoded).first(size)));
  auto newer = encoded;
  newer[0] = 2;
  BOOST_TEST(journal::decode_acceptor_state(newer).error().code == errc::unsupported);
  const auto refused = [](consensus::acceptor_state of) {
    return journal::decode_acceptor_state(journal::encode(of)).error().code == errc::corrupt;
  };
  auto wrong = state;
  wrong.in = term{8};
  BOOST_TEST(refused(wrong));
  wrong = state;
  wrong.commit_lsn = core::lsn(850);
  BOOST_TEST(refused(wrong));
  wrong = state;
  wrong.members.members[1].id = wrong.members.members[0].id;
  BOOST_TEST(refused(wrong));
  wrong = state;
  wrong.timeline_start = core::lsn(700);
  BOOST_TEST(refused(wrong));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
