#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace strata::control {

/// How a kind of directory of ours is told from a stranger's.
struct directory_kind {
  std::string_view what;                      ///< "a server's directory"
  std::vector<std::string_view> marks;        ///< one of these is in each that was used
  std::vector<std::string_view> others;       ///< one of these is in a directory of another kind
  std::vector<std::string_view> may_precede;  ///< may be there before the first use
  mode_t mode = 0700;                         ///< of one that is made
};

const directory_kind& server_directory_kind();
const directory_kind& safekeeper_directory_kind();

/// Makes the directory, or takes one that is of this kind or empty, whose mode stays as it is. Of
/// anything else errc::conflict says what is in it; nothing is changed then.
core::result<void> take_own_directory(const std::string& path, const directory_kind& kind);

}  // namespace strata::control
