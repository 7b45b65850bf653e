#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "pg/files/slru.hpp"
#include "pg/types.hpp"

namespace strata::storage::mapping {

/// pg_database, whose file pg_filenode.map names.
inline constexpr pg::oid database_catalog = 1262;

struct database_row {
  pg::oid id = 0;
  std::string name;
};

/// How a transaction ended; nullopt: that is not known any more.
using transaction_end = std::function<std::optional<pg::files::clog_status>(pg::transaction_id)>;

/// The rows on a page of pg_database that every session of a server sees, after it was shut down. Left out are those of
/// which that can't be told, and those of a DROP DATABASE that was interrupted: their files may be gone. errc::corrupt
/// for what is no page of that table.
core::result<std::vector<database_row>> databases_on(core::bytes_view page, pg::major_version major,
                                                     const transaction_end& end_of);

}  // namespace strata::storage::mapping
