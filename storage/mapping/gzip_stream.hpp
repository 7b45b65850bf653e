#pragma once

#include <memory>

#include "core/bytes.hpp"

namespace strata::storage::mapping {

/// Packs a stream into the gzip format, fast rather than small.
class gzip_stream {
 public:
  gzip_stream();
  ~gzip_stream();
  gzip_stream(const gzip_stream&) = delete;
  gzip_stream& operator=(const gzip_stream&) = delete;

  /// Appends what is ready; some of it may come with a later call. The last call says so and appends all that is left.
  void pack(core::bytes_view from, bool last, core::bytes& to);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace strata::storage::mapping
