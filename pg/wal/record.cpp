#include "pg/wal/record.hpp"

#include <string>

namespace strata::pg::wal {
namespace {

constexpr std::uint8_t id_origin = 253;
constexpr std::uint8_t id_top_level_xid = 252;
constexpr std::uint8_t id_main_data_long = 254;
constexpr std::uint8_t id_main_data_short = 255;
constexpr std::uint8_t last_built_in_manager = 21;

constexpr std::uint8_t fork_mask = 0x0F;
constexpr std::uint8_t block_has_image = 0x10;
constexpr std::uint8_t block_has_data = 0x20;
constexpr std::uint8_t block_will_init = 0x40;
constexpr std::uint8_t block_same_relation = 0x80;

constexpr std::uint8_t image_has_hole = 0x01;

/// The other bits of an image's info byte; 14 numbers them differently.
struct image_bits {
  std::uint8_t apply;
  std::uint8_t pglz;
  std::uint8_t lz4;
  std::uint8_t zstd;
};
constexpr image_bits image_bits_of(major_version major) {
  return major == major_version::v14 ? image_bits{0x04, 0x02, 0, 0} : image_bits{0x02, 0x04, 0x08, 0x10};
}

/// Parses the headers inside a record, then assigns the payloads. `fault_` is why it failed, or nullptr.
class record_parser {
 public:
  record_parser(core::bytes_view bytes, image_bits bits, record& into)
      : reader_(bytes.subspan(record_header_size)), bits_(bits), into_(into) {}

  const char* run() {
    read_headers();
    if (!fault_ && !reader_.ok()) fault_ = "its headers are cut off";
    if (!fault_ && reader_.left() != promised_) fault_ = "its payload does not have the length in its headers";
    if (!fault_) hand_out_payloads();
    return fault_;
  }

 private:
  void read_headers() {
    while (!fault_ && reader_.left() > promised_) {
      const auto id = reader_.le<std::uint8_t>();
      if (id < block_references_max) {
        read_block_header(id);
      } else if (id == id_main_data_short) {
        return promise_main_data(reader_.le<std::uint8_t>());
      } else if (id == id_main_data_long) {
        return promise_main_data(reader_.le<std::uint32_t>());
      } else if (id == id_origin) {
        into_.origin = reader_.le<std::uint16_t>();
      } else if (id == id_top_level_xid) {
        into_.top_level_xid = reader_.le<std::uint32_t>();
      } else {
        fault_ = "it has a header of unknown kind";
      }
    }
  }

  void promise_main_data(std::uint32_t length) {
    main_data_length_ = length;
    promised_ += length;
  }

  void read_block_header(std::uint8_t id) {
    const auto index = into_.block_count;
    if (index != 0 && into_.blocks[index - 1].id >= id) {
      fault_ = "its block references are out of order";
      return;
    }
    auto& block = into_.blocks[index];
    const auto flags = reader_.le<std::uint8_t>();
    const auto data_length = reader_.le<std::uint16_t>();
    if ((flags & fork_mask) >= fork_count) {
      fault_ = "a block reference names an unknown fork";
      return;
    }
    block.id = id;
    block.relation.fork = static_cast<fork>(flags & fork_mask);
    block.has_image = (flags & block_has_image) != 0;
    block.will_init = (flags & block_will_init) != 0;
    block.has_data = (flags & block_has_data) != 0;
    block.apply_image = false;
    if (block.has_data != (data_length != 0)) {
      fault_ = "a block reference contradicts itself about data";
      return;
    }
    lengths_[index].data = data_length;
    promised_ += data_length;
    if (block.has_image)
      read_image_header(block, lengths_[index].image);
    else
      block.image = {};
    read_relation(block, (flags & block_same_relation) != 0);
    block.block = reader_.le<std::uint32_t>();
    ++into_.block_count;
  }

  void read_relation(block_reference& block, bool same) {
    if (!same) {
      block.relation.tablespace = reader_.le<std::uint32_t>();
      block.relation.database = reader_.le<std::uint32_t>();
      block.relation.relation = reader_.le<std::uint32_t>();
      return;
    }
    if (into_.block_count == 0) {
      fault_ = "its first block reference refers to an earlier one";
      return;
    }
    const auto& before = into_.blocks[into_.block_count - 1].relation;
    block.relation.tablespace = before.tablespace;
    block.relation.database = before.database;
    block.relation.relation = before.relation;
  }

