#pragma once

#include <deque>
#include <functional>

#include "actors/runtime/io_jobs.hpp"
#include "core/result.hpp"
#include "storage/metadata/metadata_store.hpp"

namespace strata::actors::pageserver {

/// Writes a tenant's record: one write at a time, in the order of the requests, and none beside the deletion of the
/// tenant, which it would undo. Part of the tenant's actor. The metadata outlive its jobs.
class tenant_record_writer {
 public:
  using done = std::function<void(const core::result<void>&)>;

  tenant_record_writer(storage::metadata_store& metadata, runtime::io_jobs jobs)
      : metadata_(metadata), jobs_(std::move(jobs)) {}

  /// The record is durable when `then` gets a success. errc::unavailable after close().
  void put(storage::tenant_record record, done then);
  /// Refuses new writes; calls `then` when the requested ones have ended.
  void close(std::function<void()> then);

 private:
  struct change {
    storage::tenant_record record;
    done then;
  };
  void write_next();

  storage::metadata_store& metadata_;
  runtime::io_jobs jobs_;
  std::deque<change> changes_;  ///< the first one is being written; as many as requests that wait for an answer
  bool closed_ = false;
  std::function<void()> when_idle_;
};

}  // namespace strata::actors::pageserver
