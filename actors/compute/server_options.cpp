#include "actors/compute/server_options.hpp"

#include "actors/compute/postgres_stream.hpp"
#include "host/forced_settings.hpp"
#include "host/quorum_settings.hpp"
#include "host/standby_settings.hpp"

namespace strata::actors::compute {

using strata::host::compute_mode;

namespace {

std::vector<std::string> forced_for(const strata::host::compute_record& of, bool logical_wal) {
  if (of.mode == compute_mode::branch) return strata::host::quorum_settings(postgres_stream::standby_name, logical_wal);
  if (of.mode == compute_mode::standby) return strata::host::standby_settings(of.socket_directory, of.pg_major);
  return strata::host::read_only_settings();
}

}  // namespace

strata::host::postgres_options server_options(const strata::host::compute_record& of,
                                              const std::optional<strata::host::account>& run_as, bool logical_wal) {
  return {.bin_directory = of.bin_directory,
          .data_directory = of.data_directory,
          .socket_directory = of.socket_directory,
          .port = of.port,
          .log_file = of.log_file,
          .run_as = run_as,
          .owns_directory = of.pages != strata::host::page_mode::copy,
          .forced = forced_for(of, logical_wal),
          // New segments cost less than old ones in a directory that need not last.
          .conf_lines = {"wal_init_zero = off", "wal_recycle = off"},
          .replication_user = of.mode == compute_mode::branch ? of.user : "",
          .ends_with_starter = true,
          .armed = of.armed};
}

}  // namespace strata::actors::compute
