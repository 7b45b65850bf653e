#include "actors/pageserver/ingest/safekeeper_choice.hpp"

#include <algorithm>

#include "core/address.hpp"

namespace strata::actors::pageserver {
namespace {

std::optional<consensus::member> member_of(const protocol::safekeeper_timeline_info& info) {
  auto address = core::parse_address(info.wal_address);
  if (!address) return std::nullopt;
  return consensus::member{.id = {info.safekeeper}, .host = std::move(address->host), .port = address->port};
}

}  // namespace

const char* to_string(leave_reason why) {
  switch (why) {
    case leave_reason::no_keepalives: return "it sends no keepalives";
    case leave_reason::lagging_wal: return "it lags behind another one";
    case leave_reason::no_wal: return "another one has WAL that it does not send";
    case leave_reason::not_a_member: return "it no longer keeps the timeline's WAL";
    case leave_reason::another_look: return "it is not known whether another one has more";
  }
  return "";
}

safekeeper_choice::safekeeper_choice(consensus::configuration members, choice_options options)
    : options_(options), members_(std::move(members)) {}

void safekeeper_choice::change_members(consensus::configuration to) {
  members_ = std::move(to);
  std::erase_if(candidates_, [this](const auto& each) {
    return !members_.contains(each.first) && each.second.info.generation <= members_.generation;
  });
  std::erase_if(retries_, [this](const auto& each) { return !members_.contains(each.first); });
}

void safekeeper_choice::published(const protocol::safekeeper_timeline_info& info, time now) {
  const consensus::node_id id{info.safekeeper};
  // A safekeeper that is no member may be one of the next generation, or a former one.
  if (!members_.contains(id) && info.generation <= members_.generation) return;
  // Bounded, whatever is published.
  const auto before = candidates_.find(id);
  if (before == candidates_.end() && candidates_.size() >= 2 * consensus::members_max) return;
  // One that publishes again has changed: earlier failures no longer count.
  if (before == candidates_.end() || !fresh(before->second, now)) retries_.erase(id);
  candidates_[id] = {info, now};
}

bool safekeeper_choice::may_try(consensus::node_id id, time now) const {
  const auto found = retries_.find(id);
  return found == retries_.end() || found->second.due <= now;
}

const safekeeper_choice::candidate* safekeeper_choice::best(time now, consensus::node_id without) const {
  const candidate* found = nullptr;
  for (const auto& [id, each] : candidates_) {
    if (id == without || !fresh(each, now) || !each.info.commit_lsn.valid() || !may_try(id, now)) continue;
    if (!member_of(each.info)) continue;
    if (!found || each.info.commit_lsn > found->info.commit_lsn) found = &each;
  }
  return found;
}

std::optional<consensus::member> safekeeper_choice::in_turn(time now) const {
  const auto all = members_.all();
  const auto first = std::find_if(all.begin(), all.end(), [this](const auto& each) { return each.id > last_; });
  const auto offset = static_cast<std::size_t>(first - all.begin());
  for (std::size_t i = 0; i < all.size(); ++i)
    if (const auto& each = all[(offset + i) % all.size()]; may_try(each.id, now)) {
      // The address that it published last: the configuration's may be outdated.
      const auto said = candidates_.find(each.id);
      const auto at = said == candidates_.end() ? std::nullopt : member_of(said->second.info);
      return at ? at : each;
    }
  return std::nullopt;
}

std::optional<consensus::member> safekeeper_choice::next(time now, core::lsn last_record) const {
  // The member whose connection was just lost comes last.
  const candidate* found = best(now, idle_ ? consensus::node_id{} : last_);
  if (!found) found = best(now, {});
  if (idle_ && !poll_due_ && now - *idle_ < options_.idle_poll && (!found || found->info.commit_lsn <= last_record))
    return std::nullopt;
  if (found) return member_of(found->info);
  return in_turn(now);
}

void safekeeper_choice::started(const consensus::member& to, time now, core::lsn position) {
  connection_ = connection{.to = to, .started = now, .heard = now, .got_wal = now, .position = position};
  last_ = to.id;
  idle_.reset();
  poll_due_ = false;
}

void safekeeper_choice::heard(time now, core::lsn commit, std::optional<core::lsn> position) {
  if (!connection_) return;
  connection_->connected = true;
  connection_->heard = now;
  connection_->commit = std::max(connection_->commit, commit);
  if (!position) return;
  connection_->got_wal = now;
  connection_->position = *position;
}

void safekeeper_choice::not_listening(time now) {
  if (connection_) connection_->heard = connection_->got_wal = now;
}

void safekeeper_choice::progressed() {
  if (connection_) retries_.erase(connection_->to.id);
}

std::optional<leave_reason> safekeeper_choice::reason_to_leave(time now) {
  if (!connection_) return std::nullopt;
  connection& at = *connection_;
  if (!members_.contains(at.to.id) && !candidates_.contains(at.to.id)) return leave_reason::not_a_member;
  if (now - at.heard > options_.no_keepalives) return leave_reason::no_keepalives;
  if (!at.connected) return std::nullopt;

  if (const auto own = candidates_.find(at.to.id); own != candidates_.end() && fresh(own->second, now))
    at.commit = std::max(at.commit, own->second.info.commit_lsn);
  if (!at.commit.valid()) return std::nullopt;
  const candidate* other = best(now, at.to.id);
  if (other && other->info.commit_lsn >= at.commit + options_.lag_bytes_max) return leave_reason::lagging_wal;
  if (!other || other->info.commit_lsn <= at.commit) {
    at.better_seen.reset();
  } else {
    if (!at.better_seen) at.better_seen = now;
    const bool owes = at.commit > at.position;
    const time since = owes ? at.got_wal : std::max(at.got_wal, *at.better_seen);
    if (now - since > options_.no_wal_timeout) return leave_reason::no_wal;
  }

  const bool told =
      std::any_of(candidates_.begin(), candidates_.end(), [&](const auto& each) { return fresh(each.second, now); });
  if (!told && members_.all().size() > 1 && now - at.got_wal > options_.idle_poll) return leave_reason::another_look;
  return std::nullopt;
}

void safekeeper_choice::lost(time now) {
  if (!connection_) return;
  const auto id = connection_->to.id;
  const core::backoff::limits limits{
      .first = options_.retry_first, .longest = options_.retry_max, .growth_percent = 50};
  auto& [due, pauses] = retries_.try_emplace(id, retry{{}, core::backoff(limits)}).first->second;
  due = connection_->started + pauses.next();
  // Its published positions may be why it was chosen.
  if (now - connection_->heard > options_.no_keepalives) candidates_.erase(id);
  connection_.reset();
}

void safekeeper_choice::caught_up(time now) {
  if (!connection_) return;
  retries_.erase(connection_->to.id);
  connection_.reset();
  idle_ = now;
}

std::optional<consensus::member> safekeeper_choice::current() const {
  return connection_ ? std::optional(connection_->to) : std::nullopt;
}

}  // namespace strata::actors::pageserver
