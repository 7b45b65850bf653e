#pragma once

#include <filesystem>

namespace strata::tests {

/// A directory of its own under $TMPDIR (or /tmp), passable by every user, removed with everything in it by the
/// destructor. With STRATA_TEST_KEEP set in the environment it stays, for a look at what a failed test left.
class temp_dir {
 public:
  temp_dir();
  ~temp_dir();
  temp_dir(const temp_dir&) = delete;
  temp_dir& operator=(const temp_dir&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& inside) const { return path_ / inside; }

 private:
  std::filesystem::path path_;
};

}  // namespace strata::tests
