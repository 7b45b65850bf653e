#include "pg/client/named_options.hpp"

#include <libpq-fe.h>

#include <memory>

#include "pg/client/conninfo.hpp"

namespace strata::pg::client {

core::result<std::vector<std::string>> options_named_in(const std::string& conninfo) {
  struct free_options {
    void operator()(PQconninfoOption* of) const { PQconninfoFree(of); }
  };
  const std::unique_ptr<PQconninfoOption, free_options> parsed(PQconninfoParse(conninfo.c_str(), nullptr));
  if (parsed == nullptr) return unreadable_conninfo(conninfo);
  std::vector<std::string> named;
  for (const PQconninfoOption* each = parsed.get(); each->keyword != nullptr; ++each)
    if (each->val != nullptr) named.emplace_back(each->keyword);
  return named;
}

}  // namespace strata::pg::client
