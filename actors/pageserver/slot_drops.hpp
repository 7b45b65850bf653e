#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "storage/metadata/metadata_store.hpp"

namespace strata::actors::pageserver {

/// A replication slot left at a source that was removed while it was unreachable.
struct slot_drop {
  std::string conninfo;
  std::string slot;
  std::uint64_t system_id = 0;  ///< of the source: at another server a slot of that name is not ours
  core::lsn last_told;          ///< the last reported position; a slot after it is used by another client
  bool operator==(const slot_drop&) const = default;
};

/// The slot to drop for a removed timeline; nullopt when it can't be distinguished from another client's: no position
/// was ever reported to it, or the source is of major 14, which does not show a slot's position.
std::optional<slot_drop> slot_drop_of(const storage::timeline_record& removed);

/// Slots that are still to be dropped (docs/formats/directory.md). Bounded: the oldest is removed.
class slot_drops {
 public:
  static constexpr std::size_t count_max = 256;

  /// errc::corrupt for bytes that encode() does not write.
  static core::result<slot_drops> decode(core::bytes_view bytes);
  [[nodiscard]] core::bytes encode() const;

  void add(slot_drop drop);
  void done(const slot_drop& drop) { std::erase(all_, drop); }
  /// A new source adopts the name at that server: its slot is no leftover any more.
  bool forget(const std::string& slot, std::uint64_t system_id);
  [[nodiscard]] const std::vector<slot_drop>& all() const { return all_; }

 private:
  std::vector<slot_drop> all_;
};

/// The file of a server; a missing file equals an empty list. Both block.
core::result<slot_drops> load_slot_drops(const std::string& path);
core::result<void> store_slot_drops(const std::string& path, const slot_drops& drops);

}  // namespace strata::actors::pageserver
