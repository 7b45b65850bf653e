#pragma once

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/redo/block_record.hpp"
#include "pg/types.hpp"

namespace strata::pg::redo {

/// The properties of the cluster that redo needs besides the record.
struct redo_context {
  major_version major = major_version::v15;
  /// Data checksums or wal_log_hints are on: then, and only then, setting a heap page all-visible moves its LSN.
  bool hints_are_logged = false;
};

/// Changes `page` (page_size bytes) from its state before the record to its state after it, as Postgres's redo does:
/// an image is restored; a will_init block is built without the old page; otherwise a page whose LSN is at or above
/// `end` is left unchanged, since bases from a file copy may be newer than the records replayed over them. `end` is the
/// record's end LSN and becomes the page's LSN. Errors: errc::unsupported for a resource manager or operation without a
/// redo function, errc::corrupt when the record does not fit the page; both name the record. After an error the page's
/// contents are undefined and must not be served. Never reads or writes outside `page` and the record's bytes, whatever
/// they contain.
core::result<void> apply(const block_record& record, core::lsn end, const redo_context& context, core::bytes_span page);

}  // namespace strata::pg::redo
