#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <set>

#include "pg/files/control_file.hpp"
#include "pg/files/data_directory.hpp"
#include "pg/files/start_segment.hpp"
#include "pg/files/two_phase.hpp"
#include "pg/records/cluster.hpp"
#include "pg/records/slru.hpp"
#include "pg/records/storage.hpp"
#include "pg/records/transaction.hpp"
#include "pg/wal/record.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "tests/support/major_cases.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/printing.hpp"

using namespace strata;
using namespace strata::pg;
namespace fs = std::filesystem;

namespace {

core::bytes read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Calls `each` with every record from the begin of the oldest WAL file on.
void for_each_record(const fs::path& pg_wal, major_version major, const std::function<void(const wal::record&)>& each) {
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(pg_wal))
    if (entry.path().filename().string().size() == 24) files.insert(entry.path());
  std::optional<wal::stream_decoder> decoder;
  wal::record record;
  for (const fs::path& path : files) {
    const core::bytes file = read_file(path);
    const core::lsn begin(core::load_le<std::uint64_t>(file.data() + 8));
    if (files::wal_segment_name(1, begin) != path.filename().string()) return;
    if (!decoder)
      decoder.emplace(wal::stream_decoder_options{.start = begin, .major = major, .starts_at_record = false});
    decoder->feed(file);
    while (true) {
      const auto framed = decoder->next();
      // Behind the last record lie zeros or older bytes.
      if (!framed) return;
      if (!*framed) break;
      const auto parsed = wal::parse_record((*framed)->bytes, (*framed)->start, (*framed)->end, major, record);
      if (!parsed) throw std::runtime_error(core::to_string(parsed.error()));
      each(record);
    }
  }
}

template <class T>
const T& checked(const core::result<T>& decoded) {
  if (!decoded) throw std::runtime_error(core::to_string(decoded.error()));
  return *decoded;
}

/// What the records said, as far as the test compares it with what the server says.
struct seen_records {
  major_version major;
  std::map<std::string, int> count;
  std::set<relation_fork> dropped;
  std::set<transaction_id> prepared_ends;
  std::map<transaction_id, core::bytes> prepared;
  std::vector<records::database_copy> copies;
  core::lsn last_checkpoint;
  files::checkpoint counters;
  records::parameters_changed parameters;
  std::map<std::uint16_t, core::lsn> origins;

  template <class... Part>
  void count_variant(const std::string& name, const std::variant<Part...>& decoded) {
    ++count[name + std::to_string(decoded.index())];
  }

  void take(const wal::record& record) {
    using manager = wal::resource_manager;
    switch (record.manager) {
      case manager::transaction: return take_transaction(record);
      case manager::xlog: return take_xlog(record);
      case manager::clog: return count_variant("clog", checked(records::decode_clog(record, major)));
      case manager::multixact: return count_variant("multixact", checked(records::decode_multixact(record, major)));
      case manager::storage: return count_variant("storage", checked(records::decode_storage(record)));
      case manager::tablespace: return count_variant("tablespace", checked(records::decode_tablespace(record)));
      case manager::standby: return count_variant("standby", checked(records::decode_standby(record)));
      case manager::relmap:
        checked(records::decode_relation_map(record, major));
        ++count["relmap"];
        return;
      case manager::database: {
        const auto decoded = checked(records::decode_database(record, major));
        count_variant("database", decoded);
        if (const auto* copy = std::get_if<records::database_copy>(&decoded)) copies.push_back(*copy);
        return;
      }
      case manager::replication_origin: {
        const auto decoded = checked(records::decode_origin(record));
        count_variant("origin", decoded);
        if (const auto* set = std::get_if<records::origin_set>(&decoded)) origins[set->origin] = set->remote;
        return;
      }
      default: return;
    }
  }

