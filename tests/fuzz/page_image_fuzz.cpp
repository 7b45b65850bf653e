// Restoring a full-page image: whatever is stored, the whole page is written, or the image is refused. pglz is compared
// with a plain reading of its format.

#include <algorithm>
#include <optional>

#include "pg/wal/record.hpp"
#include "tests/fuzz/inputs.hpp"
#include "tests/fuzz/support.hpp"

namespace strata::tests::fuzz {

namespace {

using pg::wal::image_compression;

constexpr core::lsn end(0x123456789AB8);

/// Byte by byte: control bytes whose bits, from the lowest, tell copies of earlier bytes from plain ones.
std::optional<core::bytes> plainly_decompressed(core::bytes_view packed, std::size_t size) {
  core::bytes out;
  std::size_t at = 0;
  while (at < packed.size() && out.size() < size) {
    const unsigned control = packed[at++];
    for (unsigned bit = 0; bit < 8 && at < packed.size() && out.size() < size; ++bit) {
      if ((control >> bit & 1) == 0) {
        out.push_back(packed[at++]);
        continue;
      }
      if (packed.size() - at < 2) return {};
      std::size_t length = (packed[at] & 0x0Fu) + 3;
      const std::size_t distance = (packed[at] & 0xF0u) << 4 | packed[at + 1];
      at += 2;
      if (length == 18) {
        if (at == packed.size()) return {};
        length += packed[at++];
      }
      if (distance == 0 || distance > out.size() || length > size - out.size()) return {};
      for (std::size_t i = 0; i < length; ++i) out.push_back(out[out.size() - distance]);
    }
  }
  if (at != packed.size() || out.size() != size) return {};
  return out;
}

void compare_with_plain_reading(const pg::wal::page_image& image, bool restored, core::bytes_view page) {
  constexpr std::size_t lsn_size = 8;
  const auto plain = plainly_decompressed(image.stored, pg::page_size - image.hole_length);
  demand(plain.has_value() == restored, "pglz accepts what its format allows");
  if (!plain) return;
  core::bytes expected(*plain);
  expected.insert(expected.begin() + image.hole_offset, image.hole_length, 0);
  demand(equal(page.subspan(lsn_size), core::bytes_view(expected).subspan(lsn_size)), "pglz gives what was packed");
}

}  // namespace

}  // namespace strata::tests::fuzz

using namespace strata;
using namespace strata::tests::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  core::byte_reader reader({data, size});
  pg::wal::page_image image;
  image.compression = static_cast<image_compression>(reader.le<std::uint8_t>() % 4);
  image.hole_offset = reader.le<std::uint16_t>();
  image.hole_length = reader.le<std::uint16_t>();
  const exact_copy stored(reader.rest());
  image.stored = stored.view();

  exact_copy page(core::bytes(pg::page_size, 0x00)), other(core::bytes(pg::page_size, 0xFF), 1);
  const auto restored = pg::wal::restore_image(image, end, page.span());
  const auto again = pg::wal::restore_image(image, end, other.span());
  demand(restored.has_value() == again.has_value(), "the outcome is always the same");
  if (!restored) demand_refusal(restored.error());
  if (restored) {
    demand(equal(page.view(), other.view()), "nothing of the page before shows through");
    const auto hole = page.view().subspan(image.hole_offset, image.hole_length);
    const bool lsn_in_hole = image.hole_offset < 8;
    demand(lsn_in_hole || std::ranges::all_of(hole, [](std::uint8_t byte) { return byte == 0; }), "the hole is zeros");
    const bool is_new = core::load_le<std::uint16_t>(page.view().data() + 14) == 0;
    demand(is_new || core::load_le<std::uint32_t>(page.view().data() + 4) == static_cast<std::uint32_t>(end.value),
           "the page has the record's LSN");
  }
  if (image.compression == image_compression::pglz &&
      std::size_t{image.hole_offset} + image.hole_length <= pg::page_size)
    compare_with_plain_reading(image, restored.has_value(), page.view());
  return 0;
}
