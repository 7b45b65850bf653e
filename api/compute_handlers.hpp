#pragma once

#include "api/http.hpp"
#include "api/services.hpp"

/// One function for each line of a compute's route table (compute_routes.cpp).
namespace strata::api::compute_handlers {

core::result<reply> get_status(const services&, const request&);
core::result<reply> get_startup_metrics(const services&, const request&);
core::result<reply> get_openapi(const services&, const request&);
core::result<reply> check_writability(const services&, const request&);
core::result<reply> configure(const services&, const request&);
core::result<reply> terminate(const services&, const request&);

}  // namespace strata::api::compute_handlers
