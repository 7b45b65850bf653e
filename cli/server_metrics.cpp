#include "cli/server_metrics.hpp"

#include <algorithm>

#include "control/cluster.hpp"
#include "control/computes.hpp"
#include "control/safekeeper_file.hpp"
#include "core/log.hpp"

namespace strata::cli {

using namespace control;
namespace {

constexpr const char* computes_name = "strata_computes";
constexpr const char* computes_help = "Computes of this server by state";
constexpr std::chrono::seconds quorums_for{10};

}  // namespace

server_metrics::server_metrics(actors::runtime::metrics& of, std::string directory)
    : metrics_(of),
      directory_(std::move(directory)),
      running_(of.gauge(computes_name, computes_help, {{"state", "running"}})),
      stopped_(of.gauge(computes_name, computes_help, {{"state", "stopped"}})),
      damaged_(of.gauge(computes_name, computes_help, {{"state", "damaged"}})) {
  collector_ = of.add_collector([this] {
    // Files and processes of others: what can't be read must not take the other metrics with it.
    try {
      count_computes();
      look_at_quorums();
    } catch (const std::exception& e) {
      core::log_warning(std::string("metrics of computes and safekeepers: ") + e.what());
    }
  });
}

server_metrics::~server_metrics() { metrics_.remove_collector(collector_); }

void server_metrics::count_computes() {
  const auto found = host::registry(directory_).list();
  if (!found) return;
  const auto running = std::ranges::count_if(found->computes, is_up);
  running_.set(static_cast<double>(running));
  stopped_.set(static_cast<double>(found->computes.size()) - static_cast<double>(running));
  damaged_.set(static_cast<double>(found->damaged.size()));
}

void server_metrics::look_at_quorums() {
  // One that asks waits for safekeepers that do not answer; the others get what was found last.
  const std::unique_lock lock(looking_, std::try_to_lock);
  const auto now = std::chrono::steady_clock::now();
  if (!lock || now - looked_at_ < quorums_for) return;
  if (known_safekeepers(directory_).empty()) return;
  const auto cluster = look_at_cluster({.directory = directory_});
  looked_at_ = std::chrono::steady_clock::now();
  const auto up = std::ranges::count_if(cluster.safekeepers, &consensus::safekeeper_status::up);
  metrics_.gauge("strata_safekeepers", "Safekeepers of this server by state", {{"state", "up"}})
      .set(static_cast<double>(up));
  metrics_.gauge("strata_safekeepers", "Safekeepers of this server by state", {{"state", "down"}})
      .set(static_cast<double>(std::ssize(cluster.safekeepers) - up));
  metrics_
      .gauge("strata_safekeepers_may_fail", "Safekeeper failures that every branch tolerates; below 0: commits wait")
      .set(cluster.health.can_lose);
}

}  // namespace strata::cli
