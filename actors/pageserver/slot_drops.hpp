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

/// A replication slot that is left at a source that was removed while it could not be reached.
struct slot_drop {
  std::string conninfo;
  std::string slot;
  std::uint64_t system_id = 0;  ///< of the source: at another server a slot of that name is not ours
  core::lsn last_told;          ///< a slot that has moved further is used by somebody else
  bool operator==(const slot_drop&) const = default;
};

/// What is to be dropped for a removed timeline; nullopt when that can't be told from somebody else's slot: nothing was
/// ever told to it, or the source is of major 14, which does not show how far a slot is.
std::optional<slot_drop> slot_drop_of(const storage::timeline_record& removed);

/// Slots that are still to be dropped (docs/formats/directory.md). Bounded: the oldest is forgotten.
class slot_drops {
 public:
  static constexpr std::size_t count_max = 256;

  /// errc::corrupt when the bytes are not what encode() gave.
  static core::result<slot_drops> decode(core::bytes_view bytes);
  [[nodiscard]] core::bytes encode() const;

  void add(slot_drop drop);
  void done(const slot_drop& drop) { std::erase(all_, drop); }
  /// A source that is added takes over the name at that server: whatever stands there is no leftover any more.
  bool forget(const std::string& slot, std::uint64_t system_id);
  [[nodiscard]] const std::vector<slot_drop>& all() const { return all_; }

 private:
  std::vector<slot_drop> all_;
};

/// The file of a server; none is as good as an empty one. Both block.
core::result<slot_drops> load_slot_drops(const std::string& path);
core::result<void> store_slot_drops(const std::string& path, const slot_drops& drops);

}  // namespace strata::actors::pageserver
