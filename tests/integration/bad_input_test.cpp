#include <libpq-fe.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <set>

#include "tests/integration/bad_input_fixture.hpp"

using namespace strata::tests;

BOOST_AUTO_TEST_SUITE(integration_bad_input)

namespace {

namespace core = strata::core;
namespace fs = std::filesystem;
using nlohmann::json;

core::bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

core::bytes random_bytes(std::mt19937& random, std::size_t size) {
  core::bytes made(size);
  for (auto& byte : made) byte = static_cast<std::uint8_t>(random());
  return made;
}

/// Sends, and takes whatever comes; the peer may close the connection at any point, but not keep us waiting for ever.
std::string talk(std::uint16_t port, const core::bytes& what) {
  const raw_connection connection(port);
  try {
    connection.send(what);
    connection.end_sending();
  } catch (const std::system_error&) {  // closed while we were speaking
  }
  const core::bytes answer = connection.receive_all();
  return {answer.begin(), answer.end()};
}

/// Clients that say this much and no more, for as long as they are held.
std::vector<std::unique_ptr<raw_connection>> crowd(std::uint16_t port, int count, const core::bytes& says) {
  std::vector<std::unique_ptr<raw_connection>> made;
  for (int i = 0; i < count; ++i) {
    made.push_back(std::make_unique<raw_connection>(port));
    made.back()->send(says);
  }
  return made;
}

/// What libpq says of commands in the extended protocol.
void check_extended_protocol(std::uint16_t port, const std::string& tenant, const std::string& timeline,
                             const std::string& lsn) {
  const std::string conninfo = "host=127.0.0.1 dbname=x user=x port=" + std::to_string(port);
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(conninfo.c_str()), &PQfinish);
  BOOST_REQUIRE_MESSAGE(PQstatus(connection.get()) == CONNECTION_OK, PQerrorMessage(connection.get()));
  using result = std::unique_ptr<PGresult, decltype(&PQclear)>;
  const auto ask = [&](const std::string& command) {
    return result(PQexecParams(connection.get(), command.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0), &PQclear);
  };
  const std::string lease = "lease lsn " + tenant + " " + timeline + " " + lsn;
  for (int i = 0; i < 3; ++i) {
    const result leased = ask(lease);
    BOOST_TEST(PQresultStatus(leased.get()) == PGRES_TUPLES_OK, PQerrorMessage(connection.get()));
    BOOST_TEST(PQntuples(leased.get()) == 1);
    BOOST_TEST(std::string(PQfname(leased.get(), 0)) == "valid_until");
    BOOST_TEST(std::string(PQgetvalue(leased.get(), 0, 0)).size() == 13u);
    BOOST_TEST(PQresultStatus(ask("set x to 1").get()) == PGRES_COMMAND_OK, PQerrorMessage(connection.get()));
    const result refused = ask("select 1");
    BOOST_TEST(PQresultStatus(refused.get()) == PGRES_FATAL_ERROR);
    BOOST_TEST(std::string(PQresultErrorField(refused.get(), PG_DIAG_SQLSTATE)) == "0A000");
  }
  const result prepared(PQprepare(connection.get(), "", lease.c_str(), 0, nullptr), &PQclear);
  BOOST_TEST(PQresultStatus(prepared.get()) == PGRES_COMMAND_OK, PQerrorMessage(connection.get()));
  const result described(PQdescribePrepared(connection.get(), ""), &PQclear);
  BOOST_TEST(PQnfields(described.get()) == 1);
  // An archive, and the stream of pages: the Sync behind Execute is answered when they are over.
  const std::string backup = "basebackup " + tenant + " " + timeline + " " + lsn;
  BOOST_TEST(PQresultStatus(ask(backup).get()) == PGRES_COPY_OUT, PQerrorMessage(connection.get()));
  std::size_t size = 0;
  char* part = nullptr;
  for (int got = 0; (got = PQgetCopyData(connection.get(), &part, 0)) > 0; PQfreemem(part))
    size += static_cast<std::size_t>(got);
  BOOST_TEST(size > 10'000u);
  BOOST_TEST(PQresultStatus(result(PQgetResult(connection.get()), &PQclear).get()) == PGRES_COMMAND_OK);
  BOOST_TEST((PQgetResult(connection.get()) == nullptr));
  BOOST_TEST(PQresultStatus(ask("pagestream_v3 " + tenant + " " + timeline).get()) == PGRES_COPY_BOTH);
  BOOST_TEST(PQputCopyEnd(connection.get(), nullptr) == 1);
  BOOST_TEST(PQgetCopyData(connection.get(), &part, 0) == -1);
  BOOST_TEST(PQresultStatus(result(PQgetResult(connection.get()), &PQclear).get()) == PGRES_COMMAND_OK);
  BOOST_TEST((PQgetResult(connection.get()) == nullptr));
  BOOST_TEST(PQresultStatus(ask(lease).get()) == PGRES_TUPLES_OK, PQerrorMessage(connection.get()));
}

fs::path find_file(const fs::path& below, const std::string& name) {
  for (const auto& entry : fs::recursive_directory_iterator(below))
    if (entry.path().filename().string().starts_with(name)) return entry.path();
  throw std::runtime_error("no file " + name + " below " + below.string());
}

fs::path largest_layer(const strata_server& strata, const std::string& source) {
  const json layers = strata.api("GET", strata.timeline_path(source) + "/layer").at("historic_layers");
  const auto largest = std::max_element(layers.begin(), layers.end(), [](const json& a, const json& b) {
    return a.at("layer_file_size").get<std::uint64_t>() < b.at("layer_file_size").get<std::uint64_t>();
  });
  if (largest == layers.end()) throw std::runtime_error("no layers");
  const std::string timeline = strata.timeline(source).at("timeline_id");
  for (const auto& entry : fs::recursive_directory_iterator(strata.directory()))
    if (entry.is_directory() && entry.path().filename() == timeline)
      return find_file(entry.path(), largest->at("layer_file_name"));
  throw std::runtime_error("no directory of timeline " + timeline);
}

void flip_byte(const fs::path& file, std::uint64_t at) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(at));
  const int byte = stream.get();
  stream.seekp(static_cast<std::streamoff>(at));
  stream.put(static_cast<char>(byte ^ 0x10));
  if (!stream.flush()) throw std::runtime_error("damage " + file.string());
}

