#include "storage/mapping/base_backup_import.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <string_view>

#include "pg/files/control_file.hpp"
#include "pg/files/data_directory.hpp"
#include "pg/files/relation_map.hpp"
#include "pg/files/replication_origins.hpp"
#include "pg/files/slru.hpp"
#include "pg/files/start_segment.hpp"
#include "pg/files/tar.hpp"
#include "pg/files/two_phase.hpp"
#include "pg/page/checksum.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "storage/key_space.hpp"
#include "storage/mapping/cluster_counters.hpp"
#include "storage/mapping/database_rows.hpp"

namespace strata::storage::mapping {

using namespace pg::files;

namespace {

constexpr std::size_t small_file_size_max = 64u << 10;
constexpr std::size_t two_phase_size_max = 64u << 20;
/// Pages of pg_database: 8 million databases.
constexpr std::size_t database_pages_max = 1u << 18;
/// The last pages of transaction status: of a million transactions. Earlier ones have left their mark on the rows.
constexpr std::size_t status_pages_max = 32;
constexpr std::uint16_t page_size_and_layout = pg::page_size | 4;

core::error corrupt(std::string what) { return {core::errc::corrupt, "import base backup: " + std::move(what)}; }

/// The header of a page lies in one sector, which a torn copy has whole: it is either new or has the page's size.
bool plausible_page(core::bytes_view page) {
  const auto upper = core::load_le<std::uint16_t>(page.data() + 14);
  return upper == 0 || core::load_le<std::uint16_t>(page.data() + 18) == page_size_and_layout;
}

/// Free space and visibility maps are repaired by Postgres when they are read.
bool has_checked_pages(pg::fork of) { return of == pg::fork::main || of == pg::fork::init; }

bool has_right_checksum(core::bytes_view page, pg::block_number block) {
  const auto upper = core::load_le<std::uint16_t>(page.data() + 14);
  return upper == 0 || core::load_le<std::uint16_t>(page.data() + 8) == pg::page::page_checksum(page, block);
}

using slru_kind_number = std::uint8_t;

std::string_view text_of(const core::bytes& content) {
  return {reinterpret_cast<const char*>(content.data()), content.size()};
}

}  // namespace

struct base_backup_import::state {
  state(std::shared_ptr<timeline_store> of, const base_backup_options& with) : store(std::move(of)), options(with) {
    if (options.wal_segment_size == 0) options.wal_segment_size = store->record().wal_segment_size;
    at = pg::wal::before_header(options.start, options.wal_segment_size);
  }

  core::result<void> add(core::bytes_view bytes);
  core::result<void> finish_archive();
  core::result<imported_cluster> finish(core::lsn backup_end);

  // the entry that is being read
  core::result<void> begin_entry(const tar_entry& entry);
  core::result<void> add_data(core::bytes_view data);
  core::result<void> end_entry();
  core::result<void> add_pages(core::bytes_view data);
  core::result<void> import_page(core::bytes_view page);
  core::result<void> check_whole() const;
  core::result<void> end_small_file();
  [[nodiscard]] bool is_small_file() const;

  // the end
  [[nodiscard]] std::uint64_t system_id() const {
    return options.system_id != 0 ? options.system_id : control->system_id;
  }
  core::result<void> check_start() const;
  core::result<void> check_complete() const;
  core::result<void> check_catalog_files() const;
  core::result<void> check_databases() const;
  core::result<void> check_record();
  core::result<void> import_relation_sizes();
  core::result<void> import_catalogs();
  core::result<void> import_number(const core::page_key& key, std::uint32_t value);
  core::result<void> import_mark(const core::page_key& key);

  std::shared_ptr<timeline_store> store;
  base_backup_options options;
  core::lsn at;  ///< the version of everything imported

  tar_reader archive;
  bool archive_begun = false;
  pg::oid archive_tablespace = 0;

  std::string path;
  classified_path current;
  core::bytes small_file;
  std::array<std::uint8_t, pg::page_size> page{};
  std::size_t page_filled = 0;
  std::uint32_t pages = 0;  ///< of the current file, so far

