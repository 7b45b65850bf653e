#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/counted.hpp"
#include "cli/terminal.hpp"
#include "config/quantity.hpp"
#include "control/failure.hpp"
#include "control/wal_verification.hpp"

namespace strata::cli {

using namespace control;
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

std::string name_of(const verify::mismatch& of) {
  std::string place = of.record;
  if (of.start.valid()) place += " at " + core::to_string(of.start) + ", ends at " + core::to_string(of.end);
  return place + ", " + pg::to_string(of.relation) + " block " + std::to_string(of.block) + ": " + of.what;
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
  return need(core::parse_lsn(text), "can't parse --" + name, "write an LSN, as in --" + name + " 0/3B21F08");
}

std::uint64_t pages_max(const verify_options& asked) {
  const std::uint64_t bytes = need(config::parse_size(asked.memory), "can't parse --memory",
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

void print_summary(const wal_verification& read) {
  const auto& report = read.report;
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
  count("Memory", report.pages_beyond_memory, " pages not checked; raise --memory");
  count("Extensions", report.total().foreign, " blocks changed by resource managers of extensions, not checked");
  facts.add("Compared", std::to_string(report.total().compared) + " blocks with Postgres's own images");
  facts.add("Mismatches", std::to_string(report.mismatches));
  facts.print();
}

void conclude(const context& of, const verify_options& asked, const wal_verification& read, const json& mismatches) {
  const auto& report = read.report;
  if (of.json) {
    json answer = json_of(read);
    answer["first_mismatches"] = mismatches;
    print(answer);
  } else {
    print_table(report, asked.all);
    print_summary(read);
  }
  if (report.mismatches > 0)
    throw failure(core::errc::corrupt, "redo and Postgres differ",
                  counted(report.mismatches, "mismatch", "mismatches") + ", listed above",
                  "report the lines above and the WAL segments that they name; do not trust reads of such pages");
  if (report.total().compared == 0 && report.file_pages_compared == 0)
    say("note: nothing could be compared; set wal_consistency_checking = 'all' on the server for a while");
}

void verify_wal(const context& of, const verify_options& asked) {
  const control::wal_verification_request request{
      .where = asked.where,
      .base = asked.base,
      .from = lsn_option("from", asked.from),
      .until = lsn_option("until", asked.until),
      .during = need(config::parse_duration(asked.during), "can't parse --for", "write a time, as in --for 30s"),
      .pages_max = pages_max(asked)};
  findings found(of);
  const auto done = control::verify_wal(request, *of.report, [&](const verify::mismatch& each) { found.add(each); });
  conclude(of, asked, done, found.kept());
}

}  // namespace

void add_wal_commands(CLI::App& app, context& of) {
  auto* wal = app.add_subcommand("wal", "Inspect WAL");
  wal->require_subcommand(1);
  auto* command = wal->add_subcommand("verify", "Replay WAL in memory and compare every page with Postgres");
  auto asked = std::make_shared<verify_options>();
  command
      ->add_option("DIR|CONNINFO", asked->where,
                   "A data directory, a directory of WAL segments, or a running server to follow")
      ->required();
  command->add_option("--base", asked->base,
                      "Older copy of the data directory of a stopped server; initial pages are read from it");
  command->add_option("--from", asked->from, "Start with the record at this LSN (default: the first)");
  command->add_option("--until", asked->until, "Stop after this LSN");
  command->add_option("--for", asked->during, "How long to follow a running server")->capture_default_str();
  command->add_option("--memory", asked->memory, "Memory for pages; pages beyond it are not checked")
      ->capture_default_str();
  command->add_flag("--all", asked->all, "Also list record types that did not occur");
  finish_command(*command, of,
                 "  strata wal verify /var/lib/postgresql/15/main\n  strata wal verify /srv/wal_archive --memory 8GB\n"
                 "  strata wal verify 'host=127.0.0.1 user=postgres' --for 10m",
                 [&of, asked] { verify_wal(of, *asked); });
}

}  // namespace strata::cli