/// A second source, `victim`, all of which is in layer files.
struct damage_fixture : bad_input_fixture {
  damage_fixture() {
    victim.start();
    victim.execute("CREATE TABLE big AS SELECT i, repeat(md5(i::text), 10) AS filler FROM generate_series(1, 20000) i");
    start();
    strata.add_source("victim", victim.conninfo());
    table = fork_of(victim, "big");
    strata.api("PUT", strata.timeline_path("victim") + "/checkpoint");
    layer = largest_layer(strata, "victim");
    victim.stop();
    strata.stop();
  }
  postgres_cluster victim;
  strata::pg::relation_fork table;
  fs::path layer;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_branch_outside_the_window_or_of_something_unknown_is_refused_with_the_window) {
  bad_input_fixture test;
  fs::create_directories(test.strata.directory());
  std::ofstream(test.strata.directory() / "strata.toml") << "wait_lsn_timeout = \"1s\"\n";
  test.start();
  const std::string first = test.strata.timeline("good").at("readable_from_lsn");
  const core::lsn before = lsn_from(first) - 8;
  const auto create = [](const std::string& from) {
    return std::vector<std::string>{"branch", "create", "dev", "--from", from};
  };
  test.check_refused(create("main@" + core::to_string(before)), 1, {first});
  test.check_refused(create("main@0/10"), 1, {first});
  test.check_refused(create("main@FFFF/0"), 1, {"FFFF/0", "after the head", first});
  test.check_refused(create("main@2001-01-01"), 1, {"main"});
  test.check_refused(create("main@2999-01-01"), 2, {"2999"});
  test.check_refused(create("main@nonsense"), 2, {"nonsense"});
  test.check_refused(create("mian"), 3, {"main"});
  test.check_refused({"compute", "start", "mian"}, 3, {"main"});
  test.check_refused({"branch", "delete", "dev", "--yes"}, 3, {"dev"});
  test.check_refused({"url", "main"}, 3, {"compute start"});
  test.check_refused({"branch", "craete", "dev"}, 2, {"create"});
  test.check_refused({"export", "main@0/10", "-o", (test.strata.directory() / "none.tar").string()}, 1, {first});
  BOOST_TEST(!fs::exists(test.strata.directory() / "none.tar"));

  pagestream_client client(test.strata.page_port(), test.strata.tenant_id("good"),
                           test.strata.timeline("good").at("timeline_id"));
  const auto kept = bad_input_fixture::fork_of(test.good, "kept");
  BOOST_CHECK_NO_THROW(client.page(kept, 0, lsn_from(first)));
  BOOST_CHECK_THROW(client.page(kept, 0, before), pagestream_error);
  BOOST_CHECK_THROW(client.size(kept, before), pagestream_error);

  test.strata.ask({"branch", "create", "dev", "--from", "main"});
  test.check_refused({"branch", "create", "dev", "--from", "main@" + first}, 4, {"dev"});
  test.strata.ask({"branch", "create", "child", "--from", "dev"});
  test.check_refused({"branch", "delete", "dev", "--yes"}, 4, {"child"});
  test.check_that_good_is_served();
}

