#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
}  // namespace prometheus

namespace strata::actors::runtime {

/// Handles on one time series: cheap to copy, valid while the metrics object lives, usable from any thread. Keep them:
/// finding one by name costs a microsecond.
class counter {
 public:
  void add(double by = 1);

 private:
  friend class metrics;
  explicit counter(prometheus::Counter* of) : of_(of) {}
  prometheus::Counter* of_;
};
class gauge {
 public:
  void set(double to);
  void add(double by);

 private:
  friend class metrics;
  explicit gauge(prometheus::Gauge* of) : of_(of) {}
  prometheus::Gauge* of_;
};
class histogram {
 public:
  void observe(double value);

 private:
  friend class metrics;
  explicit histogram(prometheus::Histogram* of) : of_(of) {}
  prometheus::Histogram* of_;
};

/// All metrics of a process. Names begin with strata_ and end in a unit; a second request for the same name and labels
/// returns the same series.
class metrics {
 public:
  using labels = std::map<std::string, std::string>;

  metrics();
  ~metrics();

  runtime::counter counter(const std::string& name, const std::string& help, const labels& with = {});
  runtime::gauge gauge(const std::string& name, const std::string& help, const labels& with = {});
  runtime::histogram histogram(const std::string& name, const std::string& help, std::vector<double> buckets,
                               const labels& with = {});
  /// Removes a series, e.g. of a deleted timeline. Its handles must not be used any more.
  void remove(const std::string& name, const runtime::gauge& of);

  /// Called before every render(), to set values that are cheaper to look up than to update. The owner removes it.
  std::uint64_t add_collector(std::function<void()> collector);
  void remove_collector(std::uint64_t id);

  /// Prometheus's text format.
  std::string render();

 private:
  std::shared_ptr<prometheus::Registry> registry_;
  std::mutex mutex_;  ///< of all below
  struct families;
  std::unique_ptr<families> families_;
  std::uint64_t next_collector_ = 1;
  std::map<std::uint64_t, std::function<void()>> collectors_;
};

}  // namespace strata::actors::runtime
