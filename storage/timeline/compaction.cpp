#include <algorithm>

#include "core/log.hpp"
#include "storage/key_space.hpp"
#include "storage/layers/layer_cache.hpp"
#include "storage/layers/layer_file.hpp"
#include "storage/layers/layer_merge.hpp"
#include "storage/timeline/read_path.hpp"
#include "storage/timeline/timeline_store.hpp"
#include "storage/value.hpp"

namespace strata::storage {

namespace {

/// Versions moved between two checks for cancellation.
constexpr std::uint64_t versions_between_checks = 4096;

/// Pages of relations, pages of SLRUs and everything sparse never share a layer: they are imaged in different ways.
int region_of(const core::page_key& key) { return is_sparse(key) ? 2 : key.kind; }

/// The oldest L0 layers, in LSN order, that one compaction can rewrite in one step.
std::vector<layer_map::item> oldest_level0(const layer_map& files, std::uint64_t bytes_max) {
  std::vector<layer_map::item> run;
  std::uint64_t bytes = 0;
  const auto level0 = files.level0();
  for (auto index = level0.rbegin(); index != level0.rend(); ++index) {
    const layer_map::item& item = files.layers()[*index];
    if (!run.empty() && bytes + item.record.size_bytes > bytes_max) break;
    bytes += item.record.size_bytes;
    run.push_back(item);
  }
  return run;
}

/// Unchanged blocks between two keys, so many that no layer should span them: an image layer over the range would
/// rewrite them all.
constexpr std::uint32_t hole_blocks = 8192;
/// Part of the target size below which a layer is not cut at a hole.
constexpr std::uint64_t hole_cut_part = 16;

bool hole_between(const core::page_key& before, const core::page_key& key) {
  core::page_key start_of_fork = key;
  start_of_fork.block = 0;
  return key.block - (start_of_fork <= before ? before.block : 0) > hole_blocks;
}

/// Cuts a sorted stream of versions into L1 layers. Within a region they are adjacent, except for large holes.
/// Versions of one key stay together until the layer has twice its size; the rest of them then goes to a layer of
/// that key alone.
class level1_output {
 public:
  using create_layer = std::function<core::result<std::unique_ptr<layer_writer>>(std::uint64_t number)>;
  using next_number = std::function<std::uint64_t()>;

  level1_output(core::lsn begin, core::lsn end, std::uint64_t target_bytes, create_layer create, next_number next)
      : begin_(begin), end_(end), target_bytes_(target_bytes), create_(std::move(create)), next_(std::move(next)) {}

  core::result<void> add(const core::page_key& key, core::lsn at, core::bytes_view value) {
    if (writer_) {
      const std::uint64_t size = writer_->size_bytes();
      if (key == last_key_) {
        if (size >= 2 * target_bytes_) STRATA_TRY(split_key());
      } else {
        const bool apart = region_of(key) != region_of(last_key_) || hole_between(last_key_, key);
        const bool at_hole = apart && size >= target_bytes_ / hole_cut_part;
        if (size >= target_bytes_ || layer_.end != end_ || region_of(key) != region_of(last_key_) || at_hole)
          STRATA_TRY(close(apart ? last_key_.next() : key));
      }
    }
    if (!writer_) STRATA_TRY(start(key, end_));
    last_key_ = key;
    last_at_ = at;
    return writer_->add(key, at, value);
  }

  core::result<void> finish() { return writer_ ? close(last_key_.next()) : core::result<void>(); }
  [[nodiscard]] const std::vector<layer_record>& layers() const { return layers_; }

 private:
  core::result<void> start(const core::page_key& key, core::lsn end) {
    layer_ = {
        .number = next_(), .kind = layer_kind::delta, .level = 1, .keys = {key, key}, .begin = begin_, .end = end};
    STRATA_ASSIGN(writer_, create_(layer_.number));
    return {};
  }

  core::result<void> close(const core::page_key& end) {
    layer_.keys.end = end;
    STRATA_ASSIGN(layer_record written, writer_->finish(layer_));
    layers_.push_back(written);
    writer_.reset();
    return {};
  }

  /// The layer ends within the versions of its last key; older ones follow in a layer that ends below.
  core::result<void> split_key() {
    const core::lsn below = last_at_;
    if (layer_.keys.begin == last_key_) layer_.begin = below;
    STRATA_TRY(close(last_key_.next()));
    return start(last_key_, below);
  }

  const core::lsn begin_;
  const core::lsn end_;
  const std::uint64_t target_bytes_;
  create_layer create_;
  next_number next_;
  std::unique_ptr<layer_writer> writer_;
  layer_record layer_;
  core::page_key last_key_;
  core::lsn last_at_;
  std::vector<layer_record> layers_;
};

/// False when it was cancelled.
core::result<bool> rewrite(std::span<const layer_map::item> inputs, level1_output& output,
                           const std::function<bool()>& cancelled) {
  STRATA_ASSIGN(layer_merge merge, layer_merge::open(inputs));
  for (std::uint64_t versions = 0; merge.valid(); ++versions) {
    if (versions % versions_between_checks == 0 && cancelled && cancelled()) return false;
    STRATA_TRY(output.add(merge.key(), merge.at(), merge.value()));
    STRATA_TRY(merge.next());
  }
  STRATA_TRY(output.finish());
  return true;
}

}  // namespace

core::result<timeline_store::compaction_outcome> timeline_store::compact(bool force,
                                                                         const std::function<bool()>& cancelled) {
  const removal_of_retired at_end(*context_.layers);
  compaction_outcome outcome;
  STRATA_TRY(compact_level0(cancelled, force, outcome));
  if (cancelled && cancelled()) return outcome;
  STRATA_TRY(create_images(cancelled, outcome));
  return outcome;
}

core::result<void> timeline_store::compact_level0(const cancelled_check& cancelled, bool force,
                                                  compaction_outcome& outcome) {
  const config::tenant_options limits = options();
  const auto view = current();
  const std::size_t level0 = view->files->level0().size();
  if (level0 == 0 || (!force && level0 < limits.compaction_threshold)) return {};
  const std::uint64_t bytes_max =
      2 * limits.checkpoint_distance_bytes * std::max<std::uint64_t>(1, limits.compaction_threshold);
  const std::vector<layer_map::item> inputs = oldest_level0(*view->files, bytes_max);

  timeline_edit edit;
  core::lsn begin = core::lsn::max();
  core::lsn end;
  for (const layer_map::item& input : inputs) {
    begin = std::min(begin, input.record.begin);
    end = std::max(end, input.record.end);
    edit.remove.push_back(input.record.number);
    outcome.bytes_in += input.record.size_bytes;
  }
  level1_output output(
      begin, end, limits.compaction_target_bytes,
      [&](std::uint64_t number) { return new_layer({.number = number, .compress = true}); },
      [&] { return last_number_.fetch_add(1) + 1; });
  auto rewritten = rewrite(inputs, output, cancelled);
  if (!rewritten || !*rewritten) {
    remove_files(output.layers());
    if (rewritten) return {};
    return std::move(rewritten).error().within("compact");
  }
  edit.add = output.layers();
  outcome.layers_in += inputs.size();
  outcome.layers_out += edit.add.size();
  for (const layer_record& layer : edit.add) outcome.bytes_out += layer.size_bytes;
  auto exchanged = exchange_layers(std::move(edit));
  if (!exchanged) remove_files(output.layers());
  return exchanged;
}

}  // namespace strata::storage
