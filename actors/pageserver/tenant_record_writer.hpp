#pragma once

#include <deque>
#include <functional>

#include "actors/runtime/io_jobs.hpp"
#include "core/result.hpp"
#include "storage/metadata/metadata_store.hpp"

namespace strata::actors::pageserver {

/// Changes a tenant's record: one change at a time, in the order of the requests, each on what the one before it left,
/// and none beside the deletion of the tenant, which it would undo. Part of the tenant's actor. The metadata outlive
/// its jobs.
class tenant_record_writer {
 public:
  using edit = std::function<void(storage::tenant_record&)>;
  using done = std::function<void(const core::result<void>&)>;

  /// `record` as it is stored.
  tenant_record_writer(storage::metadata_store& metadata, runtime::io_jobs jobs, storage::tenant_record record)
      : metadata_(metadata), jobs_(std::move(jobs)), record_(std::move(record)) {}

  /// As it was stored last.
  [[nodiscard]] const storage::tenant_record& record() const { return record_; }
  /// The changed record is durable when `then` gets a success; after a failure it is as before. errc::unavailable after
  /// close().
  void change(edit what, done then);
  /// Refuses new changes; calls `then` when the requested ones have ended.
  void close(std::function<void()> then);

 private:
  struct request {
    edit what;
    done then;
  };
  void write_next();

  storage::metadata_store& metadata_;
  runtime::io_jobs jobs_;
  storage::tenant_record record_;
  std::deque<request> changes_;  ///< the first one is being written; as many as requests that wait for an answer
  bool closed_ = false;
  std::function<void()> when_idle_;
};

}  // namespace strata::actors::pageserver
