#include "bench/pgbench_run.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::bench {

double pgbench_result::percentile(double part) const {
  if (latencies_ms.empty()) return 0;
  return latencies_ms[static_cast<std::size_t>(part * static_cast<double>(latencies_ms.size() - 1))];
}

pgbench_result run_pgbench(const std::string& conninfo, int clients, std::chrono::seconds duration) {
  const tests::temp_dir logs;
  const auto ran = tests::run(
      {.arguments = {tests::program_of(tests::postgres_installs().front(), "pgbench"), "-n", "-N", "-M", "prepared",
                     "-c", std::to_string(clients), "-j", "1", "-T", std::to_string(duration.count()), "--log",
                     "--log-prefix=" + (logs / "transaction").string(), conninfo}},
      duration + std::chrono::minutes(2));
  if (ran.exit_code != 0) throw std::runtime_error("pgbench: " + ran.err);
  pgbench_result result;
  // client, transaction, microseconds, ...
  for (const auto& file : std::filesystem::directory_iterator(logs.path())) {
    std::ifstream lines(file.path());
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      double client = 0, number = 0, microseconds = 0;
      if (words >> client >> number >> microseconds) result.latencies_ms.push_back(microseconds / 1000);
    }
  }
  std::sort(result.latencies_ms.begin(), result.latencies_ms.end());
  const auto at = ran.out.find("tps = ");
  if (at == std::string::npos) throw std::runtime_error("pgbench said: " + ran.out);
  result.tps = std::stod(ran.out.substr(at + 6));
  return result;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

}  // namespace strata::bench
