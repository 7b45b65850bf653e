// The stored form, little-endian:
//   u8 manager, u8 info, u8 flags, u32 xid
//   simple:  u32 block                                (only reference 0, fork main)
//   else:    u8 block id, u8 present references, u8 references in the same relation,
//            u16 forks (2 bits each), u32 block for each present reference
//   distant: u8 fork, u32 own block, u32 block of the next reference   (references from number 7 on; none: FFFFFFFF)
//   image:   u16 hole offset, u16 hole length, u8 compression, u16 size, bytes
//   data:    u16 size, bytes
//   main data: the rest

#include "pg/redo/block_record.hpp"

#include <cstring>

#include "core/check.hpp"

namespace strata::pg::redo {

namespace {

constexpr std::uint8_t flag_will_init = 0x01;
constexpr std::uint8_t flag_image = 0x02;
constexpr std::uint8_t flag_data = 0x04;
constexpr std::uint8_t flag_simple = 0x08;
constexpr std::uint8_t known_flags = flag_will_init | flag_image | flag_data | flag_simple;

constexpr std::size_t fixed_size = 7;
constexpr std::size_t masks_size = 5;
constexpr std::size_t distant_size = 9;
constexpr std::size_t image_header_size = 7;

bool is_simple(const block_record& of) {
  if (of.block_id != 0 || !of.addresses[0].present || of.addresses[0].in_fork != fork::main) return false;
  for (std::size_t id = 1; id < of.addresses.size(); ++id)
    if (of.addresses[id].present) return false;
  return true;
}

bool is_distant(const block_record& of) { return of.block_id + std::size_t{1} >= of.addresses.size(); }

std::size_t addresses_size(const block_record& of) {
  if (is_simple(of)) return sizeof(block_number);
  std::size_t size = masks_size;
  for (const auto& address : of.addresses) size += address.present ? sizeof(block_number) : 0;
  return size + (is_distant(of) ? distant_size : 0);
}

/// Writes front to back into a buffer whose size was computed before.
class writer {
 public:
  explicit writer(std::uint8_t* to) : at_(to) {}
  template <class T>
  void put(T value) {
    core::store_le(at_, value);
    at_ += sizeof value;
  }
  void put(core::bytes_view bytes) {
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }

