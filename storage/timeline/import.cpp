#include <algorithm>
#include <numeric>

#include "core/check.hpp"
#include "storage/layers/layer_file.hpp"
#include "storage/layers/memory_layer.hpp"
#include "storage/timeline/read_path.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::storage {

namespace {

/// Layers of an import that share no key with another one count as compacted.
void set_levels(std::vector<layer_record>& layers) {
  std::sort(layers.begin(), layers.end(),
            [](const layer_record& a, const layer_record& b) { return a.keys.begin < b.keys.begin; });
  core::page_key end_before = core::page_key::min();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const bool overlaps_before = i > 0 && layers[i].keys.begin < end_before;
    const bool overlaps_next = i + 1 < layers.size() && layers[i + 1].keys.begin < layers[i].keys.end;
    layers[i].level = overlaps_before || overlaps_next ? 0 : 1;
    end_before = std::max(end_before, layers[i].keys.end);
  }
}

}  // namespace

core::result<void> timeline_store::import_value(const core::page_key& key, core::lsn at, core::bytes_view image) {
  const std::lock_guard guard(import_mutex_);
  if (at < import_at_) return core::error{core::errc::invalid_argument, "import: all values have one LSN"};
  if (at > import_at_) {
    // A new attempt, from a newer backup: values of the old one must not be mixed with it.
    remove_files(imported_);
    imported_.clear();
    import_run_.reset();
    import_at_ = at;
  }
  if (!import_run_) import_run_ = std::make_unique<write_batch>(4u << 20);
  import_run_->put_image(key, at, image);
  if (import_run_->value_bytes() < options().checkpoint_distance_bytes) return {};
  return write_import_run();
}

core::result<void> timeline_store::write_import_run() {
  const auto entries = import_run_->entries();
  if (entries.empty()) return {};
  std::vector<std::uint32_t> order(entries.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const auto keys = entries[a].key <=> entries[b].key;
    return keys != 0 ? keys < 0 : a > b;  // of several values of a key the last one comes first
  });
  layer_record layer{.number = last_number_.fetch_add(1) + 1,
                     .kind = layer_kind::delta,
                     .level = 0,
                     .keys = {entries[order.front()].key, entries[order.back()].key.next()},
                     .begin = import_at_,
                     .end = import_at_ + 1};
  STRATA_ASSIGN(const auto writer, new_layer({.number = layer.number, .compress = true}));
  const write_batch::entry* before = nullptr;
  for (const std::uint32_t index : order) {
    const write_batch::entry& each = entries[index];
    if (before == nullptr || before->key != each.key)
      STRATA_TRY(writer->add(each.key, each.at, {each.value, each.size}));
    before = &each;
  }
  STRATA_ASSIGN(layer, writer->finish(layer));
  imported_.push_back(layer);
  import_run_.reset();
  return {};
}

core::result<void> timeline_store::finish_import(core::lsn at, core::lsn readable_from) {
  const std::lock_guard guard(import_mutex_);
  core::check(last_record_lsn() <= at, "an import comes before all WAL");
  if (import_at_.valid() && import_at_ != at)
    return core::error{core::errc::invalid_argument, "finish import: the values have another LSN"};
  if (import_run_) STRATA_TRY(write_import_run());
  timeline_edit edit{.add = imported_, .disk_consistent_lsn = at, .state = timeline_state::active};
  edit.readable_from = readable_from;
  set_levels(edit.add);
  STRATA_TRY(exchange_layers(std::move(edit)));
  imported_.clear();
  change_view([&](timeline_view& view) { view.memory = {std::make_shared<memory_layer>(at + 1)}; });
  store(last_record_, at);
  return {};
}

}  // namespace strata::storage
