#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "control/scope.hpp"
#include "control/won_terms.hpp"
#include "host/agent_status.hpp"
#include "host/registry.hpp"

namespace strata::control {

/// A compute for programs, with what its agent says of itself.
nlohmann::json compute_json(const scope& of, const host::compute_record& record);
nlohmann::json compute_json(const scope& of, const host::compute_record& record, const won_terms& terms);
/// One whose record is damaged.
nlohmann::json damaged_json(const scope& of, const host::damaged_compute& each);
/// The command that ends it, and what it does now.
std::string next_for_damaged(const scope& of, const std::string& name);

/// For people, of one that has just been started: what becomes of what is written on it, and what it does not do.
std::vector<std::string> start_notes(const host::compute_record& record);

struct stopped_compute {
  host::compute_record record;
  bool was_running = false;
  std::vector<std::string> ended_slots;  ///< logical replication slots that ended with it
};
/// Stops the compute of that name, errors as stop_compute(). Of one whose record is damaged, what is below the server's
/// directory is stopped and removed.
stopped_compute stop_named(const scope& of, const std::string& name, bool remove, std::chrono::milliseconds limit);

/// "of shop/dev, lag 0 B"
std::string standby_text(const host::compute_record& record, const host::agent_status& status);

/// "copy", "fanotify 34 %", "fuse 7 %, on demand", and when all pages are there "fanotify, complete".
std::string pages_text(const host::compute_record& record, const host::agent_status& status);

/// How far a standby is behind its branch: "0 B", "12 KiB, 340 ms"; "unknown" unless both ends are known now. "-": it
/// is no standby.
std::string lag_text(const host::agent_status& status);

}  // namespace strata::control
