#include "bench/pgbench_run.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::bench {
namespace {

std::vector<std::string> words_of(const pgbench_shape& shape, const std::filesystem::path& directory) {
  std::vector<std::string> words{tests::program_of(tests::postgres_installs().front(), "pgbench"),
                                 "-n",
                                 "-M",
                                 shape.query_mode,
                                 "-c",
                                 std::to_string(shape.clients),
                                 "-j",
                                 "1"};
  const auto add = [&](const std::string& name, const std::string& value) { words.insert(words.end(), {name, value}); };
  if (shape.script.empty()) {
    add("-b", shape.builtin);
  } else {
    const auto file = directory / "script";
    std::ofstream(file) << shape.script << '\n';
    add("-f", file);
  }
  if (shape.transactions > 0)
    add("-t", std::to_string(shape.transactions));
  else
    add("-T", std::to_string(shape.duration.count()));
  if (shape.latencies) words.insert(words.end(), {"--log", "--log-prefix=" + (directory / "transaction").string()});
  return words;
}

/// client, transaction, microseconds, ...
std::vector<double> logged_latencies(const std::filesystem::path& directory) {
  std::vector<double> found;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    if (file.path().filename() == "script") continue;
    std::ifstream lines(file.path());
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      double client = 0, number = 0, microseconds = 0;
      if (words >> client >> number >> microseconds) found.push_back(microseconds / 1000);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

double number_after(const std::string& text, const std::string& label) {
  const auto at = text.find(label);
  if (at == std::string::npos) throw std::runtime_error("pgbench said: " + text);
  return std::stod(text.substr(at + label.size()));
}

}  // namespace

double pgbench_result::percentile(double part) const {
  if (latencies_ms.empty()) return 0;
  return latencies_ms[static_cast<std::size_t>(part * static_cast<double>(latencies_ms.size() - 1))];
}

pgbench_result run_pgbench(const std::string& conninfo, const pgbench_shape& shape) {
  const tests::temp_dir logs;
  tests::command pgbench{.arguments = words_of(shape, logs.path()),
                         .environment = {{"PGOPTIONS", "-c default_transaction_read_only=off"}}};
  pgbench.arguments.push_back(conninfo);
  const auto ran = tests::run(pgbench, shape.duration + std::chrono::minutes(2));
  if (ran.exit_code != 0) throw std::runtime_error("pgbench: " + ran.err);
  return {.tps = number_after(ran.out, "tps = "),
          .transactions = static_cast<std::uint64_t>(number_after(ran.out, "actually processed: ")),
          .latencies_ms = shape.latencies ? logged_latencies(logs.path()) : std::vector<double>()};
}

double median(std::vector<double> values) { return percentile(std::move(values), 0.5); }

double percentile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  if (values.empty()) return 0;
  return values[std::min(values.size() - 1, static_cast<std::size_t>(part * static_cast<double>(values.size())))];
}

}  // namespace strata::bench
