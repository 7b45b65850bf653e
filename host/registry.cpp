#include "host/registry.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "config/branch_spec.hpp"
#include "config/json_file.hpp"
#include "config/small_file.hpp"
#include "host/account.hpp"
#include "io/replace_file.hpp"

namespace strata::host {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* record_name = "/compute.json";
constexpr const char* owner_name = "/owner";
constexpr std::array compute_modes = {"copy", "branch", "read_only", "standby"};
static_assert(compute_modes.size() == static_cast<std::size_t>(compute_mode::standby) + 1);
constexpr std::array page_modes = {"copy", "fanotify", "fuse"};
static_assert(page_modes.size() == static_cast<std::size_t>(page_mode::fuse) + 1);

template <class Enum, std::size_t size>
std::optional<Enum> value_of(const std::array<const char*, size>& words, std::string_view word) {
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) return std::nullopt;
  return static_cast<Enum>(found - words.begin());
}

std::string absolute(const std::string& path) { return fs::absolute(path).lexically_normal(); }

json to_json(const compute_record& of, const std::string& directory) {
  return {{"name", of.name},
          {"tenant", of.tenant},
          {"branch", of.branch},
          {"tenant_id", core::to_string(of.tenant_id)},
          {"timeline_id", core::to_string(of.timeline_id)},
          {"lsn", core::to_string(of.at)},
          {"as_of_us", of.as_of.time_since_epoch().count()},
          {"pg_version", of.pg_major},
          {"bin_directory", of.bin_directory},
          {"directory", directory},
          {"home", of.home},
          {"data_directory", of.data_directory},
          {"socket_directory", of.socket_directory},
          {"log_file", of.log_file},
          {"port", of.port},
          {"control_port", of.control_port},
          {"user", of.user},
          {"database", of.database},
          {"started_us", of.started.time_since_epoch().count()},
          {"mode", to_string(of.mode)},
          {"pages", to_string(of.pages)},
          {"pages_named", of.pages_named},
          {"fill", of.fill},
          {"page_timeout_ms", of.page_timeout.count()},
          {"settings", of.settings},
          {"armed", of.armed},
          {"ready", of.ready},
          {"temporary", of.temporary}};
}

/// A directory that mkdtemp() made from the prefix.
bool is_elsewhere(const std::string& path) {
  return path.starts_with(elsewhere_prefix) && path.size() > elsewhere_prefix.size() &&
         path.find('/', elsewhere_prefix.size()) == std::string::npos;
}

/// What a moved directory keeps and a copied one does not have.
std::string identity_of(const std::string& directory) {
  struct stat found {};
  if (::stat(directory.c_str(), &found) != 0) return "";
  return std::to_string(found.st_dev) + " " + std::to_string(found.st_ino) + "\n";
}

std::optional<bool> is_marked_for(const std::string& elsewhere, const std::string& here) {
  if (!is_elsewhere(elsewhere)) return std::nullopt;
  const auto owner = config::read_small_file(elsewhere + owner_name);
  if (!owner && owner.error().code == core::errc::not_found) return std::nullopt;
  // Empty after a loss of power: nothing was said.
  if (owner && owner->empty()) return std::nullopt;
  return owner && *owner == identity_of(here);
}

/// Those in /var/tmp that say that they belong to a compute's directory, and are no stranger's.
std::vector<std::string> elsewhere_of(const std::string& here) {
  std::vector<std::string> found;
  const auto account = postgres_account();
  const fs::path prefix{std::string(elsewhere_prefix)};
  std::error_code failure;
  for (fs::directory_iterator at(prefix.parent_path(), failure), end; !failure && at != end; at.increment(failure)) {
    const std::string path = at->path().string();
    struct stat of {};
    if (!is_elsewhere(path) || ::lstat(path.c_str(), &of) != 0 || !S_ISDIR(of.st_mode)) continue;
    const bool is_ours = of.st_uid == ::geteuid() || (account && *account && of.st_uid == (*account)->user);
    if (is_ours && is_marked_for(path, here).value_or(false)) found.push_back(path);
  }
  return found;
}

/// Says in a directory elsewhere to which compute's directory it belongs; whole or not at all, since any other mark
/// than ours is that of another.
core::result<void> mark(const std::string& elsewhere, const std::string& here) {
  std::error_code failure;
  if (!is_elsewhere(elsewhere) || !fs::is_directory(elsewhere, failure) || is_marked_for(elsewhere, here) == true)
    return {};
  return io::replace_file(elsewhere + owner_name, identity_of(here));
}

