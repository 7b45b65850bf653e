#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/wire/pagestream.hpp"

namespace strata::pg::wire {

/// The commands of the page service in a simple query (docs/formats/wire.md). Words are
/// case-insensitive.
struct open_pagestream {
  pagestream_version version{};
  core::tenant_id tenant;
  core::timeline_id timeline;
};
struct send_backup {
  core::tenant_id tenant;
  core::timeline_id timeline;
  core::lsn at;       ///< 0: the newest
  bool full = false;  ///< fullbackup
  bool gzip = false;
};
struct lease {
  core::tenant_id tenant;
  core::timeline_id timeline;
  core::lsn at;
};
/// "set ...", which drivers send by themselves; accepted without effect.
struct set_variable {};
using command = std::variant<open_pagestream, send_backup, lease, set_variable>;

/// errc::unsupported for an unknown command (and for the first pagestream version), errc::invalid_argument for wrong
/// arguments.
core::result<command> parse_command(std::string_view query);

}  // namespace strata::pg::wire
