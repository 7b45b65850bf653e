#include "control/server_stop.hpp"

#include <csignal>

#include "control/agents.hpp"
#include "control/branch_writers.hpp"
#include "control/computes.hpp"
#include "control/failure.hpp"
#include "control/safekeeper_processes.hpp"
#include "host/program.hpp"

namespace strata::control {
namespace {

constexpr std::chrono::seconds stop_limit{120};

/// One that could not have everything acknowledged is stopped, too: the rest is not kept up by that.
void stop_on_the_way_down(const scope& of, const host::compute_record& record) {
  try {
    stop_compute(of, record, false);
  } catch (const failure& e) {
    if (is_busy(of, record)) throw;
    of.report->failed(e);
  }
}

}  // namespace

stopped_server stop_server(const scope& of, bool with_computes) {
  stopped_server done;
  std::size_t& counted = with_computes ? done.computes : done.computes_left;
  // Before what they need.
  for (const auto& each : list_computes(of)) {
    if (!is_busy(of, each)) continue;
    if (with_computes)
      stop_on_the_way_down(of, each);
    else if (has_agent(each) && status_of(of, each).pages.missing > 0)
      done.incomplete.push_back(each.name);
    ++counted;
  }
  // What has a damaged record is not in the list.
  for (const auto& writer : living_writers(of)) {
    if (writer.record) continue;
    if (with_computes) stop_on_the_way_down(of, host::registry(of.directory).remains_of(writer.name));
    ++counted;
  }
  const auto holder = directory_lock::holder(of.directory);
  done.was_running = holder.has_value();
  if (holder && *holder > 0) {
    ::kill(*holder, SIGTERM);
    progress line(*of.report);
    line.show("stopping process " + std::to_string(*holder), "");
    if (!host::wait_for_end(*holder, stop_limit))
      throw failure(core::errc::timeout, "the server did not stop",
                    "process " + std::to_string(*holder) + " was asked to stop and is still running",
                    "wait, or kill -9 " + std::to_string(*holder) + "; nothing acknowledged is lost");
  }
  // After the server, which would start them again.
  done.safekeepers = need(stop_safekeepers(of.directory, stop_limit), "a safekeeper did not stop",
                          "wait, or kill -9 it; nothing acknowledged is lost");
  return done;
}

}  // namespace strata::control
