#include "pg/files/relation_manifest.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "core/check.hpp"
#include "pg/crc32c.hpp"

namespace strata::pg::files {
namespace {

constexpr std::uint64_t magic = 0x54'53'49'4C'4C'45'52'53;  // "SRELLIST"
constexpr std::uint16_t version = 1;
constexpr std::size_t header_size = 24;
constexpr std::size_t checksum_size = 4;
constexpr std::size_t segment_name_size = 24;

void append_varint(core::bytes& to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) to.push_back(static_cast<std::uint8_t>(value | 0x80));
  to.push_back(static_cast<std::uint8_t>(value));
}

/// Above 2^35, the largest number that is written, when it is malformed or longer than it has to be.
constexpr std::uint64_t malformed = std::numeric_limits<std::uint64_t>::max();
std::uint64_t read_varint(core::byte_reader& from) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 42; shift += 7) {
    const auto byte = from.le<std::uint8_t>();
    if (!from.ok() || (byte == 0 && shift != 0)) return malformed;
    value |= std::uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
  return malformed;
}

std::uint64_t number_in_directory(const relation_fork& of) {
  return std::uint64_t{of.relation} << 2 | static_cast<std::uint8_t>(of.fork);
}

core::error corrupt(const std::string& what) { return {core::errc::corrupt, "read relation manifest: " + what}; }

class decoder {
 public:
  explicit decoder(core::bytes_view body) : reader_(body) {}

  core::result<std::vector<sparse_file>> segments() {
    STRATA_ASSIGN(const std::uint32_t count, number_of_32_bits("number of segments"));
    std::vector<sparse_file> found;
    for (std::uint32_t i = 0; i < count; ++i) {
      STRATA_ASSIGN(sparse_file each, segment());
      if (!found.empty() && each.name <= found.back().name) return corrupt("segments are not in order");
      found.push_back(std::move(each));
    }
    return found;
  }

  core::result<std::vector<listed_fork>> forks(std::uint32_t count) {
    // A fork takes two bytes at least: a count that is too large can't make this allocate much.
    if (count > reader_.left() / 2) return corrupt("more forks than bytes");
    forks_.reserve(count);
    while (reader_.left() != 0) STRATA_TRY(directory());
    if (forks_.size() != count) return corrupt("another number of forks");
    return std::move(forks_);
  }

 private:
  core::result<sparse_file> segment() {
    sparse_file found;
    const core::bytes_view name = reader_.take(segment_name_size);
    const auto digit = [](std::uint8_t c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
    if (name.empty() || !std::ranges::all_of(name, digit)) return corrupt("invalid name of a segment");
    found.name.assign(name.begin(), name.end());
    STRATA_ASSIGN(const std::uint32_t size, number_of_32_bits("size of a segment"));
    if (!valid_wal_segment_size(size)) return corrupt("invalid size of a segment");
    found.size = size;
    STRATA_ASSIGN(const std::uint32_t pieces, number_of_32_bits("number of pieces"));
    std::uint64_t end = 0;
    for (std::uint32_t i = 0; i < pieces; ++i) {
      STRATA_ASSIGN(const std::uint32_t offset, number_of_32_bits("offset of a piece"));
      STRATA_ASSIGN(const std::uint32_t length, number_of_32_bits("length of a piece"));
      if (length == 0 || offset < end || offset > size || length > size - offset) return corrupt("invalid piece");
      const core::bytes_view bytes = reader_.take(length);
      if (!reader_.ok()) return corrupt("a piece ends early");
      end = std::uint64_t{offset} + length;
      found.pieces.push_back({offset, {bytes.begin(), bytes.end()}});
    }
    return found;
  }

  core::result<void> directory() {
    relation_fork of;
    STRATA_ASSIGN(of.tablespace, number_of_32_bits("tablespace"));
    STRATA_ASSIGN(of.database, number_of_32_bits("database"));
    if (of.tablespace == 0 || (of.tablespace == global_tablespace) != (of.database == 0))
      return corrupt("no database " + std::to_string(of.database) + " in tablespace " + std::to_string(of.tablespace));
    if (!forks_.empty()) {
      const relation_fork& last = forks_.back().relation;
      if (std::pair(of.tablespace, of.database) <= std::pair(last.tablespace, last.database))
        return corrupt("directories are not in order");
    }
    STRATA_ASSIGN(const std::uint32_t count, number_of_32_bits("number of forks"));
    if (count == 0) return corrupt("a directory without forks");
    std::uint64_t number = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint64_t step = read_varint(reader_);
      if (step == 0 || step > std::uint64_t{1} << 34) return corrupt("forks are not in order");
      number += step;
      if (number >> 34 != 0 || number >> 2 == 0) return corrupt("no such relation number");
      of.relation = static_cast<oid>(number >> 2);
      of.fork = static_cast<pg::fork>(number & 3);
      STRATA_ASSIGN(const std::uint32_t blocks, number_of_32_bits("number of blocks"));
      files_ += files_of(blocks);
      if (files_ > relation_manifest::files_max) return corrupt("too many files");
      forks_.push_back({of, blocks});
    }
    return {};
  }

