#pragma once

#include <string>

#include "core/bytes.hpp"
#include "core/ids.hpp"
#include "core/result.hpp"
#include "io/disk.hpp"
#include "storage/records.hpp"

/// The content of one version of a side file as a file of its own, which never changes (docs/formats/side_files.md).
namespace strata::storage {

/// Also the checksum of the record.
std::uint64_t side_file_checksum(core::bytes_view content);

/// "000000000000002A__00000001.side": number and generation, unique in the timeline.
std::string side_file_name(const side_file_record& of);

core::bytes encode_side_file(const core::tenant_id& tenant, const core::timeline_id& timeline,
                             const side_file_record& of, core::bytes_view content);
/// errc::corrupt, naming the file, when any byte is damaged, or it is not the version that the record means.
core::result<core::bytes> read_side_file(io::disk& on, const std::string& path, const core::tenant_id& tenant,
                                         const core::timeline_id& timeline, const side_file_record& of);

}  // namespace strata::storage
