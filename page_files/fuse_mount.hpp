#pragma once

#include <string>

#include "core/result.hpp"

namespace strata::page_files {

/// The type that /proc/self/mountinfo shows for the file systems of fuse_door.
inline constexpr const char* fuse_file_system_type = "fuse.strata";

/// Whether this process can mount one; if not, the error says for the user what is missing. With `for_other_users`
/// also whether processes of other users could read it.
core::result<void> fuse_available(bool for_other_users);

/// The device "major:minor" of the file system of ours that lies on top at a path; errc::not_found.
core::result<std::string> fuse_mount_device(const std::string& path);

/// Unmounts what daemons that died have left at a path: every access to it fails with ENOTCONN, also this path's own
/// stat(). Unmounts nothing else: it must be ours by type, its daemon must be gone, and it must answer that it is not
/// connected. Nothing there is a success. errc::conflict when its daemon runs. The path's parent must be readable.
core::result<void> remove_stale_mount(const std::string& path);

/// Detaches the file system of ours on top at a path, which disappears with its last open file. Returns when what was
/// written to it has reached its daemon, unless files are open. Nothing there is a success.
core::result<void> detach_fuse_mount(const std::string& path);

/// What mountinfo shows as the source of this process's file systems: "strata:PID:START", by which another process
/// sees whether the daemon is alive.
std::string fuse_mount_source();

}  // namespace strata::page_files
