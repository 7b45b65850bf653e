#include "io/unique_fd.hpp"

#include <unistd.h>

namespace strata::io {

void unique_fd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace strata::io