  void take_transaction(const wal::record& record) {
    using operation = records::transaction_operation;
    switch (records::transaction_operation_of(record)) {
      case operation::prepare: {
        const auto prepare = checked(records::decode_transaction_prepare(record, major));
        BOOST_TEST(prepare.xid == record.xid);
        prepared[prepare.xid] = {prepare.state.begin(), prepare.state.end()};
        ++count["prepare"];
        if (!prepare.subtransactions.empty()) ++count["prepare with subtransactions"];
        return;
      }
      case operation::assignment:
      case operation::invalidations: return;
      default: break;
    }
    const auto end = checked(records::decode_transaction_end(record, major));
    ++count[std::string(end.committed ? "commit" : "abort") + (end.prepared ? " prepared" : "")];
    if (!end.subtransactions.empty()) ++count["end with subtransactions"];
    if (end.prepared) prepared_ends.insert(end.xid);
    if (end.origin_lsn.valid()) ++count["end with origin"];
    dropped.insert(end.dropped.begin(), end.dropped.end());
  }

  void take_xlog(const wal::record& record) {
    const auto decoded = checked(records::decode_xlog(record, major));
    count_variant("xlog", decoded);
    if (const auto* checkpoint = std::get_if<records::checkpoint_taken>(&decoded)) {
      last_checkpoint = record.start;
      counters = checkpoint->counters;
    }
    if (const auto* changed = std::get_if<records::parameters_changed>(&decoded)) parameters = *changed;
  }
};

void make_multixacts(tests::postgres_cluster& cluster) {
  tests::sql_session one(cluster.conninfo());
  tests::sql_session other(cluster.conninfo());
  one.execute("begin; select * from locked for key share");
  other.execute("begin; select * from locked for key share; update locked set note = 'x'; commit");
  one.execute("commit");
}

/// Inside the data directory, which 15 brought.
void make_tablespace(tests::postgres_cluster& cluster) {
  tests::sql_session session(cluster.conninfo());
  session.execute("set allow_in_place_tablespaces = on");
  session.execute("create tablespace space location ''");
  session.execute("drop tablespace space");
}

files::control_file control_of(const tests::postgres_cluster& cluster) {
  return checked(files::decode_control_file(read_file(cluster.data_directory() / "global/pg_control")));
}

relation_fork relation_of(tests::postgres_cluster& cluster, const std::string& name) {
  const auto found =
      files::classify(cluster.value("select pg_relation_filepath('" + name + "')"), control_of(cluster).major);
  BOOST_REQUIRE((found.kind == files::path_kind::relation));
  return found.relation.relation;
}

}  // namespace