 private:
  std::uint8_t* at_;
};

void encode_addresses(const block_record& of, writer& to) {
  std::uint8_t present = 0, same_relation = 0;
  std::uint16_t forks = 0;
  for (std::size_t id = 0; id < of.addresses.size(); ++id) {
    const auto& address = of.addresses[id];
    if (!address.present) continue;
    present |= static_cast<std::uint8_t>(1u << id);
    same_relation |= static_cast<std::uint8_t>((address.same_relation ? 1u : 0u) << id);
    forks |= static_cast<std::uint16_t>(static_cast<unsigned>(address.in_fork) << 2 * id);
  }
  to.put(of.block_id);
  to.put(present);
  to.put(same_relation);
  to.put(forks);
  for (const auto& address : of.addresses)
    if (address.present) to.put(address.block);
  if (!is_distant(of)) return;
  to.put(static_cast<std::uint8_t>(of.own().in_fork));
  to.put(of.own().block);
  to.put(of.next().present ? of.next().block : invalid_block);
}

void decode_addresses(core::byte_reader& from, block_record& into) {
  into.block_id = from.le<std::uint8_t>();
  const auto present = from.le<std::uint8_t>();
  const auto same_relation = from.le<std::uint8_t>();
  const auto forks = from.le<std::uint16_t>();
  for (std::size_t id = 0; id < into.addresses.size(); ++id) {
    if (!(present >> id & 1)) continue;
    into.addresses[id] = {.present = true,
                          .in_fork = static_cast<fork>(forks >> 2 * id & 3),
                          .same_relation = (same_relation >> id & 1) != 0,
                          .block = from.le<block_number>()};
  }
  if (!is_distant(into)) return;
  const auto in_fork = static_cast<fork>(from.le<std::uint8_t>() & 3);
  into.distant_own = {.present = true, .in_fork = in_fork, .same_relation = true, .block = from.le<block_number>()};
  const auto next = from.le<block_number>();
  into.distant_next = {.present = next != invalid_block, .in_fork = in_fork, .same_relation = true, .block = next};
}

core::error damaged(const char* what) { return {core::errc::corrupt, std::string("decode block record: ") + what}; }

}  // namespace

block_record slice(const wal::record& from, std::size_t index) {
  core::check(index < from.block_count, "slice of a block reference that the record does not have");
  const wal::block_reference& own = from.blocks[index];
  block_record cut;
  cut.manager = from.manager;
  cut.info = from.info;
  cut.xid = from.xid;
  cut.block_id = own.id;
  cut.will_init = own.will_init;
  cut.has_image = own.has_image && own.apply_image;
  if (cut.has_image)
    cut.image = own.image;
  else
    cut.data = own.data;
  cut.main_data = from.main_data;
  for (std::size_t i = 0; i < from.block_count; ++i) {
    const wal::block_reference& other = from.blocks[i];
    const block_record::address address{.present = true,
                                        .in_fork = other.relation.fork,
                                        .same_relation = other.relation.relation == own.relation.relation &&
                                                         other.relation.database == own.relation.database &&
                                                         other.relation.tablespace == own.relation.tablespace,
                                        .block = other.block};
    if (other.id < cut.addresses.size())
      cut.addresses[other.id] = address;
    else if (other.id == own.id)
      cut.distant_own = address;
    else if (other.id == own.id + 1)
      cut.distant_next = address;
  }
  return cut;
}

std::size_t encoded_size(const block_record& of) {
  return fixed_size + addresses_size(of) + (of.has_image ? image_header_size + of.image.stored.size() : 0) +
         (of.data.empty() ? 0 : sizeof(std::uint16_t) + of.data.size()) + of.main_data.size();
}

void encode(const block_record& of, std::uint8_t* to) {
  core::check(of.data.size() <= 0xFFFF && of.image.stored.size() <= 0xFFFF, "block data larger than WAL allows");
  const bool simple = is_simple(of);
  writer out(to);
  out.put(static_cast<std::uint8_t>(of.manager));
  out.put(of.info);
  out.put(static_cast<std::uint8_t>((of.will_init ? flag_will_init : 0) | (of.has_image ? flag_image : 0) |
                                    (of.data.empty() ? 0 : flag_data) | (simple ? flag_simple : 0)));
  out.put(of.xid);
  if (simple)
    out.put(of.addresses[0].block);
  else
    encode_addresses(of, out);
  if (of.has_image) {
    out.put(of.image.hole_offset);
    out.put(of.image.hole_length);
    out.put(static_cast<std::uint8_t>(of.image.compression));
    out.put(static_cast<std::uint16_t>(of.image.stored.size()));
    out.put(of.image.stored);
  }
  if (!of.data.empty()) {
    out.put(static_cast<std::uint16_t>(of.data.size()));
    out.put(of.data);
  }
  out.put(of.main_data);
}

core::result<block_record> decode_block_record(core::bytes_view stored) {
  core::byte_reader from(stored);
  block_record read;
  read.manager = static_cast<wal::resource_manager>(from.le<std::uint8_t>());
  read.info = from.le<std::uint8_t>();
  const auto flags = from.le<std::uint8_t>();
  if (flags & ~known_flags) return damaged("unknown flags");
  read.will_init = flags & flag_will_init;
  read.has_image = flags & flag_image;
  read.xid = from.le<std::uint32_t>();
  if (flags & flag_simple)
    read.addresses[0] = {.present = true, .same_relation = true, .block = from.le<block_number>()};
  else
    decode_addresses(from, read);
  if (read.has_image) {
    read.image.hole_offset = from.le<std::uint16_t>();
    read.image.hole_length = from.le<std::uint16_t>();
    const auto compression = from.le<std::uint8_t>();
    if (compression > static_cast<std::uint8_t>(wal::image_compression::zstd)) return damaged("unknown compression");
    read.image.compression = static_cast<wal::image_compression>(compression);
    read.image.stored = from.take(from.le<std::uint16_t>());
  }
  if (flags & flag_data) read.data = from.take(from.le<std::uint16_t>());
  if (!from.ok()) return damaged("ends too early");
  read.main_data = from.rest();
  return read;
}

}  // namespace strata::pg::redo
