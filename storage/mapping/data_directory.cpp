#include "storage/mapping/data_directory.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <span>

#include "core/check.hpp"
#include "pg/files/data_directory.hpp"
#include "pg/files/relation_manifest.hpp"
#include "pg/files/replication_origins.hpp"
#include "pg/files/slru.hpp"
#include "pg/files/tar.hpp"
#include "pg/files/two_phase.hpp"
#include "storage/key_space.hpp"
#include "storage/mapping/cluster_counters.hpp"
#include "storage/mapping/directory.hpp"
#include "storage/mapping/gzip_stream.hpp"
#include "storage/mapping/relation_archiver.hpp"
#include "storage/mapping/start_bundle.hpp"
#include "storage/mapping/start_files.hpp"

namespace strata::storage::mapping {

using namespace pg::files;

namespace {

constexpr std::size_t chunk_size = 256u << 10;
constexpr std::uint32_t compute_directory_mode = 0755;

constexpr const char* directories[] = {"global",
                                       "pg_wal",
                                       "pg_wal/archive_status",
                                       "pg_commit_ts",
                                       "pg_dynshmem",
                                       "pg_notify",
                                       "pg_serial",
                                       "pg_snapshots",
                                       "pg_subtrans",
                                       "pg_twophase",
                                       "pg_multixact",
                                       "pg_multixact/members",
                                       "pg_multixact/offsets",
                                       "base",
                                       "base/1",
                                       "pg_replslot",
                                       "pg_tblspc",
                                       "pg_stat",
                                       "pg_stat_tmp",
                                       "pg_xact",
                                       "pg_logical",
                                       "pg_logical/snapshots",
                                       "pg_logical/mappings"};

}  // namespace

struct data_directory_writer::state {
  state(std::shared_ptr<const timeline_store> of, const data_directory_options& with);
  core::result<void> open();
  core::result<bool> next(core::bytes& chunk);

  /// Appends some of the archive; false when there was nothing left.
  using part = std::function<core::result<bool>(core::bytes&)>;

  core::result<void> read_start();
  core::result<void> read_standby_start();
  core::result<core::bytes> value_of(const core::page_key& key, const char* what) const;
  void plan_small_files();
  core::result<void> plan_statuses();
  core::result<void> plan_databases();
  void plan_database(const database_entry& entry);
  /// One fork to archive; without a size none is stored.
  struct fork_work {
    pg::relation_fork source;
    pg::relation_fork as;
    std::optional<std::uint32_t> blocks;
  };
  /// In the order of the forks: the free space map of a table is created from the main fork before it.
  [[nodiscard]] std::deque<fork_work> plan_relation(std::span<const relation_entry> forks);
  /// Of the listed kind: the same, and the rest into the manifest.
  [[nodiscard]] std::deque<fork_work> list_relation(std::span<const relation_entry> forks);
  void plan_relations(pg::oid tablespace, pg::oid database);
  void plan_manifest();
  void plan_two_phase();
  void plan_origins();
  core::result<void> plan_start();

  void directory(core::bytes& to, std::string name) const;
  void file(core::bytes& to, std::string name, core::bytes_view content) const;
  void text_file(core::bytes& to, std::string name, const std::string& content) const;
  core::result<void> relation_map(core::bytes& to, pg::oid tablespace, pg::oid database) const;
  std::string version_text() const { return std::to_string(static_cast<int>(record.major)) + "\n"; }
  /// A part that is finished in one step.
  template <class Step>
  void plan_once(Step step) {
    parts.push_back([step = std::move(step), done = false](core::bytes& to) mutable -> core::result<bool> {
      if (std::exchange(done, true)) return false;
      STRATA_TRY(step(to));
      return true;
    });
  }
  [[nodiscard]] bool stock() const { return options.kind != data_directory_kind::compute; }

