#include "pg/client/stream_messages.hpp"

#include <algorithm>
#include <charconv>

namespace strata::pg::client {
namespace {

core::error corrupt(std::string what) { return {core::errc::corrupt, "read replication stream: " + std::move(what)}; }

/// Text up to its NUL; the reader fails if there is none.
std::string_view take_string(core::byte_reader& reader) {
  const core::bytes_view rest = reader.rest();
  const auto end = std::find(rest.begin(), rest.end(), std::uint8_t{0});
  const auto size = static_cast<std::size_t>(end - rest.begin());
  const core::bytes_view text = reader.take(size + 1);
  return text.empty() ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text.data()), size);
}

core::result<archive_started> parse_new_archive(core::byte_reader& reader) {
  const std::string_view name = take_string(reader);
  take_string(reader);  // the tablespace's path on the server
  if (!reader.finished()) return corrupt("start of an archive");
  if (name == "base.tar") return archive_started{};
  archive_started started;
  const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), started.tablespace);
  if (failure != std::errc{} || started.tablespace == 0 || std::string_view(end, name.data() + name.size()) != ".tar")
    return corrupt("name of an archive");
  return started;
}

std::string quoted(std::string_view text, char quote) {
  std::string to(1, quote);
  for (const char c : text) {
    if (c == quote) to += quote;
    to += c;
  }
  return to + quote;
}

}  // namespace

core::result<replication_event> parse_stream_message(core::bytes_view message) {
  core::byte_reader reader(message);
  const auto kind = reader.le<std::uint8_t>();
  if (kind == 'w') {
    wal_data data;
    data.start = core::lsn(reader.be<std::uint64_t>());
    data.server_end = core::lsn(reader.be<std::uint64_t>());
    data.sent = static_cast<timestamp>(reader.be<std::uint64_t>());
    data.bytes = reader.rest();
    if (!reader.ok()) return corrupt("WAL message of " + std::to_string(message.size()) + " bytes");
    return replication_event(data);
  }
  if (kind != 'k') return corrupt("unknown message");
  keepalive alive;
  alive.server_end = core::lsn(reader.be<std::uint64_t>());
  alive.sent = static_cast<timestamp>(reader.be<std::uint64_t>());
  alive.reply_requested = reader.le<std::uint8_t>() != 0;
  if (!reader.finished()) return corrupt("keepalive of " + std::to_string(message.size()) + " bytes");
  return replication_event(alive);
}

core::result<std::optional<replication_event>> parse_backup_message(core::bytes_view message) {
  core::byte_reader reader(message);
  switch (reader.le<std::uint8_t>()) {
    case 'n': {
      STRATA_ASSIGN(const archive_started started, parse_new_archive(reader));
      return std::optional(replication_event(started));
    }
    case 'd': return std::optional(replication_event(archive_data{reader.rest()}));
    case 'p': return std::optional<replication_event>{};
    default: return corrupt("unknown message of a base backup");
  }
}

core::bytes encode_status(core::lsn written, core::lsn flushed, core::lsn applied, timestamp now,
                          bool reply_requested) {
  core::bytes to;
  core::append_be(to, static_cast<std::uint8_t>('r'));
  core::append_be(to, written.value);
  core::append_be(to, flushed.value);
  core::append_be(to, applied.value);
  core::append_be(to, static_cast<std::uint64_t>(now));
  core::append_be(to, static_cast<std::uint8_t>(reply_requested));
  return to;
}

bool valid_slot_name(std::string_view name) {
  return !name.empty() && name.size() < 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::string base_backup_command(const backup_options& options, major_version major) {
  // We stream WAL ourselves, so neither WAL files nor waiting for the archiver; links come as tablespace_map because
  // tar headers limit their length. But with it Postgres 15 leaves out tablespaces that are directories in pg_tblspc
  // (allow_in_place_tablespaces); 14 has none, and 16 sends them as archives of their own.
  const std::string label = quoted(options.label, '\'');
  if (major >= major_version::v15)
    return "BASE_BACKUP (LABEL " + label + ", PROGRESS, " + (major >= major_version::v16 ? "TABLESPACE_MAP, " : "") +
           "WAIT false, CHECKPOINT '" + (options.fast_checkpoint ? "fast" : "spread") + "')";
  return "BASE_BACKUP LABEL " + label + " PROGRESS" + (options.fast_checkpoint ? " FAST" : "") +
         " NOWAIT TABLESPACE_MAP";
}

std::string create_slot_command(std::string_view name, slot_lifetime lasts, major_version major) {
  return "CREATE_REPLICATION_SLOT " + quoted(name, '"') + (lasts == slot_lifetime::connection ? " TEMPORARY" : "") +
         " PHYSICAL" + (major >= major_version::v15 ? " (RESERVE_WAL)" : " RESERVE_WAL");
}

}  // namespace strata::pg::client
