#pragma once

#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {

/// Until a trace of the source's WAL is durable, a restart could not distinguish another server from it: the first
/// trace is flushed as soon as the import can be read.
class trace_flush {
 public:
  /// True once.
  bool due(const storage::timeline_store& store) {
    if (!missing_ || !store.received()) return false;
    const auto record = store.record();
    if (store.last_record_lsn() < record.readable_from) return false;
    missing_ = false;
    return record.source && !record.source->received;
  }

 private:
  bool missing_ = true;  ///< as far as is known
};

}  // namespace strata::actors::pageserver
