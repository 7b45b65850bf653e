#include "tests/support/timeline_home.hpp"

#include <filesystem>
#include <stdexcept>

namespace strata::tests {

using namespace storage;

namespace {

template <class T>
T demand(core::result<T> outcome) {
  if (!outcome) throw std::runtime_error(core::to_string(outcome.error()));
  return *std::move(outcome);
}
void demand(core::result<void> outcome) {
  if (!outcome) throw std::runtime_error(core::to_string(outcome.error()));
}

}  // namespace

timeline_home::timeline_home(const timeline_record& like) : record(like) {
  metadata = demand(metadata_store::open(directory / "metadata"));
  layers = std::make_unique<layer_cache>(16u << 20, 64);
  if (!record.tenant.valid()) {
    record.tenant = core::make_id<core::tenant_id>();
    record.id = core::make_id<core::timeline_id>();
    record.name = "main";
    record.state = timeline_state::importing;
  }
  demand(metadata->put_tenant({.id = record.tenant, .name = "t", .generation = core::generation(1), .options = {}}));
  reopen(record);
}

void timeline_home::reopen(const timeline_record& with) {
  store.reset();
  record = with;
  demand(metadata->put_timeline(record));
  const std::filesystem::path files = directory / "layers";
  std::filesystem::create_directories(files);
  store = demand(timeline_store::open(
      {.metadata = metadata.get(), .layers = layers.get(), .clock = &clock, .directory = files.string(), .options = {}},
      record, nullptr));
}

}  // namespace strata::tests
