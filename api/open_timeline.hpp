#pragma once

#include "api/ask.hpp"
#include "api/json_body.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::api {

/// The timeline that the path of a request names.
inline core::result<messages::timeline_opened> open_timeline(const services& of, const request& from) {
  STRATA_ASSIGN(const auto path, timeline_of(from));
  return ask<messages::timeline_opened>(of, of.tenants, messages::open_timeline{path.tenant, path.timeline});
}

}  // namespace strata::api
