#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "storage/layers/layer_cache.hpp"
#include "storage/metadata/metadata_store.hpp"
#include "storage/timeline/timeline_store.hpp"
#include "tests/support/random_history.hpp"
#include "tests/support/simulated_disk.hpp"

namespace strata::tests::storage_simulation {

/// A promise that the disk breaks, to see that the seeds notice.
enum class sabotage : std::uint8_t {
  none,
  lost_syncs,       ///< of files: some do nothing
  lost_name_syncs,  ///< of directories: some do nothing
};

/// What a seed makes of a run; permille of its steps unless said otherwise.
struct options {
  std::uint64_t seed = 0;
  sabotage broken = sabotage::none;
  unsigned steps = 0;
  unsigned crash = 0;           ///< within one of the next calls
  unsigned calls_to_crash = 0;  ///< the most of them
  unsigned disk_full = 0;       ///< a time begins in which calls are refused
  bool flip = false;            ///< at the end, of one bit
};
options options_of(std::uint64_t seed);

struct statistics {
  std::uint64_t runs = 0, crashes = 0, openings_crashed = 0, refused = 0, flips_found = 0, flips_unused = 0;
  std::uint64_t flushes = 0, compactions = 0, images = 0, collected = 0, branches = 0, deleted = 0, values_read = 0;
  void add(const statistics& more);
};
std::string to_string(const statistics& of);

struct violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The storage of one server on a simulated disk, and what it has acknowledged.
class simulated_server {
 public:
  simulated_server(const options& of, bool talkative);
  ~simulated_server();
  /// Throws a violation when something that was promised does not hold.
  void run();
  [[nodiscard]] const statistics& seen() const { return seen_; }

 private:
  /// Of two states after a crash: what was acknowledged, and what was being done.
  template <class T>
  struct promised {
    T now;
    std::optional<T> next;
    void done() {
      if (next) now = *next;
      next.reset();
    }
    [[nodiscard]] bool allows(const T& found) const { return found == now || (next && found == *next); }
    void settle(const T& found) {
      now = found;
      next.reset();
    }
  };
  struct branch {
    core::timeline_id id;
    storage::timeline_record record;         ///< what does not change
    promised<core::lsn> flushed, collected;  ///< disk_consistent_lsn and gc_cutoff
    promised<bool> hints, exists;
    std::vector<storage::commit_time> commits;
    oracle_timeline oracle;
    branch* parent = nullptr;
    std::shared_ptr<storage::timeline_store> store;
  };

  void step();
  // Steps
  void write(branch& to);
  void flush(branch& of);
  void compact(branch& of);
  void collect(branch& of);
  void create_branch(branch* parent);
  void delete_branch(branch& of);
  void change_record(branch& of);
  void change_tenant();
  void restart();

  // The machine
  simulated_disk::fault decide(simulated_disk::call what, const std::string& path);
  void close();
  /// The power comes back; it may fail again.
  void recover();
  void open();
  void open_timelines();
  void flip_a_bit();

  // What must hold
  void check_records();
  /// Before anything mends them: what a rebuild of the metadata would find.
  void check_copies();
  void check_branch(branch& of);
  void check_reads(branch& of, core::lsn at, bool may_fail);
  void check_flipped_layer(const std::string& path);
  void check_commits(branch& of);
  [[nodiscard]] bool accepts(const core::error& why) const;
  /// True when it was done. A refusal for want of space is fine while the disk is full.
  bool done(const core::result<void>& outcome, const char* what);

  unsigned pick(unsigned below) { return history_.pick(below); }
  bool chance(unsigned permille) { return pick(1000) < permille; }
  branch& any_branch();
  std::vector<core::lsn> branch_points(const branch& of) const;
  std::string directory_of(const core::timeline_id& id) const;
  void say(const std::string& what) const;

  options options_;
  bool talkative_;
  random_history history_;
  std::mt19937_64 random_;  ///< of the disk
  simulated_disk disk_;
  std::int64_t calls_until_crash_ = -1;
  bool stopped_ = false;
  int full_steps_ = 0;
  bool copy_refused_ = false;  ///< since the last opening: there may be none
  std::uint32_t ids_ = 0;

  core::manual_clock clock_;
  core::tenant_id tenant_{{7}};
  promised<std::string> tenant_options_;
  std::unique_ptr<storage::metadata_store> metadata_;
  std::unique_ptr<storage::layer_cache> layers_;
  std::vector<std::unique_ptr<branch>> branches_;  ///< ancestors first
  std::set<core::timeline_id> deleted_;            ///< their WAL has still to go
  statistics seen_;
};

}  // namespace strata::tests::storage_simulation