  void read_image_header(block_reference& block, std::uint16_t& length) {
    auto& image = block.image;
    length = reader_.le<std::uint16_t>();
    image.hole_offset = reader_.le<std::uint16_t>();
    const auto info = reader_.le<std::uint8_t>();
    promised_ += length;
    const bool has_hole = (info & image_has_hole) != 0;
    const auto codec = static_cast<std::uint8_t>(info & (bits_.pglz | bits_.lz4 | bits_.zstd));
    const bool known = (info & ~(image_has_hole | bits_.apply | codec)) == 0;
    block.apply_image = (info & bits_.apply) != 0;
    image.compression = compression_of(codec);
    const bool compressed = image.compression != image_compression::none;
    image.hole_length = 0;
    if (has_hole) {
      if (compressed)
        image.hole_length = reader_.le<std::uint16_t>();
      else if (length <= page_size)
        image.hole_length = static_cast<std::uint16_t>(page_size - length);
    }
    const bool hole_fits = has_hole ? image.hole_offset > 0 && image.hole_length > 0 &&
                                          std::size_t{image.hole_offset} + image.hole_length <= page_size
                                    : image.hole_offset == 0;
    const bool length_fits = compressed || has_hole ? length < page_size : length == page_size;
    if (!known || !hole_fits || !length_fits) fault_ = "the header of a page image is invalid";
  }

  image_compression compression_of(std::uint8_t codec) {
    if (codec == 0) return image_compression::none;
    if (codec == bits_.pglz) return image_compression::pglz;
    if (codec == bits_.lz4) return image_compression::lz4;
    if (codec == bits_.zstd) return image_compression::zstd;
    fault_ = "a page image is compressed in two ways";
    return image_compression::none;
  }

  void hand_out_payloads() {
    for (std::size_t i = 0; i < into_.block_count; ++i) {
      auto& block = into_.blocks[i];
      if (block.has_image) block.image.stored = reader_.take(lengths_[i].image);
      block.data = reader_.take(lengths_[i].data);
    }
    into_.main_data = reader_.take(main_data_length_);
  }

  struct payload_lengths {
    std::uint16_t image;
    std::uint16_t data;
  };

  core::byte_reader reader_;
  image_bits bits_;
  record& into_;
  std::uint64_t promised_ = 0;
  std::uint32_t main_data_length_ = 0;
  const char* fault_ = nullptr;
  // Uninitialised on purpose: the entries in use are written before they are read.
  std::array<payload_lengths, block_references_max> lengths_;
};

core::error malformed(core::lsn start, const char* fault) {
  return {core::errc::corrupt, "parse the record at " + core::to_string(start) + ": " + fault};
}

}  // namespace

const block_reference* record::block(std::uint8_t id) const {
  for (std::size_t i = 0; i < block_count; ++i)
    if (blocks[i].id == id) return &blocks[i];
  return nullptr;
}

core::result<void> parse_record(core::bytes_view bytes, core::lsn start, core::lsn end, major_version major,
                                record& into) {
  if (bytes.size() < record_header_size || core::load_le<std::uint32_t>(bytes.data()) != bytes.size())
    return malformed(start, "its length is not the one in its header");
  const std::uint8_t manager = bytes[17];
  const bool known =
      manager <= last_built_in_manager || (manager >= first_custom_manager && major > major_version::v14);
  if (!known) return malformed(start, "it belongs to an unknown resource manager");
  into.start = start;
  into.end = end;
  into.xid = core::load_le<std::uint32_t>(bytes.data() + 4);
  into.previous = core::lsn(core::load_le<std::uint64_t>(bytes.data() + 8));
  into.info = bytes[16];
  into.manager = static_cast<resource_manager>(manager);
  into.top_level_xid = 0;
  into.origin = 0;
  into.block_count = 0;
  if (const char* fault = record_parser(bytes, image_bits_of(major), into).run()) return malformed(start, fault);
  return {};
}

}  // namespace strata::pg::wal
