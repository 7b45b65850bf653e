#include "core/check.hpp"
#include "storage/layers/layer_cache.hpp"
#include "storage/layers/layer_file.hpp"
#include "storage/layers/memory_layer.hpp"
#include "storage/timeline/read_path.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::storage {

core::result<layer_record> timeline_store::write_level0(const memory_layer& layer) {
  layer_record record{.number = last_number_.fetch_add(1) + 1,
                      .kind = layer_kind::delta,
                      .level = 0,
                      .keys = {core::page_key::min(), core::page_key::max()},
                      .begin = layer.begin(),
                      .end = layer.end()};
  STRATA_ASSIGN(const auto writer, new_layer({.number = record.number}));
  STRATA_TRY(layer.visit_sorted(
      [&](const core::page_key& key, core::lsn at, core::bytes_view value) { return writer->add(key, at, value); }));
  return writer->finish(record);
}

core::result<core::lsn> timeline_store::flush_oldest() {
  const removal_of_retired at_end(*context_.layers);
  const auto view = current();
  if (view->memory.size() == 1) return core::error{core::errc::not_found, "flush: no layer is frozen"};
  const std::shared_ptr<memory_layer> oldest = view->memory.back();
  timeline_edit edit;
  edit.disk_consistent_lsn = oldest->end() - 1;
  edit.previous_record_lsn = oldest->previous_record();
  edit.commit_times = oldest->commit_times();
  edit.received = oldest->trace();
  if (!oldest->empty()) {
    auto written = write_level0(*oldest);
    if (!written) return std::move(written).error().within("flush");
    edit.add.push_back(*written);
  }
  if (auto stored = commit(edit); !stored) {
    remove_files(edit.add);
    return std::move(stored).error();
  }

  std::vector<layer_map::item> added;
  for (const layer_record& layer : edit.add) added.push_back(item_of(layer));
  // One snapshot has the versions in memory, the next one in the file: no reader sees neither or both.
  change_view([&](timeline_view& changed) {
    core::check(changed.memory.back() == oldest, "one flush at a time");
    changed.memory.pop_back();
    if (!added.empty()) changed.files = std::make_shared<const layer_map>(changed.files->changed({}, added));
  });
  return *edit.disk_consistent_lsn;
}

}  // namespace strata::storage