  std::shared_ptr<const timeline_store> store;
  data_directory_options options;
  timeline_record record;
  start_state start;
  std::deque<part> parts;
  std::optional<relation_archiver> archiver;
  std::optional<start_bundle> bundle;  ///< of the listed kind, as the manifest
  relation_manifest manifest;
  std::optional<gzip_stream> gzip;
  core::bytes unpacked;
  bool ended = false;
};

data_directory_writer::state::state(std::shared_ptr<const timeline_store> of, const data_directory_options& with)
    : store(std::move(of)), options(with), record(store->record()) {
  archiver.emplace(
      relation_archiver::context{store.get(), options.at, record.major, record.data_checksums, options.modified});
  if (options.gzip) gzip.emplace();
}

core::result<std::unique_ptr<data_directory_writer>> data_directory_writer::open(
    std::shared_ptr<const timeline_store> store, const data_directory_options& options) {
  core::check(options.at.valid(), "a data directory is written as of an LSN");
  auto state = std::make_unique<data_directory_writer::state>(std::move(store), options);
  if (auto opened = state->open(); !opened)
    return std::move(opened).error().within("write data directory at " + core::to_string(options.at));
  return std::unique_ptr<data_directory_writer>(new data_directory_writer(std::move(state)));
}

data_directory_writer::data_directory_writer(std::unique_ptr<state> of) : state_(std::move(of)) {}
data_directory_writer::~data_directory_writer() = default;

core::result<bool> data_directory_writer::next(core::bytes& chunk) {
  auto more = state_->next(chunk);
  if (!more) return std::move(more).error().within("write data directory at " + core::to_string(state_->options.at));
  return more;
}

core::result<void> data_directory_writer::state::open() {
  STRATA_TRY(read_start());
  plan_small_files();
  STRATA_TRY(plan_statuses());
  STRATA_TRY(plan_databases());
  plan_two_phase();
  plan_origins();
  STRATA_TRY(plan_start());
  plan_once([](core::bytes& to) -> core::result<void> {
    append_tar_end(to);
    return {};
  });
  return {};
}

core::result<bool> data_directory_writer::state::next(core::bytes& chunk) {
  chunk.clear();
  while (chunk.empty() && !ended) {
    core::bytes& to = gzip ? unpacked : chunk;
    to.clear();
    while (to.size() < chunk_size && !parts.empty()) {
      STRATA_ASSIGN(const bool more, parts.front()(to));
      if (!more) parts.pop_front();
    }
    ended = parts.empty();
    if (gzip) gzip->pack(unpacked, ended, chunk);
  }
  return !chunk.empty();
}

core::result<core::bytes> data_directory_writer::state::value_of(const core::page_key& key, const char* what) const {
  STRATA_ASSIGN(auto value, store->read_value(key, options.at, read_mode::may_block));
  if (!value) return core::error{core::errc::corrupt, std::string(what) + " is missing"};
  return *std::move(value);
}

core::result<void> data_directory_writer::state::read_start() {
  STRATA_ASSIGN(start.control_bytes, value_of(control_file_key(), "the control file"));
  STRATA_ASSIGN(start.control, decode_control_file(start.control_bytes));
  STRATA_ASSIGN(const core::bytes counters, value_of(checkpoint_key(), "the checkpoint"));
  STRATA_ASSIGN(start.counters, checkpoint::decode(counters));
  start.position = normalise_position(options.at, start.control.wal_segment_size);
  if (options.standby_of.valid()) return read_standby_start();
  start.branch_point = own_wal_begin(record) == options.at;
  // The writer may move on between the two reads: the pair is good only if it did not.
  const core::lsn last = store->last_record_lsn();
  const core::lsn previous = store->previous_record_lsn();
  if (last == options.at && store->last_record_lsn() == last && previous < start.position) start.previous = previous;
  return {};
}

core::result<void> data_directory_writer::state::read_standby_start() {
  STRATA_ASSIGN(const standby_start found, find_standby_start(*store, options.standby_of));
  if (!stock() || found.at != options.at)
    return core::error{core::errc::invalid_argument, "a standby as of " + core::to_string(options.standby_of) +
                                                         " begins at " + core::to_string(found.at)};
  start.standby = found;
  STRATA_ASSIGN(const auto later, store->read_value(control_file_key(), options.standby_of, read_mode::may_block));
  if (!later) return core::error{core::errc::corrupt, "the control file is missing"};
  STRATA_ASSIGN(const control_file now, decode_control_file(*later));
  start.control = with_larger_settings(start.control, now);
  return {};
}

void data_directory_writer::state::directory(core::bytes& to, std::string name) const {
  append_tar_header(to, {.name = std::move(name),
                         .type = tar_type::directory,
                         .size = 0,
                         .mode = stock() ? tar_directory_mode : compute_directory_mode,
                         .link_target = {},
                         .modified = options.modified});
}

void data_directory_writer::state::file(core::bytes& to, std::string name, core::bytes_view content) const {
  append_tar_file(to, std::move(name), content, options.modified);
}

void data_directory_writer::state::text_file(core::bytes& to, std::string name, const std::string& content) const {
  file(to, std::move(name), {reinterpret_cast<const std::uint8_t*>(content.data()), content.size()});
}

void data_directory_writer::state::plan_small_files() {
  plan_once([this](core::bytes& to) -> core::result<void> {
    for (const char* name : directories) directory(to, name);
    if (record.major >= pg::major_version::v17) directory(to, "pg_wal/summaries");
    text_file(to, "pg_hba.conf", stock() ? minimal_host_rules() : compute_host_rules());
    text_file(to, "pg_ident.conf", "");
    text_file(to, "postgresql.auto.conf", "");
    if (stock()) text_file(to, "postgresql.conf", minimal_configuration(start));
    // A directory does as well as a file, and can't be unlinked: a promotion, which begins with that, fails.
    if (start.standby) directory(to, "standby.signal");
    return {};
  });
}

core::result<void> data_directory_writer::state::plan_statuses() {
  for (const pg::slru_kind kind : pg::slru_kinds) {
    STRATA_ASSIGN(const auto segments, slru_segments(*store, kind, options.at));
    const bool whole = kind == pg::slru_kind::commit_ts;
    if (whole) start.counters = with_commit_timestamps(start.counters, segments);
    const auto read_at_start = status_page_at_start(kind, start.counters);
    const auto must_have = [&](std::uint32_t segment) -> std::size_t {
      if (whole) return pg::pages_per_slru_segment * pg::page_size;
      if (!read_at_start || slru_page_at(*read_at_start).segment != segment) return 0;
      return (std::size_t{slru_page_at(*read_at_start).block} + 1) * pg::page_size;
    };
    for (const slru_segment_entry& each : segments)
      plan_once(
          [this, kind, least = must_have(each.segment), segment = each.segment](core::bytes& to) -> core::result<void> {
            STRATA_ASSIGN(core::bytes content, slru_segment(*store, kind, segment, options.at));
            content.resize(std::max(content.size(), least));
            file(to, slru_path(kind, segment), content);
            return {};
          });
    if (!read_at_start) continue;
    const std::uint32_t segment = slru_page_at(*read_at_start).segment;
    if (!std::ranges::binary_search(segments, segment, {}, &slru_segment_entry::segment))
      plan_once([this, kind, segment, least = must_have(segment)](core::bytes& to) -> core::result<void> {
        file(to, slru_path(kind, segment), core::bytes(least));
        return {};
      });
  }
  return {};
}

core::result<void> data_directory_writer::state::relation_map(core::bytes& to, pg::oid tablespace,
                                                              pg::oid database) const {
  STRATA_ASSIGN(const auto map,
                store->read_value(relation_map_key(tablespace, database), options.at, read_mode::may_block));
  if (!map) return {};
  const std::string where = database_directory(tablespace, database, record.major);
  // Only the directory of a database in its own tablespace has these two.
  text_file(to, database == 0 ? "PG_VERSION" : where + "/PG_VERSION", version_text());
  file(to, where + "/pg_filenode.map", *map);
  return {};
}

core::result<void> data_directory_writer::state::plan_databases() {
  STRATA_ASSIGN(const auto spaces, tablespaces(*store, options.at));
  STRATA_ASSIGN(const auto found, databases(*store, options.at));
  if (!stock() && std::any_of(found.begin(), found.end(),
                              [](const database_entry& each) { return each.tablespace != pg::default_tablespace; }))
    return core::error{core::errc::unsupported, "a compute can't have databases in other tablespaces"};
  plan_once([this, spaces](core::bytes& to) -> core::result<void> {
    for (const pg::oid each : stock() ? spaces : std::vector<pg::oid>{}) {
      const std::string space = "pg_tblspc/" + std::to_string(each);
      directory(to, space);
      directory(to, space + "/" + tablespace_version_directory(record.major));
    }
    return relation_map(to, pg::global_tablespace, 0);
  });
  if (options.kind == data_directory_kind::listed) {
    bundle.emplace(found);
    manifest.major = record.major;
    manifest.at = options.at;
  }
  for (const database_entry& each : found) plan_database(each);
  plan_relations(pg::global_tablespace, 0);
  for (const database_entry& each : found) plan_relations(each.tablespace, each.database);
  if (bundle) plan_manifest();
  return {};
}

void data_directory_writer::state::plan_database(const database_entry& entry) {
  plan_once([this, entry](core::bytes& to) -> core::result<void> {
    const std::string name = database_directory(entry.tablespace, entry.database, record.major);
    if (name != "base/1") directory(to, name);
    return relation_map(to, entry.tablespace, entry.database);
  });
}

std::deque<data_directory_writer::state::fork_work> data_directory_writer::state::plan_relation(
    std::span<const relation_entry> forks) {
  const auto of_fork = [&](pg::fork wanted) -> std::optional<std::uint32_t> {
    for (const relation_entry& each : forks)
      if (each.relation.fork == wanted) return each.blocks;
    return std::nullopt;
  };
  pg::relation_fork as = forks.front().relation;
  const auto named = [&](pg::fork which) {
    as.fork = which;
    return as;
  };
  // An unlogged relation starts as a copy of its init fork.
  if (const auto init = of_fork(pg::fork::init))
    return {{named(pg::fork::init), named(pg::fork::init), init}, {named(pg::fork::init), named(pg::fork::main), init}};
  if (bundle) return list_relation(forks);
  std::deque<fork_work> work;
  if (!stock()) return work;
  const std::optional<std::uint32_t> main = of_fork(pg::fork::main);
  if (main) work.push_back({named(pg::fork::main), named(pg::fork::main), main});
  // A map of an empty fork could only list blocks that no longer exist.
  if (main && *main > 0) work.push_back({named(pg::fork::fsm), named(pg::fork::fsm), of_fork(pg::fork::fsm)});
  if (const auto vm = of_fork(pg::fork::vm)) work.push_back({named(pg::fork::vm), named(pg::fork::vm), vm});
  return work;
}

std::deque<data_directory_writer::state::fork_work> data_directory_writer::state::list_relation(
    std::span<const relation_entry> forks) {
  std::deque<fork_work> work;
  for (const relation_entry& each : forks) {
    // The page service has free space maps as they are stored: mostly old, and of tables often none. Postgres needs
    // none.
    if (each.relation.fork == pg::fork::fsm) continue;
    if (bundle->take(each))
      work.push_back({each.relation, each.relation, each.blocks});
    else
      manifest.forks.push_back({each.relation, each.blocks});
  }
  return work;
}

void data_directory_writer::state::plan_relations(pg::oid tablespace, pg::oid database) {
  parts.push_back([this, tablespace, database, listed = false,
                   left = std::deque<fork_work>()](core::bytes& to) mutable -> core::result<bool> {
    if (!std::exchange(listed, true)) {
      STRATA_ASSIGN(const auto found, relations(*store, tablespace, database, options.at));
      for (auto first = found.begin(); first != found.end();) {
        const auto end = std::find_if(first, found.end(), [&](const relation_entry& each) {
          return each.relation.relation != first->relation.relation;
        });
        for (const fork_work& each : plan_relation({first, end})) left.push_back(each);
        first = end;
      }
    }
    STRATA_ASSIGN(const bool wrote, archiver->write(to));
    if (wrote) return true;
    if (left.empty()) return false;
    const fork_work next = left.front();
    left.pop_front();
    if (next.source.fork == pg::fork::fsm)
      archiver->begin_free_space_map(next.source, next.blocks);
    else
      archiver->begin(next.source, next.as, *next.blocks);
    return true;
  });
}

void data_directory_writer::state::plan_manifest() {
  plan_once([this](core::bytes& to) -> core::result<void> {
    std::ranges::sort(manifest.forks, {}, &listed_fork::relation);
    file(to, relation_manifest_path, encode_relation_manifest(manifest));
    return {};
  });
}

void data_directory_writer::state::plan_two_phase() {
  plan_once([this](core::bytes& to) -> core::result<void> {
    return store->scan(kind_range(key_kind::two_phase), options.at,
                       [&](const core::page_key& key, core::bytes_view content) {
                         const full_transaction_id xid = with_epoch(key.block, start.counters);
                         file(to, two_phase_path(xid, record.major), encode_two_phase_file(content));
                         return true;
                       });
  });
}

void data_directory_writer::state::plan_origins() {
  plan_once([this](core::bytes& to) -> core::result<void> {
    std::vector<origin_progress> origins;
    STRATA_TRY(store->scan(
        kind_range(key_kind::replication_origin), options.at, [&](const core::page_key& key, core::bytes_view value) {
          if (value.size() == sizeof(std::uint64_t))
            origins.push_back(
                {static_cast<std::uint16_t>(key.block), core::lsn(core::load_le<std::uint64_t>(value.data()))});
          return true;
        }));
    if (!origins.empty()) file(to, "pg_logical/replorigin_checkpoint", encode_replication_origins(origins));
    return {};
  });
}

core::result<void> data_directory_writer::state::plan_start() {
  STRATA_ASSIGN(start_files made, start.standby ? standby_start_files(start)
                                  : stock()     ? stock_start_files(start)
                                                : signal_start_files(start));
  plan_once([this, control = std::move(made.control_file)](core::bytes& to) -> core::result<void> {
    if (!stock()) {
      text_file(to, "neon.signal", signal_text(start));
      text_file(to, "zenith.signal", signal_text(start));
    }
    file(to, bundle ? held_control_file_path : "global/pg_control", control);
    return {};
  });
  if (bundle) {
    // The manifest is written later than this is planned.
    manifest.segments = std::move(made.segments);
    return {};
  }
  for (const sparse_file& segment : made.segments)
    parts.push_back([this, segment, done = std::uint64_t{0}](core::bytes& to) mutable -> core::result<bool> {
      if (done == segment.size) return false;
      if (done == 0)
        append_tar_header(to, {.name = "pg_wal/" + segment.name,
                               .type = tar_type::file,
                               .size = segment.size,
                               .mode = tar_file_mode,
                               .link_target = {},
                               .modified = options.modified});
      const std::uint64_t step = std::min<std::uint64_t>(chunk_size, segment.size - done);
      core::append(to, segment.read(done, step));
      done += step;
      return true;
    });
  return {};
}

}  // namespace strata::storage::mapping
