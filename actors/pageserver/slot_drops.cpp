#include "actors/pageserver/slot_drops.hpp"

#include <algorithm>
#include <filesystem>

#include "io/file.hpp"
#include "pg/crc32c.hpp"

namespace strata::actors::pageserver {
namespace {

constexpr std::uint8_t format_version = 1;
constexpr std::size_t file_size_max = 1u << 20;

void append_text(core::bytes& to, const std::string& text) {
  core::append_le(to, static_cast<std::uint32_t>(text.size()));
  to.insert(to.end(), text.begin(), text.end());
}
std::string read_text(core::byte_reader& from) {
  const core::bytes_view text = from.take(from.le<std::uint32_t>());
  return {text.begin(), text.end()};
}

}  // namespace

std::optional<slot_drop> slot_drop_of(const storage::timeline_record& removed) {
  if (!removed.source || removed.major < pg::major_version::v15) return std::nullopt;
  const auto& source = *removed.source;
  const core::lsn told = source.received ? source.received->begin : removed.disk_consistent_lsn;
  if (!told.valid()) return std::nullopt;
  return slot_drop{source.conninfo, source.slot, removed.system_id, told};
}

core::result<slot_drops> slot_drops::decode(core::bytes_view bytes) {
  const core::error damaged{core::errc::corrupt, "it is damaged"};
  if (bytes.size() < 5) return damaged;
  const auto body = bytes.first(bytes.size() - 4);
  if (pg::crc32c(body) != core::load_le<std::uint32_t>(bytes.data() + body.size())) return damaged;
  core::byte_reader from(body);
  if (const auto version = from.le<std::uint8_t>(); version != format_version)
    return core::error{core::errc::unsupported, "it has version " + std::to_string(version)};
  slot_drops drops;
  for (auto left = from.le<std::uint16_t>(); left > 0 && from.ok(); --left) {
    slot_drop each{.conninfo = read_text(from), .slot = read_text(from)};
    each.system_id = from.le<std::uint64_t>();
    each.last_told = core::lsn(from.le<std::uint64_t>());
    drops.all_.push_back(std::move(each));
  }
  if (!from.finished() || drops.all_.size() > count_max) return damaged;
  return drops;
}

core::bytes slot_drops::encode() const {
  core::bytes to{format_version};
  core::append_le(to, static_cast<std::uint16_t>(all_.size()));
  for (const slot_drop& each : all_) {
    append_text(to, each.conninfo);
    append_text(to, each.slot);
    core::append_le(to, each.system_id);
    core::append_le(to, each.last_told.value);
  }
  core::append_le(to, pg::crc32c(to));
  return to;
}

void slot_drops::add(slot_drop drop) {
  std::erase_if(all_,
                [&](const slot_drop& each) { return each.slot == drop.slot && each.system_id == drop.system_id; });
  if (all_.size() == count_max) all_.erase(all_.begin());
  all_.push_back(std::move(drop));
}

bool slot_drops::forget(const std::string& slot, std::uint64_t system_id) {
  return std::erase_if(all_, [&](const slot_drop& each) { return each.slot == slot && each.system_id == system_id; }) >
         0;
}

core::result<slot_drops> load_slot_drops(const std::string& path) {
  std::error_code failure;
  const auto size = std::filesystem::file_size(path, failure);
  if (failure == std::errc::no_such_file_or_directory) return slot_drops();
  if (failure) return core::from_errno("read " + path, failure.value());
  if (size > file_size_max) return core::error{core::errc::corrupt, "read " + path + ": it is too large"};
  STRATA_ASSIGN(const auto file, io::real_disk().open_for_reading(path));
  core::bytes bytes(size);
  STRATA_TRY(io::read_at(*file, 0, bytes, path));
  auto drops = slot_drops::decode(bytes);
  if (!drops) return core::error(drops.error()).within("read " + path);
  return drops;
}

core::result<void> store_slot_drops(const std::string& path, const slot_drops& drops) {
  STRATA_ASSIGN(auto file, io::new_file::create(path + io::temporary_suffix));
  STRATA_TRY(file.append(drops.encode()));
  return file.commit(path);
}

}  // namespace strata::actors::pageserver
