#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/counted.hpp"
#include "cli/failure.hpp"
#include "cli/live_wal.hpp"
#include "cli/terminal.hpp"
#include "config/quantity.hpp"
#include "pg/verify/cluster_files.hpp"

namespace strata::cli {
namespace {

using nlohmann::json;
namespace verify = pg::verify;

struct verify_options {
  std::string where;
  std::string base;
  std::string from;
  std::string until;
  std::string during = "1m";
  std::string memory = "2GB";
  bool all = false;
};

/// How far WAL was read, however it came.
struct extent {
  core::lsn start;
  core::lsn end;
  std::string why_ended;
  std::chrono::duration<double> took{};
  [[nodiscard]] std::uint64_t bytes() const { return end > start ? end - start : 0; }
};

std::string name_of(const verify::mismatch& of) {
  std::string place = of.record;
  if (of.start.valid()) place += " at " + core::to_string(of.start) + ", ends at " + core::to_string(of.end);
  return place + ", " + pg::to_string(of.relation) + " block " + std::to_string(of.block) + ": " + of.what;
}

json json_of(const verify::mismatch& of) {
  json told{{"record", of.record}, {"relation", pg::to_string(of.relation)}, {"block", of.block}, {"what", of.what}};
  if (of.start.valid()) {
    told["lsn"] = core::to_string(of.start);
    told["end_lsn"] = core::to_string(of.end);
  }
  return told;
}

json json_of(const verify::record_counts& of) {
  return {{"records", of.records},     {"redone", of.redone}, {"restored", of.restored}, {"compared", of.compared},
          {"different", of.different}, {"failed", of.failed}, {"unknown", of.unknown},   {"foreign", of.foreign}};
}

/// What was found, line by line as it is found or, for programs, all at the end.
class findings {
 public:
  explicit findings(const context& of) : json_(of.json) {}
  void add(const verify::mismatch& found) {
    if (!json_) return print(name_of(found));
    // A wrong redo function can be wrong a million times.
    constexpr std::size_t kept_max = 10000;
    if (kept_.size() < kept_max) kept_.push_back(json_of(found));
  }
  [[nodiscard]] const json& kept() const { return kept_; }

