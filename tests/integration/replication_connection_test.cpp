#include "pg/client/replication_connection.hpp"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>

#include "pg/files/control_file.hpp"
#include "pg/files/data_directory.hpp"
#include "pg/files/tar.hpp"
#include "pg/wal/record.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "tests/support/free_port.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/replication_events.hpp"

using namespace strata;
using namespace strata::pg::client;
using tests::postgres_cluster;
using tests::wait_for_event;

namespace {

using event_or_error = core::result<replication_event>;

template <class Event>
Event expect(replication_connection& connection) {
  event_or_error event = wait_for_event(connection);
  if (!event) throw std::runtime_error(core::to_string(event.error()));
  if (!std::holds_alternative<Event>(*event))
    throw std::runtime_error("event number " + std::to_string(event->index()));
  return std::get<Event>(*std::move(event));
}

core::error expect_error(replication_connection& connection) {
  event_or_error event = wait_for_event(connection);
  if (event) throw std::runtime_error("an event, no error: number " + std::to_string(event->index()));
  return event.error();
}

void require(const core::result<void>& done) {
  if (!done) throw std::runtime_error(core::to_string(done.error()));
}

replication_connection connect(const postgres_cluster& cluster) {
  auto connection = replication_connection::open(cluster.replication_conninfo());
  if (!connection) throw std::runtime_error(core::to_string(connection.error()));
  expect<connected>(*connection);
  return *std::move(connection);
}

core::error failed_connect(const std::string& conninfo) {
  auto connection = replication_connection::open(conninfo);
  if (!connection) return connection.error();
  return expect_error(*connection);
}

bool mentions(const core::error& error, const std::string& part) {
  if (error.detail.find(part) != std::string::npos) return true;
  BOOST_TEST_MESSAGE(core::to_string(error));
  return false;
}

/// Reads the archives of a backup: what lies where, and the contents of small files.
struct backup {
  backup_started started;
  backup_finished finished;
  std::map<std::string, std::uint64_t> sizes;
  std::map<std::string, core::bytes> contents;
  bool complete = true;
};

void read_archive_part(pg::files::tar_reader& reader, const std::string& prefix, core::bytes_view bytes, backup& into) {
  reader.feed(bytes);
  while (true) {
    auto event = reader.next();
    if (!event) throw std::runtime_error(core::to_string(event.error()));
    if (!*event) return;
    if ((*event)->kind == pg::files::tar_event::kind::entry)
      into.sizes[prefix + (*event)->entry->name] = (*event)->entry->size;
    if ((*event)->kind == pg::files::tar_event::kind::data && (*event)->entry->size < 100000)
      core::append(into.contents[prefix + (*event)->entry->name], (*event)->data);
  }
}

backup take_backup(replication_connection& connection) {
  backup into;
  require(connection.start_backup());
  into.started = expect<backup_started>(connection);
  std::optional<pg::files::tar_reader> reader;
  std::string prefix;
  while (true) {
    event_or_error event = wait_for_event(connection);
    if (!event) throw std::runtime_error(core::to_string(event.error()));
    if (const auto* begun = std::get_if<archive_started>(&*event)) {
      if (reader) into.complete = into.complete && reader->complete();
      reader.emplace();
      prefix = begun->tablespace == 0 ? "" : "pg_tblspc/" + std::to_string(begun->tablespace) + "/";
    } else if (const auto* data = std::get_if<archive_data>(&*event)) {
      read_archive_part(reader.value(), prefix, data->bytes, into);
    } else {
      into.finished = std::get<backup_finished>(*event);
      into.complete = into.complete && reader && reader->complete();
      return into;
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(integration_replication_connection)

BOOST_AUTO_TEST_CASE(a_source_says_who_it_is) {
  postgres_cluster cluster;
  cluster.start();
  auto opened = replication_connection::open(cluster.replication_conninfo());
  BOOST_REQUIRE(opened);
  auto& connection = *opened;
  BOOST_TEST(!connection.idle());
  BOOST_TEST(connection.identify_system().error().code == core::errc::busy);
  const auto hello = expect<connected>(connection);
  BOOST_TEST(std::to_string(hello.server_version) == cluster.value("show server_version_num"));
  BOOST_TEST(static_cast<unsigned>(hello.major) == hello.server_version / 10000);
  BOOST_TEST(!hello.in_recovery);
  BOOST_TEST(connection.idle());

  require(connection.identify_system());
  BOOST_TEST(connection.identify_system().error().code == core::errc::busy);
  const auto identity = expect<system_identified>(connection);
  BOOST_TEST(std::to_string(identity.system_id) == cluster.value("select system_identifier from pg_control_system()"));
  BOOST_TEST(identity.timeline == 1u);
  BOOST_TEST(identity.flushed.valid());
  require(connection.show("wal_level"));
  const auto level = expect<setting_shown>(connection);
  BOOST_TEST(level.name == "wal_level");
  BOOST_TEST(level.value == "replica");
  require(connection.show("no_such_setting"));
  BOOST_TEST((expect_error(connection).code == core::errc::not_found || connection.usable()));
  BOOST_TEST(connection.idle());
}

BOOST_AUTO_TEST_CASE(slots_are_made_once_and_dropped_once) {
  postgres_cluster cluster({.config = {"max_replication_slots = 1"}});
  cluster.start();
  replication_connection connection = connect(cluster);
  require(connection.create_physical_slot("strata_a"));
  BOOST_TEST(!expect<slot_created>(connection).existed);
  BOOST_TEST(cluster.value("select restart_lsn is not null from pg_replication_slots where slot_name = 'strata_a'") ==
             "t");
  require(connection.create_physical_slot("strata_a"));
  BOOST_TEST(expect<slot_created>(connection).existed);
  require(connection.create_physical_slot("strata_b"));
  const core::error full = expect_error(connection);
  BOOST_TEST(full.code == core::errc::busy);
  BOOST_TEST(mentions(full, "max_replication_slots"));
  BOOST_TEST(connection.idle());
  require(connection.drop_slot("strata_a"));
  BOOST_TEST(expect<slot_dropped>(connection).existed);
  require(connection.drop_slot("strata_a"));
  BOOST_TEST(!expect<slot_dropped>(connection).existed);
  BOOST_TEST(connection.create_physical_slot("No").error().code == core::errc::invalid_argument);
}

BOOST_AUTO_TEST_CASE(wal_is_streamed_and_every_record_of_it_decodes) {
  postgres_cluster cluster;
  cluster.start();
  cluster.execute("create table t (x int)");
  replication_connection connection = connect(cluster);
  require(connection.create_physical_slot("strata"));
  expect<slot_created>(connection);
  require(connection.identify_system());
  const auto identity = expect<system_identified>(connection);
  const core::lsn start(identity.flushed.value / pg::default_wal_segment_size * pg::default_wal_segment_size);
  require(connection.start_replication("strata", start));
  expect<streaming_started>(connection);
  BOOST_TEST(connection.streaming());

  cluster.execute("insert into t select generate_series(1, 20000)");
  const core::lsn target = *core::parse_lsn(cluster.value("select pg_current_wal_flush_lsn()"));
  pg::wal::stream_decoder decoder(
      {.start = start, .major = connection.major(), .system_id = identity.system_id, .starts_at_record = false});
  core::lsn next = start;
  std::size_t records = 0;
  bool answered = false;
  while (next < target || !answered) {
    event_or_error event = wait_for_event(connection);
    if (!event) BOOST_FAIL(core::to_string(event.error()));
    if (const auto* alive = std::get_if<keepalive>(&*event)) {
      BOOST_TEST(alive->server_end.value >= target.value);
      answered = true;
      continue;
    }
    const auto& data = std::get<wal_data>(*event);
    BOOST_REQUIRE_EQUAL(data.start.value, next.value);
    BOOST_REQUIRE_EQUAL(decoder.position().value, next.value);
    next = next + data.bytes.size();
    decoder.feed(data.bytes);
    while (true) {
      auto record = decoder.next();
      if (!record) BOOST_FAIL(core::to_string(record.error()));
      if (!*record) break;
      ++records;
    }
    if (next >= target) require(connection.send_status(next, next, next, true));
  }
  BOOST_TEST(records > 20000u);
  BOOST_TEST(cluster.value("select flush_lsn >= '" + core::to_string(target) + "' from pg_stat_replication") == "t");
  BOOST_TEST(cluster.value("select application_name from pg_stat_replication") == "strata");

  require(connection.stop_replication());
  while (true) {
    event_or_error event = wait_for_event(connection);
    if (!event) BOOST_FAIL(core::to_string(event.error()));
    if (std::holds_alternative<streaming_ended>(*event)) break;
  }
  BOOST_TEST(connection.idle());
  require(connection.identify_system());
  expect<system_identified>(connection);
}

BOOST_AUTO_TEST_CASE(a_base_backup_arrives_complete_with_its_tablespaces) {
  postgres_cluster cluster;
  cluster.start();
  const auto elsewhere = cluster.work_directory() / "space";
  cluster.execute("create table t as select generate_series(1, 100000) x");
  cluster.execute("copy (select 1) to program 'mkdir " + elsewhere.string() + "'");
  cluster.execute("create tablespace elsewhere location '" + elsewhere.string() + "'");
  cluster.execute("create table far tablespace elsewhere as select generate_series(1, 1000) x");
  const std::string path = cluster.value("select pg_relation_filepath('t')");
  const std::string far_path = cluster.value("select pg_relation_filepath('far')");
  const std::string size = cluster.value("select pg_relation_size('t')");

  replication_connection connection = connect(cluster);
  const backup taken = take_backup(connection);
  BOOST_TEST(connection.idle());
  BOOST_TEST(taken.complete);
  BOOST_TEST(taken.started.start.valid());
  BOOST_TEST(taken.finished.end.value > taken.started.start.value);
  BOOST_TEST(taken.started.size_estimate > 10'000'000u);
  BOOST_REQUIRE_EQUAL(taken.started.tablespaces.size(), 1u);
  BOOST_TEST(taken.started.tablespaces[0].path == elsewhere.string());
  BOOST_TEST(std::to_string(taken.sizes.at(path)) == size);
  BOOST_TEST(taken.sizes.at(far_path) > 0u);

  const auto control = pg::files::decode_control_file(taken.contents.at("global/pg_control"));
  BOOST_REQUIRE(control);
  BOOST_TEST((control->major == connection.major()));
  const auto& label_bytes = taken.contents.at("backup_label");
  const auto label =
      pg::files::parse_backup_label({reinterpret_cast<const char*>(label_bytes.data()), label_bytes.size()});
  BOOST_REQUIRE(label);
  BOOST_TEST(label->start.value == taken.started.start.value);
  BOOST_TEST(label->label == "strata");
  const auto map = taken.contents.find("tablespace_map");
  BOOST_TEST((map != taken.contents.end()) == (connection.major() != pg::major_version::v15));
  if (map != taken.contents.end()) {
    const auto links =
        pg::files::parse_tablespace_map({reinterpret_cast<const char*>(map->second.data()), map->second.size()});
    BOOST_REQUIRE(links);
    BOOST_TEST(links->at(0).tablespace == taken.started.tablespaces[0].id);
  }

  for (const auto& [name, bytes] : taken.sizes)
    BOOST_TEST((pg::files::classify(name, connection.major()).kind != pg::files::path_kind::unknown), name);
}

BOOST_AUTO_TEST_CASE(removed_wal_and_missing_slots_are_told_apart) {
  postgres_cluster cluster({.initdb_arguments = {"--wal-segsize=1"},
                            .config = {"wal_keep_size = 0", "max_wal_size = 2MB", "min_wal_size = 2MB"}});
  cluster.start();
  replication_connection connection = connect(cluster);
  require(connection.identify_system());
  const core::lsn early = expect<system_identified>(connection).flushed;
  for (int i = 0; i < 5; ++i) cluster.execute("create table t" + std::to_string(i) + " (); select pg_switch_wal()");
  cluster.execute("checkpoint");
  cluster.execute("checkpoint");

  require(connection.start_replication("", core::lsn(early.value / 1048576 * 1048576)));
  event_or_error event = wait_for_event(connection);
  while (event) event = wait_for_event(connection);
  BOOST_TEST(event.error().code == core::errc::out_of_range);
  BOOST_TEST(mentions(event.error(), "import it again"));

  replication_connection again = connect(cluster);
  require(again.start_replication("gone", early));
  const core::error missing = expect_error(again);
  BOOST_TEST(missing.code == core::errc::not_found);
  BOOST_TEST(again.idle());
  require(again.start_replication("", early, 77));
  BOOST_TEST(expect_error(again).code == core::errc::out_of_range);
  require(again.start_replication("", early + (std::uint64_t{1} << 40)));
  expect<streaming_started>(again);
  const core::error ahead = expect_error(again);
  BOOST_TEST(ahead.code == core::errc::out_of_range);
  BOOST_TEST(mentions(ahead, "not the same server"));
}

BOOST_AUTO_TEST_CASE(a_source_that_can_not_be_reached_says_why) {
  const std::string port = std::to_string(tests::free_port());
  core::error error = failed_connect("host=127.0.0.1 password=topsecret port=" + port);
  BOOST_TEST(error.code == core::errc::unavailable);
  BOOST_TEST(mentions(error, "nothing answers there"));
  BOOST_TEST(error.detail.find("topsecret") == std::string::npos);

  error = failed_connect("host=/nowhere/at/all port=" + port);
  BOOST_TEST(error.code == core::errc::unavailable);
}

BOOST_AUTO_TEST_CASE(who_we_are_and_what_a_slot_and_a_history_say_is_asked_for) {
  postgres_cluster cluster;
  cluster.start();
  const auto services = cluster.work_directory() / "services";
  std::ofstream(services) << "[shop]\nhost=127.0.0.1\nport=" << cluster.port() << "\nuser=postgres\ndbname=two words\n";
  ::setenv("PGSERVICEFILE", services.c_str(), 1);
  auto by_service = replication_connection::open("service=shop").value();
  ::unsetenv("PGSERVICEFILE");
  const auto told = expect<connected>(by_service);
  BOOST_TEST(told.user == "postgres");
  BOOST_TEST(told.database == "two words");
  BOOST_TEST(told.application_name == "strata");

  replication_connection connection =
      replication_connection::open("host=127.0.0.1 user=postgres port=" + std::to_string(cluster.port())).value();
  BOOST_TEST(expect<connected>(connection).database == "");
  require(connection.read_slot("mine"));
  BOOST_TEST(!expect<slot_read>(connection).exists);
  cluster.execute("select pg_create_physical_replication_slot('mine')");
  require(connection.read_slot("mine"));
  const auto unused = expect<slot_read>(connection);
  BOOST_TEST((unused.exists && !unused.restart.valid()));
  cluster.execute("select pg_create_physical_replication_slot('used', true)");
  require(connection.read_slot("used"));
  BOOST_TEST(expect<slot_read>(connection).restart.valid());
  require(connection.show_history(7));
  BOOST_TEST(mentions(expect_error(connection), "history"));
  BOOST_TEST(connection.idle());
  // What only some may see is no failure.
  cluster.execute("create user limited replication");
  replication_connection limited =
      replication_connection::open("host=127.0.0.1 user=limited port=" + std::to_string(cluster.port())).value();
  expect<connected>(limited);
  require(limited.show("shared_preload_libraries"));
  BOOST_TEST(expect<setting_shown>(limited).value == "");
}

BOOST_AUTO_TEST_CASE(refusals_of_a_source_teach_what_to_change) {
  postgres_cluster cluster;
  cluster.start();
  cluster.execute("create user plain password 'right'; create user copier password 'right' replication");
  cluster.execute(
      "copy (select 'host all,replication postgres all trust' union all "
      "select 'host all,replication plain,copier all scram-sha-256' union all "
      "select 'local all all trust' union all select 'local replication all trust') to '" +
      (cluster.data_directory() / "pg_hba.conf").string() + "'");
  cluster.execute("select pg_reload_conf()");
  const std::string base = "host=127.0.0.1 port=" + std::to_string(cluster.port());

  core::error error = failed_connect(base + " user=copier password=wrong");
  BOOST_TEST(error.code == core::errc::permission_denied);
  BOOST_TEST(mentions(error, "wrong password or user"));
  error = failed_connect(base + " user=copier passfile=/nowhere");
  BOOST_TEST(error.code == core::errc::permission_denied);
  BOOST_TEST(mentions(error, "requires a password"));
  error = failed_connect(base + " user=plain password=right");
  BOOST_TEST(error.code == core::errc::permission_denied);
  BOOST_TEST(mentions(error, "alter role"));
  error = failed_connect(base + " user=nobody password=right");
  BOOST_TEST(error.code == core::errc::permission_denied);
  BOOST_TEST(mentions(error, "pg_hba.conf"));

  cluster.configure("max_wal_senders = 1");
  cluster.restart();
  const replication_connection first = connect(cluster);
  error = failed_connect(base + " user=copier password=right");
  BOOST_TEST(error.code == core::errc::busy);
  BOOST_TEST(mentions(error, "max_wal_senders"));
}

BOOST_AUTO_TEST_CASE(a_source_that_stops_ends_the_stream_and_one_that_dies_breaks_it) {
  postgres_cluster cluster;
  cluster.start();
  for (const auto mode : {tests::stop_mode::fast, tests::stop_mode::immediate}) {
    replication_connection connection = connect(cluster);
    require(connection.identify_system());
    const core::lsn start = expect<system_identified>(connection).flushed;
    require(connection.start_replication("", start));
    expect<streaming_started>(connection);
    // A walsender waits at a fast stop until its client has all WAL; so the client must go on while the server stops.
    auto stopping = cluster.spawn("pg_ctl", {"stop", "-m", mode == tests::stop_mode::fast ? "fast" : "immediate"});
    core::lsn next = start;
    bool ended = false;
    event_or_error event = wait_for_event(connection);
    for (; event; event = wait_for_event(connection)) {
      if (const auto* data = std::get_if<wal_data>(&*event)) next = data->start + data->bytes.size();
      if (std::holds_alternative<streaming_ended>(*event)) ended = true;
      if (connection.streaming()) require(connection.send_status(next, next, next));
    }
    BOOST_TEST(ended == (mode == tests::stop_mode::fast));
    BOOST_TEST((event.error().code == core::errc::unavailable), core::to_string(event.error()));
    BOOST_TEST(!connection.usable());
    stopping->wait();
    cluster.stop();
    cluster.start();
  }
}

BOOST_AUTO_TEST_SUITE_END()
