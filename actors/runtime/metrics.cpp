#include "actors/runtime/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <sstream>

namespace strata::actors::runtime {

void counter::add(double by) { of_->Increment(by); }
void gauge::set(double to) { of_->Set(to); }
void gauge::add(double by) { of_->Increment(by); }
void histogram::observe(double value) { of_->Observe(value); }

struct metrics::families {
  std::map<std::string, prometheus::Family<prometheus::Counter>*> counters;
  std::map<std::string, prometheus::Family<prometheus::Gauge>*> gauges;
  std::map<std::string, prometheus::Family<prometheus::Histogram>*> histograms;
};

namespace {

template <class Series>
prometheus::Family<Series>& family(std::map<std::string, prometheus::Family<Series>*>& known, const std::string& name,
                                   const std::string& help, prometheus::Registry& registry) {
  auto& entry = known[name];
  if (entry == nullptr) {
    if constexpr (std::is_same_v<Series, prometheus::Counter>)
      entry = &prometheus::BuildCounter().Name(name).Help(help).Register(registry);
    else if constexpr (std::is_same_v<Series, prometheus::Gauge>)
      entry = &prometheus::BuildGauge().Name(name).Help(help).Register(registry);
    else
      entry = &prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }
  return *entry;
}

}  // namespace

metrics::metrics() : registry_(std::make_shared<prometheus::Registry>()), families_(std::make_unique<families>()) {}
metrics::~metrics() = default;

counter metrics::counter(const std::string& name, const std::string& help, const labels& with) {
  const std::lock_guard lock(mutex_);
  return runtime::counter(&family(families_->counters, name, help, *registry_).Add(with));
}

gauge metrics::gauge(const std::string& name, const std::string& help, const labels& with) {
  const std::lock_guard lock(mutex_);
  return runtime::gauge(&family(families_->gauges, name, help, *registry_).Add(with));
}

histogram metrics::histogram(const std::string& name, const std::string& help, std::vector<double> buckets,
                             const labels& with) {
  const std::lock_guard lock(mutex_);
  return runtime::histogram(&family(families_->histograms, name, help, *registry_).Add(with, std::move(buckets)));
}

void metrics::remove(const std::string& name, const runtime::gauge& of) {
  const std::lock_guard lock(mutex_);
  const auto found = families_->gauges.find(name);
  if (found != families_->gauges.end()) found->second->Remove(of.of_);
}

std::uint64_t metrics::add_collector(std::function<void()> collector) {
  const std::lock_guard lock(mutex_);
  collectors_.emplace(next_collector_, std::move(collector));
  return next_collector_++;
}

void metrics::remove_collector(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  collectors_.erase(id);
}

std::string metrics::render() {
  std::vector<std::function<void()>> collectors;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, collector] : collectors_) collectors.push_back(collector);
  }
  for (const auto& collector : collectors) collector();
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, registry_->Collect());
  return text.str();
}

}  // namespace strata::actors::runtime
