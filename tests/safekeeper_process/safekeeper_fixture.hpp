#pragma once

#include "tests/support/strata_server.hpp"
#include "tests/support/wal_builder.hpp"
#include "tests/support/wal_clients.hpp"

namespace strata::tests {

inline consensus::configuration only(const safekeeper_process& one, std::uint32_t generation = 1) {
  consensus::configuration made;
  made.generation = generation;
  made.members = {one.member()};
  return made;
}

/// WAL of one timeline that grows.
class growing_wal {
 public:
  explicit growing_wal(core::lsn start = core::lsn(0x1000028))
      : builder_({.start = start, .system_id = test_system_id}) {}

  /// At least so many bytes more; gives where they begin.
  core::lsn grow(std::size_t bytes) {
    const core::lsn from = builder_.position();
    while (builder_.position() - from < bytes)
      builder_.append({.manager = pg::wal::resource_manager::xlog,
                       .info = 0x20,
                       .main_data = core::bytes(2000 + builder_.stream().size() % 5000, 0x5A)});
    return from;
  }
  [[nodiscard]] core::lsn start() const { return builder_.start(); }
  [[nodiscard]] core::lsn end() const { return builder_.position(); }
  [[nodiscard]] core::bytes_view from(core::lsn at) {
    return core::bytes_view(builder_.stream()).subspan(at - start());
  }

 private:
  wal_builder builder_;
};

inline core::lsn lsn_of(const nlohmann::json& in, const char* name) { return lsn_from(in.at(name).get<std::string>()); }

}  // namespace strata::tests
