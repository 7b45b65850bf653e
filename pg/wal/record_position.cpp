#include "pg/wal/record_position.hpp"

namespace strata::pg::wal {
namespace {

constexpr std::uint64_t short_header_size = 24;
constexpr std::uint64_t long_header_size = 40;

}  // namespace

core::lsn position_in_record(core::lsn start, std::uint64_t byte, std::uint32_t segment_size) {
  for (;;) {
    const std::uint64_t left = wal_page_size - start.value % wal_page_size;
    if (byte < left) return start + byte;
    byte -= left;
    const core::lsn page = start + left;
    start = page + (page.value % segment_size == 0 ? long_header_size : short_header_size);
  }
}

}  // namespace strata::pg::wal
