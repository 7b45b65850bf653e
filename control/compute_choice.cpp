#include "control/compute_choice.hpp"

#include <algorithm>

#include "config/time_text.hpp"

namespace strata::control {

using host::compute_mode;
using host::compute_record;

bool shows_present(const compute_record& record, core::lsn head) {
  if (record.mode == compute_mode::standby) return false;
  return record.mode == compute_mode::branch || record.at == head;
}

const compute_record* present_among(const std::vector<compute_record>& running, core::lsn head) {
  const compute_record* found = nullptr;
  for (const auto& each : running) {
    if (!shows_present(each, head)) continue;
    const bool writes = each.mode == compute_mode::branch;
    const bool found_writes = found != nullptr && found->mode == compute_mode::branch;
    // Of two writers the newer one has taken over; of two others people have worked on the older one.
    if (found == nullptr || (writes && !found_writes) ||
        (writes == found_writes && (writes ? each.started > found->started : each.started < found->started)))
      found = &each;
  }
  return found;
}

bool belongs_to(const compute_record& record, const core::tenant_id& tenant, const core::timeline_id& timeline) {
  return record.tenant_id == tenant && record.timeline_id == timeline;
}

std::vector<std::string> default_names(const std::string& source, const std::string& branch, core::lsn at,
                                       bool standby) {
  std::string position = standby ? "-standby" : "";
  if (at.valid()) {
    position = "-" + core::to_string(at);
    std::replace(position.begin(), position.end(), '/', '-');
  }
  return {branch + position, source + "-" + branch + position};
}

std::string age_of(const compute_record& record, core::wall_time now) {
  const std::string text = config::age_text(std::min(record.as_of, now), now);
  return text == "now" ? "0 s" : text.substr(0, text.rfind(" ago"));
}

std::string where_text(const compute_record& record, core::wall_time now) {
  return record.branch + "@" + record.tenant + ", port " + std::to_string(record.port) + ", " +
         (record.mode == compute_mode::branch    ? "writes the branch"
          : record.mode == compute_mode::standby ? "a standby of the branch"
          : has_agent(record)                    ? "read-only, " + age_of(record, now) + " old"
                                                 : "copy " + age_of(record, now) + " old");
}

}  // namespace strata::control
