#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace strata::tests {

/// The majors that Strata serves, the oldest first.
inline constexpr int all_majors[] = {14, 15, 16, 17, 18};

/// An installation of Postgres.
struct postgres_install {
  int major = 0;
  std::string version;  ///< "15.20"
  std::filesystem::path bin;
};

/// $STRATA_PG_BIN or where Debian puts Postgres 15.
std::filesystem::path postgres_bin_directory();

/// Those of this machine: the one of postgres_bin_directory() first, then those of scripts/install-postgres-majors, the
/// newest minor of each major before the older ones.
const std::vector<postgres_install>& postgres_installs();
/// The first of a major; nullptr when there is none.
const postgres_install* install_of(int major);
/// The one with the lowest minor; nullptr unless that is lower than the first one's.
const postgres_install* oldest_install_of(int major);

/// The first of every major, for `strata up --pg-bin`.
std::string pg_bin_of_all_majors();

/// Where a program is: in the installation, or among Debian's, since only those come with clients.
std::filesystem::path program_of(const postgres_install& install, const std::string& name);

}  // namespace strata::tests
