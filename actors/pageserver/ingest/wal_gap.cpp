#include "actors/pageserver/ingest/wal_gap.hpp"

#include <algorithm>
#include <string_view>

namespace strata::actors::pageserver {
namespace {

/// The text of a safekeeper (journal/wal_archive.cpp).
constexpr std::string_view removed = "is no longer on this safekeeper";
constexpr std::string_view begins = "its WAL begins at ";

core::lsn begin_in(std::string_view text) {
  const auto found = text.find(begins);
  if (found == std::string_view::npos) return {};
  const auto rest = text.substr(found + begins.size());
  const auto begin = core::parse_lsn(rest.substr(0, rest.find_first_not_of("0123456789ABCDEFabcdef/")));
  return begin ? *begin : core::lsn{};
}

}  // namespace

void wal_gap_watch::ended(consensus::node_id member, core::lsn position, const core::error& why) {
  if (position != position_) begins_.clear();
  position_ = position;
  if (why.code == core::errc::out_of_range && why.detail.find(removed) != std::string::npos)
    begins_[member] = begin_in(why.detail);
}

std::optional<messages::wal_gap> wal_gap_watch::gap(const consensus::configuration& members) const {
  if (begins_.empty()) return std::nullopt;
  core::lsn oldest = core::lsn::max();
  for (const consensus::member& each : members.all()) {
    const auto found = begins_.find(each.id);
    if (found == begins_.end()) return std::nullopt;
    if (found->second.valid()) oldest = std::min(oldest, found->second);
  }
  return messages::wal_gap{position_, oldest == core::lsn::max() ? core::lsn{} : oldest};
}

std::string to_text(const messages::wal_gap& of) {
  const std::string from = core::to_string(of.from);
  return "the WAL " + (of.to.valid() ? "from " + from + " to " + core::to_string(of.to) : "after " + from) +
         " is missing on all its safekeepers: the branch can be read up to " + from;
}

std::string gap_error(const messages::wal_gap& of, const std::string& branch) {
  return to_text(of) + "; strata branch create NEW --from " + branch + "@" + core::to_string(of.from);
}

}  // namespace strata::actors::pageserver
