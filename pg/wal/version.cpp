#include "pg/wal/version.hpp"

#include <array>

#include "core/check.hpp"

namespace strata::pg::wal {
namespace {

struct version_numbers {
  major_version major;
  std::uint16_t magic;
  std::uint32_t control;
  std::uint32_t catalog;
};

// On-disk numbers, never renumber.
constexpr std::array<version_numbers, 5> versions{{
    {major_version::v14, 0xD10D, 1300, 202107181},
    {major_version::v15, 0xD110, 1300, 202209061},
    {major_version::v16, 0xD113, 1300, 202307071},
    {major_version::v17, 0xD116, 1700, 202406281},
    {major_version::v18, 0xD118, 1800, 202506291},
}};

const version_numbers& numbers_of(major_version major) {
  const auto index = static_cast<std::size_t>(major) - static_cast<std::size_t>(versions.front().major);
  core::check(index < versions.size(), "a major version is one of the supported ones");
  return versions[index];
}

constexpr std::array<const char*, 22> manager_names{"XLOG",     "Transaction",   "Storage",   "CLOG",
                                                    "Database", "Tablespace",    "MultiXact", "RelMap",
                                                    "Standby",  "Heap2",         "Heap",      "Btree",
                                                    "Hash",     "Gin",           "Gist",      "Sequence",
                                                    "SPGist",   "BRIN",          "CommitTs",  "ReplicationOrigin",
                                                    "Generic",  "LogicalMessage"};

}  // namespace

std::uint16_t page_magic(major_version major) { return numbers_of(major).magic; }
std::uint32_t control_version(major_version major) { return numbers_of(major).control; }
std::uint32_t catalog_version(major_version major) { return numbers_of(major).catalog; }

core::result<major_version> major_of_magic(std::uint16_t magic) {
  for (const auto& version : versions)
    if (version.magic == magic) return version.major;
  return core::error{core::errc::unsupported, "WAL page magic " + std::to_string(magic) +
                                                  " belongs to no supported major version of Postgres (14 to 18)"};
}

std::string to_string(resource_manager manager) {
  const auto id = static_cast<std::size_t>(manager);
  if (id < manager_names.size()) return manager_names[id];
  return "custom(" + std::to_string(id) + ")";
}

}  // namespace strata::pg::wal
