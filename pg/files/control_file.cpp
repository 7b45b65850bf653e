#include "pg/files/control_file.hpp"

#include <algorithm>
#include <string>

#include "pg/crc32c.hpp"
#include "pg/files/start_segment.hpp"
#include "pg/wal/version.hpp"

namespace strata::pg::files {
namespace {

// Offsets in the file, the same in all majors except for the CRC (docs/formats/cluster_files.md).
constexpr std::size_t version_offset = 8;
constexpr std::size_t catalog_version_offset = 12;
constexpr std::size_t checkpoint_copy_offset = 40;
constexpr core::lsn first_unlogged_lsn{1000};

std::size_t crc_offset(major_version major) { return major == major_version::v18 ? 292 : 288; }

core::error corrupt(std::string what) { return {core::errc::corrupt, "read pg_control: " + std::move(what)}; }

core::result<major_version> major_of(core::bytes_view bytes) {
  if (bytes.size() < 296) return corrupt("file has only " + std::to_string(bytes.size()) + " bytes");
  const auto version = core::load_le<std::uint32_t>(bytes.data() + version_offset);
  const auto catalog = core::load_le<std::uint32_t>(bytes.data() + catalog_version_offset);
  for (unsigned number = 14; number <= 18; ++number) {
    const auto major = static_cast<major_version>(number);
    if (wal::control_version(major) == version && wal::catalog_version(major) == catalog) return major;
  }
  return core::error{core::errc::unsupported, "read pg_control: version " + std::to_string(version) +
                                                  ", catalog version " + std::to_string(catalog) +
                                                  " is not that of a released Postgres 14, 15, 16, 17 or 18"};
}

core::result<void> check_crc(core::bytes_view bytes, major_version major) {
  const std::size_t offset = crc_offset(major);
  if (crc32c(bytes.first(offset)) != core::load_le<std::uint32_t>(bytes.data() + offset))
    return corrupt("checksum does not match the contents");
  return {};
}

/// Sizes that are compiled into a server; Strata's formats require the usual ones.
core::result<void> check_build(core::bytes_view bytes) {
  struct fixed {
    std::size_t offset;
    std::uint32_t value;
    const char* name;
  };
  static constexpr fixed usual[] = {{204, 8, "maximum alignment"},
                                    {216, page_size, "block size"},
                                    {220, blocks_per_relation_segment, "blocks per relation segment"},
                                    {224, wal_page_size, "WAL block size"},
                                    {232, 64, "length of names"},
                                    {236, 32, "index columns"},
                                    {240, 1996, "TOAST chunk size"},
                                    {244, 2048, "large object chunk size"}};
  for (const fixed& expected : usual)
    if (const auto found = core::load_le<std::uint32_t>(bytes.data() + expected.offset); found != expected.value)
      return core::error{core::errc::unsupported, std::string("read pg_control: the server was built with a ") +
                                                      expected.name + " of " + std::to_string(found) + "; only " +
                                                      std::to_string(expected.value) + " is supported"};
  if (core::load_le<double>(bytes.data() + 208) != 1234567.0)
    return core::error{core::errc::unsupported, "read pg_control: floating-point format differs from this machine's"};
  const auto segment_size = core::load_le<std::uint32_t>(bytes.data() + 228);
  if (!valid_wal_segment_size(segment_size)) return corrupt("WAL segment size " + std::to_string(segment_size));
  return {};
}

core::result<void> check_enums(core::bytes_view bytes) {
  const auto state = core::load_le<std::uint32_t>(bytes.data() + 16);
  if (state > static_cast<std::uint32_t>(database_state::in_production))
    return corrupt("unknown state " + std::to_string(state));
  const auto level = core::load_le<std::uint32_t>(bytes.data() + 172);
  if (level > static_cast<std::uint32_t>(wal_level::logical))
    return corrupt("unknown wal_level " + std::to_string(level));
  return {};
}

/// Calls `each` with every field that both decode and encode move, and its offset.
template <class Control, class Each>
void for_each_field(Control& of, Each each) {
  each(0, of.system_id);
  each(16, of.state);
  each(24, of.time);
  each(32, of.checkpoint_location.value);
  each(128, of.unlogged_lsn.value);
  each(136, of.minimum_recovery_point.value);
  each(144, of.minimum_recovery_timeline);
  each(152, of.backup_start.value);
  each(160, of.backup_end.value);
  each(168, of.backup_end_required);
  each(172, of.wal_level);
  each(176, of.wal_log_hints);
  each(180, of.max_connections);
  each(184, of.max_worker_processes);
  each(188, of.max_wal_senders);
  each(192, of.max_prepared_transactions);
  each(196, of.max_locks_per_transaction);
  each(200, of.track_commit_timestamp);
}

}  // namespace

core::result<control_file> decode_control_file(core::bytes_view bytes) {
  STRATA_ASSIGN(const major_version major, major_of(bytes));
  STRATA_TRY(check_crc(bytes, major));
  STRATA_TRY(check_build(bytes));
  STRATA_TRY(check_enums(bytes));

  control_file into;
  into.major = major;
  for_each_field(into, [&bytes]<class T>(std::size_t offset, T& field) {
    if constexpr (std::is_same_v<T, bool>)
      field = bytes[offset] != 0;
    else
      field = core::load_le<T>(bytes.data() + offset);
  });
  STRATA_ASSIGN(into.checkpoint_copy, checkpoint::decode(bytes.subspan(checkpoint_copy_offset)));
  into.wal_segment_size = core::load_le<std::uint32_t>(bytes.data() + 228);
  into.data_checksum_version = core::load_le<std::uint32_t>(bytes.data() + 252);
  return into;
}

core::result<core::bytes> encode_control_file(const control_file& of, core::bytes_view original) {
  STRATA_ASSIGN(const major_version major, major_of(original));
  STRATA_TRY(check_crc(original, major));

  const std::size_t crc_at = crc_offset(major);
  core::bytes to(control_file_size);
  std::copy_n(original.begin(), crc_at, to.begin());
  for_each_field(of, [&to]<class T>(std::size_t offset, const T& field) {
    if constexpr (std::is_same_v<T, bool>)
      to[offset] = field ? 1 : 0;
    else
      core::store_le(to.data() + offset, field);
  });
  const auto copy = of.checkpoint_copy.encode();
  std::copy(copy.begin(), copy.end(), to.begin() + checkpoint_copy_offset);
  core::store_le(to.data() + crc_at, crc32c(core::bytes_view(to).first(crc_at)));
  return to;
}

core::result<core::bytes> shut_down_control_file(core::bytes_view original, const checkpoint& copy) {
  STRATA_ASSIGN(control_file control, decode_control_file(original));
  STRATA_ASSIGN(const core::lsn start, record_start_at(copy.redo, control.wal_segment_size));
  if (start != copy.redo)
    return core::error{core::errc::invalid_argument,
                       "derive pg_control: no record starts at the page boundary " + to_string(copy.redo)};
  control.state = database_state::shut_down;
  control.time = copy.time;
  control.checkpoint_location = copy.redo;
  control.checkpoint_copy = copy;
  control.unlogged_lsn = first_unlogged_lsn;
  control.minimum_recovery_point = {};
  control.minimum_recovery_timeline = 0;
  control.backup_start = {};
  control.backup_end = {};
  control.backup_end_required = false;
  return encode_control_file(control, original);
}

}  // namespace strata::pg::files