 private:
  bool json_;
  json kept_ = json::array();
};

core::lsn lsn_option(const std::string& name, const std::string& text) {
  if (text.empty()) return {};
  return need(core::parse_lsn(text), "can't understand --" + name, "write an LSN, as in --" + name + " 0/3B21F08");
}

std::uint64_t pages_max(const verify_options& asked) {
  const std::uint64_t bytes = need(config::parse_size(asked.memory), "can't understand --memory",
                                   "strata wal verify --help; write a size, as in --memory 8GB");
  return std::max<std::uint64_t>(bytes / pg::page_size, 1);
}

void print_table(const verify::report& report, bool all) {
  table rows({"RECORD", "RECORDS", "REDONE", "IMAGES", "COMPARED", "DIFFERENT", "FAILED", "UNKNOWN"});
  const auto add = [&](const std::string& name, const verify::record_counts& of) {
    rows.add({name, std::to_string(of.records), std::to_string(of.redone), std::to_string(of.restored),
              std::to_string(of.compared), std::to_string(of.different), std::to_string(of.failed),
              std::to_string(of.unknown)});
  };
  for (const auto& each : report.rows()) add(each.record, each.counts);
  if (all)
    for (const std::string& name : report.never_seen()) add(name, {});
  add("all", report.total());
  rows.print();
}

void print_summary(const verify::report& report, const extent& read) {
  fact_list facts;
  const double seconds = std::max(read.took.count(), 1e-6);
  facts.add("WAL", core::to_string(read.start) + " to " + core::to_string(read.end) + ", " +
                       config::size_text(read.bytes()) + " (" + read.why_ended + ")");
  char speed[64];
  std::snprintf(speed, sizeof speed, "%.2f s, %.0f MB/s, %.2f million records/s", seconds,
                static_cast<double>(read.bytes()) / 1e6 / seconds,
                static_cast<double>(report.total().records) / 1e6 / seconds);
  facts.add("Time", speed);
  const auto count = [&](const char* name, std::uint64_t number, const char* meaning) {
    if (number > 0) facts.add(name, std::to_string(number) + meaning);
  };
  count("Files", report.file_pages_compared, " pages compared with the server's files");
  count("", report.file_pages_explained, " of them different as Postgres's own replay would be (docs/redo.md)");
  count("", report.file_pages_unknown, " pages not compared: this WAL does not hold their whole content");
  count("Learned", report.pages_learned, " pages taken from their first check image");
  count("Map", report.map_bits_ahead, " map pages where Postgres had cleared a bit ahead of its record");
  count("", report.map_pages_left_out, " map pages whose content CREATE DATABASE had left out of the WAL");
  count("Memory", report.pages_beyond_memory, " pages not followed; raise --memory");
  count("Extensions", report.total().foreign, " blocks changed by resource managers of extensions, not checked");
  facts.add("Compared", std::to_string(report.total().compared) + " blocks with Postgres's own images");
  facts.add("Mismatches", std::to_string(report.mismatches));
  facts.print();
}

void conclude(const context& of, const verify_options& asked, const verify::report& report, const extent& read,
              const json& mismatches) {
  if (of.json) {
    json rows = json::object();
    for (const auto& each : report.rows()) rows[each.record] = json_of(each.counts);
    print(json{{"start_lsn", core::to_string(read.start)},
               {"end_lsn", core::to_string(read.end)},
               {"why_ended", read.why_ended},
               {"bytes", read.bytes()},
               {"seconds", read.took.count()},
               {"records", rows},
               {"total", json_of(report.total())},
               {"never_seen", report.never_seen()},
               {"file_pages_compared", report.file_pages_compared},
               {"file_pages_explained", report.file_pages_explained},
               {"file_pages_unknown", report.file_pages_unknown},
               {"pages_learned", report.pages_learned},
               {"pages_beyond_memory", report.pages_beyond_memory},
               {"map_bits_ahead", report.map_bits_ahead},
               {"map_pages_left_out", report.map_pages_left_out},
               {"mismatches", report.mismatches},
               {"first_mismatches", mismatches}});
  } else {
    print_table(report, asked.all);
    print_summary(report, read);
  }
  if (report.mismatches > 0)
    throw failure(
        exit_code::failure, "corrupt", "redo and Postgres do not agree",
        counted(report.mismatches, "mismatch", "mismatches") + ", listed above",
        "report the lines above and the WAL segments that they name; reads of such pages must not be trusted");
  if (report.total().compared == 0 && report.file_pages_compared == 0)
    say("note: nothing could be compared; set wal_consistency_checking = 'all' on the server for a while");
}

void verify_files(const context& of, const verify_options& asked) {
  findings found(of);
  const auto with =
      need(verify::open_wal_directory(asked.where), "can't read WAL from " + asked.where, "strata wal verify --help");
  verify::report report(with.major, [&](const verify::mismatch& each) { found.add(each); });
  std::optional<verify::wal_directory> base;
  if (!asked.base.empty()) {
    base = need(verify::open_wal_directory(asked.base), "can't read the base " + asked.base);
    if (!base->shut_down())
      throw failure(exit_code::usage, "invalid_argument", "can't use the base " + asked.base,
                    "it is not the data directory of a server that was stopped cleanly", "strata wal verify --help");
    if (with.system_id != 0 && base->system_id != with.system_id)
      throw failure(exit_code::usage, "invalid_argument", "can't use the base " + asked.base,
                    "it belongs to another cluster", "strata wal verify --help");
  }
  const auto& control = base ? base->control : with.control;
  verify::wal_verifier verifier(
      {.context = {.major = with.major, .hints_are_logged = control && control->hints_are_logged()},
       .has_base = base.has_value(),
       .pages_max = pages_max(asked)},
      report);
  core::lsn from = lsn_option("from", asked.from);
  if (base) {
    need(verify::for_each_page(base->data_directory, base->major,
                               [&](const auto&... page) -> core::result<void> {
                                 verifier.add_base_page(page...);
                                 return {};
                               }),
         "can't read the base " + asked.base);
    from = base->control->checkpoint_copy.redo;
  }
  const core::lsn until = lsn_option("until", asked.until);
  // Before the work, which may take long.
  if (!need(verify::has_check_images(with, from), "can't read the WAL in " + with.path.string()))
    say(std::string("note: the first and the last records of this WAL were written with wal_consistency_checking off; "
                    "such records carry nothing to compare with, so ") +
        (with.shut_down() && !until.valid() ? "only the server's files will be compared" : "nothing will be compared"));
  progress line(of.json);
  const auto begun = std::chrono::steady_clock::now();
  const auto done = need(verify::replay(with, from, until.valid() ? std::optional(until) : std::nullopt, verifier,
                                        [&](core::lsn at) { line.show("verified to", core::to_string(at)); }),
                         "can't read the WAL in " + with.path.string());
  extent read{done.start, done.end, done.why_ended, std::chrono::steady_clock::now() - begun};
  line.end();
  // A stopped server's last record is its checkpoint; if WAL ends before, something is missing or damaged.
  const bool complete = !until.valid() && with.shut_down() && read.end > with.control->checkpoint_location;
  if (!until.valid() && with.shut_down() && !complete)
    throw failure(exit_code::failure, "corrupt", "the WAL ends before the server's last checkpoint",
                  "it ends at " + core::to_string(read.end) + ": " + done.why_ended, "");
  if (complete) read.why_ended = "all of it";
  if (complete) need(verify::compare_files(with, verifier, report), "can't read the files of " + asked.where);
  conclude(of, asked, report, read, found.kept());
}

void verify_live(const context& of, const verify_options& asked) {
  findings found(of);
  const core::lsn until = lsn_option("until", asked.until);
  auto wal = need(live_wal::open({.conninfo = asked.where,
                                  .from = lsn_option("from", asked.from),
                                  .until = until.valid() ? std::optional(until) : std::nullopt,
                                  .during = need(config::parse_duration(asked.during), "can't understand --for",
                                                 "write a time, as in --for 30s")}),
                  "can't follow the server");
  if (wal.server().consistency_checking.empty())
    throw failure(exit_code::failure, "unsupported", "nothing to verify on this server",
                  "wal_consistency_checking is off there, so its WAL carries nothing to compare with; none of it was "
                  "read",
                  "psql -c \"alter system set wal_consistency_checking = 'all'\" -c 'select pg_reload_conf()'");
  verify::report report(wal.server().major, [&](const verify::mismatch& each) { found.add(each); });
  verify::wal_verifier verifier(
      {.context = {.major = wal.server().major, .hints_are_logged = wal.server().hints_are_logged},
       .pages_max = pages_max(asked)},
      report);
  progress line(of.json);
  const auto begun = std::chrono::steady_clock::now();
  std::uint64_t seen = 0;
  const auto done = need(wal.follow([&](const pg::wal::record& record) {
    verifier.add(record);
    if (++seen % 65536 == 0) line.show("verified to", core::to_string(record.end));
  }),
                         "can't go on following the server");
  line.end();
  conclude(of, asked, report, {done.start, done.end, done.why, std::chrono::steady_clock::now() - begun}, found.kept());
}

void verify_wal(const context& of, const verify_options& asked) {
  // Before anything is read, which may take long.
  lsn_option("from", asked.from);
  lsn_option("until", asked.until);
  pages_max(asked);
  need(config::parse_duration(asked.during), "can't understand --for", "write a time, as in --for 30s");
  std::error_code ignored;
  if (std::filesystem::exists(asked.where, ignored)) return verify_files(of, asked);
  const bool is_conninfo = asked.where.find('=') != std::string::npos || asked.where.find("://") != std::string::npos;
  if (!is_conninfo)
    throw failure(exit_code::not_found, "not_found", "can't verify " + asked.where,
                  "there is no such directory, and it is no connection string", "strata wal verify --help");
  if (!asked.base.empty())
    throw failure(exit_code::usage, "invalid_argument", "can't use --base with a running server",
                  "its pages are learned from its WAL", "strata wal verify --help");
  verify_live(of, asked);
}

}  // namespace

void add_wal_commands(CLI::App& app, context& of) {
  auto* wal = app.add_subcommand("wal", "Look into WAL");
  wal->require_subcommand(1);
  auto* command = wal->add_subcommand("verify", "Replay WAL in memory and compare every page with Postgres");
  auto asked = std::make_shared<verify_options>();
  command
      ->add_option("DIR|CONNINFO", asked->where,
                   "A data directory, a directory of WAL segments, or a running server to follow")
      ->required();
  command->add_option("--base", asked->base,
                      "An older copy of the data directory, of a stopped server: pages are taken from there");
  command->add_option("--from", asked->from, "Begin at the record that starts at this LSN (default: the first)");
  command->add_option("--until", asked->until, "Stop behind this LSN");
  command->add_option("--for", asked->during, "How long to follow a running server")->capture_default_str();
  command->add_option("--memory", asked->memory, "Room for pages; pages beyond are not followed")
      ->capture_default_str();
  command->add_flag("--all", asked->all, "List the record types that were not seen, too");
  finish_command(*command, of,
                 "  strata wal verify /var/lib/postgresql/15/main\n  strata wal verify /srv/wal_archive --memory 8GB\n"
                 "  strata wal verify 'host=127.0.0.1 user=postgres' --for 10m",
                 [&of, asked] { verify_wal(of, *asked); });
}

}  // namespace strata::cli
