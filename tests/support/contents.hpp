#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/lsn.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/sql_session.hpp"

namespace strata::tests {

/// Everything that a client can see of a cluster, in a form that two clusters can be compared by.
struct cluster_contents {
  /// "database: schema.table" -> "rows:hash"; of catalogs the columns that nothing changes behind a client's back.
  std::map<std::string, std::string> tables;
  std::set<std::string> unlogged;  ///< "database: schema.table"
  std::set<std::string> prepared;  ///< "gid@database"
  /// "database: schema.sequence" -> the last value that was handed out.
  std::map<std::string, long> sequences;
};

/// Conninfo for a database.
using connect_to = std::function<std::string(const std::string& database)>;

/// A snapshot of all databases at once: one repeatable-read transaction in each, begun by the constructor. What
/// commits later is not seen, however long reading takes.
class contents_snapshot {
 public:
  explicit contents_snapshot(const connect_to& connect);
  /// Reads every table. Sequences and prepared transactions know no snapshots: they are those of the construction.
  cluster_contents read();

 private:
  std::map<std::string, std::unique_ptr<sql_session>> sessions_;
  cluster_contents contents_;
};

/// What a cluster holds now.
cluster_contents contents_of(const connect_to& connect);

/// Where `now` is not what `then` was; empty when equal. Sequences may have gone on by what Postgres logs ahead;
/// unlogged tables must be there.
std::vector<std::string> differences(const cluster_contents& then, const cluster_contents& now);

/// A moment of a running source: its contents and the exact place in its WAL and time at which it showed them.
struct moment {
  core::lsn at;
  std::string time;  ///< ISO 8601, UTC
  std::unique_ptr<contents_snapshot> snapshot;
};

/// All load must hold this lock, shared, in every transaction that writes: `SELECT pg_advisory_xact_lock_shared(...)`.
inline constexpr const char* load_lock = "4711";

/// Waits for the load to end its transactions and holds it up for the instant in which snapshots are taken, so that
/// exactly what they see was committed before the LSN and the time. Writers that do not hold the lock must not commit
/// meanwhile.
moment take_moment(const connect_to& source);

}  // namespace strata::tests
