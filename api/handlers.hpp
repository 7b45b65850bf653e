#pragma once

#include "api/http.hpp"
#include "api/services.hpp"

/// One function for each line of the route table (routes.cpp), by the file that has it.
namespace strata::api::handlers {

// handlers/process.cpp
core::result<reply> get_status(const services&, const request&);
core::result<reply> get_metrics(const services&, const request&);
core::result<reply> get_livez(const services&, const request&);
core::result<reply> get_readyz(const services&, const request&);
core::result<reply> get_openapi(const services&, const request&);
core::result<reply> list_actors(const services&, const request&);
core::result<reply> list_pools(const services&, const request&);

// handlers/tenant.cpp
core::result<reply> add_source(const services&, const request&);
core::result<reply> create_tenant(const services&, const request&);
core::result<reply> list_tenants(const services&, const request&);
core::result<reply> get_tenant(const services&, const request&);
core::result<reply> delete_tenant(const services&, const request&);
core::result<reply> get_tenant_config(const services&, const request&);
core::result<reply> replace_tenant_config(const services&, const request&);
core::result<reply> patch_tenant_config(const services&, const request&);

// handlers/timeline.cpp
core::result<reply> list_timelines(const services&, const request&);
core::result<reply> create_timeline(const services&, const request&);
core::result<reply> get_timeline(const services&, const request&);
core::result<reply> change_timeline(const services&, const request&);
core::result<reply> delete_timeline(const services&, const request&);
core::result<reply> reset_timeline(const services&, const request&);
core::result<reply> resume_source(const services&, const request&);
core::result<reply> promote_source(const services&, const request&);

// handlers/safekeepers.cpp
core::result<reply> get_safekeepers(const services&, const request&);
core::result<reply> assign_safekeepers(const services&, const request&);
core::result<reply> change_safekeepers(const services&, const request&);

// handlers/cluster.cpp
core::result<reply> get_cluster(const services&, const request&);

// handlers/history.cpp
core::result<reply> get_lsn_by_timestamp(const services&, const request&);
core::result<reply> get_timestamp_of_lsn(const services&, const request&);
core::result<reply> get_standby_start(const services&, const request&);
core::result<reply> show_source_connection(const services&, const request&);
core::result<reply> lease_lsn(const services&, const request&);
core::result<reply> resolve_point(const services&, const request&);

// handlers/maintenance.cpp
core::result<reply> checkpoint(const services&, const request&);
core::result<reply> compact(const services&, const request&);
core::result<reply> collect_garbage(const services&, const request&);
core::result<reply> list_layers(const services&, const request&);
core::result<reply> get_keyspace(const services&, const request&);

// handlers/side_files.cpp
core::result<reply> get_side_files(const services&, const request&);
core::result<reply> put_side_files(const services&, const request&);

// handlers/export.cpp
core::result<reply> export_timeline(const services&, const request&);

}  // namespace strata::api::handlers
