#include "io/replace_file.hpp"

#include <unistd.h>

#include <cerrno>

#include "core/bytes.hpp"
#include "io/file.hpp"

namespace strata::io {

core::result<void> replace_file(const std::string& path, std::string_view content, const replace_options& how,
                                disk& on) {
  const std::string temporary = path + temporary_suffix;
  STRATA_ASSIGN(new_file file, new_file::create(temporary, on));
  STRATA_TRY(file.append({reinterpret_cast<const std::uint8_t*>(content.data()), content.size()}));
  if (how.owner && ::chown(temporary.c_str(), how.owner->first, how.owner->second) != 0)
    return core::from_errno("change the owner of " + temporary, errno);
  return file.commit(path, how.durable);
}

}  // namespace strata::io