BOOST_AUTO_TEST_CASE(a_second_server_on_a_directory_is_refused_and_the_first_goes_on) {
  bad_input_fixture test;
  test.start();
  test.check_refused({"up", "--dir", test.strata.directory()}, 4, {std::to_string(test.strata.pid())});
  test.check_refused({"up", "--dir", test.strata.directory(), "--detach"}, 4, {std::to_string(test.strata.pid())});
  test.check_refused({"up", "--dir", "/dev/null/nowhere"}, 1, {"/dev/null"});
  test.check_that_good_is_served();
  const temp_dir other;
  const std::string taken = std::to_string(test.strata.http_port());
  test.check_refused({"up", "--dir", (other / "d").string(), "--http-port", taken}, 4, {});
  test.check_refused({"status", "--dir", (other / "none").string()}, 6, {"strata up"});
  test.check_that_good_is_served();
}

BOOST_FIXTURE_TEST_CASE(a_damaged_block_fails_the_reads_that_need_it_naming_file_and_offset, damage_fixture) {
  // Blocks all over the file, so that some are of this table.
  for (std::uint64_t part = 1; part < 20; ++part) flip_byte(layer, fs::file_size(layer) * part / 20);
  strata.start();
  const core::lsn at = strata.lsn_of("victim", "last_record_lsn");
  pagestream_client client(strata.page_port(), strata.tenant_id("victim"), strata.timeline("victim").at("timeline_id"));
  const std::uint32_t size = client.size(table, at);
  std::size_t good_pages = 0;
  std::size_t bad_pages = 0;
  for (const auto& reply : client.pages(table, 0, size, at)) {
    good_pages += reply.page ? 1 : 0;
    if (reply.page) continue;
    ++bad_pages;
    BOOST_TEST(mentions(reply.error, layer.filename().string()), reply.error);
    BOOST_TEST(mentions(reply.error, "offset"), reply.error);
  }
  BOOST_TEST_MESSAGE(bad_pages << " pages can't be read, " << good_pages << " can");
  BOOST_TEST(bad_pages > 0u);
  BOOST_TEST(good_pages > bad_pages);
  // A copy that can't be complete must not look complete.
  const fs::path archive = strata.directory() / "export.tar";
  const finished exported = strata.cli({"export", "victim/main", "-o", archive});
  BOOST_TEST(exported.exit_code == 1, exported.out << exported.err);
  BOOST_TEST(!fs::exists(archive));
  const finished started = strata.cli({"compute", "start", "victim/main"});
  BOOST_TEST(started.exit_code == 1, started.out << started.err);
  BOOST_TEST(strata.api("GET", "/v1/tenant").size() == 2u);
  check_that_good_is_served();
}

BOOST_FIXTURE_TEST_CASE(a_layer_file_that_cannot_be_opened_is_told_and_fails_what_needs_it, damage_fixture) {
  flip_byte(layer, fs::file_size(layer) - 3);
  strata.start();
  const json told = strata.timeline("victim");
  const finished exported = strata.cli({"export", "victim/main", "-o", (strata.directory() / "x.tar").string()});
  BOOST_TEST(exported.exit_code != 0);
  BOOST_TEST(told.at("state") == "Active");
  BOOST_TEST(mentions(told.value("last_error", ""), layer.filename().string()), told.dump());
  BOOST_TEST(mentions(strata.cli({"status"}).out, layer.filename().string()));
  check_that_good_is_served();
}

BOOST_FIXTURE_TEST_CASE(a_layer_file_that_is_gone_is_told_and_fails_what_needs_it, damage_fixture) {
  fs::remove(layer);
  strata.start();
  const json told = strata.timeline("victim");
  const finished exported = strata.cli({"export", "victim/main", "-o", (strata.directory() / "x.tar").string()});
  BOOST_TEST(exported.exit_code != 0);
  BOOST_TEST(told.at("state") == "Active");
  BOOST_TEST(mentions(told.value("last_error", ""), layer.filename().string()), told.dump());
  BOOST_TEST(mentions(strata.cli({"status"}).out, layer.filename().string()));
  check_that_good_is_served();
}

