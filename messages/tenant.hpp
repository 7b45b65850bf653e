#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "core/generation.hpp"
#include "messages/states.hpp"
#include "messages/timeline.hpp"
#include "messages/wal_membership.hpp"

namespace strata::storage {
class timeline_store;
}  // namespace strata::storage

namespace strata::messages {

struct tenant_info {
  core::tenant_id id;
  std::string name;
  tenant_state state = tenant_state::attaching;
  std::string reason;  ///< why it is broken; empty in every other state
  core::generation generation;
  std::uint64_t timeline_count = 0;
  std::uint64_t layer_bytes = 0;
  struct expired_branch {
    std::string name;
    core::wall_time at;  ///< of its deletion
  };
  std::vector<expired_branch> expired;  ///< the last ones, the newest at the end
};

/// Creates a tenant whose branch `main` follows a running Postgres. Answered when the source meets the requirements
/// (version, permissions, wal_level, slot created) and the tenant is durable; the base backup then runs, see
/// timeline_info::source. errc::conflict if the name is taken; connection errors name the cause and the next step.
struct add_source {
  std::string name;
  std::string conninfo;
  std::string slot;  ///< empty: strata_<name>
};
/// A setting of a source that affects query results and that a compute does not inherit.
struct source_setting {
  std::string name;
  std::string value;
  bool operator==(const source_setting&) const = default;
};
struct source_added {
  core::tenant_id tenant;
  core::timeline_id timeline;
  std::vector<source_setting> settings = {};
};

/// Creates a tenant whose branch `main` has the data of a Postgres that is shut down, and follows no source. Answered
/// when the data are imported and durable; after an error nothing of the tenant is left. errc::conflict if the name is
/// taken, or if the data are in use or were not shut down.
struct create_tenant {
  std::string name;
  std::string path;            ///< a data directory, or an archive of one, on the server's machine
  bool new_system_id = false;  ///< another identity than that of the files
};
struct tenant_created {
  core::tenant_id tenant;
  core::timeline_id timeline;
  int pg_major = 0;
  std::uint64_t bytes = 0;  ///< read
};

struct list_tenants {};
struct tenant_list {
  std::vector<tenant_info> tenants;
};
struct get_tenant {
  core::tenant_id tenant;
};
/// Drops the source's slot, unless the user chose it, then deletes the tenant. The reply lists the slots that were kept
/// at their sources. errc::conflict, and nothing was done, if a branch is protected.
struct delete_tenant {
  core::tenant_id tenant;
};
struct slot_left {
  std::string source;  ///< connection string without its password
  std::string slot;
  std::string why;          ///< why it was not dropped; empty: the user chose it
  bool remembered = false;  ///< it is dropped when the source is reachable
};
struct tenant_deleted {
  std::vector<slot_left> slots;
};
struct get_tenant_options {
  core::tenant_id tenant;
};
/// Replaces the tenant's overrides. Durable on reply.
struct set_tenant_options {
  core::tenant_id tenant;
  config::tenant_options options;
};
struct tenant_options_reply {
  config::tenant_options options;
};

/// Creates a timeline that reads like `ancestor` at `at` (absent: its head, with every acknowledged commit). Waits for
/// `at` to arrive, bounded. errc::out_of_range, with the window; errc::conflict if a different branch has the name or
/// the id. A repeated request returns the same branch. Durable on reply.
struct create_branch {
  core::tenant_id tenant;
  core::timeline_id ancestor;
  std::optional<core::lsn> at;
  std::string name;
  std::optional<core::timeline_id> id;
  std::optional<core::wall_time> expires = {};
  std::optional<bool> logical_wal = {};  ///< absent: as the ancestor
};
/// Changes what is present, durable on reply. errc::conflict for an expiry of a protected branch or of one without a
/// parent.
struct change_branch {
  core::tenant_id tenant;
  core::timeline_id timeline;
  std::optional<bool> deletion_protected;
  std::optional<std::optional<core::wall_time>> expires;  ///< an empty time: never
  std::optional<bool> logical_wal = {};                   ///< of computes that start from now on
};
/// Puts a new branch at `at` of the parent (absent: its head) in the place of a branch: it has another id, and the
/// name, the protection, the expiry and the wal_level of the old one. That is deleted as by delete_timeline, or with
/// `keep_as` gets this name and no expiry. errc::conflict with the reason if that is not possible. All or nothing,
/// durable on reply.
struct reset_branch {
  core::tenant_id tenant;
  core::timeline_id timeline;
  std::optional<core::lsn> at;
  std::optional<std::string> keep_as;
  std::string name;         ///< errc::conflict if the branch has another one; empty: any
  bool check_only = false;  ///< change nothing; the reply is the branch as it is
};
struct list_timelines {
  core::tenant_id tenant;
};
struct timeline_list {
  std::vector<timeline_info> timelines;
};
struct get_timeline {
  core::tenant_id tenant;
  core::timeline_id timeline;
};
/// errc::conflict if it is protected, or has child branches, which are named. Durable on reply; its files, and its WAL
/// on safekeepers, are deleted later.
struct delete_timeline {
  core::tenant_id tenant;
  core::timeline_id timeline;
  std::string name = {};  ///< errc::conflict if the branch has another one; empty: any
};

/// Resumes a refused source (docs/decisions/0035), durable on reply: the receiver reconnects and compares the source's
/// WAL with the received WAL again. errc::invalid_argument if the timeline follows no source.
struct resume_source {
  core::tenant_id tenant;
  core::timeline_id timeline;
};

/// Ends the following of a source: its branch becomes writable through safekeepers, from the end of the WAL that was
/// received. First all WAL is received that the source has at the time of the request, at most for `patience`;
/// errc::unavailable when the source does not answer, errc::timeout when WAL is still missing then, and nothing has
/// changed. With `force` WAL that is missing is left at the source. errc::conflict if the timeline follows no source,
/// errc::unavailable without safekeepers. Durable on reply.
struct promote_source {
  core::tenant_id tenant;
  core::timeline_id timeline;
  std::vector<consensus::member> available;
  bool force = false;
  std::chrono::milliseconds patience{10'000};
};
struct source_promoted {
  core::lsn at;                  ///< the WAL on safekeepers begins here
  std::string missing;           ///< what was left at the source; empty: nothing
  std::vector<slot_left> slots;  ///< those that were kept there
};

/// Opens a timeline for a reader. The store stays readable while it is held, also during shutdown.
struct open_timeline {
  core::tenant_id tenant;
  core::timeline_id timeline;
};
struct timeline_opened {
  std::shared_ptr<storage::timeline_store> store;
  timeline_actor actor;
};

/// One tenant: starts and stops its timelines.
using tenant_actor =
    actor_interface<answers<get_tenant, tenant_info>, answers<get_tenant_options, tenant_options_reply>,
                    answers<set_tenant_options, done>, answers<create_branch, timeline_info>,
                    answers<list_timelines, timeline_list>, answers<get_timeline, timeline_info>,
                    answers<delete_timeline, done>, answers<change_branch, timeline_info>,
                    answers<reset_branch, timeline_info>, answers<open_timeline, timeline_opened>,
                    answers<assign_safekeepers, timeline_safekeepers>, answers<get_safekeepers, timeline_safekeepers>,
                    answers<change_safekeepers, timeline_safekeepers>, answers<resume_source, done>,
                    answers<promote_source, source_promoted>>;

/// All tenants of the pageserver. Requests for one tenant are forwarded to its actor.
using tenant_manager_actor =
    tenant_actor::extend<answers<add_source, source_added>, answers<create_tenant, tenant_created>,
                         answers<list_tenants, tenant_list>, answers<delete_tenant, tenant_deleted>>;

}  // namespace strata::messages

STRATA_LOCAL_MESSAGE(strata::messages::tenant_info)
STRATA_LOCAL_MESSAGE(strata::messages::add_source)
STRATA_LOCAL_MESSAGE(strata::messages::source_added)
STRATA_LOCAL_MESSAGE(strata::messages::list_tenants)
STRATA_LOCAL_MESSAGE(strata::messages::create_tenant)
STRATA_LOCAL_MESSAGE(strata::messages::tenant_created)
STRATA_LOCAL_MESSAGE(strata::messages::tenant_list)
STRATA_LOCAL_MESSAGE(strata::messages::get_tenant)
STRATA_LOCAL_MESSAGE(strata::messages::delete_tenant)
STRATA_LOCAL_MESSAGE(strata::messages::tenant_deleted)
STRATA_LOCAL_MESSAGE(strata::messages::get_tenant_options)
STRATA_LOCAL_MESSAGE(strata::messages::set_tenant_options)
STRATA_LOCAL_MESSAGE(strata::messages::tenant_options_reply)
STRATA_LOCAL_MESSAGE(strata::messages::create_branch)
STRATA_LOCAL_MESSAGE(strata::messages::change_branch)
STRATA_LOCAL_MESSAGE(strata::messages::reset_branch)
STRATA_LOCAL_MESSAGE(strata::messages::list_timelines)
STRATA_LOCAL_MESSAGE(strata::messages::timeline_list)
STRATA_LOCAL_MESSAGE(strata::messages::get_timeline)
STRATA_LOCAL_MESSAGE(strata::messages::delete_timeline)
STRATA_LOCAL_MESSAGE(strata::messages::resume_source)
STRATA_LOCAL_MESSAGE(strata::messages::promote_source)
STRATA_LOCAL_MESSAGE(strata::messages::source_promoted)
STRATA_LOCAL_MESSAGE(strata::messages::open_timeline)
STRATA_LOCAL_MESSAGE(strata::messages::timeline_opened)
