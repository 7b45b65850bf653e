#pragma once

#include <functional>
#include <memory>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace strata::storage::mapping {

/// Unpacks a stream in the gzip format, of one or several members.
class gunzip_stream {
 public:
  using sink = std::function<core::result<void>(core::bytes_view)>;

  gunzip_stream();
  ~gunzip_stream();
  gunzip_stream(const gunzip_stream&) = delete;
  gunzip_stream& operator=(const gunzip_stream&) = delete;

  /// Hands over what the bytes unpack to, in bounded parts. errc::corrupt when they are not in the format.
  core::result<void> unpack(core::bytes_view from, const sink& to);
  /// Whether the input may end here.
  [[nodiscard]] bool complete() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace strata::storage::mapping