STRATA_CASE_FOR_MAJORS(integration_record_payload, every_payload_of_a_real_stream_decodes_and_tells_what_happened,
                       tests::minors::newest) {
  tests::postgres_cluster cluster(
      {.config = {"wal_level = logical", "max_prepared_transactions = 5", "wal_keep_size = 1GB", "autovacuum = off"},
       .install = install});
  cluster.start();
  const major_version major = control_of(cluster).major;
  cluster.execute("create table gone (x int primary key); create table kept (x int)");
  cluster.execute("create table locked (id int primary key, note text); insert into locked values (1, 'a')");
  const relation_fork gone = relation_of(cluster, "gone");
  cluster.execute("drop table gone");
  cluster.execute("begin; create table never (x int); savepoint a; insert into kept values (1); rollback");
  cluster.execute("begin; insert into kept values (2); savepoint b; insert into kept values (3); commit");
  cluster.execute("create temp table t1 (x int); truncate kept");
  cluster.execute("insert into kept select generate_series(1, 10000); delete from kept where x > 10; ");
  cluster.execute("vacuum kept");
  make_multixacts(cluster);
  for (const std::string name : {"one", "two", "three"})
    cluster.execute(
        "begin; insert into kept values (4); savepoint c; insert into kept values (5); prepare transaction '" + name +
        "'");
  cluster.execute("commit prepared 'one'");
  cluster.execute("rollback prepared 'two'");
  cluster.execute(major == major_version::v14 ? "create database copied" : "create database copied strategy file_copy");
  if (major != major_version::v14) cluster.execute("create database logged strategy wal_log");
  const std::string copied = cluster.value("select oid from pg_database where datname = 'copied'");
  cluster.execute("drop database copied");
  cluster.execute("vacuum full pg_class");
  if (major != major_version::v14) make_tablespace(cluster);
  cluster.execute(
      "select pg_replication_origin_create('from'); select pg_replication_origin_advance('from', '0/ABCDEF')");
  cluster.execute(
      "select pg_replication_origin_session_setup('from'); begin; "
      "select pg_replication_origin_xact_setup('0/ABCDFF', now()); insert into kept values (9); commit");
  cluster.configure("max_connections = 77");
  cluster.configure("wal_log_hints = on");
  cluster.restart();
  cluster.execute("checkpoint");
  cluster.stop();

  seen_records seen{.major = major};
  for_each_record(cluster.data_directory() / "pg_wal", major,
                  [&seen](const wal::record& record) { seen.take(record); });

  for (const char* name :
       {"commit", "abort", "commit prepared", "abort prepared", "prepare", "prepare with subtransactions",
        "end with subtransactions", "end with origin", "multixact1", "storage0", "storage1", "database0", "database2",
        "relmap", "xlog1", "xlog2", "xlog3", "standby1", "origin0"})
    BOOST_TEST(seen.count[name] > 0, name);
  if (major != major_version::v14)
    for (const char* name : {"database1", "tablespace0", "tablespace1"}) BOOST_TEST(seen.count[name] > 0, name);
  BOOST_TEST(seen.dropped.contains(gone));
  BOOST_TEST(seen.prepared.size() == 3u);
  BOOST_TEST(seen.prepared_ends.size() == 2u);
  BOOST_REQUIRE(!seen.copies.empty());
  BOOST_TEST(std::to_string(seen.copies.back().database) == copied);
  BOOST_TEST(seen.parameters.max_connections == 77);
  BOOST_TEST(seen.parameters.wal_log_hints);
  BOOST_TEST(seen.parameters.wal_level == files::wal_level::logical);
  BOOST_TEST(seen.origins.size() == 1u);
  BOOST_TEST(seen.origins.begin()->second.value == 0xABCDEFu);

  // The last checkpoint record and pg_control tell the same.
  const auto control = control_of(cluster);
  BOOST_TEST(seen.last_checkpoint.value == control.checkpoint_location.value);
  BOOST_TEST((seen.counters == control.checkpoint_copy));

  // The transaction that stays prepared has a file, which is its record's data.
  int state_files = 0;
  for (const auto& entry : fs::directory_iterator(cluster.data_directory() / "pg_twophase")) {
    const auto found = files::classify("pg_twophase/" + entry.path().filename().string(), major);
    BOOST_REQUIRE((found.kind == files::path_kind::two_phase));
    const core::bytes file = read_file(entry.path());
    const auto state = checked(files::decode_two_phase_file(file));
    const core::bytes& recorded = seen.prepared.at(static_cast<transaction_id>(found.xid));
    BOOST_TEST(std::equal(state.begin(), state.end(), recorded.begin(), recorded.end()));
    BOOST_TEST((files::encode_two_phase_file(state) == file));
    BOOST_TEST(checked(records::decode_prepared_state(state, major)).xid == found.xid);
    ++state_files;
  }
  BOOST_TEST(state_files == 1);
}

STRATA_CASE_FOR_MAJORS(integration_record_payload, every_path_of_a_real_data_directory_has_its_kind,
                       tests::minors::newest) {
  tests::postgres_cluster cluster({.install = install});
  cluster.start();
  const major_version major = control_of(cluster).major;
  cluster.execute("create unlogged table u (x int)");
  std::size_t relations = 0;
  for (const auto& entry : fs::recursive_directory_iterator(cluster.data_directory())) {
    const std::string path = entry.path().lexically_relative(cluster.data_directory()).generic_string();
    const auto found = files::classify(path, major);
    BOOST_TEST((found.kind != files::path_kind::unknown), path);
    if (found.kind != files::path_kind::relation) continue;
    ++relations;
    BOOST_TEST(files::relation_path(found.relation, major) == path);
  }
  BOOST_TEST(relations > 900u);
}
