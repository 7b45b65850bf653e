#include "journal/wal_archive.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "journal/timeline_directory.hpp"
#include "pg/files/start_segment.hpp"
#include "pg/wal/version.hpp"

namespace strata::journal {
namespace {

constexpr std::size_t copy_size = 1u << 20;
constexpr std::uint32_t timeline_of_postgres = 1;

/// `to` is the page from its beginning up to the timeline's start. The bytes after the header read as the rest of an
/// older record: readers skip it.
void put_page_header(core::bytes_span to, const consensus::acceptor_state& state, core::lsn page, bool is_last) {
  const bool is_long = page.value % state.cluster.wal_segment_size == 0;
  const std::size_t header_size = is_long ? 40 : 24;
  const std::size_t rest = is_last && to.size() > header_size ? to.size() - header_size : 0;
  constexpr unsigned continues_record = 1;
  constexpr unsigned has_long_header = 2;
  core::bytes header;
  core::append_le(header, pg::wal::page_magic(static_cast<pg::major_version>(state.cluster.pg_version / 10000)));
  core::append_le(header,
                  static_cast<std::uint16_t>((is_long ? has_long_header : 0) | (rest > 0 ? continues_record : 0)));
  core::append_le(header, timeline_of_postgres);
  core::append_le(header, page.value);
  core::append_le(header, static_cast<std::uint32_t>(rest));
  core::append_le(header, std::uint32_t{0});
  if (is_long) {
    core::append_le(header, state.cluster.system_id);
    core::append_le(header, state.cluster.wal_segment_size);
    core::append_le(header, static_cast<std::uint32_t>(pg::wal_page_size));
  }
  std::copy_n(header.begin(), std::min(header.size(), to.size()), to.begin());
}

/// A pageserver parses the text (actors/pageserver/ingest/wal_gap.cpp).
core::error not_here(core::lsn at, core::lsn begin) {
  return {core::errc::out_of_range, "WAL at " + to_string(at) + " is no longer on this safekeeper" +
                                        (begin.valid() ? ": its WAL begins at " + to_string(begin) : "")};
}

std::string segment_name(core::lsn at, std::uint32_t segment_size) {
  return pg::files::wal_segment_name(timeline_of_postgres, at, segment_size);
}

bool is_segment_name(const std::string& name) {
  return name.size() == 24 && name.find_first_not_of("0123456789ABCDEF") == std::string::npos;
}

}  // namespace

core::bytes unwritten_prefix(const consensus::acceptor_state& state) {
  const core::lsn begin = segment_begin(state.timeline_start, state.cluster.wal_segment_size);
  core::bytes prefix(state.timeline_start - begin);
  if (prefix.empty()) return prefix;
  const std::size_t last = (prefix.size() - 1) / pg::wal_page_size * pg::wal_page_size;
  put_page_header(prefix, state, begin, last == 0);
  if (last > 0) put_page_header(core::bytes_span(prefix).subspan(last), state, begin + last, true);
  return prefix;
}

core::result<std::size_t> read_local_wal(const timeline_journal& journal, core::lsn from, core::bytes_span to) {
  const auto log = journal.log();
  if (!log) return not_here(from, {});
  if (from >= log->begin()) return log->read(from, to);
  const auto state = journal.state();
  if (log->begin() != state.timeline_start || from < segment_begin(log->begin(), state.cluster.wal_segment_size))
    return not_here(from, log->begin());
  const core::bytes prefix = unwritten_prefix(state);
  const std::size_t offset = prefix.size() - (state.timeline_start - from);
  const std::size_t size = std::min(to.size(), prefix.size() - offset);
  std::copy_n(prefix.begin() + static_cast<std::ptrdiff_t>(offset), size, to.begin());
  return size;
}

std::string wal_archive::directory_of(const core::timeline_key& key) const {
  return directory_ + "/" + core::to_string(key.tenant) + "/" + core::to_string(key.timeline);
}

core::result<void> wal_archive::store(const timeline_view& of, core::lsn begin) const {
  const auto journal = of.journal();
  const std::uint32_t segment_size = journal->state().cluster.wal_segment_size;
  const std::string tenant = core::to_string(of.key().tenant);
  STRATA_TRY(ensure_durable_directory(disk_, directory_, tenant));
  STRATA_TRY(ensure_durable_directory(disk_, directory_ + "/" + tenant, core::to_string(of.key().timeline)));
  const std::string directory = directory_of(of.key());
  const std::string name = segment_name(begin, segment_size);
  // Several safekeepers may write the same segment at once.
  const std::string half = directory + "/" + name + "." + std::to_string(self_.value) + ".tmp";
  STRATA_TRY(disk_.remove(half));
  STRATA_ASSIGN(const auto file, disk_.create(half));
  core::bytes buffer(copy_size);
  for (std::uint64_t done = 0; done < segment_size;) {
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), segment_size - done);
    STRATA_ASSIGN(const std::size_t got,
                  read_local_wal(*journal, begin + done, core::bytes_span(buffer).first(wanted)));
    const core::bytes_view part = core::bytes_view(buffer).first(got);
    STRATA_TRY(file->write(done, std::span(&part, 1)));
    done += got;
  }
  file->sync();
  STRATA_TRY(disk_.rename(half, directory + "/" + name));
  disk_.sync_directory(directory);
  return {};
}

core::result<void> wal_archive::remove_before(const timeline_view& of, core::lsn before) const {
  const std::uint32_t segment_size = of.journal()->state().cluster.wal_segment_size;
  const std::string directory = directory_of(of.key());
  const auto names = disk_.list(directory);
  if (!names && names.error().code == core::errc::not_found) return {};
  if (!names) return names.error();
  const std::string first_kept = segment_name(before, segment_size);
  const std::string half = "." + std::to_string(self_.value) + ".tmp";
  // Names of one length in one timeline of Postgres are in the order of their positions.
  for (const std::string& name : *names)
    if ((is_segment_name(name) && name < first_kept) || name.ends_with(half))
      STRATA_TRY(disk_.remove(directory + "/" + name));
  disk_.sync_directory(directory);
  return {};
}

core::result<void> wal_archive::remove_all(const core::timeline_key& of) const {
  return disk_.remove_directory(directory_of(of));
}

core::result<std::size_t> wal_archive::read(const timeline_view& of, core::lsn from, core::bytes_span to) const {
  const std::uint32_t segment_size = of.journal()->state().cluster.wal_segment_size;
  const core::lsn begin = segment_begin(from, segment_size);
  STRATA_ASSIGN(const auto file, disk_.open(directory_of(of.key()) + "/" + segment_name(begin, segment_size)));
  const std::size_t wanted = std::min<std::uint64_t>(to.size(), segment_size - (from - begin));
  return file->read(from - begin, to.first(wanted));
}

}  // namespace strata::journal
