#include "control/metadata_rebuild.hpp"

#include <sys/stat.h>

#include <filesystem>

#include "control/failure.hpp"

namespace strata::control {
namespace {

std::string next_after(core::errc refusal, const std::string& directory) {
  if (refusal == core::errc::conflict) return "strata up --detach --dir " + directory;
  if (refusal == core::errc::disk_full) return "free disk space there, then strata metadata rebuild --dir " + directory;
  return "";
}

}  // namespace

storage::rebuild_report rebuild_metadata(const scope& of, bool force) {
  const std::string doing = "can't rebuild the metadata";
  const std::string metadata = of.directory + "/metadata";
  const std::string tenants = of.directory + "/tenants";
  std::error_code ignored;
  if (!std::filesystem::exists(metadata, ignored) && !std::filesystem::exists(tenants, ignored))
    throw failure(core::errc::not_found, doing, of.directory + " is not the directory of a server",
                  "name it with --dir");
  const auto lock = directory_lock::take(of.directory);
  if (!lock) throw failure(lock.error(), doing + " while the server runs", "strata down --dir " + of.directory);
  ::umask(0077);
  auto done = storage::rebuild_metadata(metadata, tenants, force);
  if (!done) throw failure(done.error(), doing, next_after(done.error().code, of.directory));
  return *std::move(done);
}

nlohmann::json json_of(const storage::rebuild_report& report) {
  using nlohmann::json;
  json timelines = json::array();
  for (const auto& each : report.timelines)
    timelines.push_back({{"source", each.tenant},
                         {"branch", each.name},
                         {"timeline_id", to_string(each.id)},
                         {"recovered_to_lsn", core::to_string(each.recovered_to)},
                         {"layers", each.layers},
                         {"damaged_layers", each.damaged_layers}});
  return {{"whole", report.whole},
          {"rebuilt", timelines},
          {"not_rebuilt", report.lost},
          {"damaged_metadata", report.kept_in}};
}

}  // namespace strata::control
