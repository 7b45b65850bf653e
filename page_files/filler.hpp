#pragma once

#include <sys/types.h>

#include <string>

#include "core/result.hpp"
#include "io/unique_fd.hpp"
#include "page_files/page_client.hpp"

namespace strata::page_files {

struct filler_options {
  std::string directory;  ///< the data directory
  io::unique_fd group;    ///< both from the guard (guarded_directory)
  io::unique_fd map;
  page_client_options pages;
  pid_t guard = 0;  ///< the process that started this one
};

/// The work of a filler process: fills the directory until its guard has ended, or an error ends it. One thread. It may
/// be killed at any moment; readers wait for its successor.
core::result<void> run_filler(filler_options of);

}  // namespace strata::page_files
