#include "control/branch_server.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "api/safekeeper_json.hpp"
#include "api/side_file_json.hpp"
#include "config/time_text.hpp"
#include "control/safekeeper_addresses.hpp"
#include "control/server_file.hpp"
#include "host/account.hpp"
#include "host/data_directory.hpp"
#include "host/postgres_process.hpp"
#include "page_files/control_file.hpp"
#include "page_files/relation_files.hpp"
#include "pg/client/conninfo.hpp"
#include "pg/files/control_file.hpp"

namespace strata::control {

using nlohmann::json;
namespace fs = std::filesystem;

using host::branch_quorum;
using host::standby_directory;

namespace {

/// Computes that start together want more exports at once than a tenant may have.
constexpr std::chrono::seconds busy_limit{5};
/// Of what the server answers from memory.
constexpr std::chrono::seconds position_limit{5};
/// Of what the server stores, or looks up on disk, before it answers.
constexpr std::chrono::seconds change_limit{10};
/// Of the silence of a transfer. The server lists all relations before it sends the first byte.
constexpr std::chrono::seconds silence_limit{25};

/// Of a request that may be made again, whether it was carried out or not.
template <class T>
core::result<T> repeatable(core::result<T> answer) {
  if (!answer && answer.error().code == core::errc::outcome_unknown)
    return core::error{core::errc::unavailable, std::move(answer).error().detail};
  return answer;
}

}  // namespace

branch_server::branch_server(const scope& of, host::compute_record record, waiting_filler first, std::stop_token stop)
    : of_(of),
      record_(std::move(record)),
      path_("/v1/tenant/" + core::to_string(record_.tenant_id) + "/timeline/" + core::to_string(record_.timeline_id)),
      first_(std::move(first)),
      stop_(std::move(stop)) {}

core::result<api::api_client> branch_server::api(std::chrono::seconds limit) const {
  auto file = read_server_file(of_.directory);
  if (!file && file.error().code != core::errc::not_found) return std::move(file).error();
  if (!file) return core::error{core::errc::unavailable, "no server runs on " + of_.directory};
  return api::api_client(file->http, limit).repeat_while_busy(busy_limit).end_with(stop_);
}

core::result<branch_quorum> branch_server::quorum() {
  STRATA_ASSIGN(const auto client, api(change_limit));
  STRATA_ASSIGN(const json answer, repeatable(client.post(path_ + "/safekeepers", json::object())));
  constexpr const char* named = "the server's answer";
  branch_quorum made;
  STRATA_ASSIGN(made.members, api::parse_configuration(answer, named));
  try {
    made.cluster.pg_version = answer.at("pg_version");
    const json& system = answer.at("system_id");
    made.cluster.system_id = system.is_string() ? std::stoull(system.get<std::string>()) : system.get<std::uint64_t>();
    made.cluster.wal_segment_size = answer.at("wal_segment_size");
    STRATA_ASSIGN(made.timeline_start, core::parse_lsn(answer.at("start_lsn").get<std::string>()));
  } catch (const std::exception& e) {
    return core::error{core::errc::corrupt, std::string(named) + " is invalid: " + e.what()};
  }
  return made;
}

core::result<pg::wire::safekeeper_location> branch_server::locate(const consensus::member& of) {
  return locate_safekeeper(of_.directory, of);
}

core::result<core::lsn> branch_server::last_record_lsn() {
  STRATA_ASSIGN(const auto client, api(position_limit));
  STRATA_ASSIGN(const json answer, client.get(path_));
  // Not worth waiting for: WAL that the branch needs is nowhere any more.
  if (answer.contains("wal_gap")) return core::error{core::errc::out_of_range, answer.value("last_error", "")};
  return core::parse_lsn(answer.value("last_record_lsn", ""));
}

core::result<void> branch_server::restore(core::lsn at, const std::string& into, const progress& written) {
  STRATA_ASSIGN(const auto client, api(silence_limit));
  return restore_branch(client, path_, at, into, written);
}

core::result<std::chrono::milliseconds> branch_server::lease(core::lsn at) {
  STRATA_ASSIGN(const auto client, api(change_limit));
  auto answer = repeatable(client.post(path_ + "/lsn_lease", {{"lsn", core::to_string(at)}}));
  if (!answer) return std::move(answer).error().within("lease " + core::to_string(at));
  STRATA_ASSIGN(const auto until, config::parse_iso_time(answer->value("valid_until", ""), config::default_zone::utc));
  return std::chrono::duration_cast<std::chrono::milliseconds>(until - core::system_clock().now());
}

namespace {
core::result<void> unpack(const api::api_client& api, const std::string& path, const api::api_client::query& query,
                          const std::string& into, const std::function<void(std::uint64_t)>& written) {
  STRATA_ASSIGN(auto unpacker, host::data_directory_unpacker::open(into));
  STRATA_TRY(api.download(path + "/export", query, [&](core::bytes_view part) -> core::result<void> {
    STRATA_TRY(unpacker->feed(part));
    written(unpacker->bytes_written());
    return {};
  }));
  return unpacker->finish();
}
}  // namespace

core::result<branch_server::directory> branch_server::restore_guarded(core::lsn at, const std::string& into,
                                                                      const progress& written) {
  return unpack_guarded({{"lsn", core::to_string(at)}, {"relations", "listed"}}, into, written);
}

core::result<pid_t> branch_server::start_filler(const page_files::guarded_directory& of, core::lsn at) {
  return control::start_filler(of_, record_, std::exchange(first_, {}), at, of);
}

core::result<void> branch_server::remove_mount(const std::string& data_directory) {
  return control::remove_mount(data_directory);
}

namespace {
core::result<std::vector<host::lasting_file>> lasting_files_of(const json& answer, const char* which) {
  std::vector<host::lasting_file> made;
  for (const json& each : answer.at(which)) {
    host::lasting_file file{.name = each.at("name"), .content = {}, .proven = each.at("proven")};
    STRATA_ASSIGN(file.stored, config::parse_iso_time(each.value("stored_at", ""), config::default_zone::utc));
    if (each.contains("error")) {
      file.damage = each.at("error");
    } else {
      STRATA_ASSIGN(const core::bytes content, api::content_of(each));
      file.content.assign(content.begin(), content.end());
    }
    made.push_back(std::move(file));
  }
  return made;
}
}  // namespace

core::result<host::lasting_files> branch_server::lasting(std::optional<core::lsn> at, std::uint64_t term) {
  STRATA_ASSIGN(const auto client, api(change_limit));
  query with;
  if (at) with.emplace("lsn", core::to_string(*at));
  if (term > 0) with.emplace("term", std::to_string(term));
  STRATA_ASSIGN(const json answer, client.get(path_ + "/side_files", with));
  host::lasting_files made;
  try {
    made.logical_wal = answer.at("wal_level") == "logical";
    STRATA_ASSIGN(made.newest, lasting_files_of(answer, "files"));
    STRATA_ASSIGN(made.proven, lasting_files_of(answer, "proven"));
  } catch (const json::exception& e) {
    return core::error{core::errc::corrupt, std::string("the server's answer is invalid: ") + e.what()};
  }
  return made;
}

core::result<void> branch_server::keep(const std::vector<host::lasting_file>& files, core::lsn at, std::uint64_t term) {
  STRATA_ASSIGN(const auto client, api(change_limit));
  json list = json::array();
  for (const auto& each : files) {
    json one{{"name", each.name}, {"proven", each.proven}};
    api::put_content(one, {reinterpret_cast<const std::uint8_t*>(each.content.data()), each.content.size()});
    list.push_back(std::move(one));
  }
  STRATA_TRY(repeatable(
      client.put(path_ + "/side_files", {{"term", term}, {"lsn", core::to_string(at)}, {"files", std::move(list)}})));
  return {};
}

core::result<host::standby_place> branch_server::standby_start() {
  STRATA_ASSIGN(const auto client, api(change_limit));
  STRATA_ASSIGN(const json answer, client.get(path_ + "/standby_start"));
  host::standby_place made;
  STRATA_ASSIGN(made.at, core::parse_lsn(answer.value("lsn", "")));
  STRATA_ASSIGN(made.standby_of, core::parse_lsn(answer.value("standby_of", "")));
  return made;
}

namespace {
/// The WAL that is in the directory, too: its control file has all that this was made of.
core::result<std::shared_ptr<const pg::files::standby_view>> view_of(const pg::files::control_file& control,
                                                                     core::lsn at) {
  pg::files::start_point from;
  from.position = pg::files::normalise_position(at, control.wal_segment_size);
  from.counters = control.checkpoint_copy;
  from.system_id = control.system_id;
  from.segment_size = control.wal_segment_size;
  from.major = control.major;
  STRATA_ASSIGN(pg::files::standby_wal wal, pg::files::standby_segments(from));
  if (wal.checkpoint != control.checkpoint_location)
    return core::error{core::errc::corrupt, "the directory of the standby begins at " +
                                                core::to_string(control.checkpoint_location) + " instead of " +
                                                core::to_string(wal.checkpoint)};
  return std::shared_ptr<const pg::files::standby_view>(
      std::make_shared<pg::files::standby_view>(std::move(wal), control.wal_segment_size));
}
}  // namespace

core::result<standby_directory> branch_server::restore_standby(const host::standby_place& from, const std::string& into,
                                                               const progress& written) {
  const query whole{{"standby_of", core::to_string(from.standby_of)}};
  standby_directory made;
  io::unique_fd control;
  if (record_.pages == host::page_mode::copy) {
    STRATA_ASSIGN(const auto client, api(silence_limit));
    STRATA_TRY(unpack(client, path_, whole, into, written));
    control = io::unique_fd(::open((into + "/global/pg_control").c_str(), O_RDONLY | O_CLOEXEC));
    if (!control) return core::from_errno("open pg_control in " + into, errno);
  } else {
    query listed = whole;
    listed.emplace("relations", "listed");
    STRATA_ASSIGN(made.pages, unpack_guarded(listed, into, written));
  }
  core::bytes content(pg::files::control_file_size);
  const int file = control ? control.get() : made.pages->control_file();
  if (::pread(file, content.data(), content.size(), 0) != static_cast<ssize_t>(content.size()))
    return core::from_errno("read pg_control in " + into, errno);
  STRATA_ASSIGN(const auto decoded, pg::files::decode_control_file(content));
  STRATA_ASSIGN(made.view, view_of(decoded, from.at));
  made.system_id = decoded.system_id;
  made.timeline = decoded.checkpoint_copy.timeline;
  made.major = decoded.major;
  return made;
}

core::result<host::wal_upstream> branch_server::find_upstream(std::uint32_t attempt) {
  STRATA_ASSIGN(const auto client, api(position_limit));
  STRATA_ASSIGN(const json answer, client.get(path_));
  if (const auto source = answer.find("source"); source != answer.end() && source->is_object()) {
    STRATA_ASSIGN(const server_file file, read_server_file(of_.directory));
    STRATA_ASSIGN(const json given, client.post(path_ + "/source_connection", {{"key", file.key}}));
    return host::wal_upstream{.conninfo = given.value("conninfo", ""), .name = upstream_source};
  }
  STRATA_ASSIGN(const host::branch_quorum assigned, quorum());
  const auto& members = assigned.members.members;
  if (members.empty()) return core::error{core::errc::unavailable, "the branch has no safekeepers"};
  const auto& member = members[attempt % members.size()];
  STRATA_ASSIGN(const auto at, locate(member));
  return host::wal_upstream{
      .conninfo = pg::client::safekeeper_conninfo(at.host, at.port, record_.tenant_id, record_.timeline_id),
      .name = "safekeeper " + std::to_string(member.id.value),
      .expected = at.expected,
      .count = static_cast<std::uint32_t>(members.size())};
}

core::result<branch_server::directory> branch_server::unpack_guarded(const query& what, const std::string& into,
                                                                     const progress& written) const {
  STRATA_ASSIGN(const auto client, api(silence_limit));
  const bool is_mounted = record_.pages == host::page_mode::fuse;
  const std::string files = is_mounted ? host::files_behind(into) : into;
  // Only speed depends on it.
  [[maybe_unused]] const auto spread = page_files::spread_directories(fs::path(files).parent_path());
  STRATA_TRY(unpack(client, path_, what, files, written));
  STRATA_ASSIGN(const auto made, page_files::create_relation_files(files));
  STRATA_ASSIGN(auto control_file, page_files::hold_control_file(files));
  // Through a mount it would be four requests for each file.
  STRATA_ASSIGN(const auto account, host::postgres_account());
  if (account) STRATA_TRY(host::give(*account, files));
  if (!is_mounted) return page_files::guarded_directory::of_native_files(files, made.files, std::move(control_file));
  std::error_code failure;
  fs::create_directory(into, failure);
  if (failure) return core::from_errno("create " + into, failure.value());
  return page_files::guarded_directory::behind_mount(files, made.files, std::move(control_file));
}

core::result<void> restore_branch(const api::api_client& api, const std::string& path, core::lsn at,
                                  const std::string& into, const std::function<void(std::uint64_t)>& written) {
  return unpack(api, path, {{"lsn", core::to_string(at)}}, into, written);
}

}  // namespace strata::control
