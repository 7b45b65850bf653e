#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench/compute/processes.hpp"
#include "bench/compute/sides.hpp"
#include "bench/compute/workloads.hpp"
#include "bench/followed_database.hpp"
#include "bench/pgbench_run.hpp"
#include "bench/stopwatch.hpp"
#include "host/program.hpp"

namespace strata::bench {
namespace {

constexpr int computes = 100;
constexpr std::chrono::seconds idle_time{5};
constexpr std::chrono::minutes complete_limit{5};

struct outcome {
  std::vector<double> seconds;
  std::map<std::string, int> failures;  ///< messages, without the number of the compute
};

std::string without_digits(std::string text) {
  std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

/// For each of them in a thread of its own, all begun at once.
outcome for_all(const std::vector<std::string>& names, const std::function<void(const std::string&)>& act) {
  outcome all;
  std::mutex mutex;
  std::vector<std::thread> threads;
  const wall_stopwatch clock;
  for (const auto& name : names)
    threads.emplace_back([&] {
      std::string failure;
      try {
        act(name);
      } catch (const std::exception& e) {
        failure = without_digits(e.what());
      }
      const std::lock_guard lock(mutex);
      if (failure.empty())
        all.seconds.push_back(clock.seconds());
      else
        ++all.failures[failure];
    });
  for (auto& each : threads) each.join();
  return all;
}

void print(const char* what, const outcome& of, const char* goal) {
  std::printf("%s: %zu of %d, p50 %.1f p95 %.1f longest %.1f s%s\n", what, of.seconds.size(), computes,
              percentile(of.seconds, 0.5), percentile(of.seconds, 0.95), percentile(of.seconds, 1), goal);
  for (const auto& [failure, times] : of.failures) std::printf("  %d times: %s\n", times, failure.c_str());
  std::fflush(stdout);
}

void print_steps(const nlohmann::json& running) {
  std::map<std::string, std::vector<double>> steps;
  for (const auto& each : running)
    for (const auto& [step, micros] : each.at("steps_us").items()) steps[step].push_back(micros.get<double>() / 1e6);
  std::printf("  medians of their steps:");
  for (const auto& [step, values] : steps) std::printf("  %s %.1f s", step.c_str(), median(values));
  std::printf("\n");
}

std::vector<pid_t> processes_of(const nlohmann::json& running) {
  std::vector<pid_t> all;
  for (const auto& each : running)
    if (each.contains("agent_pid"))
      for (const pid_t process : family_of(each.at("agent_pid"))) all.push_back(process);
  return all;
}

const char* role_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/cmdline");
  const std::string words{std::istreambuf_iterator<char>(file), {}};
  if (words.find("compute-agent") != words.npos) return "agent";
  if (words.find("compute-filler") != words.npos) return "filler";
  return "Postgres";
}

/// Of what runs now, since it began; and of the commands, which have ended.
void print_cpu(const std::vector<pid_t>& processes, double server_seconds, double command_seconds) {
  std::map<std::string, std::vector<pid_t>> by_role;
  for (const pid_t each : processes) by_role[role_of(each)].push_back(each);
  std::printf("  CPU for it, milliseconds a compute:  command %.0f  server %.0f", command_seconds * 1e3 / computes,
              server_seconds * 1e3 / computes);
  for (const auto& [role, all] : by_role)
    std::printf("  %s %.0f", role.c_str(), costs_of(all).cpu_seconds * 1e3 / computes);
  std::printf("\n");
}

double children_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);
  const auto seconds = [](const timeval& of) {
    return static_cast<double>(of.tv_sec) + static_cast<double>(of.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// An idle compute has its pages: until then its filler and the server work.
void wait_until_complete(const tests::strata_server& strata) {
  const wall_stopwatch clock;
  const auto is_complete = [](const auto& each) {
    return each.contains("page_counts") && each.at("page_counts").at("complete").template get<bool>();
  };
  for (;;) {
    const auto running = strata.ask({"compute", "list"});
    if (std::all_of(running.begin(), running.end(), is_complete)) break;
    if (clock.seconds() > std::chrono::duration<double>(complete_limit).count())
      throw std::runtime_error("the computes did not become complete");
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  std::printf("  all pages of all of them after %.0f s more\n", clock.seconds());
}

void print_idle(const tests::strata_server& strata, const std::vector<pid_t>& processes, std::size_t running) {
  const pid_t server = strata.pid();
  const process_costs before = costs_of(processes), server_before = costs_of({server});
  std::this_thread::sleep_for(idle_time);
  const process_costs after = costs_of(processes), server_after = costs_of({server});
  const double count = static_cast<double>(running);
  const double time = std::chrono::duration<double>(idle_time).count();
  std::printf(
      "idle: %.1f MB a compute (proportional set size of %.1f processes), %.2f %% of a CPU each; the server "
      "%.0f MB, %.1f %%\n",
      after.memory_megabytes / count, static_cast<double>(processes.size()) / count,
      (after.cpu_seconds - before.cpu_seconds) / time / count * 100, server_after.memory_megabytes,
      (server_after.cpu_seconds - server_before.cpu_seconds) / time * 100);
}

}  // namespace

void measure_hundred(const plan& of, database_shelf& from) {
  const tests::strata_server& strata = from.of_scale(of.scales.empty() ? 1 : of.scales.front()).strata();
  std::vector<std::string> branch_names;
  std::vector<std::unique_ptr<made_branch>> branches;
  for (int i = 0; i < computes; ++i) {
    branch_names.push_back("b" + std::to_string(i));
    branches.push_back(std::make_unique<made_branch>(strata, branch_names.back()));
  }

  const double commands_before = children_seconds();
  const process_costs server_before = costs_of({strata.pid()});
  const outcome started = for_all(branch_names, [&](const std::string& name) {
    const auto compute = strata.ask({"compute", "start", name});
    tests::sql_session(compute.at("uri")).value("select abalance from pgbench_accounts where aid = 4711");
  });
  print("100 computes at once, to the first row", started, " (goal: p95 10 s)");
  const auto running = strata.ask({"compute", "list"});
  print_steps(running);
  auto processes = processes_of(running);
  print_cpu(processes, costs_of({strata.pid()}).cpu_seconds - server_before.cpu_seconds,
            children_seconds() - commands_before);
  if (started.failures.empty()) wait_until_complete(strata);
  // Without the fillers, which have ended.
  processes = processes_of(running);
  print_idle(strata, processes, running.size());

  std::vector<std::string> names;
  for (const auto& each : running) names.push_back(each.at("name"));
  const outcome stopped = for_all(names, [&](const std::string& name) {
    strata.ask({"compute", "stop", name, "--remove"});
  });
  print("all stopped and removed at once", stopped, "");
  for (const pid_t each : processes)
    if (host::is_running(each)) throw std::runtime_error("process " + std::to_string(each) + " still runs");
  if (!strata.ask({"compute", "list"}).empty()) throw std::runtime_error("computes are left");
  if (!started.failures.empty() || !stopped.failures.empty()) throw std::runtime_error("computes failed");
}

}  // namespace strata::bench
