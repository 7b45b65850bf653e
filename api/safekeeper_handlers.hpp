#pragma once

#include "api/http.hpp"
#include "api/services.hpp"

/// One function for each line of a safekeeper's route table (safekeeper_routes.cpp).
namespace strata::api::safekeeper_handlers {

core::result<reply> get_status(const services&, const request&);
core::result<reply> get_readyz(const services&, const request&);
core::result<reply> get_openapi(const services&, const request&);
core::result<reply> get_utilization(const services&, const request&);
core::result<reply> get_debug_dump(const services&, const request&);
core::result<reply> list_timelines(const services&, const request&);
core::result<reply> create_timeline(const services&, const request&);
core::result<reply> get_timeline(const services&, const request&);
core::result<reply> delete_timeline(const services&, const request&);
core::result<reply> delete_tenant(const services&, const request&);
core::result<reply> pull_timeline(const services&, const request&);
core::result<reply> switch_members(const services&, const request&);
core::result<reply> exclude(const services&, const request&);
core::result<reply> bump_term(const services&, const request&);
core::result<reply> checkpoint(const services&, const request&);
core::result<reply> get_digest(const services&, const request&);

}  // namespace strata::api::safekeeper_handlers
