#pragma once

#include <string>

#include "core/result.hpp"
#include "io/unique_fd.hpp"

namespace strata::page_files {

/// Number of the descriptor that the Postgres of a data directory with held control file inherits.
inline constexpr int control_file_descriptor = 199;

/// The control file of a data directory whose relation files have holes. It is in memory, and global/pg_control is a
/// link to descriptor control_file_descriptor of the process that opens it. So only a Postgres that inherited that
/// descriptor starts, runs, writes checkpoints and stops there. One that is started by hand ends with "could not open
/// file", also after everything was killed or the machine was restarted; then nothing starts there any more.
///
/// Takes the content from global/pg_control.held of an unpacked archive and puts the link in its place. errc::corrupt
/// when the archive has no such file; errc::conflict when there is a global/pg_control.
core::result<io::unique_fd> hold_control_file(const std::string& data_directory);

}  // namespace strata::page_files
