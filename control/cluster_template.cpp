#include "control/cluster_template.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "control/failure.hpp"
#include "host/initdb.hpp"
#include "host/program.hpp"
#include "host/registry.hpp"
#include "io/disk.hpp"
#include "io/file.hpp"
#include "io/replace_file.hpp"
#include "io/unique_fd.hpp"
#include "pg/crc32c.hpp"

namespace strata::control {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* new_prefix = ".new-";
constexpr std::uint64_t file_size_max = 64u << 20;
constexpr const char* doing = "can't create an empty database";

core::result<io::unique_fd> lock(const std::string& path) {
  io::unique_fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return core::from_errno("open " + path, errno);
  while (::flock(file.get(), LOCK_EX) != 0)
    if (errno != EINTR) return core::from_errno("lock " + path, errno);
  return file;
}

/// Names and contents of all files of the template.
core::result<std::uint32_t> digest_of(const fs::path& data) {
  std::vector<fs::path> files;
  std::error_code failure;
  for (fs::recursive_directory_iterator at(data, failure); !failure && at != fs::recursive_directory_iterator();
       at.increment(failure))
    if (at->is_regular_file(failure)) files.push_back(at->path());
  if (failure) return core::from_errno("list " + data.string(), failure.value());
  std::sort(files.begin(), files.end());
  std::uint32_t digest = 0;
  for (const fs::path& each : files) {
    STRATA_ASSIGN(const core::bytes content, io::read_file(io::real_disk(), each, file_size_max));
    const std::string name = each.lexically_relative(data).string() + '\0' + std::to_string(content.size()) + '\0';
    core::bytes sealed(name.begin(), name.end());
    core::append_le(sealed, digest);
    core::append_le(sealed, pg::crc32c(content));
    digest = pg::crc32c(sealed);
  }
  return digest;
}

core::result<std::string> version_of(const std::string& bin_directory) {
  STRATA_ASSIGN(const auto said, host::run({.arguments = {bin_directory + "/postgres", "--version"}}));
  return said.output.substr(0, said.output.find('\n'));
}

bool is_whole(const fs::path& place, const std::string& version) {
  std::ifstream file(place / "template.json");
  const json described = json::parse(file, nullptr, false);
  if (!described.is_object() || described.value("version", "") != version) return false;
  const auto digest = digest_of(place / "data");
  return digest && described.value("digest", std::uint64_t{0}) == *digest;
}

/// Removed with everything in it unless it was kept.
class new_directory {
 public:
  explicit new_directory(std::string pattern) : path_(std::move(pattern) + "XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr)
      throw failure(core::from_errno("make " + path_, errno), doing, "check the space and permissions there");
    ::chmod(path_.c_str(), 0711);
  }
  ~new_directory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  new_directory(const new_directory&) = delete;
  new_directory& operator=(const new_directory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  void kept() { path_.clear(); }

 private:
  std::string path_;
};

void make_cluster(const std::string& data, const std::string& bin_directory, const cluster_request& request) {
  const auto account = need(host::postgres_account(), doing, "sudo apt install postgresql");
  std::error_code failure_code;
  fs::create_directory(data, failure_code);
  if (failure_code) throw failure(core::from_errno("make " + data, failure_code.value()), doing, "df " + data);
  if (account) need(host::give(*account, data), doing);
  const auto made = host::run_initdb({.bin_directory = bin_directory,
                                      .directory = data,
                                      .encoding = request.encoding,
                                      .locale = request.locale,
                                      .run_as = account});
  if (made) return;
  throw failure(made.error(), doing,
                made.error().code == core::errc::invalid_argument ? "choose another --locale or --encoding; locale -a"
                : made.error().code == core::errc::not_found
                    ? "sudo apt install postgresql-" + std::to_string(request.major)
                    : "df " + data);
}

void check_words(const cluster_request& request) {
  const auto check = [](const char* option, const std::string& word) {
    const bool fits = !word.empty() && word.size() <= 64 && std::ranges::all_of(word, [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-' || c == '@';
    });
    if (!fits)
      throw failure(core::errc::invalid_argument, doing, std::string(option) + " \"" + word + "\" is not a name",
                    "strata create --help");
  };
  check("--encoding", request.encoding);
  check("--locale", request.locale);
}

}  // namespace

cluster_template prepare_cluster_template(const scope& of, const std::string& bin_directory,
                                          const cluster_request& request) {
  check_words(request);
  const std::string all = of.directory + "/templates";
  need(io::ensure_directory(io::real_disk(), all), doing, "check the permissions of " + of.directory);
  ::chmod(all.c_str(), 0711);
  const auto held = need(lock(all + "/lock"), doing);
  const fs::path place =
      fs::path(all) / (std::to_string(request.major) + "-" + request.encoding + "-" + request.locale);
  const std::string version = need(version_of(bin_directory), doing);
  const std::string data = (place / "data").string();
  if (is_whole(place, version)) return {data, false};

  std::error_code ignored;
  for (const auto& left : fs::directory_iterator(all, ignored))
    if (left.path().filename().string().starts_with(new_prefix)) fs::remove_all(left.path(), ignored);
  if (fs::exists(place, ignored)) of.report->note("the template " + place.string() + " is damaged or old: made again");
  of.report->tell("running initdb of Postgres " + std::to_string(request.major));
  new_directory fresh(all + "/" + new_prefix);
  const auto account = need(host::postgres_account(), doing, "sudo apt install postgresql");
  const std::string fresh_data = fresh.path() + "/data";
  if (!account || host::can_reach(*account, fresh_data)) {
    make_cluster(fresh_data, bin_directory, request);
  } else {
    const new_directory elsewhere{std::string(host::elsewhere_prefix)};
    make_cluster(elsewhere.path() + "/data", bin_directory, request);
    fs::copy(elsewhere.path() + "/data", fresh_data, fs::copy_options::recursive);
  }
  const auto digest = need(digest_of(fresh_data), doing);
  need(io::replace_file(fresh.path() + "/template.json", json{{"version", version}, {"digest", digest}}.dump()), doing);
  fs::remove_all(place, ignored);
  need(io::real_disk().rename(fresh.path(), place), doing);
  fresh.kept();
  return {data, true};
}

}  // namespace strata::control
