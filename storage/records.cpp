#include "storage/records.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace strata::storage {

namespace {

wal_keeper& keeper_in(timeline_record& record, consensus::node_id id) {
  auto& all = record.wal_keepers;
  const auto at = std::lower_bound(all.begin(), all.end(), id,
                                   [](const wal_keeper& each, consensus::node_id of) { return each.id < of; });
  return at != all.end() && at->id == id ? *at : *all.insert(at, wal_keeper{.id = id});
}

void enter_safekeepers(timeline_record& record, const consensus::configuration& to) {
  for (const consensus::member& each : to.all()) {
    // A new member fetches the WAL of the others before it joins.
    const bool joins = to.generation > 1 && !(record.safekeepers && record.safekeepers->contains(each.id));
    wal_keeper& keeper = keeper_in(record, each.id);
    keeper.created = keeper.created || joins;
  }
  record.safekeepers = to;
}

std::string hex16(std::uint64_t value) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llX", static_cast<unsigned long long>(value));
  return text.data();
}

}  // namespace

std::vector<wal_keeper> keepers_to_create(const timeline_record& of) {
  std::vector<wal_keeper> found;
  if (!of.safekeepers || of.state == timeline_state::deleting) return found;
  for (const wal_keeper& each : of.wal_keepers)
    if (!each.created && of.safekeepers->contains(each.id)) found.push_back(each);
  return found;
}

bool keeps_slot(const timeline_record& of) {
  if (!of.source) return false;
  return of.source->slot_existed || (of.source->slot_named && of.state != timeline_state::importing);
}

void apply_to_record(const timeline_edit& edit, timeline_record& record) {
  if (edit.disk_consistent_lsn) record.disk_consistent_lsn = *edit.disk_consistent_lsn;
  if (edit.previous_record_lsn) record.previous_record_lsn = *edit.previous_record_lsn;
  if (edit.gc_cutoff) record.gc_cutoff = *edit.gc_cutoff;
  if (edit.state) record.state = *edit.state;
  if (edit.readable_from) record.readable_from = *edit.readable_from;
  if (edit.wal_log_hints) record.wal_log_hints = *edit.wal_log_hints;
  if (record.source && edit.received) record.source->received = edit.received;
  if (record.source && edit.refuse_source) record.source->refusal = edit.refuse_source;
  if (record.source && edit.resume_source) record.source->refusal.reset();
  if (record.source && edit.end_source) {
    record.source->ended = true;
    record.source->refusal.reset();
  }
  if (edit.forget_source) record.source.reset();
  if (edit.safekeepers) enter_safekeepers(record, *edit.safekeepers);
  if (edit.quorum_start) record.quorum_start = *edit.quorum_start;
  if (edit.wal_keeper_seen) {
    wal_keeper& keeper = keeper_in(record, edit.wal_keeper_seen->id);
    if (!keeper.instance.valid()) keeper.instance = edit.wal_keeper_seen->instance;
    keeper.created = keeper.created || edit.wal_keeper_seen->created;
  }
  if (edit.name) record.name = *edit.name;
  if (edit.deletion_protected) record.deletion_protected = *edit.deletion_protected;
  if (edit.expires) record.expires = *edit.expires;
  if (edit.logical_wal) record.logical_wal = *edit.logical_wal;
  if (edit.custom_manager_seen) {
    const custom_manager& seen = *edit.custom_manager_seen;
    auto& all = record.custom_managers;
    const auto at = std::lower_bound(all.begin(), all.end(), seen.id,
                                     [](const custom_manager& each, std::uint8_t id) { return each.id < id; });
    if (at == all.end() || at->id != seen.id) all.insert(at, seen);
  }
}

std::string layer_file_name(const layer_record& layer) {
  std::string name = hex16(layer.number) + "__" + core::to_string(layer.keys.begin) + "-" +
                     core::to_string(layer.keys.end) + "__" + hex16(layer.begin.value);
  if (layer.kind == layer_kind::delta) name += "-" + hex16(layer.end.value);
  name += "__" + core::to_string(layer.generation);
  return name + (layer.kind == layer_kind::delta ? ".delta" : ".image");
}

}  // namespace strata::storage
