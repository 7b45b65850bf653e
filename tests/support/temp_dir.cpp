#include "tests/support/temp_dir.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

namespace strata::tests {

temp_dir::temp_dir() {
  // Short, because the sockets of a Postgres live below it and their paths end at 107 bytes.
  std::string name = (std::filesystem::temp_directory_path() / "strata-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw std::system_error(errno, std::generic_category(), "create a directory like " + name);
  path_ = name;
  std::filesystem::permissions(path_, std::filesystem::perms{0755});
}

temp_dir::~temp_dir() {
  if (std::getenv("STRATA_TEST_KEEP") != nullptr) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace strata::tests
