#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/wire/frames.hpp"

namespace strata::pg::wire {

/// A client of the WAL service and its timeline, from its start-up packet.
struct wal_client {
  std::optional<core::tenant_id> tenant;
  std::optional<core::timeline_id> timeline;
  std::string application_name;
};
/// The timeline is in the parameter `options`: "-c tenant_id=<hex> -c timeline_id=<hex>", each also without -c, with
/// "--" before it, or spelled ztenantid and ztimelineid. errc::invalid_argument for an invalid id. Other options and
/// parameters are ignored.
core::result<wal_client> parse_wal_client(const startup_parameters& parameters);

/// The commands of the WAL service in a simple query (docs/formats/wire.md). Words are case-insensitive.
struct start_wal_push {
  std::uint32_t protocol_version = 2;  ///< 2: the form without options
  bool allow_timeline_creation = true;
};
struct start_wal_stream {
  core::lsn from;
  std::uint32_t timeline = 1;         ///< of Postgres
  std::optional<std::uint64_t> term;  ///< flushed WAL, as long as the term is this one
};
struct identify_system {};
struct timeline_status {};
struct show_setting {
  std::string name;  ///< in lower case
};
/// "set ..." and similar commands, which clients send by themselves; accepted without effect.
struct set_nothing {};
using wal_command =
    std::variant<start_wal_push, start_wal_stream, identify_system, timeline_status, show_setting, set_nothing>;

/// errc::unsupported for an unknown command, errc::invalid_argument for wrong arguments.
core::result<wal_command> parse_wal_command(std::string_view query);

}  // namespace strata::pg::wire