  std::map<relation_file, std::uint32_t> relation_files;  ///< size in blocks
  std::map<std::pair<slru_kind_number, std::uint32_t>, std::uint32_t> slru_files;
  std::set<pg::oid> tablespaces;
  std::set<std::pair<pg::oid, pg::oid>> databases;
  std::map<std::pair<pg::oid, pg::oid>, std::vector<relation_mapping>>
      relation_maps;                                       ///< of a server that was shut down
  std::vector<core::bytes> database_pages;                 ///< of pg_database, the same
  std::map<std::uint32_t, core::bytes> last_status_pages;  ///< of pg_xact, the same
  std::optional<backup_label> label;
  core::bytes control_bytes;
  std::optional<control_file> control;
  bool version_seen = false;
  bool shared_map_seen = false;
  std::uint64_t relation_pages = 0;
};

base_backup_import::base_backup_import(std::shared_ptr<timeline_store> store, const base_backup_options& options)
    : state_(std::make_unique<state>(std::move(store), options)) {}
base_backup_import::~base_backup_import() = default;

core::result<void> base_backup_import::begin_archive(pg::oid tablespace) {
  STRATA_TRY(state_->finish_archive());
  state_->archive = tar_reader();
  state_->archive_begun = true;
  state_->archive_tablespace = tablespace;
  if (tablespace != 0) state_->tablespaces.insert(tablespace);
  return {};
}

core::result<void> base_backup_import::add(core::bytes_view bytes) { return state_->add(bytes); }

core::result<imported_cluster> base_backup_import::finish(core::lsn backup_end) { return state_->finish(backup_end); }

core::result<void> base_backup_import::state::finish_archive() {
  if (archive_begun && !archive.complete())
    return corrupt("the archive of tablespace " + std::to_string(archive_tablespace) + " ends too early");
  archive_begun = false;
  return {};
}

core::result<void> base_backup_import::state::add(core::bytes_view bytes) {
  if (!archive_begun) return corrupt("bytes outside an archive");
  archive.feed(bytes);
  while (true) {
    STRATA_ASSIGN(const std::optional<tar_event> event, archive.next());
    if (!event) return {};
    core::result<void> done;
    switch (event->kind) {
      case tar_event::kind::entry: done = begin_entry(*event->entry); break;
      case tar_event::kind::data: done = add_data(event->data); break;
      case tar_event::kind::entry_end: done = end_entry(); break;
      case tar_event::kind::archive_end: break;
    }
    if (!done) return std::move(done).error().within("import " + path);
  }
}

core::result<void> base_backup_import::state::begin_entry(const tar_entry& entry) {
  path = archive_tablespace == 0 ? entry.name : "pg_tblspc/" + std::to_string(archive_tablespace) + "/" + entry.name;
  current = classify(path, options.major);
  small_file.clear();
  page_filled = 0;
  pages = 0;
  if (current.kind == path_kind::tablespace) tablespaces.insert(current.tablespace);
  if (current.kind == path_kind::database) databases.emplace(current.tablespace, current.database);
  const bool has_content = current.kind == path_kind::relation || current.kind == path_kind::slru || is_small_file();
  if (has_content && (entry.type == tar_type::symlink || entry.type == tar_type::other))
    return core::error{core::errc::unsupported, path + " is a link, or something else that is no file"};
  if (entry.type != tar_type::file) current.kind = path_kind::ignored;
  if (current.kind == path_kind::relation && entry.size / pg::page_size > pg::blocks_per_relation_segment)
    return corrupt(path + " is larger than a segment of a relation can be");
  if (current.kind == path_kind::slru && entry.size > pg::pages_per_slru_segment * pg::page_size)
    return corrupt(path + " is larger than a segment can be");
  return {};
}

bool base_backup_import::state::is_small_file() const {
  switch (current.kind) {
    case path_kind::two_phase:
    case path_kind::relation_map:
    case path_kind::version:
    case path_kind::control:
    case path_kind::backup_label:
    case path_kind::replication_origins: return true;
    default: return false;
  }
}

core::result<void> base_backup_import::state::add_data(core::bytes_view data) {
  if (current.kind == path_kind::relation || current.kind == path_kind::slru) return add_pages(data);
  if (!is_small_file()) return {};
  const std::size_t size_max = current.kind == path_kind::two_phase ? two_phase_size_max : small_file_size_max;
  if (small_file.size() + data.size() > size_max) return corrupt(path + " is too large");
  core::append(small_file, data);
  return {};
}

core::result<void> base_backup_import::state::add_pages(core::bytes_view data) {
  while (!data.empty()) {
    if (page_filled == 0 && data.size() >= pg::page_size) {
      STRATA_TRY(import_page(data.first(pg::page_size)));
      data = data.subspan(pg::page_size);
      continue;
    }
    const std::size_t part = std::min(data.size(), pg::page_size - page_filled);
    std::memcpy(page.data() + page_filled, data.data(), part);
    data = data.subspan(part);
    page_filled += part;
    if (page_filled < pg::page_size) return {};
    page_filled = 0;
    STRATA_TRY(import_page(page));
  }
  return {};
}

core::result<void> base_backup_import::state::import_page(core::bytes_view content) {
  if (current.kind == path_kind::slru) {
    const std::uint32_t number = current.slru_segment * pg::pages_per_slru_segment + pages++;
    if (options.shut_down && current.slru == pg::slru_kind::clog) {
      last_status_pages.insert_or_assign(number, core::bytes(content.begin(), content.end()));
      if (last_status_pages.size() > status_pages_max) last_status_pages.erase(last_status_pages.begin());
    }
    return store->import_value(slru_page_key(current.slru, number), at, content);
  }
  const pg::block_number block = current.relation.segment * pg::blocks_per_relation_segment + pages++;
  if (!plausible_page(content))
    return corrupt("block " + std::to_string(block) + " of " + pg::to_string(current.relation.relation) +
                   " is not a page of " + std::to_string(pg::page_size) + " bytes");
  if (options.shut_down && has_checked_pages(current.relation.relation.fork) && store->record().data_checksums &&
      !has_right_checksum(content, block))
    return corrupt("block " + std::to_string(block) + " of " + pg::to_string(current.relation.relation) +
                   " has a wrong checksum");
  const pg::relation_fork& of = current.relation.relation;
  if (options.shut_down && of.database == 0 && of.relation == options.database_catalog_file &&
      of.fork == pg::fork::main && of.relation != 0) {
    if (database_pages.size() == database_pages_max) return corrupt("pg_database is too large");
    database_pages.emplace_back(content.begin(), content.end());
  }
  ++relation_pages;
  return store->import_value(relation_page_key(current.relation.relation, block), at, content);
}

core::result<void> base_backup_import::state::end_entry() {
  const bool has_pages = current.kind == path_kind::relation || current.kind == path_kind::slru;
  if (options.shut_down && has_pages) STRATA_TRY(check_whole());
  switch (current.kind) {
    case path_kind::relation:
      relation_files[current.relation] = pages;
      databases.emplace(current.relation.relation.tablespace, current.relation.relation.database);
      return {};
    case path_kind::slru:
      slru_files[{static_cast<std::uint8_t>(current.slru), current.slru_segment}] = pages;
      return {};
    default: return end_small_file();
  }
}

core::result<void> base_backup_import::state::check_whole() const {
  if (page_filled != 0) return corrupt(path + " ends in the middle of a page");
  const bool is_known = current.kind == path_kind::relation
                            ? relation_files.contains(current.relation)
                            : slru_files.contains({static_cast<std::uint8_t>(current.slru), current.slru_segment});
  return is_known ? corrupt(path + " is there twice") : core::result<void>();
}

core::result<void> base_backup_import::state::end_small_file() {
  switch (current.kind) {
    case path_kind::two_phase: {
      STRATA_ASSIGN(const core::bytes_view content, decode_two_phase_file(small_file));
      return store->import_value(two_phase_key(static_cast<pg::transaction_id>(current.xid)), at, content);
    }
    case path_kind::relation_map:
      shared_map_seen = shared_map_seen || current.database == 0;
      databases.emplace(current.tablespace, current.database);
      if (options.shut_down) {
        STRATA_ASSIGN(auto mappings, decode_relation_map_file(small_file, options.major));
        relation_maps[{current.tablespace, current.database}] = std::move(mappings);
      }
      return store->import_value(relation_map_key(current.tablespace, current.database), at, small_file);
    case path_kind::version: {
      std::string_view version = text_of(small_file);
      if (version.ends_with('\n')) version.remove_suffix(1);
      if (version != std::to_string(static_cast<int>(options.major)))
        return core::error{core::errc::unsupported, "version \"" + std::string(version.substr(0, 16)) +
                                                        "\" instead of " +
                                                        std::to_string(static_cast<int>(options.major))};
      version_seen = version_seen || current.database == 0;
      return {};
    }
    case path_kind::control: {
      STRATA_ASSIGN(control, decode_control_file(small_file));
      control_bytes = small_file;
      return {};
    }
    case path_kind::backup_label: {
      STRATA_ASSIGN(label, parse_backup_label(text_of(small_file)));
      return {};
    }
    case path_kind::replication_origins: {
      STRATA_ASSIGN(const auto origins, decode_replication_origins(small_file));
      for (const origin_progress& each : origins) {
        std::array<std::uint8_t, 8> value{};
        core::store_le(value.data(), each.remote.value);
        STRATA_TRY(store->import_value(replication_origin_key(each.origin), at, value));
      }
      return {};
    }
    default: return {};
  }
}

core::result<void> base_backup_import::state::check_start() const {
  if (options.shut_down) {
    if (control->state != database_state::shut_down || label) return corrupt("the server was not shut down");
    if (control->checkpoint_location != options.start) return corrupt("global/pg_control has changed");
    return {};
  }
  if (!label) return corrupt("backup_label is missing");
  if (label->start != options.start)
    return corrupt("the label starts at " + core::to_string(label->start) + ", the server's start is " +
                   core::to_string(options.start));
  if (control->wal_level == wal_level::minimal)
    return core::error{core::errc::unsupported, "import base backup: wal_level is minimal; set it to replica"};
  return {};
}

core::result<void> base_backup_import::state::check_complete() const {
  if (!control) return corrupt("global/pg_control is missing");
  if (!version_seen) return corrupt("PG_VERSION is missing");
  if (!shared_map_seen) return corrupt("global/pg_filenode.map is missing");
  if (control->major != options.major) return corrupt("pg_control has another version than the server");
  STRATA_TRY(check_start());
  if (pg::wal::before_header(options.start, control->wal_segment_size) != at)
    return corrupt("the size of WAL segments is " + std::to_string(control->wal_segment_size) + ", not " +
                   std::to_string(options.wal_segment_size));
  for (const slru_kind_number kind : {0, 1, 2})
    if (const auto first = slru_files.lower_bound({kind, 0}); first == slru_files.end() || first->first.first != kind)
      return corrupt("transaction status files are missing");
  return options.shut_down ? check_catalog_files() : core::result<void>();
}

/// Replayed WAL would create what a backup has missed; here nothing does.
core::result<void> base_backup_import::state::check_catalog_files() const {
  for (const auto& [tablespace, database] : databases) {
    const auto map = relation_maps.find({tablespace, database});
    // Of a database's default tablespace: others have relations of it only.
    const bool is_elsewhere = std::ranges::any_of(
        relation_maps, [wanted = database](const auto& each) { return each.first.second == wanted; });
    if (map == relation_maps.end() && is_elsewhere) continue;
    const std::string of = " of database " + std::to_string(database);
    if (map == relation_maps.end()) return corrupt("pg_filenode.map" + of + " is missing");
    for (const relation_mapping& each : map->second)
      if (!relation_files.contains({{.tablespace = tablespace, .database = database, .relation = each.file}, 0}))
        return corrupt("file " + std::to_string(each.file) + of + " is missing, which has catalog " +
                       std::to_string(each.relation));
  }
  return check_databases();
}

/// A database of which nothing is left can't be missed by its files.
core::result<void> base_backup_import::state::check_databases() const {
  const auto end_of = [&](pg::transaction_id xid) -> std::optional<clog_status> {
    const auto page = last_status_pages.find(clog_page_of(xid));
    if (page == last_status_pages.end()) return std::nullopt;
    return clog_status_of(page->second, xid);
  };
  for (const core::bytes& page : database_pages) {
    STRATA_ASSIGN(const auto rows, databases_on(page, options.major, end_of));
    for (const database_row& each : rows)
      if (std::ranges::none_of(relation_maps, [&](const auto& map) { return map.first.second == each.id; }))
        return corrupt("the directory of database " + each.name + " is missing: " + std::to_string(each.id) +
                       " in base or in its tablespace");
  }
  return {};
}

core::result<void> base_backup_import::state::check_record() {
  const timeline_record record = store->record();
  if (record.system_id == 0) return {};
  if (record.system_id != system_id())
    return core::error{core::errc::conflict, "import base backup: the source is system " + std::to_string(system_id()) +
                                                 " now, it was " + std::to_string(record.system_id)};
  if (record.data_checksums != (control->data_checksum_version != 0))
    return core::error{core::errc::conflict, "import base backup: data checksums were switched on or off meanwhile"};
  if (record.wal_log_hints == control->wal_log_hints) return {};
  timeline_edit edit;
  edit.wal_log_hints = control->wal_log_hints;
  return store->update(edit);
}

core::result<void> base_backup_import::state::import_number(const core::page_key& key, std::uint32_t value) {
  std::array<std::uint8_t, 4> raw{};
  core::store_le(raw.data(), value);
  return store->import_value(key, at, raw);
}

core::result<void> base_backup_import::state::import_mark(const core::page_key& key) {
  const std::array<std::uint8_t, 1> mark{1};
  return store->import_value(key, at, mark);
}

core::result<void> base_backup_import::state::import_relation_sizes() {
  for (auto file = relation_files.begin(); file != relation_files.end();) {
    const pg::relation_fork relation = file->first.relation;
    // As in Postgres: a file that is not full is the last one of its fork.
    std::uint32_t blocks = 0;
    bool ended = false;
    for (std::uint32_t segment = 0; file != relation_files.end() && file->first.relation == relation;
         ++segment, ++file) {
      ended = ended || file->first.segment != segment;
      if (ended) continue;
      blocks += file->second;
      ended = file->second < pg::blocks_per_relation_segment;
    }
    // The data of an unlogged relation is not in WAL: it is recreated from its init fork.
    pg::relation_fork init = relation;
    init.fork = pg::fork::init;
    if (relation.fork != pg::fork::init && relation_files.contains({init, 0})) continue;
    STRATA_TRY(import_number(relation_catalog_key(relation), blocks));
  }
  return {};
}

core::result<void> base_backup_import::state::import_catalogs() {
  STRATA_TRY(import_relation_sizes());
  for (const auto& [segment, size] : slru_files) {
    const auto kind = static_cast<pg::slru_kind>(segment.first);
    if (kind == pg::slru_kind::commit_ts && !control->track_commit_timestamp) continue;
    STRATA_TRY(import_number(slru_catalog_key(kind, segment.second), size));
  }
  for (const pg::oid tablespace : tablespaces) STRATA_TRY(import_mark(tablespace_catalog_key(tablespace)));
  for (const auto& [tablespace, database] : databases)
    if (database != 0) STRATA_TRY(import_mark(database_catalog_key(tablespace, database)));
  if (options.system_id != 0) {
    control->system_id = options.system_id;
    STRATA_ASSIGN(control_bytes, encode_control_file(*control, control_bytes));
  }
  STRATA_TRY(store->import_value(control_file_key(), at, control_bytes));
  const cluster_counters counters(control->checkpoint_copy);
  return store->import_value(checkpoint_key(), at, counters.now().encode());
}

core::result<imported_cluster> base_backup_import::state::finish(core::lsn backup_end) {
  STRATA_TRY(finish_archive());
  STRATA_TRY(check_complete());
  STRATA_TRY(check_record());
  STRATA_TRY(import_catalogs());
  const core::lsn end = pg::wal::before_header(backup_end, control->wal_segment_size);
  if (end < at) return corrupt("it ends before it starts");
  STRATA_TRY(store->finish_import(at, end));
  imported_cluster cluster;
  cluster.major = options.major;
  cluster.system_id = control->system_id;
  cluster.wal_segment_size = control->wal_segment_size;
  cluster.data_checksums = control->data_checksum_version != 0;
  cluster.wal_log_hints = control->wal_log_hints;
  cluster.start = at;
  cluster.wal_timeline = label ? label->timeline : control->checkpoint_copy.timeline;
  cluster.relation_pages = relation_pages;
  return cluster;
}

}  // namespace strata::storage::mapping
