#include "storage/mapping/gunzip_stream.hpp"

#include <zlib.h>

#include <array>
#include <limits>

#include "core/check.hpp"

namespace strata::storage::mapping {

struct gunzip_stream::state {
  z_stream stream{};
  bool in_member = true;
  std::array<std::uint8_t, 64u << 10> unpacked{};
};

gunzip_stream::gunzip_stream() : state_(std::make_unique<state>()) {
  constexpr int gzip_window_bits = MAX_WBITS + 16;
  core::check(inflateInit2(&state_->stream, gzip_window_bits) == Z_OK, "zlib accepts our parameters");
}

gunzip_stream::~gunzip_stream() { inflateEnd(&state_->stream); }

bool gunzip_stream::complete() const { return !state_->in_member; }

core::result<void> gunzip_stream::unpack(core::bytes_view from, const sink& to) {
  core::check(from.size() <= std::numeric_limits<uInt>::max(), "gzip takes at most 4 GiB at once");
  z_stream& stream = state_->stream;
  stream.next_in = const_cast<Bytef*>(from.data());  // NOLINT: zlib's interface lacks the const
  stream.avail_in = static_cast<uInt>(from.size());
  bool is_full = false;
  while (stream.avail_in > 0 || is_full) {
    if (!state_->in_member) {
      core::check(inflateReset(&stream) == Z_OK, "zlib's stream is open");
      state_->in_member = true;
    }
    stream.next_out = state_->unpacked.data();
    stream.avail_out = static_cast<uInt>(state_->unpacked.size());
    const int status = inflate(&stream, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
      return core::error{core::errc::corrupt, "unpack gzip: " + std::string(stream.msg ? stream.msg : "invalid data")};
    const std::size_t made = state_->unpacked.size() - stream.avail_out;
    if (made > 0) STRATA_TRY(to(core::bytes_view(state_->unpacked).first(made)));
    state_->in_member = status != Z_STREAM_END;
    is_full = state_->in_member && stream.avail_out == 0;
  }
  return {};
}

}  // namespace strata::storage::mapping
