#pragma once

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/client/replication_connection.hpp"

namespace strata::pg::client {

/// A message of a WAL stream: wal_data or keepalive.
core::result<replication_event> parse_stream_message(core::bytes_view message);

/// A message of a base backup in the form of majors from 15 on; nullopt for progress reports and manifests.
core::result<std::optional<replication_event>> parse_backup_message(core::bytes_view message);

core::bytes encode_status(core::lsn written, core::lsn flushed, core::lsn applied, timestamp now, bool reply_requested);

/// A name that Postgres accepts for a replication slot.
bool valid_slot_name(std::string_view name);

std::string base_backup_command(const backup_options& options, major_version major);
std::string create_slot_command(std::string_view name, slot_lifetime lasts, major_version major);

}  // namespace strata::pg::client
