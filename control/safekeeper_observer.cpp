#include "control/safekeeper_observer.hpp"

#include <exception>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "api/api_client.hpp"
#include "api/safekeeper_json.hpp"
#include "control/safekeeper_addresses.hpp"
#include "control/safekeeper_file.hpp"
#include "control/safekeeper_probe.hpp"

namespace strata::control {
namespace {

using consensus::observed_safekeeper;
using consensus::safekeeper_state;
using nlohmann::json;

/// A process that is stopped or busy must not delay the view of the others.
constexpr std::chrono::seconds patience{3};

/// Calls `look` with each, all at the same time; most of the time is spent waiting.
template <class Look>
void for_each_at_once(std::vector<observed_safekeeper>& all, Look look) {
  std::vector<std::future<void>> looks;
  for (auto& each : all) looks.push_back(std::async(std::launch::async, [&each, &look] { look(each); }));
  for (auto& each : looks) each.get();
}

/// What a safekeeper that runs reports of itself.
core::result<void> ask(observed_safekeeper& seen) {
  const api::api_client api(seen.status.http_address, patience, "safekeeper " + consensus::to_string(seen.status.id));
  STRATA_ASSIGN(const json status, api.get("/v1/status"));
  if (status.value("id", std::uint64_t{0}) != seen.status.id.value ||
      status.value("pid", std::int64_t{0}) != seen.status.process)
    return core::error{core::errc::conflict, "another process listens on " + seen.status.http_address};
  STRATA_ASSIGN(const json timelines, api.get("/v1/tenant/timeline"));
  STRATA_ASSIGN(const json disk, api.get("/v1/utilization"));
  std::vector<consensus::timeline_copy> copies;
  for (const json& each : timelines) {
    STRATA_ASSIGN(auto copy, api::parse_timeline_copy(each));
    copies.push_back(std::move(copy));
  }
  seen.status.disk_full = disk.at("free_bytes").get<std::uint64_t>() <= disk.at("reserve_bytes").get<std::uint64_t>();
  seen.status.timelines = copies.size();
  seen.copies = std::move(copies);
  return {};
}

core::result<void> ask_and_understand(observed_safekeeper& seen) {
  try {
    return ask(seen);
  } catch (const json::exception& e) {
    return core::error{core::errc::corrupt, std::string("its answer can't be read: ") + e.what()};
  }
}

void look_at(const std::string& server_directory, observed_safekeeper& seen) {
  auto& status = seen.status;
  const auto process = safekeeper_process(server_directory, status.id.value);
  const auto file = read_safekeeper_file(safekeeper_directory(server_directory, status.id.value));
  status.process = process.value_or(0);
  if (file) {
    status.wal_address = file->wal;
    status.http_address = file->http;
    status.instance = file->instance;
  }
  if (status.process == 0) {
    status.state = safekeeper_state::down;
    status.last_error = "not running";
    if (!file && file.error().code != core::errc::not_found) status.last_error += ": " + file.error().detail;
  } else if (!file || file->pid != status.process) {
    status.state = safekeeper_state::starting;
    status.last_error = "not ready yet";
  } else if (const auto answered = ask_and_understand(seen); answered) {
    status.state = safekeeper_state::up;
  } else {
    status.state = safekeeper_state::unreachable;
    status.last_error = answered.error().detail;
  }
}

/// By id: all members that timelines' configurations name, once for each address.
std::map<consensus::node_id, std::set<consensus::member>> members_named(const std::vector<observed_safekeeper>& all) {
  std::map<consensus::node_id, std::set<consensus::member>> named;
  for (const auto& each : all)
    for (const auto& copy : each.copies)
      for (const auto& member : copy.members.all()) named[member.id].insert(member);
  return named;
}

}  // namespace

std::vector<observed_safekeeper> observe_safekeepers(const std::string& server_directory) {
  std::vector<observed_safekeeper> all;
  for (const auto id : known_safekeepers(server_directory)) all.emplace_back().status.id = {id};
  for_each_at_once(all, [&](observed_safekeeper& seen) { look_at(server_directory, seen); });
  const auto named = members_named(all);
  for_each_at_once(all, [&](observed_safekeeper& seen) {
    const auto members = named.find(seen.status.id);
    if (!seen.status.up() || members == named.end()) return;
    for (const auto& member : members->second) {
      const auto at = locate_safekeeper(server_directory, member);
      const auto reached = at ? check_wal_service(*at, patience) : core::result<void>(at.error());
      if (!reached) seen.status.unreachable_at[consensus::address_of(member)] = reached.error().detail;
    }
  });
  return all;
}

std::vector<observed_safekeeper> safekeeper_observer::look() {
  std::unique_lock lock(mutex_);
  const std::uint64_t wanted = looks_begun_ + 1;
  for (;;) {
    if (last_look_ >= wanted) return *last_;
    if (!looking_) break;
    ended_.wait(lock);
  }
  looking_ = true;
  const std::uint64_t number = ++looks_begun_;
  lock.unlock();
  std::vector<observed_safekeeper> seen;
  std::exception_ptr failure;
  try {
    seen = observe_safekeepers(directory_);
  } catch (...) {
    failure = std::current_exception();
  }
  lock.lock();
  looking_ = false;
  if (!failure) {
    times_.note(clock_.now(), seen);
    last_ = std::make_shared<const std::vector<observed_safekeeper>>(seen);
    last_look_ = number;
  }
  ended_.notify_all();
  if (failure) std::rethrow_exception(failure);
  return seen;
}

}  // namespace strata::control
