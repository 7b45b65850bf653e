#pragma once

#include <memory>

#include "core/bytes.hpp"

namespace strata::storage::mapping {

/// Compresses a stream in the gzip format, fast rather than small.
class gzip_stream {
 public:
  gzip_stream();
  ~gzip_stream();
  gzip_stream(const gzip_stream&) = delete;
  gzip_stream& operator=(const gzip_stream&) = delete;

  /// Appends finished output; the rest comes with later calls. The call with `last` appends all of it.
  void pack(core::bytes_view from, bool last, core::bytes& to);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace strata::storage::mapping
