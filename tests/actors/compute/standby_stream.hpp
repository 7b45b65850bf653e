#pragma once

#include <memory>

#include "actors/compute/protocol.hpp"
#include "tests/support/wal_builder.hpp"

namespace strata::tests {

/// WAL of a branch, and a standby that begins on its second page, at `record`.
struct standby_stream {
  standby_stream() {
    wal.append({.main_data = core::bytes(9000, 1)});
    record = wal.append({.xid = 77, .main_data = core::bytes(200, 2)}).start;
    wal.append({.main_data = core::bytes(20'000, 3)});
    pg::files::start_point at;
    at.position = record;
    at.system_id = 4711;
    at.counters.next_xid = 815;
    at.counters.oldest_active_xid = 41;
    auto made = pg::files::standby_segments(at);
    if (!made) throw std::runtime_error(made.error().detail);
    of.view = std::make_shared<pg::files::standby_view>(*std::move(made), pg::default_wal_segment_size);
    of.system_id = 4711;
  }
  [[nodiscard]] core::bytes bytes(core::lsn from, std::size_t count) {
    const auto found = core::bytes_view(wal.stream()).subspan(from - wal.start(), count);
    return {found.begin(), found.end()};
  }
  [[nodiscard]] core::lsn end() const { return wal.position(); }

  wal_builder wal{{.start = core::lsn(3 * pg::default_wal_segment_size)}};
  core::lsn record;
  actors::compute::follow_from of;
};

}  // namespace strata::tests
