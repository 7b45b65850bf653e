#include <lz4.h>
#include <zstd.h>

#include <cstring>
#include <memory>
#include <string>

#include "core/check.hpp"
#include "pg/wal/pglz.hpp"
#include "pg/wal/record.hpp"

namespace strata::pg::wal {
namespace {

constexpr std::size_t upper_offset = 14;  // pd_upper; 0 on a page that was never initialised

bool decompress_lz4(core::bytes_view stored, core::bytes_span into) {
  const int size =
      LZ4_decompress_safe(reinterpret_cast<const char*>(stored.data()), reinterpret_cast<char*>(into.data()),
                          static_cast<int>(stored.size()), static_cast<int>(into.size()));
  return size >= 0 && static_cast<std::size_t>(size) == into.size();
}

bool decompress_zstd(core::bytes_view stored, core::bytes_span into) {
  struct release {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  // A context is 95 KiB, and creating one costs more than decompressing a page.
  thread_local const std::unique_ptr<ZSTD_DCtx, release> context(ZSTD_createDCtx());
  core::check(context != nullptr, "memory for a zstd context");
  const std::size_t size = ZSTD_decompressDCtx(context.get(), into.data(), into.size(), stored.data(), stored.size());
  return !ZSTD_isError(size) && size == into.size();
}

bool unpack(const page_image& image, core::bytes_span into) {
  switch (image.compression) {
    case image_compression::none:
      if (image.stored.size() != into.size()) return false;
      if (!into.empty()) std::memcpy(into.data(), image.stored.data(), into.size());
      return true;
    case image_compression::pglz: return decompress_pglz(image.stored, into);
    case image_compression::lz4: return decompress_lz4(image.stored, into);
    case image_compression::zstd: return decompress_zstd(image.stored, into);
  }
  return false;
}

const char* name_of(image_compression compression) {
  switch (compression) {
    case image_compression::none: return "uncompressed";
    case image_compression::pglz: return "pglz";
    case image_compression::lz4: return "lz4";
    case image_compression::zstd: return "zstd";
  }
  return "unknown";
}

core::error does_not_fit(const page_image& image, core::lsn end) {
  return {core::errc::corrupt, "restore the page image of the record that ends at " + core::to_string(end) + ": " +
                                   std::to_string(image.stored.size()) + " " + name_of(image.compression) +
                                   " bytes with a hole of " + std::to_string(image.hole_length) + " at " +
                                   std::to_string(image.hole_offset) + " do not make a page"};
}

}  // namespace

core::result<void> restore_image(const page_image& image, core::lsn end, core::bytes_span page) {
  core::check(page.size() == page_size, "an image is restored into one page");
  const std::size_t hole_offset = image.hole_offset;
  const std::size_t hole_length = image.hole_length;
  if (hole_offset + hole_length > page_size) return does_not_fit(image, end);

  // The parts around the hole are decompressed in sequence; then the second one moves to its place.
  if (!unpack(image, page.first(page_size - hole_length))) return does_not_fit(image, end);
  if (hole_length != 0) {
    std::uint8_t* const hole = page.data() + hole_offset;
    std::memmove(hole + hole_length, hole, page_size - hole_length - hole_offset);
    std::memset(hole, 0, hole_length);
  }
  if (core::load_le<std::uint16_t>(page.data() + upper_offset) != 0) {
    core::store_le(page.data(), static_cast<std::uint32_t>(end.value >> 32));
    core::store_le(page.data() + 4, static_cast<std::uint32_t>(end.value));
  }
  return {};
}

}  // namespace strata::pg::wal
