#include "tests/support/timeline_pipeline.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <stdexcept>

#include "pg/files/start_segment.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "storage/mapping/ingest.hpp"
#include "tests/support/process.hpp"
#include "tests/support/replication_events.hpp"

namespace strata::tests {

using namespace storage;

namespace {

template <class T>
T demand(core::result<T> outcome) {
  if (!outcome) throw std::runtime_error(core::to_string(outcome.error()));
  return *std::move(outcome);
}
void demand(core::result<void> outcome) {
  if (!outcome) throw std::runtime_error(core::to_string(outcome.error()));
}

core::bytes read_file(const std::filesystem::path& path, std::uint64_t from, std::uint64_t count) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(from));
  core::bytes content(count);
  if (!file.read(reinterpret_cast<char*>(content.data()), static_cast<std::streamsize>(count)))
    throw std::runtime_error("read " + path.string());
  return content;
}

void run_tool(const std::vector<std::string>& arguments) {
  const finished done = run({.arguments = arguments});
  if (done.exit_code != 0) throw std::runtime_error(arguments[0] + ": " + done.err);
}

void flush(timeline_store& store) {
  while (store.frozen_count() > 0) demand(store.flush_oldest());
}

}  // namespace

taken_backup take_backup(postgres_cluster& of, const std::filesystem::path& into) {
  using namespace pg::client;
  std::filesystem::create_directories(into);
  const std::string segment_size = of.value("select setting from pg_settings where name = 'wal_segment_size'");
  taken_backup taken{.directory = into, .wal_segment_size = static_cast<std::uint32_t>(std::stoul(segment_size))};
  auto connection = demand(replication_connection::open(of.replication_conninfo()));
  std::ofstream archive;
  for (bool complete = false; !complete;) {
    const replication_event event = demand(wait_for_event(connection));
    if (const auto* hello = std::get_if<connected>(&event)) {
      taken.major = hello->major;
      demand(connection.start_backup());
    }
    if (const auto* started = std::get_if<backup_started>(&event)) taken.start = started->start;
    if (const auto* begun = std::get_if<archive_started>(&event)) {
      archive.close();
      const std::string name = begun->tablespace == 0 ? "base" : std::to_string(begun->tablespace);
      archive.open(into / (name + ".tar"), std::ios::binary);
    }
    if (const auto* data = std::get_if<archive_data>(&event))
      archive.write(reinterpret_cast<const char*>(data->bytes.data()),
                    static_cast<std::streamsize>(data->bytes.size()));
    if (const auto* finished = std::get_if<backup_finished>(&event)) {
      taken.end = finished->end;
      complete = true;
    }
  }
  archive.close();
  if (!archive) throw std::runtime_error("write the archives of a backup into " + into.string());
  return taken;
}

mapping::imported_cluster import_backup(timeline_home& home, const taken_backup& backup) {
  mapping::base_backup_import import(
      home.store, {.start = backup.start, .major = backup.major, .wal_segment_size = backup.wal_segment_size});
  for (const auto& entry : std::filesystem::directory_iterator(backup.directory)) {
    const std::string name = entry.path().stem().string();
    demand(import.begin_archive(name == "base" ? 0 : static_cast<pg::oid>(std::stoul(name))));
    std::ifstream archive(entry.path(), std::ios::binary);
    core::bytes buffer(100'003);
    while (archive.read(reinterpret_cast<char*>(buffer.data()), static_cast<std::streamsize>(buffer.size())) ||
           archive.gcount() > 0)
      demand(import.add(core::bytes_view(buffer).first(static_cast<std::size_t>(archive.gcount()))));
  }
  const mapping::imported_cluster cluster = demand(import.finish(backup.end));
  timeline_record record = home.store->record();
  record.state = timeline_state::active;
  record.major = cluster.major;
  record.system_id = cluster.system_id;
  record.wal_segment_size = cluster.wal_segment_size;
  record.data_checksums = cluster.data_checksums;
  record.wal_log_hints = cluster.wal_log_hints;
  home.reopen(record);
  return cluster;
}

ingested ingest_wal(timeline_home& home, const std::filesystem::path& pg_wal, core::lsn until) {
  using steady = std::chrono::steady_clock;
  const auto ingest = demand(mapping::wal_ingest::open(home.store));
  const pg::major_version major = home.store->record().major;
  const std::uint32_t segment_size = home.store->record().wal_segment_size;
  pg::wal::stream_decoder decoder(
      {.start = home.store->last_record_lsn(), .major = major, .segment_size = segment_size});
  ingested total;
  pg::wal::record record;
  write_batch batch;
  const auto hand_over = [&] {
    if (batch.empty()) return;
    home.store->append(std::move(batch));
    batch = write_batch();
    if (home.store->freeze_due()) home.store->freeze();
    flush(*home.store);
  };
  while (decoder.position() < until) {
    const core::lsn at = decoder.position();
    const std::uint64_t in_segment = at.value % segment_size;
    const std::uint64_t count = std::min<std::uint64_t>({segment_size - in_segment, until - at, 1u << 20});
    const core::bytes wal = read_file(pg_wal / pg::files::wal_segment_name(1, at, segment_size), in_segment, count);
    decoder.feed(wal);
    while (const auto framed = demand(decoder.next())) {
      demand(pg::wal::parse_record(framed->bytes, framed->start, framed->end, major, record));
      if (mapping::wal_ingest::needs_empty_batch(record)) hand_over();
      const auto begun = steady::now();
      demand(ingest->add(record, batch, read_mode::may_block));
      total.seconds_adding += std::chrono::duration<double>(steady::now() - begun).count();
      total.bytes += framed->bytes.size();
      if (++total.records % 100 == 0) hand_over();
    }
  }
  hand_over();
  return total;
}

core::bytes export_directory(timeline_home& home, const mapping::data_directory_options& options) {
  const auto writer = demand(mapping::data_directory_writer::open(home.store, options));
  core::bytes archive;
  core::bytes chunk;
  while (demand(writer->next(chunk))) core::append(archive, chunk);
  return archive;
}

void export_to(timeline_home& home, core::lsn at, const std::filesystem::path& directory,
               mapping::data_directory_kind kind) {
  std::filesystem::create_directories(directory);
  const std::filesystem::path archive = directory.string() + ".tar";
  {
    const auto writer = demand(mapping::data_directory_writer::open(home.store, {.at = at, .kind = kind}));
    std::ofstream file(archive, std::ios::binary);
    core::bytes chunk;
    while (demand(writer->next(chunk)))
      file.write(reinterpret_cast<const char*>(chunk.data()), static_cast<std::streamsize>(chunk.size()));
  }
  run_tool({"tar", "-xf", archive.string(), "-C", directory.string()});
  std::filesystem::remove(archive);
}

}  // namespace strata::tests
