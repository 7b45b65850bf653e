#include "host/lasting_files.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "config/time_text.hpp"
#include "core/blocking.hpp"
#include "host/forced_settings.hpp"
#include "io/unique_fd.hpp"

namespace strata::host {
namespace {

namespace fs = std::filesystem;

constexpr std::array settings_names{"postgresql.auto.conf", "postgresql.conf", "pg_hba.conf", "pg_ident.conf"};
constexpr const char* prewarm_name = "autoprewarm.blocks";
constexpr std::array library_settings{"shared_preload_libraries", "session_preload_libraries",
                                      "local_preload_libraries"};
constexpr std::uint64_t settings_size_max = 256u << 10;
constexpr std::uint64_t data_size_max = 8u << 20;

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

const lasting_file* find(const std::vector<lasting_file>& in, std::string_view name) {
  const auto found = std::ranges::find(in, name, &lasting_file::name);
  return found == in.end() ? nullptr : &*found;
}

/// The settings of a choice, and what is to be said of them.
std::vector<const lasting_file*> settings_in(const lasting_files& from, settings_choice choice,
                                             std::vector<std::string>& notes) {
  std::vector<const lasting_file*> used;
  if (choice == settings_choice::none) return used;
  for (const char* name : settings_names) {
    const lasting_file* newest = find(from.newest, name);
    const lasting_file* proven = find(from.proven, name);
    const lasting_file* chosen = choice == settings_choice::newest ? newest : proven;
    if (chosen != nullptr && !chosen->damage.empty()) {
      const bool replaced = proven != nullptr && proven != chosen && proven->damage.empty();
      notes.push_back("the stored " + std::string(name) + " of " + config::local_text(chosen->stored) +
                      " is damaged and is not used: " + chosen->damage +
                      (replaced ? "; the last one with which Postgres has started, of " +
                                      config::local_text(proven->stored) + ", is used"
                                : ""));
      chosen = replaced ? proven : nullptr;
    }
    if (chosen != nullptr) used.push_back(chosen);
  }
  return used;
}

/// A setting as it holds, and where it stands.
struct effective {
  std::string value;
  bool is_kept = false;
};
std::optional<effective> effective_value(const std::string& name, const lasting_start& of, const lasting_host& on) {
  std::optional<effective> found;
  const auto look = [&](const std::vector<std::string>& lines, bool is_kept) {
    for (const auto& line : lines)
      if (const auto each = parse_setting(line); each && each->name == name) found = {each->value, is_kept};
  };
  // In the order in which Postgres reads them.
  look(of.conf_lines, true);
  look(on.settings, false);
  look(lines_of(of.text.auto_conf), true);
  return found;
}

/// A name in the value of a setting that is a list.
std::string in_list(const std::string& name) {
  return name.find_first_of(", \t'") == std::string::npos ? name : '"' + name + '"';
}

/// Other files are not kept, and what they bring is not checked.
void leave_out_includes(lasting_start& start) {
  const auto is_left_out = [&](const std::string& line) {
    if (!includes_files(line)) return false;
    start.notes.push_back("\"" + line + "\" is left out: what it names is not kept with the branch");
    return true;
  };
  std::erase_if(start.conf_lines, is_left_out);
  std::string kept;
  for (const auto& line : lines_of(start.text.auto_conf))
    if (!is_left_out(line)) kept += line + "\n";
  if (kept.size() < start.text.auto_conf.size()) start.text.auto_conf = kept;
}

void leave_out_libraries(lasting_start& start, const lasting_host& on) {
  for (const char* name : library_settings) {
    const auto value = effective_value(name, start, on);
    if (!value || !value->is_kept) continue;
    std::string left;
    std::size_t omitted = 0;
    for (const std::string& each : libraries_in(value->value)) {
      std::string why;
      if (!on.armed && armed_library(each))
        why = "its workers act on other servers; --armed allows that";
      else if (on.has_library && !on.has_library(each))
        why = "it is not installed here";
      if (why.empty()) {
        left += (left.empty() ? "" : ", ") + in_list(each);
        continue;
      }
      ++omitted;
      start.notes.push_back(std::string(name) + ": " + each + " is not loaded: " + why);
    }
    if (omitted > 0) start.forced.push_back(std::string(name) + "=" + left);
  }
}

/// Where the files of the compute are is not for its settings to say.
void keep_own_files(lasting_start& start, const lasting_host& on) {
  const std::array<std::pair<const char*, std::string>, 4> own{{{"data_directory", on.data_directory},
                                                                {"hba_file", on.data_directory + "/pg_hba.conf"},
                                                                {"ident_file", on.data_directory + "/pg_ident.conf"},
                                                                {"external_pid_file", ""}}};
  for (const auto& [name, value] : own) {
    const auto found = effective_value(name, start, on);
    if (!found || !found->is_kept) continue;
    start.forced.push_back(std::string(name) + "=" + value);
    start.notes.push_back(std::string(name) + " is ignored: Strata chooses the location of a compute's files");
  }
}

/// Opens a file of the directory for reading, through no link: Postgres's user, who may be another one than this
/// process's, chooses what is there. Nothing for what is no regular file.
io::unique_fd open_in(const std::string& files, const std::string& name) {
  const io::unique_fd directory(::open(files.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  io::unique_fd file(static_cast<int>(::syscall(SYS_openat2, directory.get(), name.c_str(), &how, sizeof how)));
  struct stat found {};
  if (file && (::fstat(file.get(), &found) != 0 || !S_ISREG(found.st_mode))) file.reset();
  return file;
}

/// Nothing when there is no such file, or it is larger.
std::optional<std::string> read_up_to(const std::string& files, const std::string& name, std::size_t size_max) {
  const io::unique_fd file = open_in(files, name);
  if (!file) return std::nullopt;
  std::string text;
  std::array<char, 16384> part;
  for (;;) {
    const ssize_t got = ::read(file.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(got));
    if (text.size() > size_max) return std::nullopt;
  }
}

std::string users_lines(const std::string& text, const std::vector<std::string>& ours) {
  const std::set<std::string_view> known(ours.begin(), ours.end());
  std::string made;
  for (const auto& line : lines_of(text))
    if (line.find_first_not_of(" \t\r") != std::string::npos && !known.contains(line)) made += line + "\n";
  return made;
}

/// Those of a file after it was written that are not the user's.
core::result<std::vector<std::string>> lines_without(const std::string& files, const char* name,
                                                     const std::vector<std::string>& users) {
  const auto text = read_up_to(files, name, data_size_max);
  if (!text) return core::error{core::errc::io_error, "read " + files + "/" + name};
  std::vector<std::string> lines = lines_of(without_given_settings(*text));
  for (const auto& each : users)
    if (const auto found = std::ranges::find(lines, each); found != lines.end()) lines.erase(found);
  return lines;
}

}  // namespace

bool is_settings_file(std::string_view name) { return std::ranges::find(settings_names, name) != settings_names.end(); }

lasting_start choose_lasting(const lasting_files& from, settings_choice choice, const lasting_host& on) {
  lasting_start start{.choice = choice, .logical_wal = from.logical_wal};
  for (const lasting_file* each : settings_in(from, choice, start.notes)) {
    if (!each->proven) start.unproven.push_back(*each);
    if (each->name == "postgresql.auto.conf") start.text.auto_conf = each->content;
    if (each->name == "postgresql.conf") start.conf_lines = lines_of(each->content);
    if (each->name == "pg_hba.conf") start.text.hba_lines = lines_of(each->content);
    if (each->name == "pg_ident.conf") start.text.ident_lines = lines_of(each->content);
  }
  leave_out_includes(start);
  leave_out_libraries(start, on);
  keep_own_files(start, on);
  if (!on.writes) return start;
  for (const lasting_file& each : from.newest) {
    if (is_settings_file(each.name)) continue;
    if (each.damage.empty())
      start.data_files.push_back(each);
    else
      start.notes.push_back("the stored " + each.name + " is damaged and is not used: " + each.damage);
  }
  return start;
}

std::optional<settings_choice> choice_after(const lasting_files& from, settings_choice failed) {
  const auto contents = [&](settings_choice of) {
    std::vector<std::string> notes;
    std::vector<std::pair<std::string, std::string>> made;
    for (const lasting_file* each : settings_in(from, of, notes)) made.emplace_back(each->name, each->content);
    return made;
  };
  const auto before = contents(failed);
  for (const auto next : {settings_choice::proven, settings_choice::none})
    if (next > failed && contents(next) != before) return next;
  return std::nullopt;
}

std::string reason_in(std::string_view failure) {
  for (const std::string_view mark : {"FATAL:", "ERROR:", "LOG:"})
    if (const auto at = failure.find(mark); at != std::string_view::npos)
      return std::string(failure.substr(at, failure.find('\n', at) - at));
  return std::string(failure.substr(0, failure.find('\n')));
}

bool has_library(const std::string& bin_directory, const std::string& library) {
  std::error_code none;
  const auto is_file = [&none](const std::string& path) {
    return fs::is_regular_file(path, none) || fs::is_regular_file(path + ".so", none);
  };
  if (library.starts_with('/')) return is_file(library);
  std::string name = library;
  if (constexpr std::string_view libdir = "$libdir/"; name.starts_with(libdir)) name.erase(0, libdir.size());
  bool known = false;
  for (const char* place : {"/../lib", "/../lib/postgresql", "/../lib64", "/../lib64/postgresql"}) {
    const std::string directory = bin_directory + place;
    if (!is_file(directory + "/plpgsql")) continue;
    known = true;
    // Where local_preload_libraries may only be.
    if (is_file(directory + "/" + name) || is_file(directory + "/plugins/" + name)) return true;
  }
  return !known;
}

core::result<void> write_data_files(const postgres_options& of, const std::vector<lasting_file>& files) {
  core::may_block("write statistics and prewarm list");
  for (const lasting_file& each : files) {
    const bool is_statistics = each.name.starts_with("pg_stat/") && each.name.find("..") == std::string::npos;
    if (!is_statistics && each.name != prewarm_name)
      return core::error{core::errc::invalid_argument,
                         "\"" + each.name + "\" is no file of a data directory that lasts"};
    const std::string path = of.data_directory + "/" + each.name;
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << each.content;
    if (!file.flush()) return core::from_errno("write " + path, errno);
    if (of.run_as) STRATA_TRY(give(*of.run_as, path));
  }
  return {};
}

core::result<written_lines> our_lines(const std::string& files, const lasting_start& start) {
  written_lines made;
  STRATA_ASSIGN(made.conf, lines_without(files, "postgresql.conf", start.conf_lines));
  STRATA_ASSIGN(made.hba, lines_without(files, "pg_hba.conf", start.text.hba_lines));
  STRATA_ASSIGN(made.ident, lines_without(files, "pg_ident.conf", start.text.ident_lines));
  return made;
}

core::result<std::vector<lasting_file>> read_settings_files(const std::string& files, const written_lines& ours) {
  core::may_block("read the settings of Postgres");
  std::vector<lasting_file> found;
  if (auto text = read_up_to(files, "postgresql.auto.conf", settings_size_max))
    found.push_back({.name = "postgresql.auto.conf", .content = *std::move(text)});
  const std::array<std::pair<const char*, const std::vector<std::string>*>, 3> others{
      {{"postgresql.conf", &ours.conf}, {"pg_hba.conf", &ours.hba}, {"pg_ident.conf", &ours.ident}}};
  for (const auto& [name, known] : others)
    if (const auto text = read_up_to(files, name, data_size_max)) {
      std::string lines = users_lines(without_given_settings(*text), *known);
      if (lines.size() <= settings_size_max) found.push_back({.name = name, .content = std::move(lines)});
    }
  return found;
}

std::vector<lasting_file> read_data_files(const std::string& files) {
  core::may_block("read statistics and prewarm list");
  std::vector<lasting_file> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(files + "/pg_stat", none)) {
    const std::string name = entry.path().filename();
    if (!name.ends_with(".stat")) continue;
    if (auto text = read_up_to(files, "pg_stat/" + name, data_size_max))
      found.push_back({.name = "pg_stat/" + name, .content = *std::move(text)});
  }
  if (auto text = read_up_to(files, prewarm_name, data_size_max))
    found.push_back({.name = prewarm_name, .content = *std::move(text)});
  std::ranges::sort(found, {}, &lasting_file::name);
  return found;
}

std::vector<std::string> files_not_kept(const std::string& files, const written_lines& ours) {
  std::vector<std::string> found;
  const auto look = [&](const std::string& name, std::uintmax_t size_max) {
    std::error_code none;
    const auto size = fs::file_size(files + "/" + name, none);
    if (!none && size > size_max) found.push_back(name);
  };
  look("postgresql.auto.conf", settings_size_max);
  const auto settings = read_settings_files(files, ours);
  for (const char* name : settings_names)
    if (settings && std::string_view(name) != "postgresql.auto.conf" && fs::exists(files + "/" + name) &&
        std::ranges::find(*settings, name, &lasting_file::name) == settings->end())
      found.emplace_back(name);
  look(prewarm_name, data_size_max);
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(files + "/pg_stat", none))
    look("pg_stat/" + entry.path().filename().string(), data_size_max);
  return found;
}

bool lasting_watch::has_changed() {
  std::vector<std::uint64_t> now;
  const auto look = [&](const char* name) {
    struct stat found {};
    if (::stat((files_ + "/" + name).c_str(), &found) != 0) found = {};
    now.insert(now.end(),
               {found.st_ino, static_cast<std::uint64_t>(found.st_size),
                static_cast<std::uint64_t>(found.st_mtim.tv_sec), static_cast<std::uint64_t>(found.st_mtim.tv_nsec)});
  };
  for (const char* name : settings_names) look(name);
  look(prewarm_name);
  const bool changed = !seen_.empty() && now != seen_;
  seen_ = std::move(now);
  return changed;
}

std::vector<std::string> logical_slots_in(const std::string& files) {
  // ReplicationSlotOnDisk: four words, a name of 64 bytes, the database's OID, which a physical slot has not.
  constexpr std::size_t database_at = 16 + 64;
  std::vector<std::string> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(files + "/pg_replslot", none)) {
    const std::string name = entry.path().filename();
    const io::unique_fd file = open_in(files, "pg_replslot/" + name + "/state");
    std::array<char, database_at + 4> head{};
    if (!file || ::read(file.get(), head.data(), head.size()) != static_cast<ssize_t>(head.size())) continue;
    std::uint32_t database = 0;
    std::memcpy(&database, head.data() + database_at, sizeof database);
    if (database != 0) found.push_back(name);
  }
  std::ranges::sort(found);
  return found;
}

std::string files_of(const std::string& data_directory) {
  std::error_code none;
  const std::string behind = files_behind(data_directory);
  return fs::exists(behind, none) ? behind : data_directory;
}

}  // namespace strata::host
