#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bench/page_chain.hpp"
#include "pg/verify/cluster_files.hpp"

namespace strata::bench {

/// What a stock Postgres says in its log of its redo.
struct redo_usage {
  double cpu_seconds = 0;  ///< user and system, of the process that does it
  double elapsed_seconds = 0;
};

/// Starts a stock Postgres on a data directory that was stopped cleanly, and waits until it has replayed all WAL in its
/// pg_wal; the data need not become durable.
redo_usage recover(const std::filesystem::path& data_directory, std::vector<std::string> config);

/// How long a stock Postgres takes for the redo of one page, again and again until its clock can tell.
struct stock_redo_cost {
  double reading = 0;  ///< microseconds to read and check as many records of the same sizes that change nothing
  double redo = 0;     ///< what its redo takes beyond that
};
/// `base` is a data directory as initdb left it; every record of `chains` has one block. Microseconds for one chain.
stock_redo_cost stock_redo_of(const std::vector<page_chain>& chains, const pg::verify::wal_directory& base);

}  // namespace strata::bench
