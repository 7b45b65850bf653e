#include "pg/verify/report.hpp"

#include <algorithm>
#include <set>

namespace strata::pg::verify {

record_counts& record_counts::operator+=(const record_counts& other) {
  records += other.records;
  redone += other.redone;
  restored += other.restored;
  compared += other.compared;
  different += other.different;
  failed += other.failed;
  unknown += other.unknown;
  foreign += other.foreign;
  return *this;
}

report::report(major_version major, mismatch_sink tell)
    : major_(major),
      tell_(std::move(tell)),
      counts_(std::make_unique<std::array<std::array<record_counts, 16>, 256>>()) {}

void report::found(const mismatch& what) {
  ++mismatches;
  if (tell_) tell_(what);
}

std::vector<report::row> report::rows() const {
  std::vector<row> all;
  for (std::size_t manager = 0; manager < counts_->size(); ++manager)
    for (std::size_t operation = 0; operation < 16; ++operation) {
      const record_counts& counts = (*counts_)[manager][operation];
      if (counts.records == 0) continue;
      const auto info = static_cast<std::uint8_t>(operation << 4);
      std::string name = wal::describe(static_cast<wal::resource_manager>(manager), info, major_);
      // Flags that do not change the type share its row.
      const auto same = std::find_if(all.begin(), all.end(), [&](const row& each) { return each.record == name; });
      if (same != all.end())
        same->counts += counts;
      else
        all.push_back({std::move(name), counts});
    }
  return all;
}

record_counts report::total() const {
  record_counts sum;
  for (const auto& manager : *counts_)
    for (const record_counts& counts : manager) sum += counts;
  return sum;
}

std::vector<std::string> report::never_seen() const {
  std::set<std::string> seen;
  for (const row& each : rows()) seen.insert(each.record);
  std::vector<std::string> missing;
  for (std::string& name : wal::record_types(major_))
    if (!seen.contains(name)) missing.push_back(std::move(name));
  return missing;
}

}  // namespace strata::pg::verify
