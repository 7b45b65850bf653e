#pragma once

#include "console/ask.hpp"
#include "console/json_body.hpp"
#include "storage/timeline_store.hpp"

namespace strata::console {

/// The timeline that the path of a request names.
inline core::result<messages::timeline_opened> open_timeline(const services& of, const request& from) {
  STRATA_ASSIGN(const auto path, timeline_of(from));
  return ask<messages::timeline_opened>(of, of.tenants, messages::open_timeline{path.tenant, path.timeline});
}

}  // namespace strata::console
