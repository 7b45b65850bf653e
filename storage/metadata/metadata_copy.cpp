#include "storage/metadata/metadata_copy.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>

#include "io/file.hpp"

namespace strata::storage {

namespace {

constexpr std::array<std::uint8_t, 8> copy_magic{'S', 't', 'C', 'o', 'p', 'y', '\r', '\n'};
constexpr std::uint32_t copy_version = 3;
constexpr std::size_t checksum_size = 8;
/// Ten times the layers of the largest known timelines.
constexpr std::uint64_t copy_size_max = 256u << 20;

void append_bytes(core::bytes& to, const core::bytes& value) {
  core::append_le(to, static_cast<std::uint32_t>(value.size()));
  core::append(to, value);
}
core::bytes read_bytes(core::byte_reader& from) {
  const core::bytes_view value = from.take(from.le<std::uint32_t>());
  return {value.begin(), value.end()};
}

void append_records(core::bytes& to, const metadata_copy::numbered_records& records) {
  core::append_le(to, static_cast<std::uint32_t>(records.size()));
  for (const auto& [number, record] : records) {
    core::append_le(to, number);
    append_bytes(to, record);
  }
}
metadata_copy::numbered_records read_records(core::byte_reader& from) {
  metadata_copy::numbered_records records;
  for (auto left = from.le<std::uint32_t>(); left > 0 && from.ok(); --left) {
    const auto number = from.le<std::uint64_t>();
    records.emplace_back(number, read_bytes(from));
  }
  return records;
}

template <class Id>
core::result<std::vector<Id>> ids_in(io::disk& on, const std::string& directory) {
  std::vector<Id> ids;
  if (!on.exists(directory)) return ids;
  STRATA_ASSIGN(const std::vector<std::string> names, on.list(directory));
  for (const std::string& name : names)
    if (const auto id = core::parse_id<Id>(name)) ids.push_back(*id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace

core::bytes encode(const metadata_copy& copy) {
  core::bytes to(copy_magic.begin(), copy_magic.end());
  core::append_le(to, copy_version);
  core::append(to, copy.tenant.value);
  core::append(to, copy.timeline.value_or(core::timeline_id{}).value);
  core::append_le(to, copy.edits);
  append_bytes(to, copy.record);
  core::append_le(to, copy.last_layer_number);
  append_records(to, copy.layers);
  append_records(to, copy.side_files);
  core::append_le<std::uint64_t>(to, XXH3_64bits(to.data(), to.size()));
  return to;
}

core::result<metadata_copy> decode_copy(core::bytes_view content, const core::tenant_id& tenant,
                                        const std::optional<core::timeline_id>& timeline) {
  const auto damaged = [](const char* what) { return core::error{core::errc::corrupt, what}; };
  if (content.size() < copy_magic.size() + checksum_size) return damaged("it is too short");
  const core::bytes_view body = content.first(content.size() - checksum_size);
  if (core::load_le<std::uint64_t>(content.data() + body.size()) != XXH3_64bits(body.data(), body.size()))
    return damaged("wrong checksum");
  core::byte_reader from(body);
  const core::bytes_view magic = from.take(copy_magic.size());
  if (!std::equal(magic.begin(), magic.end(), copy_magic.begin())) return damaged("it is not a copy of metadata");
  if (const auto version = from.le<std::uint32_t>(); version != copy_version)
    return core::error{core::errc::unsupported, "it has format version " + std::to_string(version)};
  metadata_copy copy{.tenant = tenant, .timeline = timeline};
  const core::bytes_view owner = from.take(tenant.value.size());
  const core::bytes_view of = from.take(tenant.value.size());
  const core::timeline_id wanted = timeline.value_or(core::timeline_id{});
  if (!std::equal(owner.begin(), owner.end(), tenant.value.begin(), tenant.value.end()) ||
      !std::equal(of.begin(), of.end(), wanted.value.begin(), wanted.value.end()))
    return damaged("it is of another tenant or timeline");
  copy.edits = from.le<std::uint64_t>();
  copy.record = read_bytes(from);
  copy.last_layer_number = from.le<std::uint64_t>();
  copy.layers = read_records(from);
  copy.side_files = read_records(from);
  if (!from.finished()) return damaged("it ends before its content");
  return copy;
}

std::string copy_files::timeline_directory(const core::tenant_id& tenant, const core::timeline_id& timeline) const {
  return directory_ + "/" + to_string(tenant) + "/timelines/" + to_string(timeline);
}

std::string copy_files::path_of(const core::tenant_id& tenant, const std::optional<core::timeline_id>& timeline) const {
  return timeline ? timeline_directory(tenant, *timeline) + "/timeline.copy"
                  : directory_ + "/" + to_string(tenant) + "/tenant.copy";
}

core::result<metadata_copy> copy_files::read(const core::tenant_id& tenant,
                                             const std::optional<core::timeline_id>& timeline) const {
  const std::string path = path_of(tenant, timeline);
  STRATA_ASSIGN(const core::bytes content, io::read_file(*disk_, path, copy_size_max));
  auto copy = decode_copy(content, tenant, timeline);
  if (!copy) return std::move(copy).error().within(path);
  return copy;
}

core::result<void> copy_files::write(const metadata_copy& copy) const {
  const std::string path = path_of(copy.tenant, copy.timeline);
  STRATA_TRY(io::make_directories(*disk_, io::parent_of(path)));
  STRATA_ASSIGN(io::new_file created, io::new_file::create(path + io::temporary_suffix, *disk_));
  STRATA_TRY(created.append(encode(copy)));
  return created.commit(path);
}

core::result<void> copy_files::remove(const core::tenant_id& tenant,
                                      const std::optional<core::timeline_id>& timeline) const {
  const std::string path = path_of(tenant, timeline);
  if (!disk_->exists(path)) return {};
  STRATA_TRY(disk_->remove(path));
  disk_->sync_directory(io::parent_of(path));
  return {};
}

core::result<std::vector<core::tenant_id>> copy_files::tenants() const {
  return ids_in<core::tenant_id>(*disk_, directory_);
}

core::result<std::vector<core::timeline_id>> copy_files::timelines(const core::tenant_id& tenant) const {
  return ids_in<core::timeline_id>(*disk_, directory_ + "/" + to_string(tenant) + "/timelines");
}

}  // namespace strata::storage
