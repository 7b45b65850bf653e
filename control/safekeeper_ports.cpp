#include "control/safekeeper_ports.hpp"

#include <sys/stat.h>

#include <filesystem>

#include "control/own_directory.hpp"

namespace strata::control {

void take_safekeeper_directory(const std::string& directory, const std::string& wal_backup) {
  ::umask(0077);
  need(take_own_directory(directory, safekeeper_directory_kind()), "can't use " + directory,
       "name a directory of its own with --data");
  if (wal_backup.empty()) return;
  std::error_code failed;
  std::filesystem::create_directories(wal_backup, failed);
  if (failed) throw failure(core::from_errno("make " + wal_backup, failed.value()), "can't use " + wal_backup, "");
}

}  // namespace strata::control
