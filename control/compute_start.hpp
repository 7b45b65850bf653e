#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/page_choice.hpp"
#include "control/scope.hpp"
#include "host/registry.hpp"

namespace strata::control {

/// What to start. `name` empty: after the branch; `port` 0: any free one.
struct compute_request {
  std::string spec;
  std::string name;
  std::uint16_t port = 0;
  std::uint16_t control_port = 0;  ///< 0: as at its last start, or any free one
  std::vector<std::string> settings;
  bool armed = false;      ///< may act on other servers by itself; always on the head of a root without a source
  bool take_over = false;  ///< from a compute that writes the branch now
  page_request pages{};
  bool standby = false;  ///< only reads the branch, and follows its head
};

/// Starts a Postgres on a branch. On the head of a branch that has, or can get, safekeepers what is written goes into
/// the branch (an agent keeps it running, agents.hpp). At a point in time, and on a branch that follows a source, it is
/// read-only, unless `pages` says copy; anywhere else it works on a copy in a directory of this machine. A
/// standby gets the WAL of the branch from its safekeepers or its source, beside any writer. A stopped one of that name
/// and branch is started again: a copy with what was written on it, a writer with the whole branch, a reader where it
/// was. Nothing is left behind when it fails, or a signal ends it.
host::compute_record start_compute(const scope& of, compute_request wanted);

/// A reader, or where pages can't be filled in a copy, that goes with this object, or with this process if a signal
/// ends it.
class temporary_compute {
 public:
  /// Of `wanted` what says where, how it is called, and how its pages come; named after psql without a name.
  temporary_compute(const scope& of, compute_request wanted);
  ~temporary_compute();
  temporary_compute(const temporary_compute&) = delete;
  temporary_compute& operator=(const temporary_compute&) = delete;
  [[nodiscard]] const host::compute_record& record() const;
  /// Stops and removes it; a failure says what is left.
  void remove();

 private:
  struct parts;
  const scope& of_;
  std::unique_ptr<parts> parts_;
};

}  // namespace strata::control
