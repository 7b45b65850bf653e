#include "api/ask.hpp"
#include "api/handlers.hpp"
#include "api/json_body.hpp"
#include "api/open_timeline.hpp"
#include "storage/mapping/standby_start.hpp"

namespace strata::api::handlers {
namespace {

// One chunk may need many layer files.
constexpr std::chrono::seconds chunk_limit{300};

core::result<body_part> next_part(const services& of, const messages::basebackup_actor& backup) {
  STRATA_ASSIGN(auto chunk, ask<messages::backup_chunk>(of, backup, messages::next_chunk{}, chunk_limit));
  return std::move(chunk.bytes);
}

core::result<messages::backup_kind> parse_relations(std::string_view text) {
  if (text.empty() || text == "contained") return messages::backup_kind::full;
  if (text == "listed") return messages::backup_kind::listed;
  return core::error{core::errc::invalid_argument,
                     "relations \"" + std::string(text) + "\": must be contained or listed"};
}

}  // namespace

core::result<reply> export_timeline(const services& of, const request& from) {
  STRATA_ASSIGN(const auto path, timeline_of(from));
  messages::start_backup wanted{path.tenant, path.timeline, {}, messages::backup_kind::full, false};
  STRATA_ASSIGN(wanted.kind, parse_relations(from.query_text("relations")));
  if (const auto at = from.query_text("lsn"); !at.empty()) {
    STRATA_ASSIGN(wanted.at, parse_position("lsn", at));
  }
  if (const auto head = from.query_text("standby_of"); !head.empty()) {
    STRATA_ASSIGN(wanted.standby_of, parse_position("standby_of", head));
    if (wanted.at.valid())
      return core::error{core::errc::invalid_argument, "lsn and standby_of: a standby begins at an LSN of its own"};
    STRATA_ASSIGN(const auto timeline, open_timeline(of, from));
    STRATA_ASSIGN(const auto start, storage::mapping::find_standby_start(*timeline.store, wanted.standby_of));
    wanted.at = start.at;
  }
  STRATA_ASSIGN(const auto started, ask<messages::backup_started>(of, of.backups, wanted));
  // Before the status line goes out, so that whatever fails at once is told as an error and not as a broken connection.
  STRATA_ASSIGN(body_part first, next_part(of, started.actor));

  reply tar;
  tar.content_type = "application/x-tar";
  tar.headers.emplace_back("X-Strata-Lsn", core::to_string(started.at));
  tar.stream = [&of, backup = started.actor, first = std::move(first)]() mutable -> core::result<body_part> {
    if (first) return std::exchange(first, nullptr);
    return next_part(of, backup);
  };
  return tar;
}

}  // namespace strata::api::handlers
