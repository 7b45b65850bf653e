#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/files/checkpoint.hpp"
#include "pg/files/control_file.hpp"
#include "pg/files/start_segment.hpp"
#include "pg/types.hpp"
#include "storage/mapping/directory.hpp"
#include "storage/mapping/standby_start.hpp"

namespace strata::storage::mapping {

/// The state of a timeline's cluster at one LSN that starting a server needs.
struct start_state {
  core::bytes control_bytes;               ///< as imported, with the parameters of the LSN
  pg::files::control_file control;         ///< the same, decoded
  pg::files::checkpoint counters;          ///< at the LSN, with_commit_timestamps()
  core::lsn position;                      ///< the LSN, or the next one where a record can begin
  core::lsn previous;                      ///< start of the record that ends there; 0 = unknown
  bool branch_point = false;               ///< the LSN is where this timeline begins
  std::optional<standby_start> standby{};  ///< the server follows the timeline from the LSN on
};

/// The counters with the range of transactions whose commit timestamps are in these segments (in order of number), each
/// counted as whole: the archive fills them up with zeros. Both ends are 0 when there are none, and a server starts
/// without timestamps.
pg::files::checkpoint with_commit_timestamps(pg::files::checkpoint counters,
                                             const std::vector<slru_segment_entry>& segments);

/// The page of status files that a server reads when it starts, because the next number is not the first one of that
/// page. Where the next number is the first of a new round the page may not exist yet.
std::optional<std::uint32_t> status_page_at_start(pg::slru_kind kind, const pg::files::checkpoint& counters);

struct start_files {
  core::bytes control_file;
  std::vector<pg::files::sparse_file> segments;
};

/// For stock Postgres: a shutdown checkpoint record at the position (docs/formats/cluster_files.md).
core::result<start_files> stock_start_files(const start_state& from);
/// For stock Postgres as a hot standby, of start_state::standby: pg::files::standby_segments(). The server needs
/// standby.signal, too.
core::result<start_files> standby_start_files(const start_state& from);
/// The control file with the settings of `later`, a control file of a later LSN, where those are larger: a standby
/// pauses when the WAL says that the primary has more connections than it.
pg::files::control_file with_larger_settings(pg::files::control_file of, const pg::files::control_file& later);
/// For a compute that supports neon.signal: an empty segment whose page headers make a reader begin at the position
/// (docs/formats/cluster_files.md).
core::result<start_files> signal_start_files(const start_state& from);
/// The one line of neon.signal.
std::string signal_text(const start_state& from);

/// postgresql.conf: the settings without which the server does not start with this data, nothing else.
std::string minimal_configuration(const start_state& from);
/// pg_hba.conf: trusts the socket (which the configuration restricts to the owner), and requires a password on
/// loopback.
std::string minimal_host_rules();
/// pg_hba.conf of the compute kind: the agent beside it adds the rest.
std::string compute_host_rules();

}  // namespace strata::storage::mapping
