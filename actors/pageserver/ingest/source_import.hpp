#pragma once

#include <functional>
#include <memory>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/client/replication_connection.hpp"
#include "storage/mapping/base_backup_import.hpp"

namespace strata::actors::pageserver {

/// Collects the data of a base backup into pieces that are worth a job. Holds at most one piece.
class source_import {
 public:
  static constexpr std::size_t piece_size_bytes = 1u << 20;

  source_import(std::shared_ptr<storage::timeline_store> store, core::lsn start, pg::major_version major);

  using job = std::function<core::result<void>()>;
  /// Adds an event. The returned job, if any, blocks, and must have succeeded before the next event.
  job on(const pg::client::replication_event& event);

  /// Whether the store may have changed.
  [[nodiscard]] bool begun() const { return begun_; }
  /// Whether the last job was the final one: the store was started.
  [[nodiscard]] bool finished() const { return finished_; }

 private:
  /// Adds the collected piece, then runs `rest`.
  job piece_then(std::function<core::result<void>(storage::mapping::base_backup_import&)> rest);

  std::shared_ptr<storage::mapping::base_backup_import> import_;
  core::bytes piece_;
  bool begun_ = false;
  bool finished_ = false;
};

}  // namespace strata::actors::pageserver
