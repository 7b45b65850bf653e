#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/generation.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/page_key.hpp"
#include "core/result.hpp"

/// The bytes of docs/formats/layers.md. Private to the layer files.
namespace strata::storage::block_format {

inline constexpr std::array<std::uint8_t, 8> magic{'S', 't', 'L', 'a', 'y', 'e', 'r', 0x0A};
inline constexpr std::uint32_t version = 2;
inline constexpr std::size_t header_size = 8 + 4;

/// The order of versions in a file, as bytes: the key, then the LSN's complement, big-endian.
inline constexpr std::size_t version_key_size = core::page_key::encoded_size + 8;
inline void encode_version_key(const core::page_key& key, core::lsn at, std::uint8_t* to) {
  key.encode(to);
  core::store_be(to + core::page_key::encoded_size, ~at.value);
}

/// Of a layer's identity (layer_file.hpp).
inline constexpr std::size_t encoded_identity_size = 16 + 16 + 8 + 4 + 1 + 18 + 18 + 8 + 8;

/// The trailer of every block: its encoding (u8), its unpacked size (u32) and a checksum (u64) over payload, encoding
/// and size, seeded with file and offset, so that a misplaced block is detected.
enum class encoding : std::uint8_t { raw = 0, lz4 = 1 };
inline constexpr std::size_t trailer_size = 1 + 4 + 8;

/// Part of every block's checksum.
std::uint64_t file_seed(const core::tenant_id& tenant, const core::timeline_id& timeline, std::uint64_t number,
                        core::generation generation);

/// Appends payload and trailer of a block at `offset`.
void pack(core::bytes_view content, std::uint64_t seed, std::uint64_t offset, bool compress, core::bytes& to);
/// Checks a stored block and returns its content. `detail` begins every error.
core::result<core::bytes> unpack(core::bytes stored, std::uint64_t seed, std::uint64_t offset, const std::string& path);

/// Place of a block in the file.
struct block_place {
  std::uint64_t offset = 0;
  std::uint32_t stored_size = 0;
};

/// The index: for every data block the version key of its first entry and its place.
inline constexpr std::size_t index_entry_size = version_key_size + 8 + 4;
void append_index_entry(core::bytes& to, const core::page_key& key, core::lsn at, block_place place);
block_place place_in_entry(const std::uint8_t* entry);

/// The end of the file.
struct footer {
  core::bytes identity;  ///< encoded_identity_size bytes
  std::uint64_t versions = 0;
  block_place index;
  block_place filter;  ///< stored_size 0: none
};
inline constexpr std::size_t footer_size = encoded_identity_size + 8 + 12 + 12 + 4 + 8;
core::bytes encode(const footer& of);
/// Checks the checksum first, then the version.
core::result<footer> decode_footer(core::bytes_view stored, const std::string& path);

/// Answers "certainly not here" for most missing keys: 32-byte buckets, eight bits set in one bucket per key.
std::uint64_t filter_hash(const core::page_key& key);
core::bytes build_filter(const std::vector<std::uint64_t>& hashes);
bool filter_may_contain(core::bytes_view filter, std::uint64_t hash);

/// Entries of a data block: length of the key prefix shared with the previous entry (u8), the other key bytes, the LSN
/// (same key: distance below the previous entry), the size, the value. Numbers are varints.
class entry_encoder {
 public:
  void restart() { first_ = true; }
  void append(core::bytes& to, const core::page_key& key, core::lsn at, core::bytes_view value);

 private:
  bool first_ = true;
  std::uint8_t key_[core::page_key::encoded_size] = {};
  core::lsn at_;
};

class entry_decoder {
 public:
  entry_decoder() = default;
  explicit entry_decoder(core::bytes_view block) : rest_(block) {}
  /// False at the end of the block, or when the block is invalid: then damaged().
  bool next();
  [[nodiscard]] bool damaged() const { return damaged_; }
  [[nodiscard]] const std::uint8_t* key() const { return key_; }
  [[nodiscard]] core::lsn at() const { return at_; }
  [[nodiscard]] core::bytes_view value() const { return value_; }
  /// Compares the current entry with an encoded version key: below zero when the entry comes before it.
  [[nodiscard]] int compare(const std::uint8_t* key, core::lsn at) const {
    const int keys = std::memcmp(key_, key, core::page_key::encoded_size);
    if (keys != 0) return keys;
    return at_ > at ? -1 : at_ < at ? 1 : 0;
  }

 private:
  bool number(std::uint64_t& to);
  core::bytes_view rest_;
  std::uint8_t key_[core::page_key::encoded_size] = {};
  core::lsn at_;
  core::bytes_view value_;
  bool started_ = false;
  bool damaged_ = false;
};

}  // namespace strata::storage::block_format
