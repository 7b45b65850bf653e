#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "core/bytes.hpp"
#include "core/ids.hpp"
#include "core/result.hpp"
#include "pg/wire/pagestream.hpp"

namespace strata::page_files {

/// The client's side of one page stream of version 4, from the start-up packet on (docs/formats/wire.md): the bytes to
/// send, and the answers in the bytes that came. No system calls. Memory: one response of `pages_max` pages and the
/// unsent requests.
class page_stream {
 public:
  /// Start-up packet, command and requests go out without a wait for the answers in between, which saves two round
  /// trips. A server that refuses the command skips the requests.
  page_stream(const core::tenant_id& tenant, const core::timeline_id& timeline, std::uint32_t pages_max);

  void ask(const pg::wire::pagestream_request& request);
  [[nodiscard]] core::bytes_view output() const { return core::bytes_view(output_).subspan(sent_); }
  /// So much of the output has been sent.
  void sent(std::size_t count);

  /// Where the server's next bytes go, at least one. Precondition: next() has returned none. Invalidates answers.
  [[nodiscard]] core::bytes_span room();
  void received(std::size_t count) { end_ += count; }
  /// The payload of the next answer, none when more bytes are needed; valid until room(). errc::corrupt for bytes that
  /// are not this protocol, errc::unavailable when the server refuses or ends the stream. No further calls after an
  /// error.
  core::result<std::optional<core::bytes_view>> next();
  /// The server has accepted the command; answers follow.
  [[nodiscard]] bool opened() const { return opened_; }

 private:
  core::bytes output_;
  std::size_t sent_ = 0;
  std::size_t capacity_;
  std::unique_ptr<std::uint8_t[]> input_;  ///< not initialized: a page of memory is used when bytes come
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool opened_ = false;
};

}  // namespace strata::page_files
