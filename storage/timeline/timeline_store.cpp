#include "storage/timeline/timeline_store.hpp"

#include <algorithm>

#include "core/blocking.hpp"
#include "core/check.hpp"
#include "core/log.hpp"
#include "io/file.hpp"
#include "storage/layers/layer_cache.hpp"
#include "storage/layers/layer_file.hpp"
#include "storage/layers/memory_layer.hpp"
#include "storage/side_files/side_file_store.hpp"
#include "storage/timeline/read_path.hpp"

namespace strata::storage {

core::result<std::shared_ptr<timeline_store>> timeline_store::open(const context& context,
                                                                   const timeline_record& record,
                                                                   std::shared_ptr<timeline_store> ancestor) {
  if (record.ancestor.has_value() != (ancestor != nullptr))
    return core::error{core::errc::invalid_argument,
                       "open timeline " + core::to_string(record.id) + ": its ancestor is not the one in its record"};
  auto found = load_files(context, record);
  if (!found) return std::move(found).error().within("open timeline " + core::to_string(record.id));
  auto side_files = side_file_store::open({.metadata = context.metadata,
                                           .disk = &context.layers->disk(),
                                           .clock = context.clock,
                                           .tenant = record.tenant,
                                           .timeline = record.id,
                                           .directory = context.directory + "/side_files",
                                           .generation = context.generation,
                                           .ancestor_lsn = record.ancestor_lsn},
                                          ancestor ? ancestor->side_files() : nullptr);
  if (!side_files) return std::move(side_files).error().within("open timeline " + core::to_string(record.id));
  found->side_files = *std::move(side_files);
  return std::shared_ptr<timeline_store>(new timeline_store(context, *std::move(found), std::move(ancestor)));
}

timeline_store::timeline_store(const context& context, opened found, std::shared_ptr<timeline_store> ancestor)
    : context_(context),
      ancestor_(std::move(ancestor)),
      side_files_(std::move(found.side_files)),
      last_number_(found.last_number),
      record_(std::move(found.record)),
      options_(context.options),
      unchecked_layers_(std::move(found.unchecked_layers)),
      damaged_layers_(std::move(found.damaged_layers)) {
  // A new branch has everything up to its branch point, in its ancestor.
  const core::lsn start = std::max(record_.disk_consistent_lsn, record_.ancestor_lsn);
  if (follows_source(record_)) received_ = record_.source->received;
  store(last_record_, start);
  store(previous_record_, record_.previous_record_lsn);
  store(disk_consistent_, start);
  store(gc_cutoff_, record_.gc_cutoff);
  store(readable_from_, record_.readable_from);
  auto view = std::make_shared<timeline_view>();
  view->memory.push_back(std::make_shared<memory_layer>(start + 1));
  view->files = std::make_shared<const layer_map>(std::move(found.layers));
  view_ = std::move(view);
}

std::shared_ptr<const timeline_view> timeline_store::current() const {
  const std::lock_guard guard(view_mutex_);
  return view_;
}

void timeline_store::change_view(const std::function<void(timeline_view&)>& change) {
  const std::lock_guard changing(change_mutex_);
  auto changed = std::make_shared<timeline_view>(*current());
  change(*changed);
  std::shared_ptr<const timeline_view> before = std::move(changed);
  {
    const std::lock_guard guard(view_mutex_);
    view_.swap(before);
  }
}

std::vector<read_level> timeline_store::levels_at(core::lsn at) const {
  std::vector<read_level> levels;
  core::lsn bound = at;
  for (const timeline_store* timeline = this; timeline != nullptr; timeline = timeline->ancestor_.get()) {
    levels.push_back({timeline->current(), bound});
    // The ancestor's LSN never changes: no lock.
    bound = std::min(bound, timeline->record_.ancestor_lsn);
  }
  return levels;
}

core::result<std::vector<read_level>> timeline_store::readable_levels(core::lsn at) const {
  // The snapshot first, the cutoff second: a snapshot that lacks a collected layer was taken after the cutoff was
  // raised. Files of the snapshot stay until it is released, so nothing else has to wait for readers.
  std::vector<read_level> levels = levels_at(at);
  if (at < gc_cutoff() && !retained(at))
    return core::error{core::errc::out_of_range, "read at " + core::to_string(at) +
                                                     ": garbage collection has passed it, the oldest readable LSN is " +
                                                     core::to_string(gc_cutoff())};
  return levels;
}

bool timeline_store::retained(core::lsn at) const {
  const std::lock_guard guard(record_mutex_);
  return std::find(retained_.begin(), retained_.end(), at) != retained_.end();
}

config::tenant_options timeline_store::options() const {
  const std::lock_guard guard(record_mutex_);
  return options_;
}

void timeline_store::set_options(const config::tenant_options& options) {
  const std::lock_guard guard(record_mutex_);
  options_ = options;
}

timeline_record timeline_store::record() const {
  const std::lock_guard guard(record_mutex_);
  return record_;
}

std::optional<wal_trace> timeline_store::received() const {
  const std::lock_guard guard(record_mutex_);
  return received_;
}

pg::redo::redo_context timeline_store::redo_context() const {
  const std::lock_guard guard(record_mutex_);
  return {.major = record_.major, .hints_are_logged = record_.data_checksums || record_.wal_log_hints};
}

timeline_counters timeline_store::counters() const {
  const auto view = current();
  timeline_counters counters;
  for (const auto& item : view->files->layers()) counters.layer_bytes += item.record.size_bytes;
  counters.layers = view->files->layers().size();
  counters.l0_layers = view->files->level0().size();
  for (const auto& layer : view->memory) counters.memory_bytes += layer->memory_bytes();
  counters.frozen_layers = view->memory.size() - 1;
  return counters;
}

std::vector<layer_record> timeline_store::layers() const {
  const auto view = current();
  std::vector<layer_record> records;
  for (const auto& item : view->files->layers()) records.push_back(item.record);
  return records;
}

std::vector<memory_span> timeline_store::memory_spans() const {
  const auto view = current();
  std::vector<memory_span> spans{{view->memory.front()->begin(), std::nullopt}};
  for (std::size_t i = 1; i < view->memory.size(); ++i)
    spans.push_back({view->memory[i]->begin(), view->memory[i]->end()});
  return spans;
}

std::size_t timeline_store::frozen_count() const { return current()->memory.size() - 1; }

// -- reading --------------------------------------------------------------------------------------------------------

core::result<void> timeline_store::check_readable(core::lsn at) const {
  const core::lsn first = std::max(load(readable_from_), gc_cutoff());
  const core::lsn last = last_record_lsn();
  if (at <= last && (at >= first || (at >= load(readable_from_) && retained(at)))) return {};
  return core::error{core::errc::out_of_range, "LSN " + core::to_string(at) + " cannot be read: the window is " +
                                                   core::to_string(first) + " to " + core::to_string(last)};
}

void timeline_store::read_pages(std::span<page_read> reads, core::lsn at, read_mode mode) const {
  if (mode == read_mode::may_block) core::may_block("read pages from layers");
  const auto levels = readable_levels(at);
  if (levels) return rebuild_pages(*levels, reads, mode, redo_context());
  for (page_read& read : reads) read.failure = levels.error();
}

core::result<std::optional<core::bytes>> timeline_store::read_value(const core::page_key& key, core::lsn at,
                                                                    read_mode mode) const {
  if (mode == read_mode::may_block) core::may_block("read a value from layers");
  STRATA_ASSIGN(const auto levels, readable_levels(at));
  return find_value(levels, key, mode);
}

core::result<void> timeline_store::scan(
    const core::key_range& keys, core::lsn at,
    const std::function<bool(const core::page_key&, core::bytes_view)>& visitor) const {
  core::may_block("scan layers");
  STRATA_ASSIGN(const auto levels, readable_levels(at));
  return scan_values(levels, keys, visitor);
}

// -- the writer -----------------------------------------------------------------------------------------------------

void timeline_store::append(write_batch&& batch) {
  if (batch.empty()) return;
  const core::lsn end = batch.last_record_end();
  const core::lsn start = batch.last_record_start();
  const core::lsn before = last_record_lsn();
  core::check(end > before, "a batch continues at the end of the last one");
  if (!batch.entries().empty()) core::check(batch.entries().front().at > before, "versions of a batch are new");
  if (batch.trace()) {
    const std::lock_guard guard(record_mutex_);
    received_ = batch.trace();
  }
  current()->memory.front()->append(std::move(batch));
  if (!open_since_) open_since_ = context_.clock->monotonic();
  store(previous_record_, start);
  store(last_record_, end);
}

bool timeline_store::freeze_due() const {
  if (!open_since_) return false;
  const memory_layer& open = *current()->memory.front();
  const config::tenant_options limits = options();
  return open.memory_bytes() >= limits.checkpoint_distance_bytes ||
         last_record_lsn() - open.begin() >= limits.checkpoint_distance_bytes ||
         context_.clock->monotonic() - *open_since_ >= limits.checkpoint_timeout;
}

bool timeline_store::freeze() {
  const core::lsn last = last_record_lsn();
  const std::shared_ptr<memory_layer> open = current()->memory.front();
  if (last < open->begin()) return false;
  open->freeze(last + 1, previous_record_lsn(), received());
  change_view(
      [&](timeline_view& view) { view.memory.insert(view.memory.begin(), std::make_shared<memory_layer>(last + 1)); });
  open_since_.reset();
  return true;
}

// -- metadata and files ---------------------------------------------------------------------------------------------

core::result<void> timeline_store::commit(const timeline_edit& edit, const timeline_record* successor) {
  const auto [tenant, id] = [&] {
    const std::lock_guard guard(record_mutex_);
    return std::pair(record_.tenant, record_.id);
  }();
  STRATA_TRY(successor == nullptr ? context_.metadata->apply(tenant, id, edit)
                                  : context_.metadata->replace_timeline(tenant, id, edit, *successor));
  const std::lock_guard guard(record_mutex_);
  apply_to_record(edit, record_);
  if (edit.end_source) received_.reset();
  if (edit.readable_from) store(readable_from_, *edit.readable_from);
  if (edit.disk_consistent_lsn) store(disk_consistent_, std::max(disk_consistent_lsn(), *edit.disk_consistent_lsn));
  if (edit.gc_cutoff) store(gc_cutoff_, std::max(gc_cutoff(), *edit.gc_cutoff));
  return {};
}

core::result<void> timeline_store::update(const timeline_edit& edit) {
  core::check(edit.add.empty() && edit.remove.empty(), "callers do not change layers");
  return commit(edit);
}

core::result<void> timeline_store::replace(const timeline_record& successor, const timeline_edit& edit) {
  core::check(edit.add.empty() && edit.remove.empty(), "callers do not change layers");
  return commit(edit, &successor);
}

core::result<void> timeline_store::exchange_layers(timeline_edit edit) {
  STRATA_TRY(commit(edit));
  std::vector<layer_map::item> added;
  for (const layer_record& layer : edit.add) added.push_back(item_of(layer));
  const auto before = current();
  change_view([&](timeline_view& view) {
    view.files = std::make_shared<const layer_map>(view.files->changed(edit.remove, std::move(added)));
  });
  for (const auto& item : before->files->layers())
    if (std::find(edit.remove.begin(), edit.remove.end(), item.record.number) != edit.remove.end())
      item.layer->retire();
  return {};
}

layer_map::item timeline_store::item_of(const layer_record& layer) const {
  const timeline_record of = record();
  return {layer, std::make_shared<stored_layer>(*context_.layers, context_.directory,
                                                layer_identity{of.tenant, of.id, layer})};
}

core::result<std::unique_ptr<layer_writer>> timeline_store::new_layer(layer_writer_options options) {
  const timeline_record of = record();
  options.disk = &context_.layers->disk();
  options.directory = context_.directory;
  options.tenant = of.tenant;
  options.timeline = of.id;
  options.generation = context_.generation;
  return layer_writer::create(options);
}

void timeline_store::remove_files(const std::vector<layer_record>& layers) const {
  // The next opening sets aside the files that can't be removed.
  for (const layer_record& layer : layers)
    io::remove_quietly(context_.layers->disk(), context_.directory + "/" + layer_file_name(layer));
}

}  // namespace strata::storage
