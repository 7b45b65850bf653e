#include "pg/client/named_options.hpp"

#include <libpq-fe.h>

#include <memory>

namespace strata::pg::client {

core::result<std::vector<std::string>> options_named_in(const std::string& conninfo) {
  struct free_options {
    void operator()(PQconninfoOption* of) const { PQconninfoFree(of); }
  };
  const std::unique_ptr<PQconninfoOption, free_options> parsed(PQconninfoParse(conninfo.c_str(), nullptr));
  // libpq's own complaint would repeat the string, password included.
  if (parsed == nullptr)
    return core::error{core::errc::invalid_argument, "read connection string: it is neither a URI nor \"name=value\""};
  std::vector<std::string> named;
  for (const PQconninfoOption* each = parsed.get(); each->keyword != nullptr; ++each)
    if (each->val != nullptr) named.emplace_back(each->keyword);
  return named;
}

}  // namespace strata::pg::client
