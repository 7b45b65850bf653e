#include "storage/mapping/gzip_stream.hpp"

#include <zlib.h>

#include <array>
#include <limits>

#include "core/check.hpp"

namespace strata::storage::mapping {

struct gzip_stream::state {
  z_stream stream{};
  std::array<std::uint8_t, 64u << 10> packed{};
};

gzip_stream::gzip_stream() : state_(std::make_unique<state>()) {
  constexpr int gzip_window_bits = MAX_WBITS + 16;
  constexpr int memory_level = 8;
  const int begun =
      deflateInit2(&state_->stream, Z_BEST_SPEED, Z_DEFLATED, gzip_window_bits, memory_level, Z_DEFAULT_STRATEGY);
  core::check(begun == Z_OK, "zlib accepts our parameters");
}

gzip_stream::~gzip_stream() { deflateEnd(&state_->stream); }

void gzip_stream::pack(core::bytes_view from, bool last, core::bytes& to) {
  core::check(from.size() <= std::numeric_limits<uInt>::max(), "gzip takes at most 4 GiB at once");
  z_stream& stream = state_->stream;
  stream.next_in = const_cast<Bytef*>(from.data());  // NOLINT: zlib's interface lacks the const
  stream.avail_in = static_cast<uInt>(from.size());
  int status = Z_OK;
  do {
    stream.next_out = state_->packed.data();
    stream.avail_out = static_cast<uInt>(state_->packed.size());
    status = deflate(&stream, last ? Z_FINISH : Z_NO_FLUSH);
    core::append(to, core::bytes_view(state_->packed).first(state_->packed.size() - stream.avail_out));
  } while (stream.avail_out == 0);
  core::check(last ? status == Z_STREAM_END : stream.avail_in == 0, "zlib consumes all input");
}

}  // namespace strata::storage::mapping
