#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "storage/metadata/metadata_store.hpp"

/// Keys and values of the metadata store as bytes (docs/formats/metadata.md). Every value begins with its version; a
/// value that is too short, too long or out of range is errc::corrupt, an unknown version errc::unsupported.
namespace strata::storage::metadata_codec {

inline constexpr std::size_t id_size = 16;
inline constexpr std::size_t timeline_key_size = 2 * id_size;
inline constexpr std::size_t numbered_key_size = timeline_key_size + 8;
/// Commit times of one stored chunk.
inline constexpr std::size_t commit_times_per_chunk = 4096;

std::string tenant_key(const core::tenant_id& id);
std::string timeline_key(const core::tenant_id& tenant, const core::timeline_id& id);
/// Key of a layer (by number; 0 for the highest number ever used), of a chunk of commit times (by first LSN) or of a
/// side file (by number).
std::string numbered_key(const core::tenant_id& tenant, const core::timeline_id& id, std::uint64_t number);
std::uint64_t number_of(std::string_view numbered_key);
/// Every key begins with a tenant's id; all but a tenant's own continue with a timeline's.
core::tenant_id tenant_of(std::string_view key);
core::timeline_id timeline_of(std::string_view key);

core::bytes encode(const tenant_record& tenant);
core::bytes encode(const timeline_record& timeline);
core::bytes encode(const layer_record& layer);
core::bytes encode(const side_file_record& file);
core::bytes encode(const wal_deletion& deletion);
core::bytes encode_number(std::uint64_t number);
/// Precondition: not empty, in LSN order.
core::bytes encode(std::span<const commit_time> chunk);

core::result<tenant_record> decode_tenant(std::string_view key, core::bytes_view value);
core::result<timeline_record> decode_timeline(std::string_view key, core::bytes_view value);
core::result<layer_record> decode_layer(std::string_view key, core::bytes_view value);
core::result<side_file_record> decode_side_file(std::string_view key, core::bytes_view value);
core::result<wal_deletion> decode_wal_deletion(std::string_view key, core::bytes_view value);
core::result<std::uint64_t> decode_number(core::bytes_view value);
core::result<std::vector<commit_time>> decode_commit_times(std::string_view key, core::bytes_view value);

}  // namespace strata::storage::metadata_codec
