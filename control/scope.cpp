#include "control/scope.hpp"

#include "control/failure.hpp"

namespace strata::control {

server_link::server_link(const scope& of) : report_(of.report) {
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
  api_.emplace(file_.http);
}

}  // namespace strata::control
