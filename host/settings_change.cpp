#include "host/settings_change.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "core/blocking.hpp"
#include "host/program.hpp"
#include "io/replace_file.hpp"
#include "pg/client/sql_connection.hpp"

namespace strata::host {
namespace {

using pg::client::sql_connection;

constexpr std::chrono::milliseconds reload_look_interval{5};
constexpr std::chrono::seconds trial_limit{10};

std::set<std::string> names_of(const std::vector<std::string>& before, const std::vector<std::string>& lines) {
  std::set<std::string> names;
  for (const auto* each : {&before, &lines})
    for (const auto& line : *each)
      if (auto parsed = parse_setting(line)) names.insert(std::move(parsed->name));
  return names;
}

/// What Postgres says of a configuration that it refuses: its first complaint.
std::string complaint_in(const std::string& output) {
  for (const std::string_view kind : {"LOG:  ", "FATAL:  ", "ERROR:  "}) {
    const auto at = output.find(kind);
    if (at == std::string::npos) continue;
    const auto begin = at + kind.size();
    std::string text = output.substr(begin, output.find('\n', begin) - begin);
    // The file is one of our own, which nobody else has seen.
    if (const auto where = text.find(" in file \""); where != std::string::npos) text.resize(where);
    return text;
  }
  return output.substr(0, output.find('\n'));
}

/// A configuration file of this text, where its user can read it, as long as this lives.
class trial_file {
 public:
  trial_file(const postgres_options& of, const std::string& text) : path_(of.socket_directory + "/trial.conf") {
    io::replace_options how{.durable = false};
    if (of.run_as) how.owner = {of.run_as->user, of.run_as->group};
    written_ = io::replace_file(path_, text, how);
  }
  ~trial_file() {
    std::error_code none;
    std::filesystem::remove(path_, none);
  }
  trial_file(const trial_file&) = delete;
  trial_file& operator=(const trial_file&) = delete;
  [[nodiscard]] const core::result<void>& written() const { return written_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  core::result<void> written_;
};

/// The names in the first column of the rows, of those that are wanted.
std::vector<std::string> those_of(const std::vector<pg::client::sql_row>& rows, const std::set<std::string>& wanted) {
  std::vector<std::string> names;
  for (const auto& row : rows)
    if (!row.empty() && row.front() && wanted.contains(*row.front())) names.push_back(*row.front());
  return names;
}

/// Has the server read its files, and returns when this session has the new values.
core::result<void> reload(sql_connection& session, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  STRATA_ASSIGN(const auto before, session.query("select pg_conf_load_time(), pg_reload_conf()"));
  for (;;) {
    STRATA_ASSIGN(const auto now, session.query("select pg_conf_load_time()"));
    if (now.at(0).at(0) != before.at(0).at(0)) return {};
    if (std::chrono::steady_clock::now() > deadline)
      return core::error{core::errc::timeout, "Postgres has not read its configuration again"};
    std::this_thread::sleep_for(reload_look_interval);
  }
}

core::result<applied_settings> reload_and_look(const std::string& conninfo, const std::set<std::string>& names,
                                               std::chrono::milliseconds limit) {
  STRATA_ASSIGN(auto session, sql_connection::open(conninfo));
  session.limit_waits(limit);
  STRATA_TRY(reload(session, limit));
  STRATA_ASSIGN(const auto waiting, session.query("select name from pg_settings where pending_restart"));
  // What is refused although its form is right, because of other settings or of what the server has.
  STRATA_ASSIGN(const auto refused,
                session.query("select lower(f.name), f.error from pg_file_settings f where f.error is not null and not "
                              "exists (select from pg_settings s where s.name = lower(f.name) and s.pending_restart)"));
  for (const auto& row : refused)
    if (row.front() && names.contains(*row.front()))
      return core::error{core::errc::invalid_argument, *row.front() + ": " + row.at(1).value_or("refused")};
  return applied_settings{those_of(waiting, names), {}};
}

}  // namespace

core::result<void> check_settings(const std::vector<std::string>& lines, bool armed) {
  if (lines.size() > settings_max)
    return core::error{core::errc::invalid_argument, "more than " + std::to_string(settings_max) + " settings"};
  for (const auto& line : lines) {
    if (line.size() > setting_size_max)
      return core::error{core::errc::invalid_argument,
                         "a setting is longer than " + std::to_string(setting_size_max) + " bytes"};
    if (line.find('\0') != std::string::npos)
      return core::error{core::errc::invalid_argument, "a setting contains a zero byte"};
    if (auto checked = check_setting(line); !checked) return std::move(checked).error().within("\"" + line + "\"");
    if (const auto library = armed ? std::nullopt : armed_library_in(line))
      return core::error{core::errc::invalid_argument,
                         "can't preload " + *library + ": its workers act on other servers, as those of the source do"};
  }
  return {};
}

core::result<void> try_settings(const postgres_options& of, const std::vector<std::string>& lines) {
  core::may_block("try the settings of Postgres");
  STRATA_ASSIGN(const std::string text, settings_text(of, lines));
  const trial_file file(of, text);
  STRATA_TRY(file.written());
  program trial{.arguments = {of.bin_directory + "/postgres", "-D", of.data_directory, "-C", "port", "-c",
                              "config_file=" + file.path()},
                .directory = of.socket_directory,
                .run_as = of.run_as,
                .environment = {{"LC_ALL", "C"}}};
  for (const auto& setting : all_forced(of)) trial.arguments.insert(trial.arguments.end(), {"-c", setting});
  STRATA_ASSIGN(const outcome ended, run(trial, trial_limit));
  if (ended.exit_code == 0) return {};
  return core::error{core::errc::invalid_argument, complaint_in(ended.output)};
}

core::result<applied_settings> apply_settings(const postgres_options& of, const std::string& conninfo,
                                              const std::vector<std::string>& before,
                                              const std::vector<std::string>& lines, std::chrono::milliseconds limit) {
  core::may_block("apply the settings of Postgres");
  STRATA_TRY(replace_settings(of, lines));
  auto applied = reload_and_look(conninfo, names_of(before, lines), limit);
  if (applied) {
    applied->overridden = overruled(lines, all_forced(of), altered_settings(of.data_directory));
    return applied;
  }
  core::result<void> back = replace_settings(of, before);
  if (back)
    if (auto reloaded = reload_and_look(conninfo, {}, limit); !reloaded) back = std::move(reloaded).error();
  if (!back)
    return core::error{
        core::errc::outcome_unknown,
        applied.error().detail + "; and Postgres did not take its earlier settings again: " + back.error().detail};
  return applied;
}

}  // namespace strata::host