BOOST_FIXTURE_TEST_CASE(damaged_metadata_breaks_its_source_alone_until_it_is_rebuilt, damage_fixture) {
  std::string seal;
  for (const auto& each : fs::directory_iterator(strata.directory() / "metadata/seals"))
    if (layer.string().find(each.path().filename().string()) != std::string::npos) seal = each.path();
  BOOST_TEST_REQUIRE(!seal.empty());
  const auto layers = [&] {
    std::set<std::string> names;
    for (const auto& each : fs::directory_iterator(layer.parent_path())) names.insert(each.path().filename());
    return names;
  };
  const auto before = layers();
  fs::resize_file(seal, 10);
  strata.start();
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"status"}, {"source", "list"}, {"branch", "list"}, {"branch", "tree"}}) {
    check_refused(words, 1, {"victim", seal, "strata metadata rebuild"});
    BOOST_TEST(mentions(strata.cli(words).out, words[0] == "branch" ? "main" : "good"));
  }
  check_refused({"branch", "create", "dev", "--from", "victim/main"}, 6, {"victim is broken"});
  check_refused({"metadata", "rebuild"}, 4, {"strata down"});
  check_that_good_is_served();
  strata.stop();
  BOOST_TEST((layers() == before));

  // Nothing at all can be read now.
  fs::rename(strata.directory() / "metadata/metadata/CURRENT", strata.directory() / "CURRENT");
  check_refused({"up"}, 1, {"strata metadata rebuild"});
  fs::rename(strata.directory() / "CURRENT", strata.directory() / "metadata/metadata/CURRENT");

  const finished rebuilt = strata.cli({"metadata", "rebuild"});
  BOOST_TEST(rebuilt.exit_code == 0, rebuilt.out << rebuilt.err);
  BOOST_TEST(mentions(rebuilt.out, "source good: intact"), rebuilt.out);
  BOOST_TEST(mentions(rebuilt.out, "branch victim/main: rebuilt up to "), rebuilt.out);
  check_refused({"metadata", "rebuild"}, 4, {"intact"});
  victim.start();
  strata.start();
  BOOST_TEST(strata.cli({"status"}).exit_code == 0);
  victim.execute("INSERT INTO big VALUES (0, 'new')");
  strata.wait_for_lsn("victim", lsn_from(victim.value("SELECT pg_current_wal_flush_lsn()")));
  const core::lsn at = strata.lsn_of("victim", "last_record_lsn");
  pagestream_client client(strata.page_port(), strata.tenant_id("victim"), strata.timeline("victim").at("timeline_id"));
  for (const auto& reply : client.pages(table, 0, client.size(table, at), at))
    BOOST_TEST(reply.page.has_value(), reply.error);
  BOOST_TEST((layers().size() >= before.size()));
  check_that_good_is_served();
}

