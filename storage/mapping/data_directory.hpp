#pragma once

#include <memory>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::storage::mapping {

enum class data_directory_kind {
  full,     ///< a plain data directory that stock Postgres of that major starts from
  compute,  ///< everything but relation data, with neon.signal (docs/formats/cluster_files.md)
  listed,   ///< as full, but relation files are in a manifest by name and size, except those that every start reads
};

struct data_directory_options {
  core::lsn at;  ///< 0 is not allowed; the caller has waited for it and checked the window
  data_directory_kind kind = data_directory_kind::full;
  bool gzip = false;
  /// The server is a hot standby, which begins where find_standby_start() says as of this LSN; that must be `at`. 0: it
  /// begins on its own. Not for the compute kind.
  core::lsn standby_of{};
  std::int64_t modified = 0;  ///< time stamp of all entries, seconds since 1970
};

/// Writes one timeline as of one LSN as a tar archive, a chunk at a time. The full kind holds every relation, the
/// transaction-status files, tablespaces as directories under pg_tblspc, a control file and WAL that make the server
/// start at that LSN as if it had shut down there, and a minimal configuration (trust on the local socket, which only
/// the owner may use; passwords on loopback). An LSN where no record can begin is moved to the next such place.
class data_directory_writer {
 public:
  /// Reads counters and directories, and refuses here what can be refused. May block, as next().
  static core::result<std::unique_ptr<data_directory_writer>> open(std::shared_ptr<const timeline_store> store,
                                                                   const data_directory_options& options);
  ~data_directory_writer();
  data_directory_writer(const data_directory_writer&) = delete;
  data_directory_writer& operator=(const data_directory_writer&) = delete;

  /// Replaces `chunk` by the next part, about 256 KiB; false, with an empty chunk, after the end of the archive. A page
  /// that can't be rebuilt is an error and ends the archive: the parts returned before are no usable copy.
  core::result<bool> next(core::bytes& chunk);

 private:
  struct state;
  explicit data_directory_writer(std::unique_ptr<state> of);
  std::unique_ptr<state> state_;
};

}  // namespace strata::storage::mapping
