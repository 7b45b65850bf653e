#include "actors/runtime/proc_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace strata::actors::runtime {
namespace {

/// Fields of /proc/self/stat after the program's name, the first one being the state (number 3 in proc(5)).
std::vector<std::string> stat_fields() {
  std::ifstream file("/proc/self/stat");
  std::string text(std::istreambuf_iterator<char>(file), {});
  const auto name_end = text.rfind(')');
  std::istringstream rest(name_end == std::string::npos ? "" : text.substr(name_end + 1));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

double number(const std::vector<std::string>& fields, std::size_t of_proc) {
  return of_proc - 3 < fields.size() ? std::strtod(fields[of_proc - 3].c_str(), nullptr) : 0;
}

double ticks_per_second() { return static_cast<double>(::sysconf(_SC_CLK_TCK)); }

/// When the machine was started, in seconds since 1970.
double boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;)
    if (double since_1970 = 0; word == "btime" && file >> since_1970) return since_1970;
  return 0;
}

double open_descriptors() {
  std::error_code failure;
  double count = 0;
  for (std::filesystem::directory_iterator at("/proc/self/fd", failure), end; !failure && at != end;
       at.increment(failure))
    ++count;
  return count;
}

}  // namespace

proc_metrics::proc_metrics(metrics& of, const std::string& version)
    : metrics_(of),
      cpu_(of.counter("process_cpu_seconds_total", "User and system CPU time")),
      resident_(of.gauge("process_resident_memory_bytes", "Resident memory")),
      virtual_(of.gauge("process_virtual_memory_bytes", "Virtual memory")),
      threads_(of.gauge("process_threads", "Threads")),
      open_(of.gauge("process_open_fds", "Open file descriptors")),
      open_max_(of.gauge("process_max_fds", "File descriptors that may be open")) {
  of.gauge("strata_build_info", "1, with what was built as labels", {{"version", version}, {"compiler", __VERSION__}})
      .set(1);
  of.gauge("process_start_time_seconds", "When the process was started, since 1970")
      .set(boot_time() + number(stat_fields(), 22) / ticks_per_second());
  collector_ = of.add_collector([this] { collect(); });
}

proc_metrics::~proc_metrics() { metrics_.remove_collector(collector_); }

void proc_metrics::collect() {
  const auto fields = stat_fields();
  const double cpu = (number(fields, 14) + number(fields, 15)) / ticks_per_second();
  {
    // Two concurrent scrapes must not count the same time twice.
    const std::lock_guard lock(mutex_);
    cpu_.add(cpu - cpu_told_);
    cpu_told_ = cpu;
  }
  threads_.set(number(fields, 20));
  virtual_.set(number(fields, 23));
  resident_.set(number(fields, 24) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  open_.set(open_descriptors());
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) open_max_.set(static_cast<double>(limit.rlim_cur));
}

}  // namespace strata::actors::runtime
