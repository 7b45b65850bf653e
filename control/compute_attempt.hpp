#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "control/discard.hpp"
#include "control/scope.hpp"
#include "control/writer_lock.hpp"
#include "host/free_port.hpp"
#include "host/registry.hpp"
#include "host/start_lock.hpp"

namespace strata::control {

/// A compute that is being made or started. Unless it succeeds, the compute is afterwards as it was before, whatever
/// ended the attempt; but while its agent can't be ended, its record and its directory stay.
class compute_attempt {
 public:
  /// Of a new one: takes its name.
  static std::unique_ptr<compute_attempt> at_new(const scope& of, const std::string& name);
  static std::unique_ptr<compute_attempt> at_stopped(const scope& of, const host::compute_record& record);

  /// `keep`: the compute was there before.
  compute_attempt(const scope& of, host::compute_record record, host::start_lock lock, bool keep);
  ~compute_attempt();
  compute_attempt(const compute_attempt&) = delete;
  compute_attempt& operator=(const compute_attempt&) = delete;

  /// From now on found by others, if this process dies.
  void remember(const host::compute_record& record);
  host::compute_record& record() { return record_; }
  /// A port that nobody else is given while the compute starts.
  std::uint16_t choose_port();
  /// The one that is wanted; nullopt: it is taken, and nobody insists on it.
  std::optional<std::uint16_t> claim_port(std::uint16_t wanted, bool insist, const std::string& what);
  void keep(std::optional<writer_lock> lock) { no_other_starts_ = std::move(lock); }
  void save();
  void succeed();

 private:
  const scope& of_;
  host::compute_record record_;
  bool keep_;
  bool done_ = false;
  host::start_lock lock_;
  std::optional<host::claimed_port> port_;
  std::optional<writer_lock> no_other_starts_;
  discard_on_signal on_signal_;
};

/// Whether there is nothing under the name of a compute that has no record, for the reason `no_record`: its command was
/// killed before there was anything. With data it is a compute that has lost its record.
bool is_empty(const host::registry& computes, const std::string& name, const core::error& no_record);

}  // namespace strata::control
