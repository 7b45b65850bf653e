#include "storage/layers/block_layer_format.hpp"

#include <lz4.h>
#include <xxhash.h>

#include <algorithm>
#include <array>

namespace strata::storage::block_format {

namespace {

/// Upper bound of a block's unpacked size: more than any value we write.
constexpr std::uint32_t content_size_max = 1u << 30;
constexpr std::size_t lz4_ratio_max = 256;
constexpr std::size_t filter_bits_per_key = 12;
constexpr std::size_t bucket_size = 32;

core::error corrupt_block(const std::string& path, std::uint64_t offset, const char* what) {
  return {core::errc::corrupt, "read layer " + path + ": block at offset " + std::to_string(offset) + ": " + what};
}

std::uint64_t block_seed(std::uint64_t seed, std::uint64_t offset) { return seed ^ offset * 0x9E3779B97F4A7C15u; }

constexpr std::size_t varint_size_max = 10;
std::uint8_t* put_varint(std::uint8_t* to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<std::uint8_t>(value | 0x80);
  *to++ = static_cast<std::uint8_t>(value);
  return to;
}

}  // namespace

std::uint64_t file_seed(const core::tenant_id& tenant, const core::timeline_id& timeline, std::uint64_t number,
                        core::generation generation) {
  core::bytes raw;
  core::append(raw, tenant.value);
  core::append(raw, timeline.value);
  core::append_le(raw, number);
  core::append_le(raw, generation.value);
  return XXH3_64bits(raw.data(), raw.size());
}

void pack(core::bytes_view content, std::uint64_t seed, std::uint64_t offset, bool compress, core::bytes& to) {
  const std::size_t start = to.size();
  encoding used = encoding::raw;
  if (compress) {
    const int bound = LZ4_compressBound(static_cast<int>(content.size()));
    to.resize(start + static_cast<std::size_t>(bound));
    const int packed =
        LZ4_compress_default(reinterpret_cast<const char*>(content.data()), reinterpret_cast<char*>(to.data() + start),
                             static_cast<int>(content.size()), bound);
    // Unpacking is only worth it if it saves an eighth.
    if (packed > 0 && static_cast<std::size_t>(packed) < content.size() - content.size() / 8) {
      used = encoding::lz4;
      to.resize(start + static_cast<std::size_t>(packed));
    } else {
      to.resize(start);
    }
  }
  if (used == encoding::raw) core::append(to, content);
  to.push_back(static_cast<std::uint8_t>(used));
  core::append_le(to, static_cast<std::uint32_t>(content.size()));
  core::append_le<std::uint64_t>(to,
                                 XXH3_64bits_withSeed(to.data() + start, to.size() - start, block_seed(seed, offset)));
}

core::result<core::bytes> unpack(core::bytes stored, std::uint64_t seed, std::uint64_t offset,
                                 const std::string& path) {
  if (stored.size() < trailer_size) return corrupt_block(path, offset, "too short");
  const std::size_t checked = stored.size() - 8;
  if (XXH3_64bits_withSeed(stored.data(), checked, block_seed(seed, offset)) !=
      core::load_le<std::uint64_t>(&stored[checked]))
    return corrupt_block(path, offset, "wrong checksum");
  const auto used = static_cast<encoding>(stored[checked - 5]);
  const auto size = core::load_le<std::uint32_t>(&stored[checked - 4]);
  const std::size_t payload = stored.size() - trailer_size;
  if (used == encoding::raw && size == payload) {
    stored.resize(payload);
    return stored;
  }
  if (used != encoding::lz4 || size > content_size_max || size > payload * lz4_ratio_max)
    return corrupt_block(path, offset, "unknown encoding or impossible size");
  core::bytes content(size);
  const int unpacked =
      LZ4_decompress_safe(reinterpret_cast<const char*>(stored.data()), reinterpret_cast<char*>(content.data()),
                          static_cast<int>(payload), static_cast<int>(size));
  if (unpacked < 0 || static_cast<std::uint32_t>(unpacked) != size)
    return corrupt_block(path, offset, "does not decompress");
  return content;
}

void append_index_entry(core::bytes& to, const core::page_key& key, core::lsn at, block_place place) {
  const std::size_t start = to.size();
  to.resize(start + index_entry_size);
  encode_version_key(key, at, &to[start]);
  core::store_le(&to[start + version_key_size], place.offset);
  core::store_le(&to[start + version_key_size + 8], place.stored_size);
}

block_place place_in_entry(const std::uint8_t* entry) {
  return {core::load_le<std::uint64_t>(entry + version_key_size),
          core::load_le<std::uint32_t>(entry + version_key_size + 8)};
}

core::bytes encode(const footer& of) {
  core::bytes to = of.identity;
  core::append_le(to, of.versions);
  for (const block_place& place : {of.index, of.filter}) {
    core::append_le(to, place.offset);
    core::append_le(to, place.stored_size);
  }
  core::append_le(to, version);
  core::append_le<std::uint64_t>(to, XXH3_64bits(to.data(), to.size()));
  return to;
}

core::result<footer> decode_footer(core::bytes_view stored, const std::string& path) {
  if (stored.size() != footer_size ||
      XXH3_64bits(stored.data(), footer_size - 8) != core::load_le<std::uint64_t>(&stored[footer_size - 8]))
    return core::error{core::errc::corrupt, "open layer " + path + ": its last " + std::to_string(footer_size) +
                                                " bytes have a wrong checksum"};
  core::byte_reader from(stored);
  footer of;
  const core::bytes_view identity = from.take(encoded_identity_size);
  of.identity.assign(identity.begin(), identity.end());
  of.versions = from.le<std::uint64_t>();
  for (block_place* place : {&of.index, &of.filter}) {
    place->offset = from.le<std::uint64_t>();
    place->stored_size = from.le<std::uint32_t>();
  }
  if (const auto found = from.le<std::uint32_t>(); found != version)
    return core::error{core::errc::unsupported,
                       "open layer " + path + ": format version " + std::to_string(found) + " is not supported"};
  return of;
}

std::uint64_t filter_hash(const core::page_key& key) {
  std::array<std::uint8_t, core::page_key::encoded_size> raw{};
  key.encode(raw.data());
  return XXH3_64bits(raw.data(), raw.size());
}

namespace {

constexpr std::array<std::uint32_t, 8> salts{0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                             0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};

std::size_t bucket_of(std::uint64_t hash, std::size_t buckets) { return ((hash >> 32) * buckets) >> 32; }

}  // namespace

core::bytes build_filter(const std::vector<std::uint64_t>& hashes) {
  const std::size_t buckets = std::max<std::size_t>(1, hashes.size() * filter_bits_per_key / (bucket_size * 8));
  core::bytes filter(buckets * bucket_size);
  for (std::uint64_t hash : hashes) {
    std::uint8_t* bucket = &filter[bucket_of(hash, buckets) * bucket_size];
    for (std::size_t i = 0; i < salts.size(); ++i) {
      const std::uint32_t bit = (static_cast<std::uint32_t>(hash) * salts[i]) >> 27;
      bucket[i * 4 + bit / 8] |= static_cast<std::uint8_t>(1u << bit % 8);
    }
  }
  return filter;
}

bool filter_may_contain(core::bytes_view filter, std::uint64_t hash) {
  const std::size_t buckets = filter.size() / bucket_size;
  if (buckets == 0) return true;
  const std::uint8_t* bucket = filter.data() + bucket_of(hash, buckets) * bucket_size;
  for (std::size_t i = 0; i < salts.size(); ++i) {
    const std::uint32_t bit = (static_cast<std::uint32_t>(hash) * salts[i]) >> 27;
    if ((bucket[i * 4 + bit / 8] >> bit % 8 & 1) == 0) return false;
  }
  return true;
}

void entry_encoder::append(core::bytes& to, const core::page_key& key, core::lsn at, core::bytes_view value) {
  std::uint8_t raw[core::page_key::encoded_size];
  key.encode(raw);
  std::size_t shared = 0;
  if (!first_)
    while (shared < sizeof raw && raw[shared] == key_[shared]) ++shared;
  std::uint8_t head[1 + sizeof raw + 2 * varint_size_max];
  std::uint8_t* end = head;
  *end++ = static_cast<std::uint8_t>(shared);
  end = std::copy(raw + shared, raw + sizeof raw, end);
  end = put_varint(end, shared == sizeof raw ? at_ - at : at.value);
  end = put_varint(end, value.size());
  to.insert(to.end(), head, end);
  to.insert(to.end(), value.begin(), value.end());
  std::copy(std::begin(raw), std::end(raw), key_);
  at_ = at;
  first_ = false;
}

bool entry_decoder::number(std::uint64_t& to) {
  to = 0;
  for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const std::uint8_t byte = rest_[0];
    rest_ = rest_.subspan(1);
    to |= std::uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool entry_decoder::next() {
  if (rest_.empty()) return false;
  damaged_ = true;
  const std::size_t shared = rest_[0];
  constexpr std::size_t key_size = core::page_key::encoded_size;
  if (shared > (started_ ? key_size : 0) || rest_.size() < 1 + key_size - shared) return false;
  std::copy_n(rest_.begin() + 1, key_size - shared, key_ + shared);
  rest_ = rest_.subspan(1 + key_size - shared);
  std::uint64_t position = 0;
  std::uint64_t size = 0;
  if (!number(position) || !number(size) || rest_.size() < size) return false;
  if (shared == key_size && position > at_.value) return false;
  at_ = shared == key_size ? at_ - position : core::lsn(position);
  value_ = rest_.first(size);
  rest_ = rest_.subspan(size);
  started_ = true;
  damaged_ = false;
  return true;
}

}  // namespace strata::storage::block_format
