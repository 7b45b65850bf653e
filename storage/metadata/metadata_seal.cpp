#include "storage/metadata/metadata_seal.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <vector>

#include "io/file.hpp"

namespace strata::storage {

namespace {

constexpr std::uint8_t value_version = 1;
constexpr std::array<std::uint8_t, 8> place_magic{'S', 't', 'S', 'e', 'a', 'l', '\r', '\n'};
constexpr std::uint32_t place_version = 1;
constexpr std::size_t name_size_max = 512;

void append_seal(core::bytes& to, const tenant_seal& seal) {
  core::append_le(to, seal.edits);
  core::append_le(to, seal.records);
  core::append_le(to, seal.content.low);
  core::append_le(to, seal.content.high);
}
tenant_seal read_seal(core::byte_reader& from) {
  tenant_seal seal;
  seal.edits = from.le<std::uint64_t>();
  seal.records = from.le<std::uint64_t>();
  seal.content.low = from.le<std::uint64_t>();
  seal.content.high = from.le<std::uint64_t>();
  return seal;
}

core::bytes encode_place(const core::tenant_id& tenant, const filed_seal& seal) {
  core::bytes to(place_magic.begin(), place_magic.end());
  core::append_le(to, place_version);
  core::append(to, tenant.value);
  append_seal(to, seal.seal);
  const std::size_t size = std::min(seal.name.size(), name_size_max);
  core::append_le(to, static_cast<std::uint16_t>(size));
  to.insert(to.end(), seal.name.begin(), seal.name.begin() + static_cast<std::ptrdiff_t>(size));
  core::append_le<std::uint64_t>(to, XXH3_64bits(to.data(), to.size()));
  return to;
}

std::optional<filed_seal> decode_place(const core::tenant_id& tenant, core::bytes_view place) {
  core::byte_reader from(place);
  const core::bytes_view magic = from.take(place_magic.size());
  const auto version = from.le<std::uint32_t>();
  const core::bytes_view owner = from.take(tenant.value.size());
  filed_seal found;
  found.seal = read_seal(from);
  const core::bytes_view name = from.take(from.le<std::uint16_t>());
  const std::size_t size = place.size() - from.left();
  const auto checksum = from.le<std::uint64_t>();
  if (!from.ok() || !std::equal(magic.begin(), magic.end(), place_magic.begin()) || version != place_version ||
      !std::equal(owner.begin(), owner.end(), tenant.value.begin()) || checksum != XXH3_64bits(place.data(), size))
    return std::nullopt;
  found.name.assign(name.begin(), name.end());
  return found;
}

std::string text_of(const tenant_seal& seal) {
  return "edit " + std::to_string(seal.edits) + " with " + std::to_string(seal.records) + " records";
}

}  // namespace

void content_digest::add(const content_digest& of) {
  low += of.low;
  high += of.high + (low < of.low ? 1 : 0);
}

void content_digest::subtract(const content_digest& of) {
  high -= of.high + (low < of.low ? 1 : 0);
  low -= of.low;
}

content_digest digest_of(metadata_family family, std::string_view key, core::bytes_view value) {
  core::bytes record;
  record.reserve(key.size() + value.size() + 5);
  record.push_back(static_cast<std::uint8_t>(family));
  core::append_le(record, static_cast<std::uint32_t>(key.size()));
  record.insert(record.end(), key.begin(), key.end());
  core::append(record, value);
  const XXH128_hash_t hash = XXH3_128bits(record.data(), record.size());
  return {hash.low64, hash.high64};
}

void tenant_seal::add(metadata_family family, std::string_view key, core::bytes_view value) {
  ++records;
  content.add(digest_of(family, key, value));
}

void tenant_seal::subtract(metadata_family family, std::string_view key, core::bytes_view value) {
  --records;
  content.subtract(digest_of(family, key, value));
}

core::bytes encode(const stored_seal& seal) {
  core::bytes to{value_version};
  append_seal(to, seal.now);
  append_seal(to, seal.before);
  return to;
}

core::result<stored_seal> decode_seal(core::bytes_view value) {
  core::byte_reader from(value);
  const auto version = from.le<std::uint8_t>();
  stored_seal seal;
  seal.now = read_seal(from);
  seal.before = read_seal(from);
  if (!from.finished()) return core::error{core::errc::corrupt, "the seal in RocksDB is damaged"};
  if (version != value_version)
    return core::error{core::errc::unsupported, "the seal in RocksDB has version " + std::to_string(version)};
  return seal;
}

seal_verdict judge(const tenant_seal& found, const std::optional<stored_seal>& stored,
                   const std::optional<filed_seal>& filed) {
  using kind = seal_verdict::kind;
  const auto damaged = [](std::string why) { return seal_verdict{kind::damaged, std::move(why)}; };
  if (!stored) {
    if (found.records > 0) return damaged("it has " + std::to_string(found.records) + " records and no seal");
    if (!filed || filed->seal.records == 0) return {kind::gone, ""};
    return damaged("its records are gone; acknowledged was " + text_of(filed->seal));
  }
  if (!found.same_content(stored->now))
    return damaged("its " + std::to_string(found.records) + " records are not those of " + text_of(stored->now));
  if (!filed) {
    // The file is removed once no record is left, and created by the first edit.
    if (stored->now.records == 0) return {kind::gone, ""};
    if (stored->now.edits == 1) return {kind::ahead, ""};
    return damaged("its seal is missing");
  }
  if (stored->now == filed->seal) return {stored->now.records == 0 ? kind::gone : kind::whole, ""};
  if (stored->now.edits == filed->seal.edits + 1 && stored->before == filed->seal) return {kind::ahead, ""};
  if (stored->now.edits < filed->seal.edits)
    return damaged("its records end with edit " + std::to_string(stored->now.edits) + ", acknowledged was " +
                   text_of(filed->seal));
  return damaged("its records are " + text_of(stored->now) + ", acknowledged was " + text_of(filed->seal));
}

std::string seal_files::path_of(const core::tenant_id& tenant) const { return directory_ + "/" + to_string(tenant); }

core::result<void> seal_files::make_directory() const {
  STRATA_TRY(io::make_directories(*disk_, directory_));
  // The directory may exist and not be durable yet.
  disk_->sync_directory(io::parent_of(directory_));
  return {};
}

core::result<std::map<core::tenant_id, core::result<filed_seal>>> seal_files::load() const {
  std::map<core::tenant_id, core::result<filed_seal>> all;
  if (!disk_->exists(directory_)) return all;
  STRATA_ASSIGN(const std::vector<std::string> names, disk_->list(directory_));
  for (const std::string& name : names)
    if (const auto tenant = core::parse_id<core::tenant_id>(name)) all.emplace(*tenant, read(*tenant));
  return all;
}

core::result<filed_seal> seal_files::read(const core::tenant_id& tenant) const {
  const std::string path = path_of(tenant);
  STRATA_ASSIGN(const auto file, disk_->open_for_reading(path));
  core::bytes content(2 * place_size);
  STRATA_ASSIGN(const std::size_t size, file->read(0, content));
  std::optional<filed_seal> newest;
  for (std::size_t at = 0; at < size; at += place_size) {
    auto found = decode_place(tenant, core::bytes_view(content).subspan(at, std::min(place_size, size - at)));
    if (found && (!newest || newest->seal.edits < found->seal.edits)) newest = std::move(found);
  }
  if (!newest) return core::error{core::errc::corrupt, "its seal " + path + " is damaged"};
  return *std::move(newest);
}

core::result<void> seal_files::write(const core::tenant_id& tenant, const filed_seal& seal) const {
  const std::string path = path_of(tenant);
  const core::bytes place = encode_place(tenant, seal);
  const std::size_t at = seal.seal.edits % 2 * place_size;
  auto file = disk_->open(path);
  if (!file) {
    if (file.error().code != core::errc::not_found) return std::move(file).error();
    core::bytes whole(2 * place_size);
    std::copy(place.begin(), place.end(), whole.begin() + static_cast<std::ptrdiff_t>(at));
    STRATA_ASSIGN(io::new_file created, io::new_file::create(path + io::temporary_suffix, *disk_));
    STRATA_TRY(created.append(whole));
    return created.commit(path);
  }
  const std::array<core::bytes_view, 1> part{place};
  STRATA_TRY((*file)->write(at, part));
  return (*file)->sync_unreserved();
}

core::result<void> seal_files::remove(const core::tenant_id& tenant) const {
  STRATA_TRY(disk_->remove(path_of(tenant)));
  disk_->sync_directory(directory_);
  return {};
}

}  // namespace strata::storage
