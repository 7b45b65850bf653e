#include "control/wal_verification.hpp"

#include <filesystem>
#include <optional>

#include "control/failure.hpp"
#include "control/live_wal.hpp"
#include "pg/verify/cluster_files.hpp"

namespace strata::control {
namespace {

namespace verify = pg::verify;
using nlohmann::json;
using mismatch_sink = std::function<void(const verify::mismatch&)>;

std::optional<core::lsn> end_of(const wal_verification_request& asked) {
  return asked.until.valid() ? std::optional(asked.until) : std::nullopt;
}

verify::wal_directory open_base(const wal_verification_request& asked, const verify::wal_directory& with) {
  const std::string doing = "can't use the base " + asked.base;
  auto base = need(verify::open_wal_directory(asked.base), "can't read the base " + asked.base);
  if (!base.shut_down())
    throw failure(core::errc::invalid_argument, doing, "it is not the data directory of a cleanly stopped server",
                  "strata wal verify --help");
  if (with.system_id != 0 && base.system_id != with.system_id)
    throw failure(core::errc::invalid_argument, doing, "it belongs to another cluster", "strata wal verify --help");
  return base;
}

wal_verification verify_files(const wal_verification_request& asked, reporter& talk, const mismatch_sink& found) {
  const auto with =
      need(verify::open_wal_directory(asked.where), "can't read WAL from " + asked.where, "strata wal verify --help");
  const std::string what = "can't read the WAL in " + with.path.string();
  wal_verification done{.report = verify::report(with.major, found), .start = {}, .end = {}, .why_ended = {}};
  std::optional<verify::wal_directory> base;
  if (!asked.base.empty()) base = open_base(asked, with);
  const auto& control = base ? base->control : with.control;
  verify::wal_verifier verifier(
      {.context = {.major = with.major, .hints_are_logged = control && control->hints_are_logged()},
       .has_base = base.has_value(),
       .pages_max = asked.pages_max},
      done.report);
  core::lsn from = asked.from;
  if (base) {
    need(verify::for_each_page(base->data_directory, base->major,
                               [&](const auto&... page) -> core::result<void> {
                                 verifier.add_base_page(page...);
                                 return {};
                               }),
         "can't read the base " + asked.base);
    from = base->control->checkpoint_copy.redo;
  }
  const bool to_the_end = !asked.until.valid();
  // Before the work, which may take long.
  if (!need(verify::has_check_images(with, from), what))
    talk.warn(
        std::string("the first and the last records of this WAL were written with wal_consistency_checking off; "
                    "such records carry nothing to compare with, so ") +
        (with.shut_down() && to_the_end ? "only the server's files will be compared" : "nothing will be compared"));
  progress line(talk);
  const auto begun = std::chrono::steady_clock::now();
  const auto read = need(verify::replay(with, from, end_of(asked), verifier,
                                        [&](core::lsn at) { line.show("verified to", core::to_string(at)); }),
                         what);
  done.start = read.start;
  done.end = read.end;
  done.why_ended = read.why_ended;
  done.took = std::chrono::steady_clock::now() - begun;
  line.end();
  if (!to_the_end || !with.shut_down()) return done;
  // A stopped server's last record is its checkpoint; if WAL ends before, something is missing or damaged.
  if (done.end <= with.control->checkpoint_location)
    throw failure(core::errc::corrupt, "the WAL ends before the server's last checkpoint",
                  "it ends at " + core::to_string(done.end) + ": " + done.why_ended, "");
  done.why_ended = "end of the WAL";
  need(verify::compare_files(with, verifier, done.report), "can't read the files of " + asked.where);
  return done;
}

wal_verification verify_live(const wal_verification_request& asked, reporter& talk, const mismatch_sink& found) {
  auto wal = need(
      live_wal::open({.conninfo = asked.where, .from = asked.from, .until = end_of(asked), .during = asked.during}),
      "can't follow the server");
  if (wal.server().consistency_checking.empty())
    throw failure(core::errc::unsupported, "nothing to verify on this server",
                  "wal_consistency_checking is off there, so its WAL carries nothing to compare with; none of it was "
                  "read",
                  "psql -c \"alter system set wal_consistency_checking = 'all'\" -c 'select pg_reload_conf()'");
  wal_verification done{.report = verify::report(wal.server().major, found), .start = {}, .end = {}, .why_ended = {}};
  verify::wal_verifier verifier(
      {.context = {.major = wal.server().major, .hints_are_logged = wal.server().hints_are_logged},
       .pages_max = asked.pages_max},
      done.report);
  progress line(talk);
  const auto begun = std::chrono::steady_clock::now();
  std::uint64_t seen = 0;
  const auto read = need(wal.follow([&](const pg::wal::record& record) {
    verifier.add(record);
    if (++seen % 65536 == 0) line.show("verified to", core::to_string(record.end));
  }),
                         "can't continue to follow the server");
  done.start = read.start;
  done.end = read.end;
  done.why_ended = read.why;
  done.took = std::chrono::steady_clock::now() - begun;
  return done;
}

json json_of(const verify::record_counts& of) {
  return {{"records", of.records},     {"redone", of.redone}, {"restored", of.restored}, {"compared", of.compared},
          {"different", of.different}, {"failed", of.failed}, {"unknown", of.unknown},   {"foreign", of.foreign}};
}

}  // namespace

json json_of(const verify::mismatch& of) {
  json told{{"record", of.record}, {"relation", pg::to_string(of.relation)}, {"block", of.block}, {"what", of.what}};
  if (of.start.valid()) {
    told["lsn"] = core::to_string(of.start);
    told["end_lsn"] = core::to_string(of.end);
  }
  return told;
}

json json_of(const wal_verification& read) {
  const auto& report = read.report;
  json rows = json::object();
  for (const auto& each : report.rows()) rows[each.record] = json_of(each.counts);
  return json{{"start_lsn", core::to_string(read.start)},
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
              {"mismatches", report.mismatches}};
}

wal_verification verify_wal(const wal_verification_request& asked, reporter& report, const mismatch_sink& found) {
  std::error_code ignored;
  if (std::filesystem::exists(asked.where, ignored)) return verify_files(asked, report, found);
  const bool is_conninfo = asked.where.find('=') != std::string::npos || asked.where.find("://") != std::string::npos;
  if (!is_conninfo)
    throw failure(core::errc::not_found, "can't verify " + asked.where,
                  "it is neither a directory nor a connection string", "strata wal verify --help");
  if (!asked.base.empty())
    throw failure(core::errc::invalid_argument, "can't use --base with a running server",
                  "its pages are learned from its WAL", "strata wal verify --help");
  return verify_live(asked, report, found);
}

}  // namespace strata::control