  core::result<std::uint32_t> number_of_32_bits(const char* what) {
    const std::uint64_t value = read_varint(reader_);
    if (value > std::numeric_limits<std::uint32_t>::max()) return corrupt(std::string("invalid ") + what);
    return static_cast<std::uint32_t>(value);
  }

  core::byte_reader reader_;
  std::vector<listed_fork> forks_;
  std::uint64_t files_ = 0;
};

}  // namespace

core::bytes encode_relation_manifest(const relation_manifest& manifest) {
  core::bytes to;
  to.reserve(header_size + 4 * manifest.forks.size() + checksum_size);
  core::append_le(to, magic);
  core::append_le(to, version);
  core::append_le(to, static_cast<std::uint16_t>(manifest.major));
  core::append_le(to, static_cast<std::uint32_t>(manifest.forks.size()));
  core::append_le(to, manifest.at.value);
  append_varint(to, manifest.segments.size());
  for (const sparse_file& segment : manifest.segments) {
    core::check(segment.name.size() == segment_name_size, "a segment has a name of Postgres");
    to.insert(to.end(), segment.name.begin(), segment.name.end());
    append_varint(to, segment.size);
    append_varint(to, segment.pieces.size());
    for (const sparse_file::piece& piece : segment.pieces) {
      append_varint(to, piece.offset);
      append_varint(to, piece.bytes.size());
      core::append(to, piece.bytes);
    }
  }
  for (std::size_t first = 0; first < manifest.forks.size();) {
    const relation_fork& of = manifest.forks[first].relation;
    std::size_t end = first;
    while (end < manifest.forks.size() && manifest.forks[end].relation.tablespace == of.tablespace &&
           manifest.forks[end].relation.database == of.database)
      ++end;
    append_varint(to, of.tablespace);
    append_varint(to, of.database);
    append_varint(to, end - first);
    std::uint64_t last = 0;
    for (; first < end; ++first) {
      const listed_fork& each = manifest.forks[first];
      core::check(first == 0 || manifest.forks[first - 1].relation < each.relation, "listed forks are in order");
      append_varint(to, number_in_directory(each.relation) - last);
      append_varint(to, each.blocks);
      last = number_in_directory(each.relation);
    }
  }
  core::append_le(to, crc32c(to));
  return to;
}

core::result<relation_manifest> decode_relation_manifest(core::bytes_view file) {
  if (file.size() < header_size + checksum_size) return corrupt("it is too short");
  const core::bytes_view covered = file.first(file.size() - checksum_size);
  if (crc32c(covered) != core::load_le<std::uint32_t>(file.data() + covered.size())) return corrupt("wrong checksum");
  core::byte_reader reader(covered);
  if (reader.le<std::uint64_t>() != magic) return corrupt("wrong magic number");
  const auto stored_version = reader.le<std::uint16_t>();
  if (stored_version != version) return corrupt("unknown version " + std::to_string(stored_version));
  relation_manifest manifest;
  const auto major = reader.le<std::uint16_t>();
  if (major < static_cast<std::uint16_t>(major_version::v14) || major > static_cast<std::uint16_t>(major_version::v18))
    return corrupt("unknown major version " + std::to_string(major));
  manifest.major = static_cast<major_version>(major);
  const auto count = reader.le<std::uint32_t>();
  manifest.at = core::lsn(reader.le<std::uint64_t>());
  if (!manifest.at.valid()) return corrupt("no LSN");
  decoder body(reader.rest());
  STRATA_ASSIGN(manifest.segments, body.segments());
  STRATA_ASSIGN(manifest.forks, body.forks(count));
  return manifest;
}

}  // namespace strata::pg::files
