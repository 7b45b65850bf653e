#include "control/scope.hpp"

#include <nlohmann/json.hpp>

#include "control/failure.hpp"

namespace strata::control {

server_link::server_link(const scope& of) : directory_(of.directory), report_(of.report) {
  const std::string start = "strata up --dir " + of.directory + " --detach";
  auto found = read_server_file(of.directory);
  const auto holder = directory_lock::holder(of.directory);
  if (!holder)
    throw failure(core::errc::unavailable, "no server runs on " + of.directory,
                  "commands talk to the server of a directory; name it with --dir or STRATA_DIR", start);
  if (!found && found.error().code != core::errc::not_found)
    throw failure(found.error(), "can't find the server of " + of.directory,
                  "strata down --dir " + of.directory + ", then " + start + ": it writes the file anew");
  if (!found)
    throw failure(core::errc::unavailable, "the server of " + of.directory + " is not ready",
                  "process " + std::to_string(*holder) + " is starting or stopping", "try again in a moment");
  file_ = *std::move(found);
}

core::result<nlohmann::json> server_link::get(const std::string& path) const {
  auto answer = api::api_client(file_.http, read_limit).repeat_while_busy(read_limit).get(path);
  if (!answer && answer.error().code == core::errc::timeout)
    throw failure(answer.error(), "the server (process " + std::to_string(file_.pid) + ") does not answer",
                  "tail " + directory_ + "/strata.log; strata down --dir " + directory_ + ", then strata up --dir " +
                      directory_ + " --detach");
  return answer;
}

}  // namespace strata::control
