#pragma once

#include <cstdint>
#include <map>
#include <random>

#include "storage/key_space.hpp"
#include "storage/write_batch.hpp"

namespace strata::tests {

/// What a timeline must read back: every version of every key, whole.
struct oracle_timeline {
  using versions = std::map<core::lsn, core::bytes>;
  std::map<core::page_key, versions> keys;
  const oracle_timeline* ancestor = nullptr;
  core::lsn ancestor_lsn;

  /// nullptr when there is none; an empty value does not exist either.
  [[nodiscard]] const core::bytes* find(const core::page_key& key, core::lsn at) const;
  void scan(const core::key_range& range, core::lsn at, std::map<core::page_key, core::bytes>& found) const;
  void forget_above(core::lsn last);
};

/// Batches of random changes as ingest makes them: pages of relations that grow, records that change pages of the clog,
/// values that come and go.
class random_history {
 public:
  std::uint32_t relations = 3;
  std::uint32_t blocks_max = 24;
  std::uint32_t clog_pages = 3;
  std::uint32_t records_max = 6;

  explicit random_history(std::uint64_t seed) : random_(seed) {}
  unsigned pick(unsigned below) { return std::uniform_int_distribution<unsigned>(0, below - 1)(random_); }
  std::mt19937& generator() { return random_; }

  /// Records after `last`, which are in the oracle then.
  storage::write_batch next(oracle_timeline& of, core::lsn last);

  static pg::relation_fork relation(std::uint32_t number) { return {1663, 5, 16384 + number, pg::fork::main}; }
  static std::uint32_t size_of(const oracle_timeline& of, const pg::relation_fork& relation, core::lsn at);
  core::page_key any_sparse_key() {
    return pick(2) == 0 ? storage::two_phase_key(pick(20))
                        : storage::replication_origin_key(static_cast<std::uint16_t>(pick(9)));
  }

 private:
  // A value goes to the batch, and its outcome to the oracle.
  static void put_image(oracle_timeline& of, storage::write_batch& batch, const core::page_key& key, core::lsn at,
                        core::bytes image);
  void write_relation_page(oracle_timeline& of, storage::write_batch& batch, core::lsn at);
  void write_clog(oracle_timeline& of, storage::write_batch& batch, core::lsn at);
  void write_sparse(oracle_timeline& of, storage::write_batch& batch, core::lsn at);
  core::bytes any_page();

  std::mt19937 random_;
};

}  // namespace strata::tests