/// Whether the compute that the record was written for is another one, which has it still: the record is in a copy of
/// the directory.
bool is_of_another(const std::string& written_in, const std::string& here, const std::string& home,
                   const std::string& socket) {
  for (const std::string& each : {home, socket})
    if (const auto ours = is_marked_for(each, here)) return !*ours;
  std::error_code failure;
  return written_in != here && fs::exists(written_in + record_name, failure) &&
         !fs::equivalent(written_in, here, failure);
}

/// The paths of a record, as they are for the directory that it is in now. Nothing is ever stopped or removed but by
/// them: a path that is none of ours is refused.
core::result<void> place(compute_record& made, const json& of, const std::string& here) {
  const std::string home = of.at("home");
  const std::string socket = of.at("socket_directory");
  const std::string own = "/computes/" + made.name;
  // Records of before there was the member are below their directory, or else tell nothing.
  const std::string written_in = of.value("directory", home.ends_with(own) ? home : here);
  if (!written_in.ends_with(own))
    return core::error{core::errc::corrupt, "\"directory\" is of no compute of this name"};
  if (home != written_in && !is_elsewhere(home))
    return core::error{core::errc::corrupt, "\"home\" is no directory of a compute: " + home};
  if (of.at("data_directory") != home + "/data")
    return core::error{core::errc::corrupt, "\"data_directory\" is not below \"home\""};
  if (!socket.empty() && socket != home + "/socket" && !is_elsewhere(socket))
    return core::error{core::errc::corrupt, "\"socket_directory\" is no directory of a compute: " + socket};

  const bool foreign = is_of_another(written_in, here, home, socket);
  made.home = home == written_in || foreign ? here : home;
  made.data_directory = made.home + "/data";
  made.log_file = made.home + "/postgres.log";
  if (socket == home + "/socket")
    made.socket_directory = made.home + "/socket";
  else if (!foreign)
    made.socket_directory = socket;
  return {};
}

core::result<compute_record> from_json(const json& of, const std::string& name, const std::string& here) {
  compute_record made;
  made.name = of.at("name");
  if (made.name != name)
    return core::error{core::errc::corrupt, "it is the record of \"" + made.name + "\", in the directory of another"};
  made.tenant = of.at("tenant");
  made.branch = of.at("branch");
  STRATA_ASSIGN(made.tenant_id, core::parse_id<core::tenant_id>(of.at("tenant_id").get<std::string>()));
  STRATA_ASSIGN(made.timeline_id, core::parse_id<core::timeline_id>(of.at("timeline_id").get<std::string>()));
  STRATA_ASSIGN(made.at, core::parse_lsn(of.at("lsn").get<std::string>()));
  made.pg_major = of.at("pg_version");
  made.bin_directory = of.at("bin_directory");
  STRATA_TRY(place(made, of, here));
  made.port = of.at("port");
  made.control_port = of.value("control_port", std::uint16_t{0});
  made.user = of.at("user");
  made.database = of.value("database", made.database);
  made.started = core::wall_time(std::chrono::microseconds(of.at("started_us").get<std::int64_t>()));
  made.as_of =
      core::wall_time(std::chrono::microseconds(of.value("as_of_us", made.started.time_since_epoch().count())));
  // Records of before there was a choice are of copies.
  const auto mode = value_of<compute_mode>(compute_modes, of.value("mode", "copy"));
  if (!mode) return core::error{core::errc::corrupt, "\"mode\" is " + of.at("mode").dump()};
  made.mode = *mode;
  const auto pages = page_mode_of(of.value("pages", "copy"));
  if (!pages) return core::error{core::errc::corrupt, "\"pages\" is " + of.at("pages").dump()};
  made.pages = *pages;
  made.fill = of.value("fill", true);
  made.pages_named = of.value("pages_named", false);
  made.page_timeout = std::chrono::milliseconds(of.value("page_timeout_ms", made.page_timeout.count()));
  if (made.page_timeout <= std::chrono::milliseconds(0))
    return core::error{core::errc::corrupt, "\"page_timeout_ms\" is " + of.at("page_timeout_ms").dump()};
  made.settings = of.value("settings", std::vector<std::string>());
  made.armed = of.value("armed", false);
  made.ready = of.value("ready", true);
  made.temporary = of.value("temporary", false);
  return made;
}

