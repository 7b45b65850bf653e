#include "tests/simulation/oracle.hpp"

#include <algorithm>

namespace strata::tests::simulation {

using consensus::term;
using consensus::term_history;

void written_wal::add_record(term writer, std::uint64_t number, std::size_t size) {
  wal_record record{.info = 0x20};  // XLOG_NOOP
  core::append_le(record.main_data, writer.value);
  core::append_le(record.main_data, number);
  record.main_data.resize(std::max(size, record.main_data.size()),
                          static_cast<std::uint8_t>(writer.value * 31 + number));
  const auto placed = builder_.append(record);
  start_by_end_[placed.end] = placed.start;
}

void written_wal::add_switch() {
  const auto placed = builder_.append_switch();
  start_by_end_[placed.end] = placed.start;
}

core::lsn written_wal::record_before(core::lsn end) const {
  const auto found = start_by_end_.find(end);
  return found == start_by_end_.end() ? core::lsn() : found->second;
}

std::vector<oracle::part> oracle::parts_of(const term_history& history, core::lsn end) {
  std::vector<part> parts;
  const auto& entries = history.entries();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto until = i + 1 < entries.size() ? std::min(entries[i + 1].at, end) : end;
    if (entries[i].at < until) parts.push_back({entries[i].in, entries[i].at, until});
  }
  return parts;
}

void oracle::elected(std::uint64_t proposer, term in, core::lsn start, const term_history& history,
                     std::shared_ptr<written_wal> wal) {
  world_.trace("elected", proposer, in.value, start.value);
  ++world_.seen.elections;
  if (winners_.contains(in))
    throw violation("term " + to_string(in) + " has two proposers, " + std::to_string(winners_[in].proposer) + " and " +
                    std::to_string(proposer));
  if (in > committed_in_ && (start < committed_ || !same(history, committed_history_, committed_)))
    throw violation("the winner of term " + to_string(in) + " begins at " + to_string(start) +
                    " and lacks what was committed up to " + to_string(committed_) + " in term " +
                    to_string(committed_in_));
  winners_[in] = {proposer, start, history, std::move(wal)};
}

void oracle::committed(term in, core::lsn to) {
  world_.trace("committed", in.value, to.value);
  ++world_.seen.commits;
  const auto& by = winners_.at(in);
  if (!same(by.history, committed_history_, std::min(to, committed_)))
    throw violation("term " + to_string(in) + " has committed other WAL than term " + to_string(committed_in_) +
                    " before " + to_string(std::min(to, committed_)));
  for (auto later = winners_.upper_bound(in); later != winners_.end(); ++later)
    if (later->second.start < to || !same(later->second.history, by.history, to))
      throw violation("term " + to_string(in) + " commits up to " + to_string(to) + ", which the winner of term " +
                      to_string(later->first) + " lacks");
  if (to <= committed_) return;
  world_.seen.bytes_committed += committed_.valid() ? to - committed_ : to - by.history.start();
  committed_ = to;
  committed_in_ = in;
  committed_history_ = by.history;
}

void oracle::believed(std::uint64_t acceptor, core::lsn commit_lsn, const term_history& history) const {
  // Where a timeline begins there is nothing to be committed.
  if (history.empty() || commit_lsn <= history.start()) return;
  if (commit_lsn > committed_)
    throw violation("acceptor " + std::to_string(acceptor) + " believes that " + to_string(commit_lsn) +
                    " is committed, but only " + to_string(committed_) + " is");
  if (!same(history, committed_history_, commit_lsn))
    throw violation("acceptor " + std::to_string(acceptor) + " has other WAL before its commit_lsn " +
                    to_string(commit_lsn) + " than was committed");
}

core::bytes oracle::content(const term_history& history, core::lsn from, core::lsn to) const {
  core::bytes all;
  for (const auto& part : parts_of(history, to)) {
    const auto begin = std::max(part.begin, from);
    if (begin >= part.end) continue;
    auto& wal = *winners_.at(part.in).wal;
    if (part.end > wal.end())
      throw violation("a log has WAL of term " + to_string(part.in) + " up to " + to_string(part.end) +
                      ", which was written only up to " + to_string(wal.end()));
    core::append(all, wal.bytes(begin, part.end));
  }
  return all;
}

core::lsn oracle::record_before(const term_history& history, core::lsn end) const {
  const auto parts = parts_of(history, end);
  if (parts.empty()) return {};
  const auto found = winners_.at(parts.back().in).wal->record_before(end);
  if (!found.valid()) throw violation("no record ends at " + to_string(end));
  return found;
}

}  // namespace strata::tests::simulation
