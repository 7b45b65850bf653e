#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "control/branches.hpp"
#include "control/scope.hpp"
#include "control/writer_lock.hpp"
#include "core/ids.hpp"
#include "host/registry.hpp"

namespace strata::control {

/// A compute with a running agent: it writes a branch, even if its record is damaged.
struct branch_writer {
  std::string name;
  std::string directory;
  pid_t agent = 0;
  std::optional<host::compute_record> record{};  ///< none: it is damaged, or missing
  std::string damage{};                          ///< then: why
  core::tenant_id tenant{};                      ///< of its branch; invalid: nobody knows which that is
  core::timeline_id timeline{};
  std::string branch{};  ///< "shop/dev"; empty when it is not known

  /// `wanted` not valid: any branch of the source.
  [[nodiscard]] bool may_write(const core::tenant_id& of, const core::timeline_id& wanted) const;
};

/// All of the server's directory. They are found by the lock that an agent holds; which branch it writes it tells
/// itself, and else its record does.
std::vector<branch_writer> living_writers(const scope& of);
/// Those without a usable record that may write the branch, or any of a whole source when `timeline` is empty; by ids.
std::vector<branch_writer> damaged_writers(const scope& of, const std::string& tenant, const std::string& timeline);

/// "DIR/computes/dev has a running agent, ...": for a failure that is about one without a record.
std::string why_in_doubt(const branch_writer& writer);

/// Before `record` starts to write its branch: errors with exit code 4 when another compute writes it, or may, and that
/// is not to end. The lock is to be kept until the compute is up; none for one that does not write, or takes over: of
/// several that take over the last one remains.
std::optional<writer_lock> check_take_over(const scope& of, const host::compute_record& record, bool take_over);

/// Starts a stopped compute again: with --take-over while another one writes its branch.
std::string start_again_command(const scope& of, const host::compute_record& record);

/// For what is about to be deleted: a failure ("can't delete dev") names one without a record that may write it.
void require_no_damaged_writers(const scope& of, const std::string& tenant, const std::string& timeline,
                                const std::string& doing, bool force);

/// Whether its agent is about to start, or to restart, its Postgres.
bool is_coming_up(const scope& of, const host::compute_record& record);
/// Waits for that and shows what it waits for; nullopt when the agent has ended instead. A failure with exit code 6
/// says what the compute is doing when it takes longer than half a minute.
std::optional<host::compute_record> wait_until_up(const scope& of, const host::compute_record& record);

}  // namespace strata::control