core::result<compute_record> load_from(const std::string& directory, const std::string& name) {
  const std::string path = directory + record_name;
  STRATA_ASSIGN(const json found, config::read_json_file(path));
  try {
    auto made = from_json(found, name, absolute(directory));
    if (!made) return core::error{core::errc::corrupt, path + ": " + made.error().detail};
    return made;
  } catch (const json::exception&) {
    return config::wrong_members(path);
  }
}

core::result<void> remove_all(const std::string& path) {
  std::error_code failure;
  fs::remove_all(path, failure);
  if (failure) return core::from_errno("remove " + path, failure.value());
  return {};
}

}  // namespace

const char* to_string(compute_mode of) { return compute_modes[static_cast<std::size_t>(of)]; }
const char* to_string(page_mode of) { return page_modes[static_cast<std::size_t>(of)]; }
std::optional<page_mode> page_mode_of(std::string_view word) { return value_of<page_mode>(page_modes, word); }

core::result<std::vector<std::string>> registry::names() const {
  std::vector<std::string> all;
  std::error_code failure;
  if (!fs::exists(directory_, failure)) return all;
  for (const auto& entry : fs::directory_iterator(directory_, failure)) {
    std::error_code hidden;
    const std::string name = entry.path().filename();
    // What no compute can be called is not ours: lost+found, where the directory is a file system of its own.
    if (entry.is_directory(hidden) && config::check_name("compute", name)) all.push_back(name);
  }
  if (failure) return core::from_errno("list " + directory_, failure.value());
  std::sort(all.begin(), all.end());
  return all;
}

core::result<compute_record> registry::load(const std::string& name) const {
  return load_from(directory_of(name), name);
}

core::result<compute_listing> registry::list() const {
  compute_listing all;
  STRATA_ASSIGN(const auto every, names());
  for (const std::string& name : every) {
    auto record = load(name);
    std::error_code hidden;
    if (record) {
      all.computes.push_back(*std::move(record));
    } else if (fs::exists(directory_of(name), hidden) && !start_lock::is_held(directory_of(name))) {
      // One that is being made has no record yet, one that is removed has none any more.
      all.damaged.push_back({name, std::move(record).error()});
    }
  }
  return all;
}

core::result<compute_record> registry::find(const std::string& name) const {
  STRATA_ASSIGN(auto all, list());
  std::string names;
  for (auto& each : all.damaged)
    if (each.name == name) return std::move(each.why);
  for (auto& each : all.computes) {
    if (each.name == name) return std::move(each);
    names += (names.empty() ? "" : ", ") + each.name;
  }
  return core::error{core::errc::not_found, "there is no compute \"" + name + "\"" +
                                                (names.empty() ? "; there are none" : "; there are: " + names)};
}

core::result<start_lock> registry::claim(const std::string& name) const {
  std::error_code failure;
  fs::create_directories(directory_, failure);
  if (failure) return core::from_errno("make " + directory_, failure.value());
  if (fs::create_directory(directory_of(name), failure)) return start_lock::take(directory_of(name));
  if (failure) return core::from_errno("make " + directory_of(name), failure.value());
  return core::error{core::errc::conflict, "compute \"" + name + "\" already exists"};
}

core::result<void> registry::save(const compute_record& record) const {
  const std::string directory = directory_of(record.name);
  STRATA_TRY(io::replace_file(directory + record_name, to_json(record, absolute(directory)).dump(1) + "\n"));
  for (const std::string& each : {record.home, record.socket_directory}) STRATA_TRY(mark(each, directory));
  return {};
}

core::result<void> registry::remove(const compute_record& record) const {
  const std::string here = directory_of(record.name);
  // The record last: until then what is left is listed.
  if (!record.data_directory.empty()) STRATA_TRY(remove_all(record.data_directory));
  if (!record.socket_directory.empty()) STRATA_TRY(remove_all(record.socket_directory));
  if (!record.home.empty() && record.home != absolute(here)) STRATA_TRY(remove_all(record.home));
  return remove_all(here);
}

compute_record registry::remains_of(const std::string& name) const {
  compute_record made;
  made.name = name;
  made.home = absolute(directory_of(name));
  made.ready = false;
  for (const std::string& each : elsewhere_of(made.home)) {
    std::error_code missing;
    // One that is for the socket has nothing but that.
    (fs::exists(each + "/data", missing) ? made.home : made.socket_directory) = each;
  }
  made.data_directory = made.home + "/data";
  made.log_file = made.home + "/postgres.log";
  if (made.socket_directory.empty()) made.socket_directory = made.home + "/socket";
  return made;
}

}  // namespace strata::host
