#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/ids.hpp"
#include "core/result.hpp"
#include "io/disk.hpp"
#include "storage/metadata/metadata_database.hpp"

/// Distinguishes a shortened history of the metadata from a whole one (docs/formats/metadata.md, docs/decisions/0030).
/// Each tenant's edits are counted, and the content of all its records has a digest. Both are written to RocksDB, in
/// the batch of each edit, and then to a file of our own, before the edit is acknowledged.
namespace strata::storage {

/// The sum of the hashes of records, in any order.
struct content_digest {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const content_digest&) const = default;
  void add(const content_digest& of);
  void subtract(const content_digest& of);
};
content_digest digest_of(metadata_family family, std::string_view key, core::bytes_view value);

/// A tenant's records after an edit.
struct tenant_seal {
  std::uint64_t edits = 0;    ///< 1 after the first one
  std::uint64_t records = 0;  ///< seals not counted; 0: the tenant is deleted
  content_digest content;
  bool operator==(const tenant_seal&) const = default;

  void add(metadata_family family, std::string_view key, core::bytes_view value);
  void subtract(metadata_family family, std::string_view key, core::bytes_view value);
  [[nodiscard]] bool same_content(const tenant_seal& other) const {
    return records == other.records && content == other.content;
  }
};

/// The seal in RocksDB.
struct stored_seal {
  tenant_seal now;
  tenant_seal before;
};
core::bytes encode(const stored_seal& seal);
core::result<stored_seal> decode_seal(core::bytes_view value);

/// The seal in the file: with the tenant's name, for a tenant whose records can't be read.
struct filed_seal {
  tenant_seal seal;
  std::string name;
};

/// Whether a tenant's records are those of its last acknowledged edit.
struct seal_verdict {
  enum class kind {
    whole,
    ahead,  ///< whole, with one edit that was not acknowledged: the file must be updated
    gone,   ///< only seals are left
    damaged,
  };
  kind is = kind::whole;
  std::string why;  ///< if damaged
};
/// `found`: of the records read (edits don't count); `stored`: in RocksDB; `filed`: in the file, none when there is no
/// file.
seal_verdict judge(const tenant_seal& found, const std::optional<stored_seal>& stored,
                   const std::optional<filed_seal>& filed);

/// The directory of the files, one per tenant. Each has two places for a seal, used in turn, so that a write that a
/// crash tears leaves the seal before it.
class seal_files {
 public:
  static constexpr std::size_t place_size = 4096;

  explicit seal_files(std::string directory, io::disk& on = io::real_disk())
      : directory_(std::move(directory)), disk_(&on) {}

  [[nodiscard]] std::string path_of(const core::tenant_id& tenant) const;
  /// All seals; an error for a file in which neither place can be read.
  core::result<std::map<core::tenant_id, core::result<filed_seal>>> load() const;
  /// Durable on return.
  core::result<void> write(const core::tenant_id& tenant, const filed_seal& seal) const;
  core::result<void> remove(const core::tenant_id& tenant) const;
  core::result<void> make_directory() const;

 private:
  [[nodiscard]] core::result<filed_seal> read(const core::tenant_id& tenant) const;
  std::string directory_;
  io::disk* disk_;
};

}  // namespace strata::storage
