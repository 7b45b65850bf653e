#include "storage/mapping/database_rows.hpp"

#include <algorithm>

#include "pg/page/malformed.hpp"
#include "pg/page/page.hpp"
#include "pg/redo/heap_format.hpp"

namespace strata::storage::mapping {
namespace {

namespace tuple = pg::redo::tuple;
using pg::files::clog_status;
using pg::page::item_state;

/// Beside those of pg/redo/heap_format.hpp, which redo does not need.
constexpr std::uint16_t xmin_committed = 0x0100;
constexpr std::uint16_t xmin_invalid = 0x0200;
/// Both bits: frozen.
constexpr std::uint16_t xmin_bits = xmin_committed | xmin_invalid;

/// Columns of a row. In 14 two more names are before the limit.
constexpr std::size_t name_at = 4;
constexpr std::size_t name_size = 64;
constexpr std::int32_t dropped_limit = -2;
constexpr std::size_t limit_at(pg::major_version major) { return major == pg::major_version::v14 ? 208 : 80; }

std::optional<bool> committed(std::uint32_t xid, const transaction_end& end_of) {
  // The first two numbers mean the time of initdb and frozen.
  constexpr std::uint32_t first_normal_xid = 3;
  if (xid < first_normal_xid) return xid != 0;
  const auto end = end_of(xid);
  if (!end || *end == clog_status::sub_committed) return std::nullopt;
  // Without a server, what is in progress never ends, unless it is prepared, which no change of pg_database can be.
  return *end == clog_status::committed;
}

/// nullopt: can't be told.
std::optional<bool> is_visible(core::bytes_view row, const transaction_end& end_of) {
  const auto mask = core::load_le<std::uint16_t>(row.data() + tuple::infomask);
  if ((mask & pg::redo::moved) != 0) return std::nullopt;
  if ((mask & xmin_bits) == xmin_invalid) return false;
  if ((mask & xmin_bits) == 0) {
    const auto inserted = committed(core::load_le<std::uint32_t>(row.data() + tuple::xmin), end_of);
    if (!inserted || !*inserted) return inserted;
  }
  if ((mask & (pg::redo::xmax_invalid | pg::redo::xmax_lock_only)) != 0) return true;
  if ((mask & pg::redo::xmax_is_multi) != 0) return std::nullopt;
  if ((mask & pg::redo::xmax_committed) != 0) return false;
  const auto deleted = committed(core::load_le<std::uint32_t>(row.data() + tuple::xmax), end_of);
  return deleted ? std::optional(!*deleted) : std::nullopt;
}

}  // namespace

core::result<std::vector<database_row>> databases_on(core::bytes_view page, pg::major_version major,
                                                     const transaction_end& end_of) {
  const auto corrupt = [](const char* what) {
    return core::error{core::errc::corrupt, std::string("read pg_database: ") + what};
  };
  std::vector<database_row> found;
  core::bytes copy(page.begin(), page.end());
  try {
    const pg::page::slotted_page read{copy};
    if (read.is_new()) return found;
    for (pg::page::item_number at = 1; at <= read.item_count(); ++at) {
      if (read.pointer(at).state() != item_state::normal) continue;
      const core::bytes_view row = read.item(at).view();
      if (row.size() <= tuple::header_size) return corrupt("a row is too short");
      const std::size_t data = row[tuple::data_offset];
      if (row.size() < data + limit_at(major) + 4) return corrupt("a row is too short");
      if (!is_visible(row, end_of).value_or(false)) continue;
      const core::bytes_view columns = row.subspan(data);
      if (core::load_le<std::int32_t>(columns.data() + limit_at(major)) == dropped_limit) continue;
      const core::bytes_view name = columns.subspan(name_at, name_size);
      found.push_back({core::load_le<std::uint32_t>(columns.data()),
                       {name.begin(), std::find(name.begin(), name.end(), std::uint8_t{0})}});
    }
  } catch (const pg::page::malformed& damage) {
    return corrupt(damage.what());
  }
  return found;
}

}  // namespace strata::storage::mapping