BOOST_AUTO_TEST_CASE(garbage_on_the_page_port_is_answered_or_cut_off_and_nobody_else_notices) {
  bad_input_fixture test;
  test.start();
  const std::uint16_t port = test.strata.page_port();
  std::mt19937 random(20261122);
  for (int i = 0; i < 200; ++i) talk(port, random_bytes(random, 1 + random() % 5000));
  talk(port, bytes_of("GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  talk(port, {0x7F, 0xFF, 0xFF, 0xFF, 0, 3, 0, 0});
  talk(port, {0, 0, 0, 4});
  talk(port, {});
  const core::bytes startup = startup_message();
  const auto after_startup = [&](const core::bytes& rest) {
    core::bytes all = startup;
    core::append(all, rest);
    return talk(port, all);
  };
  for (int i = 0; i < 200; ++i) after_startup(random_bytes(random, 1 + random() % 500));
  after_startup({'Q', 0xFF, 0xFF, 0xFF, 0xFF});
  const std::string tenant = test.strata.tenant_id("good");
  const std::string timeline = test.strata.timeline("good").at("timeline_id");
  const std::string unknown(32, 'a');
  for (const std::string& command : std::vector<std::string>{
           "select 1", "pagestream_v3", "pagestream_v3 " + tenant, "pagestream_v3 x y",
           "pagestream_v3 " + unknown + " " + unknown, "pagestream_v3 " + tenant + " " + unknown,
           "pagestream_v9 " + tenant + " " + timeline, "basebackup " + tenant + " " + timeline + " nonsense",
           "basebackup " + tenant + " " + timeline + " FFFF/0 --nonsense", std::string(60000, 'x')})
    BOOST_TEST(mentions(after_startup(query_message(command)), "ERROR"), command.substr(0, 80));
  // Inside a page stream: what is no request is answered with an error or ends this connection.
  for (int i = 0; i < 200; ++i) {
    core::bytes stream = query_message("pagestream_v3 " + tenant + " " + timeline);
    const core::bytes noise = random_bytes(random, random() % 60);
    stream.push_back('d');
    for (int shift = 24; shift >= 0; shift -= 8)
      stream.push_back(static_cast<std::uint8_t>((noise.size() + 4) >> shift));
    core::append(stream, noise);
    after_startup(stream);
  }
  check_extended_protocol(port, tenant, timeline, test.strata.timeline("good").at("last_record_lsn"));
  // More than there are places: silent ones, ones that trickle, ones that have started up and ask for nothing.
  const auto silent = crowd(port, 1100, {});
  test.check_that_good_is_served();
  const auto slow = crowd(port, 1100, {startup.begin(), startup.begin() + 9});
  test.check_that_good_is_served();
  const auto idle = crowd(port, 1100, startup);
  test.check_that_good_is_served();
}

BOOST_AUTO_TEST_CASE(garbage_on_the_http_port_is_answered_or_cut_off_and_nobody_else_notices) {
  bad_input_fixture test;
  test.start();
  const std::uint16_t port = test.strata.http_port();
  std::mt19937 random(4);
  for (int i = 0; i < 50; ++i) talk(port, random_bytes(random, 1 + random() % 5000));
  talk(port, startup_message());
  talk(port, bytes_of("GET / HTTP/1.1\r\nX: " + std::string(200000, 'x') + "\r\n\r\n"));
  talk(port, bytes_of("POST /v1/source HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n{"));
  talk(port, bytes_of("POST /v1/source HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"));
  const strata_server& strata = test.strata;
  const auto slow = crowd(port, 600, bytes_of("GET /v1/status HTTP/1.1\r\nHost:"));
  BOOST_TEST(strata.http("GET", "/livez").status == 200);
  const auto status = [&](const char* method, const std::string& path, const std::string& body = {}) {
    const http_reply got = strata.http(method, path, body);
    const json told = json::parse(got.body, nullptr, false);
    BOOST_TEST((told.is_object() && told.contains("error")), method << " " << path << ": " << got.body.substr(0, 300));
    return got.status;
  };
  BOOST_TEST(status("GET", "/nowhere") == 404);
  BOOST_TEST(status("DELETE", "/v1/status") == 405);
  BOOST_TEST(status("GET", "/v1/tenant/xyz") == 400);
  BOOST_TEST(status("GET", "/v1/tenant/" + std::string(32, 'a')) == 404);
  BOOST_TEST(status("POST", "/v1/source", "{no json") == 400);
  BOOST_TEST(status("POST", "/v1/source", "[]") == 400);
  BOOST_TEST(status("POST", "/v1/source", R"({"name": 5, "conninfo": {}})") == 400);
  BOOST_TEST(status("POST", "/v1/source", R"({"name": "x", "conninfo": "host=x", "sloot": "y"})") == 400);
  BOOST_TEST(status("POST", "/v1/source", std::string(100000, '[')) == 400);
  const std::string timeline = strata.timeline_path("good");
  BOOST_TEST(status("GET", timeline + "/get_lsn_by_timestamp?timestamp=yesterday-ish") == 400);
  BOOST_TEST(status("GET", timeline + "/get_timestamp_of_lsn?lsn=zzz") == 400);
  BOOST_TEST(status("GET", timeline + "/export?lsn=0/10") == 422);
  BOOST_TEST(status("PATCH", "/v1/tenant/config",
                    json{{"tenant_id", strata.tenant_id("good")}, {"gc_horizont", 5}}.dump()) == 400);
  BOOST_TEST(status("PATCH", "/v1/tenant/config",
                    json{{"tenant_id", strata.tenant_id("good")}, {"checkpoint_distance", -5}}.dump()) == 400);
  test.check_that_good_is_served();
}

BOOST_AUTO_TEST_SUITE_END()
