#include "actors/compute/followed_upstream.hpp"

#include <algorithm>
#include <utility>

#include "pg/wire/safekeeper_commands.hpp"

namespace strata::actors::compute {

namespace client = pg::client;

followed_upstream::followed_upstream(const follow_from& of) : from_(of) {
  guard_.emplace(of.view->record(), of.major, of.view->segment_size(), of.system_id);
}

void followed_upstream::opened(host::wal_upstream to, core::lsn next, time now) {
  // The patch must see the first record from its start.
  const bool patches = next < from_.view->patched_end();
  next_ = patches ? from_.view->record() : next;
  patch_.reset();
  if (patches) patch_.emplace(*from_.view);
  of_ = std::move(to);
  reaches_ = {};
  head_at_.reset();
  heard_ = now;
  behind_since_.reset();
  streams_ = false;
}

core::result<followed_upstream::command> followed_upstream::on(const client::replication_event& event, time now) {
  heard_ = now;
  if (const auto* wal = std::get_if<client::wal_data>(&event)) return take(*wal, now);
  if (const auto* alive = std::get_if<client::keepalive>(&event)) {
    saw_head(alive->server_end, now);
    return alive->reply_requested ? command(report_position{}) : command(wait{});
  }
  if (const auto* greeted = std::get_if<client::connected>(&event)) {
    STRATA_TRY(check_identity(*greeted));
    return command(identify{});
  }
  if (const auto* identity = std::get_if<client::system_identified>(&event)) {
    if (identity->system_id != from_.system_id)
      return core::error{core::errc::conflict, of_.name + " has the WAL of another cluster"};
    saw_head(identity->flushed, now);
    // Safekeepers know one timeline of Postgres, whatever the pages of the WAL say.
    return command(start_stream{next_, of_.expected ? 1 : from_.timeline});
  }
  if (std::holds_alternative<client::streaming_started>(event)) {
    streams_ = true;
    last_error_.clear();
  }
  if (const auto* ended = std::get_if<client::streaming_ended>(&event)) {
    if (ended->next_timeline == 0) return core::error{core::errc::unavailable, of_.name + " has ended the stream"};
    // A standby of the next timeline begins where that is known.
    end(of_.name + " has switched to timeline " + std::to_string(ended->next_timeline), {});
    return core::error{core::errc::unavailable, end_->why};
  }
  return command(wait{});
}

core::result<void> followed_upstream::check_identity(const client::connected& greeted) const {
  if (!of_.expected) return {};
  const auto answering = pg::wire::parse_safekeeper_identity(greeted.safekeeper);
  if (!answering) return core::error{core::errc::conflict, of_.name + ": what answers is no safekeeper"};
  return pg::wire::check_identity(*of_.expected, *answering);
}

core::result<followed_upstream::command> followed_upstream::take(const client::wal_data& wal, time now) {
  if (wal.start != next_)
    return core::error{core::errc::corrupt, of_.name + " sent WAL at " + core::to_string(wal.start) + " where " +
                                                core::to_string(next_) + " was expected"};
  refusals_ = 0;
  saw_head(wal.server_end, now);
  STRATA_TRY(look_through(wal));
  core::bytes_view bytes = wal.bytes;
  const bool is_first = patch_ && wal.start < from_.view->patched_end();
  if (is_first || guard_->changes(wal.start, bytes.size())) {
    patched_.assign(bytes.begin(), bytes.end());
    guard_->change(wal.start, patched_);
    if (is_first) patch_->apply(wal.start, patched_);
    bytes = patched_;
  }
  next_ = wal.start + bytes.size();
  return command(pass_on{wal.start, bytes});
}

core::result<void> followed_upstream::look_through(const client::wal_data& wal) {
  if (!guard_) return core::error{core::errc::unavailable, "the standby must begin anew"};
  const auto seen = guard_->examine(wal.start, wal.bytes);
  if (seen && !*seen) return {};
  const std::string why = seen ? "its branch has created a tablespace at " + (*seen)->path +
                                     ", where a standby on this machine would write into the files of another server"
                               : "the WAL from " + of_.name + " is damaged: " + seen.error().detail;
  end(why, seen ? (*seen)->end : core::lsn());
  return core::error{core::errc::unavailable, why};
}

void followed_upstream::end(std::string why, core::lsn before) {
  guard_.reset();
  end_ = feed_lost{std::move(why), before};
}

std::optional<feed_lost> followed_upstream::lost(const core::error& why) {
  closed();
  last_error_ = why.detail;
  ++attempt_;
  if (!over() && why.code == core::errc::out_of_range && ++refusals_ >= of_.count)
    end("WAL after " + core::to_string(next_) + " is gone from " +
            (of_.expected ? "all safekeepers of the branch" : of_.name),
        {});
  return std::exchange(end_, std::nullopt);
}

void followed_upstream::closed() {
  streams_ = false;
  head_at_.reset();
}

core::result<void> followed_upstream::check(bool is_read, time now) {
  // Silence means nothing while it is not read, for Postgres is slow.
  if (is_read && now - heard_ > silence_max) return core::error{core::errc::timeout, of_.name + " is silent"};
  if (!streams_ || !is_read || reaches_ >= branch_head_) {
    behind_since_.reset();
    return {};
  }
  if (!behind_since_) behind_since_ = now;
  if (now - *behind_since_ <= behind_max) return {};
  return core::error{core::errc::unavailable, of_.name + " has WAL up to " + core::to_string(reaches_) +
                                                  ", and the branch up to " + core::to_string(branch_head_)};
}

void followed_upstream::saw_head(core::lsn head, time now) {
  reaches_ = std::max(reaches_, head);
  head_ = std::max(head_, head);
  head_at_ = now;
}

}  // namespace strata::actors::compute
