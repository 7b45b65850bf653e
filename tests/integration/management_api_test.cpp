#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <future>
#include <regex>
#include <set>

#include "pg/files/relation_manifest.hpp"
#include "pg/files/tar.hpp"
#include "tests/integration/bad_input_fixture.hpp"

using namespace strata::tests;

BOOST_AUTO_TEST_SUITE(integration_management_api)

namespace {

namespace core = strata::core;
using nlohmann::json;

struct api_fixture {
  api_fixture() : source(cluster_options{.config = {"autovacuum = off"}}) {
    source.start();
    source.execute("CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 1000)");
    strata.start();
    strata.add_source("s", source.conninfo());
    path = strata.timeline_path("s");
  }

  /// Commits one row and tells where and when that was.
  std::pair<core::lsn, std::string> commit(int n) {
    sql_session session(source.conninfo());
    session.execute("INSERT INTO t VALUES (" + std::to_string(n) + ")");
    const auto row = session.query(
        "SELECT pg_current_wal_flush_lsn(), to_char(clock_timestamp() AT TIME ZONE 'UTC', "
        "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
    return {lsn_from(*row.at(0)[0]), *row.at(0)[1]};
  }
  void wait_for_all() { strata.wait_for_lsn("s", lsn_from(source.value("SELECT pg_current_wal_flush_lsn()"))); }
  json timeline() { return strata.api("GET", path); }

  postgres_cluster source;
  strata_server strata;
  std::string path;
};

/// The highest row that the branch shows.
std::string newest_on(const strata_server& strata, const std::string& branch) {
  return branch_compute(strata, branch).value("SELECT max(n) FROM t");
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(times_become_lsns_and_lsns_times, api_fixture) {
  const auto [first, first_time] = commit(2001);
  const auto [second, second_time] = commit(2002);
  commit(2003);
  wait_for_all();
  const auto lsn_at = [&](const std::string& time) {
    return strata.api("GET", path + "/get_lsn_by_timestamp?timestamp=" + time);
  };
  const json at_first = lsn_at(first_time);
  BOOST_TEST(at_first.at("kind") == "present");
  BOOST_TEST((lsn_from(at_first.at("lsn")) <= first));
  const json at_second = lsn_at(second_time);
  BOOST_TEST((lsn_from(at_second.at("lsn")) > lsn_from(at_first.at("lsn"))));
  BOOST_TEST((lsn_from(at_second.at("lsn")) <= second));
  BOOST_TEST(lsn_at("2999-01-01T00:00:00Z").at("kind") == "future");
  BOOST_TEST(lsn_at("2001-01-01T00:00:00Z").at("kind") == "past");

  const auto time_at = [&](core::lsn at) {
    return strata.api("GET", path + "/get_timestamp_of_lsn?lsn=" + core::to_string(at)).get<std::string>();
  };
  // Both are ISO 8601 in UTC, so that they compare as texts.
  BOOST_TEST(time_at(first).substr(0, 19) <= first_time.substr(0, 19));
  BOOST_TEST(time_at(first) < time_at(second));
  BOOST_TEST(lsn_at(time_at(second)).at("lsn") == at_second.at("lsn"));

  strata.ask({"branch", "create", "then", "--from", "main@" + first_time});
  BOOST_TEST(newest_on(strata, "then") == "2001");
  strata.ask({"branch", "create", "later", "--from", "main@" + core::to_string(second)});
  BOOST_TEST(newest_on(strata, "later") == "2002");
}

BOOST_FIXTURE_TEST_CASE(a_moment_that_has_not_been_seen_is_refused_and_an_idle_source_is_known, api_fixture) {
  const std::string seen_time = commit(2001).second;
  wait_until("the source tells more than its last commit",
             [&] { return timeline().value("known_until", "") > seen_time; });
  strata.ask({"branch", "create", "idle", "--from", "main@1s"});
  BOOST_TEST(newest_on(strata, "idle") == "2001");
  BOOST_TEST(timeline().at("source").at("lag_bytes") == 0);
  BOOST_TEST(strata.cli({"status"}).out.find("0 B behind") != std::string::npos);

  // The source writes on while its stream is held up: what it commits is not known here.
  const std::string sender = source.value("SELECT pid FROM pg_stat_replication WHERE application_name = 'strata'");
  const pid_t stalled = static_cast<pid_t>(std::stol(sender));
  ::kill(stalled, SIGSTOP);
  const std::string unseen_time = commit(2002).second;
  const json until = timeline().at("known_until");
  BOOST_TEST(until.get<std::string>() < unseen_time);
  const auto check_refused = [&](const finished& done) {
    BOOST_TEST(done.exit_code == 6, done.out << done.err);
    BOOST_TEST(done.err.find("have arrived; ") != std::string::npos, done.err);
  };
  const std::string point = "main@" + unseen_time;
  const std::string archive = strata.directory() / "unseen.tar";
  std::future<finished> exporting = std::async(std::launch::async, [&] {
    return strata.cli({"export", point, "-o", archive});
  });
  check_refused(strata.cli({"branch", "create", "unseen", "--from", point}));
  check_refused(exporting.get());
  const http_reply answer = strata.http("POST", path + "/point", json{{"timestamp", unseen_time}}.dump());
  BOOST_TEST(answer.status == 503);
  BOOST_TEST(answer.json().at("error").at("known_until").get<std::string>() < unseen_time);
  BOOST_TEST(!timeline().at("source").contains("lag_bytes"));
  BOOST_TEST(strata.cli({"status"}).out.find("0 B behind") == std::string::npos);
  BOOST_TEST(strata.cli({"source", "list"}).out.find("unknown") != std::string::npos);
  // What is known can be had all the same.
  strata.ask({"branch", "create", "seen", "--from", "main@" + until.get<std::string>()});

  // It comes back while somebody waits.
  process waits(strata.program({"branch", "create", "then", "--from", point}));
  wait_until("it waits", [&] { return waits.err().find("waiting up to") != std::string::npos; });
  ::kill(stalled, SIGCONT);
  const finished waited = waits.wait();
  BOOST_TEST_REQUIRE(waited.exit_code == 0, waited.err);
  BOOST_TEST(newest_on(strata, "then") == "2002");

  // Lost.
  source.stop();
  wait_until("the loss is noticed", [&] { return timeline().at("source").at("phase") == "waiting_to_retry"; });
  const finished status = strata.cli({"status"});
  BOOST_TEST(status.out.find("0 B behind") == std::string::npos, status.out);
}

BOOST_FIXTURE_TEST_CASE(a_checkpoint_makes_everything_durable_and_compaction_and_layers_can_be_seen, api_fixture) {
  strata.set_options("s", {{"compaction_period", "0s"}, {"compaction_threshold", 1000}});
  for (int i = 0; i < 4; ++i) {
    source.execute("INSERT INTO t SELECT generate_series(1, 2000)");
    wait_for_all();
    const core::lsn before = lsn_from(timeline().at("last_record_lsn"));
    const json made = strata.api("PUT", path + "/checkpoint");
    BOOST_TEST((lsn_from(made.at("disk_consistent_lsn")) >= before));
  }
  const json before = strata.api("GET", path + "/layer").at("historic_layers");
  const auto of_level = [](const json& layers, int level) {
    return std::count_if(layers.begin(), layers.end(), [&](const json& each) { return each.at("level") == level; });
  };
  BOOST_TEST(of_level(before, 0) >= 4);
  const json compacted = strata.api("PUT", path + "/compact");
  BOOST_TEST(compacted.at("layers_in").get<int>() >= 4);
  BOOST_TEST(compacted.at("layers_out").get<int>() >= 1);
  const json after = strata.api("GET", path + "/layer").at("historic_layers");
  BOOST_TEST(of_level(after, 0) < of_level(before, 0));
  BOOST_TEST(of_level(after, 1) >= 1);
  std::uint64_t size = 0;
  for (const json& layer : after) size += layer.at("layer_file_size").get<std::uint64_t>();
  BOOST_TEST(timeline().at("current_physical_size") == size);
  strata.ask({"branch", "create", "dev", "--from", "main"});
  BOOST_TEST(branch_compute(strata, "dev").value("SELECT count(*) FROM t") == "9000");
}

BOOST_FIXTURE_TEST_CASE(an_export_keeps_its_point_until_its_end_however_slow_it_is, api_fixture) {
  const auto flush = [&] {
    wait_for_all();
    strata.api("PUT", path + "/checkpoint");
  };
  strata.set_options("s", {{"compaction_period", "0s"},
                           {"compaction_threshold", 1},
                           {"image_creation_threshold", 1},
                           {"gc_period", "0s"},
                           {"lsn_lease_length", "100ms"}});
  commit(2001);
  flush();
  const std::string at = timeline().at("last_record_lsn");
  // Whoever reads the archive stops in the middle until the gate opens.
  const temp_dir work;
  command slow = strata.program({});
  slow.arguments = {
      "bash", "-c",
      "set -o pipefail; mkfifo gate; '" + strata_binary().string() + "' export main@" + at +
          " | { dd bs=65536 count=1 iflag=fullblock status=none; touch begun; cat gate; cat; } > base.tar"};
  slow.directory = work.path();
  process exporting(slow);
  wait_until("the export has begun", [&] { return std::filesystem::exists(work / "begun"); });
  for (int round = 0; round < 3; ++round) {
    source.execute("UPDATE t SET n = n");
    source.execute("VACUUM t");
    flush();
    strata.api("PUT", path + "/compact");
  }
  const auto collect = [&] { return strata.api("PUT", path + "/do_gc", {{"gc_horizon", 0}}); };
  strata.set_options("s", {{"pitr_interval", "0s"}});
  BOOST_TEST((lsn_from(collect().at("gc_cutoff_lsn")) > lsn_from(at)));
  BOOST_TEST(strata.http("GET", path + "/export?lsn=" + at).status == 200);
  run({.arguments = {"bash", "-c", "echo -n > gate"}, .directory = work.path()});
  const finished done = exporting.wait(std::chrono::minutes(2));
  BOOST_TEST(done.exit_code == 0, done.err);
  const finished listed = run({.arguments = {"tar", "-tf", "base.tar"}, .directory = work.path()});
  BOOST_TEST(listed.exit_code == 0, listed.err);
  BOOST_TEST(listed.out.find("global/pg_control") != std::string::npos);
  // Nobody holds it any more.
  wait_until("the point is let go", [&] {
    collect();
    return strata.http("GET", path + "/export?lsn=" + at).status == 422;
  });
}

BOOST_FIXTURE_TEST_CASE(an_export_can_list_its_relations, api_fixture) {
  namespace files = strata::pg::files;
  const http_reply whole = strata.http("GET", path + "/export?relations=contained");
  const http_reply listed = strata.http("GET", path + "/export?relations=listed");
  BOOST_REQUIRE(whole.status == 200 && listed.status == 200);
  BOOST_TEST(strata.http("GET", path + "/export?relations=some").status == 400);
  BOOST_TEST(listed.body.size() < whole.body.size() / 5);
  const auto contents_of = [](const http_reply& archive) {
    std::map<std::string, core::bytes> found;
    files::tar_reader reader;
    reader.feed({reinterpret_cast<const std::uint8_t*>(archive.body.data()), archive.body.size()});
    for (auto event = reader.next(); event && *event; event = reader.next()) {
      if ((*event)->kind == files::tar_event::kind::entry) found[(*event)->entry->name];
      if ((*event)->kind == files::tar_event::kind::data) core::append(found[(*event)->entry->name], (*event)->data);
    }
    BOOST_TEST(reader.complete());
    return found;
  };
  const auto entries = contents_of(listed);
  BOOST_TEST(contents_of(whole).contains("global/pg_control"));
  BOOST_TEST(!entries.contains("global/pg_control"));
  BOOST_REQUIRE(entries.contains(files::relation_manifest_path) && entries.contains(files::held_control_file_path));
  const auto manifest = files::decode_relation_manifest(entries.at(files::relation_manifest_path));
  BOOST_REQUIRE(manifest);
  BOOST_TEST(manifest->segments.size() >= 1u);
  BOOST_TEST(manifest->forks.size() > 500u);
}

BOOST_FIXTURE_TEST_CASE(garbage_collection_keeps_branch_points_and_leases, api_fixture) {
  const auto flush = [&] {
    wait_for_all();
    strata.api("PUT", path + "/checkpoint");
  };
  strata.set_options(
      "s",
      {{"compaction_period", "0s"}, {"compaction_threshold", 1}, {"image_creation_threshold", 1}, {"gc_period", "0s"}});
  const auto [lost, lost_time] = commit(2001);
  flush();
  const auto [branched, branched_time] = commit(2002);
  flush();
  strata.ask({"branch", "create", "kept", "--from", "main@" + core::to_string(branched)});
  const auto [leased, leased_time] = commit(2003);
  flush();
  const json lease = strata.api("POST", path + "/lsn_lease", {{"lsn", core::to_string(leased)}});
  BOOST_TEST(lease.at("valid_until").get<std::string>() > leased_time);
  for (int round = 0; round < 3; ++round) {
    source.execute("UPDATE t SET n = n; INSERT INTO t VALUES (" + std::to_string(3000 + round) + ")");
    source.execute("VACUUM t");
    flush();
    strata.api("PUT", path + "/compact");
  }
  const core::lsn from = lsn_from(timeline().at("readable_from_lsn"));
  strata.api("PUT", path + "/do_gc", {{"gc_horizon", 0}});
  BOOST_TEST((lsn_from(timeline().at("readable_from_lsn")) == from), "an interval of 7 days keeps all");
  strata.set_options("s", {{"pitr_interval", "0s"}});
  const json collected = strata.api("PUT", path + "/do_gc", {{"gc_horizon", 0}});
  BOOST_TEST_MESSAGE(collected.dump());
  BOOST_TEST(collected.at("layers_removed").get<int>() > 0);
  BOOST_TEST((lsn_from(collected.at("gc_cutoff_lsn")) > leased));
  BOOST_TEST(timeline().at("latest_gc_cutoff_lsn") == collected.at("gc_cutoff_lsn"));

  // The branch point is kept for its branch, the lease for whoever asks, and nothing else below the cutoff.
  BOOST_TEST(newest_on(strata, "kept") == "2002");
  const auto can_be_read = [&](core::lsn at) {
    pagestream_client client(strata.page_port(), strata.tenant_id("s"), timeline().at("timeline_id"));
    try {
      client.page({strata::pg::default_tablespace, 1, 1259, strata::pg::fork::main}, 0, at);
      return true;
    } catch (const pagestream_error&) {
      return false;
    }
  };
  BOOST_TEST(can_be_read(leased));
  BOOST_TEST(can_be_read(branched));
  BOOST_TEST(!can_be_read(lost));
  BOOST_TEST(strata.http("GET", path + "/export?lsn=" + core::to_string(leased)).status == 200);
  BOOST_TEST(strata.http("GET", path + "/export?lsn=" + core::to_string(lost)).status == 422);
  const finished refused = strata.cli({"branch", "create", "too_late", "--from", "main@" + core::to_string(lost)});
  BOOST_TEST(refused.exit_code == 1, refused.out << refused.err);
  strata.ask({"branch", "create", "now", "--from", "main"});
  BOOST_TEST(newest_on(strata, "now") == "3002");

  // All of it survives a restart.
  strata.kill();
  strata.start();
  strata.wait_until_readable("s");
  strata.ask({"branch", "create", "again", "--from", "kept"});
  BOOST_TEST(newest_on(strata, "again") == "2002");
  BOOST_TEST(strata.cli({"branch", "create", "too_late", "--from", "main@" + core::to_string(lost)}).exit_code == 1);
}

BOOST_FIXTURE_TEST_CASE(tenants_and_timelines_can_be_listed_configured_and_removed, api_fixture) {
  const std::string tenant = strata.tenant_id("s");
  BOOST_TEST(strata.api("GET", "/v1/tenant/" + tenant).at("state").at("slug") == "Active");
  const json changed = strata.api("PATCH", "/v1/tenant/config", {{"tenant_id", tenant}, {"pitr_interval", "2d"}});
  BOOST_TEST(changed.at("tenant_specific_overrides").contains("pitr_interval"));
  strata.kill();
  strata.start();
  strata.wait_until_readable("s");
  BOOST_TEST(
      strata.api("GET", "/v1/tenant/" + tenant + "/config").at("tenant_specific_overrides").contains("pitr_interval"));

  const std::string id = "0123456789abcdef0123456789abcdef";
  const std::string main = strata.timeline("s").at("timeline_id");
  const json wanted{{"new_timeline_id", id},
                    {"ancestor_timeline_id", main},
                    {"name", "dev"},
                    {"ancestor_start_lsn", strata.timeline("s").at("last_record_lsn")}};
  const std::string timelines = "/v1/tenant/" + tenant + "/timeline";
  BOOST_TEST(strata.http("POST", timelines, wanted.dump()).status == 201);
  // Asked twice, made once.
  BOOST_TEST(strata.http("POST", timelines, wanted.dump()).status / 100 == 2);
  BOOST_TEST(strata.api("GET", timelines).size() == 2u);
  BOOST_TEST(strata.http("DELETE", timelines + "/" + main).status == 409);
  BOOST_TEST(strata.http("DELETE", timelines + "/" + id).status == 200);
  BOOST_TEST(strata.http("GET", timelines + "/" + id).status == 404);

  BOOST_TEST(strata.cli({"source", "remove", "s", "--yes"}).exit_code == 0);
  BOOST_TEST(strata.api("GET", "/v1/tenant").empty());
  BOOST_TEST(source.value("SELECT count(*) FROM pg_replication_slots") == "0");
  strata.stop();
  strata.start();
  BOOST_TEST(strata.api("GET", "/v1/tenant").empty());
}

BOOST_FIXTURE_TEST_CASE(actors_pools_metrics_and_the_description_are_served, api_fixture) {
  std::set<std::string> kinds;
  const json actors = strata.api("GET", "/v1/actors");
  for (const json& actor : actors.at("actors")) kinds.insert(actor.at("kind"));
  for (const char* kind :
       {"pageserver.tenant_manager", "pageserver.tenant", "pageserver.timeline", "pageserver.wal_receiver",
        "pageserver.flusher", "pageserver.compactor", "pageserver.garbage_collector", "introspector"})
    BOOST_TEST(kinds.contains(kind), kind << " is not in the list");
  BOOST_TEST(strata.api("GET", "/v1/pools").at("pools").size() >= 4u);

  // Gauges of a source are there once its receiver has reported.
  http_reply metrics;
  wait_until("the source is in the metrics", [&] {
    metrics = strata.http("GET", "/metrics");
    return mentions(metrics.body, "strata_source_lag_seconds{");
  });
  BOOST_TEST(mentions(metrics.content_type, "text/plain"));
  const std::regex line(R"(^(#.*|[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? [-+0-9.eENnaIif]+)$)");
  std::istringstream lines(metrics.body);
  std::size_t samples = 0;
  for (std::string each; std::getline(lines, each);) {
    BOOST_TEST((each.empty() || std::regex_match(each, line)), each);
    samples += !each.empty() && each[0] != '#' ? 1 : 0;
  }
  BOOST_TEST(samples > 20u);
  for (const char* name :
       {"strata_wal_received_bytes_total", "strata_source_lag_seconds{", "strata_source_lag_bytes{",
        "strata_source_slot_wal_bytes{", "strata_computes{state=\"running\"} 0", "strata_build_info{",
        "process_open_fds", "process_cpu_seconds_total", "strata_layer_flush_seconds_bucket{"})
    BOOST_TEST(mentions(metrics.body, name), name << " is not in the metrics");

  const json description = strata.api("GET", "/openapi.json");
  BOOST_TEST(description.at("openapi").get<std::string>().starts_with("3."));
  BOOST_TEST(description.at("paths").contains("/v1/tenant/{tenant_id}/timeline/{timeline_id}/get_lsn_by_timestamp"));
  BOOST_TEST(description.at("paths").size() >= 20u);
}

BOOST_FIXTURE_TEST_CASE(points_and_names_that_are_not_there_are_told_at_once, api_fixture) {
  commit(2001);
  // Times are shown without fractions: the commits are in different seconds of the clock, which the source shares.
  const auto second = [] { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); };
  wait_until("the second is over", [&, first = second()] { return second() > first; });
  commit(2002);
  wait_for_all();
  strata.ask({"branch", "create", "dev"});
  strata.ask({"branch", "create", "demo"});
  const auto refused = [&](const std::vector<std::string>& words, int exit_code, const std::string& part) {
    const finished said = strata.cli(words);
    BOOST_TEST(said.exit_code == exit_code, words.back() << ": " << said.err);
    BOOST_TEST(said.err.find(part) != std::string::npos, said.err);
    return said.err;
  };

  // Nobody has written it: on a source that is followed, and on a branch that nobody writes.
  const auto begun = std::chrono::steady_clock::now();
  const std::string archive = (strata.directory() / "beyond.tar").string();
  refused({"branch", "create", "beyond", "--from", "main@FF/0"}, 1, "main@FF/0");
  refused({"psql", "dev@FF/0"}, 1, "dev@FF/0");
  refused({"export", "dev@FF/0", "-o", archive}, 1, "dev@FF/0");
  refused({"compute", "start", "demo@FF/0"}, 1, "demo@FF/0");
  BOOST_TEST((std::chrono::steady_clock::now() - begun < std::chrono::seconds(20)));
  BOOST_TEST(!std::filesystem::exists(archive));

  const std::string earliest = strata.ask({"branch", "show", "main"}).at("earliest_time");
  strata.ask({"branch", "create", "oldest", "--from", "main@" + earliest});
  const std::string shown = earliest.substr(0, 10) + " " + earliest.substr(11, 8);
  command utc = strata.program({"branch", "create", "before", "--from", "main@2001-01-01 00:00 UTC"});
  utc.environment.emplace_back("TZ", "UTC");
  const finished before = run(utc);
  BOOST_TEST(before.exit_code == 1, before.err);
  BOOST_TEST(before.err.find("the earliest available time is " + shown + " UTC") != std::string::npos, before.err);
  utc = strata.program({"status"});
  utc.environment.emplace_back("TZ", "UTC");
  BOOST_TEST(run(utc).out.find("from " + shown + " UTC") != std::string::npos);

  refused({"branch", "show", "de"}, 2, "\"de\" is ambiguous");
  BOOST_TEST(refused({"branch", "show", "d"}, 2, "2 branches match").find("demo") != std::string::npos);
  refused({"branch", "show", "dve"}, 3, "did you mean \"dev\"?");
  const std::string id = strata.ask({"branch", "show", "dev"}).at("timeline_id");
  BOOST_TEST(strata.ask({"branch", "show", id.substr(0, 8)}).at("name") == "dev");
  BOOST_TEST(strata.cli({"branch", "show", id.substr(0, 7)}).exit_code == 3);

  refused({"export", "dev", "-o", "/dev/full"}, 1, "No space left on device");
  BOOST_TEST(std::filesystem::is_character_file("/dev/full"));
  const finished full =
      run({.arguments = {"/bin/sh", "-c", "exec \"$0\" export dev >/dev/full", strata_binary().string()},
           .environment = strata.program({}).environment});
  BOOST_TEST(full.exit_code == 1, full.err);
}

BOOST_FIXTURE_TEST_CASE(the_command_line_shows_the_same, api_fixture) {
  const json branches = strata.ask({"branch", "list"});
  BOOST_TEST(branches.size() == 1u);
  BOOST_TEST(branches.at(0).at("name") == "main");
  strata.ask({"branch", "create", "dev", "--from", "main"});
  BOOST_TEST(strata.ask({"branch", "show", "dev"}).at("ancestor_timeline_id") == branches.at(0).at("timeline_id"));
  const finished tree = strata.cli({"branch", "tree"});
  BOOST_TEST(mentions(tree.out, "main"));
  BOOST_TEST(mentions(tree.out, "dev"));
  BOOST_TEST(strata.ask({"compute", "list"}).empty());
  {
    const branch_compute compute(strata, "dev");
    BOOST_TEST(strata.ask({"compute", "list"}).size() == 1u);
    BOOST_TEST(strata.cli({"psql", "dev", "--", "-Atc", "select count(*) from t"}).out == "1000\n");
  }
  BOOST_TEST(strata.ask({"compute", "list"}).empty());
  BOOST_TEST(strata.ask({"status"}).is_object());
  BOOST_TEST(strata.cli({"branch", "delete", "dev", "--yes"}).exit_code == 0);
  for (const auto& words : std::vector<std::vector<std::string>>{{},
                                                                 {"up"},
                                                                 {"down"},
                                                                 {"status"},
                                                                 {"export"},
                                                                 {"url"},
                                                                 {"psql"},
                                                                 {"source", "add"},
                                                                 {"source", "list"},
                                                                 {"branch", "create"},
                                                                 {"branch", "list"},
                                                                 {"branch", "show"},
                                                                 {"branch", "delete"},
                                                                 {"branch", "tree"},
                                                                 {"compute", "start"},
                                                                 {"compute", "stop"},
                                                                 {"compute", "list"}}) {
    auto help = words;
    help.emplace_back("--help");
    const finished shown = strata.cli(help);
    BOOST_TEST(shown.exit_code == 0);
    BOOST_TEST(mentions(shown.out, "Examples:"), (words.empty() ? "strata" : words.back())
                                                     << " --help has no examples");
  }
  // Told to end by the command line, not by a signal from the test.
  BOOST_TEST(strata.cli({"down"}).exit_code == 0);
  wait_until("the server has ended", [&] { return !strata.running(); });
  BOOST_TEST(strata.cli({"branch", "list"}).exit_code == 6);
  const finished detached = strata.cli({"up", "--detach", "--json"});
  BOOST_TEST(detached.exit_code == 0, detached.out << detached.err);
  BOOST_TEST(strata.ask({"branch", "list"}).size() == 1u);
  BOOST_TEST(strata.cli({"down"}).exit_code == 0);
}

BOOST_AUTO_TEST_SUITE_END()
