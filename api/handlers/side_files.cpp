#include <charconv>
#include <nlohmann/json.hpp>

#include "api/handlers.hpp"
#include "api/json_body.hpp"
#include "api/open_timeline.hpp"
#include "api/side_file_json.hpp"
#include "config/time_text.hpp"
#include "storage/side_files/side_file_store.hpp"

namespace strata::api::handlers {

using nlohmann::json;

namespace {

/// Of WAL that safekeepers have and the timeline has not: a position further ahead is a mistake.
constexpr std::uint64_t ahead_max = std::uint64_t{1} << 40;

json version_json(const storage::side_file& file) {
  json made{{"name", file.record.name},
            {"lsn", core::to_string(file.record.at)},
            {"timeline_id", core::to_string(file.timeline)},
            {"number", file.record.number},
            {"term", file.record.term},
            {"stored_at", config::utc_text(file.record.stored)},
            {"proven", file.record.proven}};
  if (file.content)
    put_content(made, *file.content);
  else
    made["error"] = file.content.error().detail;
  return made;
}

json versions_json(const std::vector<storage::side_file>& files) {
  json made = json::array();
  for (const auto& each : files) made.push_back(version_json(each));
  return made;
}

core::result<std::uint64_t> parse_term(std::string_view text) {
  std::uint64_t term = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), term);
  if (failed != std::errc() || end != text.data() + text.size())
    return core::error{core::errc::invalid_argument, "term \"" + std::string(text.substr(0, 32)) + "\" is no number"};
  return term;
}

core::result<std::vector<storage::side_file_store::change>> changes_of(const json& body) {
  const auto files = body.find("files");
  if (files == body.end() || !files->is_array())
    return core::error{core::errc::invalid_argument, "files must be an array"};
  std::vector<storage::side_file_store::change> changes;
  for (const json& each : *files) {
    if (!each.is_object()) return core::error{core::errc::invalid_argument, "files must be an array of objects"};
    storage::side_file_store::change change;
    STRATA_ASSIGN(change.name, text_member(each, "name"));
    STRATA_ASSIGN(const auto proven, optional_flag_member(each, "proven"));
    change.proven = proven.value_or(false);
    STRATA_ASSIGN(change.content, content_of(each));
    changes.push_back(std::move(change));
  }
  return changes;
}

}  // namespace

core::result<reply> get_side_files(const services& of, const request& from) {
  STRATA_ASSIGN(const auto timeline, open_timeline(of, from));
  core::lsn at = core::lsn::max();
  if (const auto text = from.query_text("lsn"); !text.empty()) {
    STRATA_ASSIGN(at, parse_position("lsn", text));
    STRATA_TRY(timeline.store->check_readable(at));
  }
  const auto& files = *timeline.store->side_files();
  if (const auto text = from.query_text("term"); !text.empty()) {
    STRATA_ASSIGN(const std::uint64_t term, parse_term(text));
    timeline.store->side_files()->fence(term);
  }
  return json_reply({{"wal_level", timeline.store->record().logical_wal ? "logical" : "replica"},
                     {"files", versions_json(files.read(at, false))},
                     {"proven", versions_json(files.read(at, true))}});
}

core::result<reply> put_side_files(const services& of, const request& from) {
  STRATA_ASSIGN(const json body, parse_body(from, {"term", "lsn", "files"}));
  STRATA_ASSIGN(const auto term, optional_count_member(body, "term"));
  STRATA_ASSIGN(const auto at, optional_lsn_member(body, "lsn"));
  if (!term || !at) return core::error{core::errc::invalid_argument, "term and lsn are required"};
  STRATA_ASSIGN(const auto changes, changes_of(body));
  STRATA_ASSIGN(const auto timeline, open_timeline(of, from));
  if (*at > timeline.store->last_record_lsn() + ahead_max)
    return core::error{core::errc::invalid_argument, "lsn " + core::to_string(*at) +
                                                         " is far beyond the end of the "
                                                         "timeline, " +
                                                         core::to_string(timeline.store->last_record_lsn())};
  STRATA_TRY(timeline.store->side_files()->put(changes, *at, *term));
  return json_reply(json::object());
}

}  // namespace strata::api::handlers
