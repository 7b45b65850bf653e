#include <algorithm>
#include <set>
#include <utility>

#include "core/log.hpp"
#include "pg/types.hpp"
#include "storage/key_space.hpp"
#include "storage/layers/layer_file.hpp"
#include "storage/timeline/read_path.hpp"
#include "storage/timeline/timeline_store.hpp"
#include "storage/value.hpp"

namespace strata::storage {

namespace {

/// Pages rebuilt by one vectored read.
constexpr std::size_t pages_per_read = 64;
/// Pages of one relation that may fail to rebuild before the rest of it is left out: each costs a layer of its own.
constexpr std::size_t failures_max = 16;
constexpr std::size_t image_block_size_bytes = 8u << 10;
/// Ranges up to this many layers are imaged whenever they are deep. Larger ones only when their deltas are large enough
/// to be worth the images, or when they are this many times as deep.
constexpr std::uint64_t small_range_layers = 16;
constexpr std::uint64_t image_bytes_per_delta_byte = 4;
constexpr std::size_t very_deep = 4;

core::page_key sparse_begin() { return kind_range(key_kind::two_phase).begin; }

/// Imported values are equivalent to images for a reader: one version of a key, all at one LSN.
bool imported(const layer_record& layer) { return layer.end - layer.begin == 1; }

/// Number of different LSN ranges of the delta layers that a read of this interval needs; layers of one range have
/// different keys.
std::size_t depth_of(const layer_map& files, std::size_t interval, core::lsn at) {
  const core::lsn floor = files.find(files.interval(interval).begin, at).floor();
  std::set<std::pair<core::lsn, core::lsn>> ranges;
  for (const std::uint32_t index : files.covering(interval)) {
    const layer_record& layer = files.layers()[index].record;
    if (layer.kind == layer_kind::delta && !imported(layer) && layer_map::holds(layer, floor, at))
      ranges.emplace(layer.begin, layer.end);
  }
  return ranges.size();
}

/// Bytes of the delta layers above the newest images of a range.
std::uint64_t delta_bytes(const layer_map& files, const core::key_range& range, core::lsn at) {
  std::set<std::uint32_t> seen;
  std::uint64_t bytes = 0;
  for (std::size_t i = files.interval_of(range.begin); i < files.interval_count(); ++i) {
    if (!(files.interval(i).begin < range.end)) break;
    const core::lsn floor = files.find(files.interval(i).begin, at).floor();
    for (const std::uint32_t index : files.covering(i)) {
      const layer_record& layer = files.layers()[index].record;
      const bool counts = layer.kind == layer_kind::delta && !imported(layer) && layer_map::holds(layer, floor, at);
      if (counts && seen.insert(index).second) bytes += layer.size_bytes;
    }
  }
  return bytes;
}

core::key_range intersection(const core::key_range& a, const core::key_range& b) {
  return {std::max(a.begin, b.begin), std::min(a.end, b.end)};
}

/// Bytes of the pages that exist in a range.
std::uint64_t page_bytes(const std::vector<core::key_range>& dense, const core::key_range& range) {
  std::uint64_t pages = 0;
  for (const core::key_range& run : dense) {
    const core::key_range part = intersection(run, range);
    if (part.begin < part.end) pages += part.end.block - part.begin.block;
  }
  return pages * pg::page_size;
}

core::result<std::uint32_t> count_in(core::bytes_view value, const core::page_key& key) {
  if (value.size() != 4)
    return core::error{core::errc::corrupt,
                       "catalog entry " + core::to_string(key) + " has " + std::to_string(value.size()) + " bytes"};
  return core::load_le<std::uint32_t>(value.data());
}

}  // namespace

/// Writes image layers side by side over one key range. A key that is left out splits the layers around it.
class image_writer {
 public:
  image_writer(timeline_store& timeline, const core::key_range& range, core::lsn at, std::uint64_t target_bytes)
      : timeline_(timeline), range_(range), at_(at), target_bytes_(target_bytes), next_begin_(range.begin) {}

  core::result<void> add(const core::page_key& key, core::bytes_view image) {
    if (writer_ && writer_->size_bytes() >= target_bytes_) STRATA_TRY(close(key));
    if (!writer_) STRATA_TRY(start());
    value_.assign(1, value_tag(value_kind::image, false));
    core::append(value_, image);
    return writer_->add(key, at_, value_);
  }
  core::result<void> leave_out(const core::key_range& keys) {
    if (next_begin_ < keys.begin) STRATA_TRY(close(keys.begin));
    next_begin_ = keys.end;
    return {};
  }
  core::result<void> finish() { return next_begin_ < range_.end ? close(range_.end) : core::result<void>(); }
  /// The layers finished since the last call; the caller owns them.
  std::vector<layer_record> take_finished() { return std::exchange(layers_, {}); }
  ~image_writer() { timeline_.remove_files(layers_); }

 private:
  core::result<void> start() {
    number_ = timeline_.last_number_.fetch_add(1) + 1;
    STRATA_ASSIGN(
        writer_,
        timeline_.new_layer(
            {.number = number_, .compress = true, .filter = false, .block_size_bytes = image_block_size_bytes}));
    return {};
  }
  core::result<void> close(const core::page_key& end) {
    // A layer without an entry means that no key of its range exists.
    if (!writer_) STRATA_TRY(start());
    STRATA_ASSIGN(layer_record written, writer_->finish({.number = number_,
                                                         .kind = layer_kind::image,
                                                         .level = 1,
                                                         .keys = {next_begin_, end},
                                                         .begin = at_,
                                                         .end = at_ + 1}));
    layers_.push_back(written);
    writer_.reset();
    next_begin_ = end;
    return {};
  }

  timeline_store& timeline_;
  const core::key_range range_;
  const core::lsn at_;
  const std::uint64_t target_bytes_;
  core::page_key next_begin_;
  std::uint64_t number_ = 0;
  std::unique_ptr<layer_writer> writer_;
  core::bytes value_;
  std::vector<layer_record> layers_;
};

core::result<void> timeline_store::create_images(const cancelled_check& cancelled, compaction_outcome& outcome) {
  const core::lsn at = disk_consistent_lsn();
  // Below readable_from pages are not consistent with each other yet; below the cutoff reads fail.
  if (at < load(readable_from_) || at < gc_cutoff()) return {};
  const std::vector<deep_range> ranges = deep_ranges(at);
  if (ranges.empty()) return {};
  STRATA_ASSIGN(const std::vector<core::key_range> dense, dense_keys(at));
  for (const deep_range& range : ranges) {
    if (cancelled && cancelled()) return {};
    auto created = is_sparse(range.keys.begin)      ? create_sparse_images(range.keys, at, outcome)
                   : worth_images(range, dense, at) ? create_dense_images(range.keys, dense, at, cancelled, outcome)
                                                    : core::result<void>();
    // Collection has overtaken us: the next step starts from a newer LSN.
    if (!created && created.error().code == core::errc::out_of_range) return {};
    if (!created) return std::move(created).error().within("create image layers");
  }
  return {};
}

std::vector<timeline_store::deep_range> timeline_store::deep_ranges(core::lsn at) const {
  const std::size_t threshold = std::max(1u, options().image_creation_threshold);
  const auto view = current();
  const layer_map& files = *view->files;
  std::vector<deep_range> ranges;
  for (std::size_t i = 0; i < files.interval_count(); ++i) {
    const std::size_t depth = depth_of(files, i, at);
    if (depth < threshold) continue;
    core::key_range interval = files.interval(i);
    // Dense and sparse keys are imaged in different ways: a range ends between them.
    if (interval.contains(sparse_begin()) && interval.begin != sparse_begin()) {
      ranges.push_back({{interval.begin, sparse_begin()}, depth});
      interval.begin = sparse_begin();
    }
    if (!ranges.empty() && ranges.back().keys.end == interval.begin && interval.begin != sparse_begin()) {
      ranges.back().keys.end = interval.end;
      ranges.back().depth = std::max(ranges.back().depth, depth);
    } else {
      ranges.push_back({interval, depth});
    }
  }
  return ranges;
}

bool timeline_store::worth_images(const deep_range& range, const std::vector<core::key_range>& dense,
                                  core::lsn at) const {
  const config::tenant_options limits = options();
  if (range.depth >= very_deep * std::max(1u, limits.image_creation_threshold)) return true;
  const std::uint64_t images = page_bytes(dense, range.keys);
  return images <= small_range_layers * limits.compaction_target_bytes ||
         images <= image_bytes_per_delta_byte * delta_bytes(*current()->files, range.keys, at);
}

core::result<std::vector<core::key_range>> timeline_store::dense_keys(core::lsn at) const {
  std::vector<core::key_range> dense;
  std::optional<core::error> malformed;
  const auto count_of = [&](const core::page_key& key, core::bytes_view value) -> std::uint32_t {
    auto count = count_in(value, key);
    if (count) return *count;
    malformed = std::move(count).error();
    return 0;
  };
  STRATA_TRY(scan(kind_range(key_kind::relation_catalog), at, [&](const core::page_key& key, core::bytes_view value) {
    const pg::relation_fork of = relation_of(key);
    dense.push_back({relation_page_key(of, 0), relation_page_key(of, count_of(key, value))});
    return !malformed;
  }));
  STRATA_TRY(scan(kind_range(key_kind::slru_catalog), at, [&](const core::page_key& key, core::bytes_view value) {
    const auto kind = static_cast<pg::slru_kind>(key.tablespace);
    const std::uint32_t first = key.relation * pg::pages_per_slru_segment;
    dense.push_back({slru_page_key(kind, first), slru_page_key(kind, first + count_of(key, value))});
    return !malformed;
  }));
  if (malformed) return *malformed;
  return dense;
}

core::result<void> timeline_store::add_images(std::vector<layer_record> images, compaction_outcome& outcome) {
  if (images.empty()) return {};
  outcome.images_out += images.size();
  for (const layer_record& layer : images) outcome.bytes_out += layer.size_bytes;
  auto exchanged = exchange_layers({.add = images});
  if (!exchanged) remove_files(images);
  return exchanged;
}

core::result<void> timeline_store::create_dense_images(const core::key_range& range,
                                                       const std::vector<core::key_range>& dense, core::lsn at,
                                                       const cancelled_check& cancelled, compaction_outcome& outcome) {
  image_writer writer(*this, range, at, options().compaction_target_bytes);
  core::bytes pages(pages_per_read * pg::page_size);
  std::vector<page_read> reads;
  std::vector<core::page_key> run_ends;  // beside `reads`
  core::page_key failing_run_end;
  std::size_t failures = 0;
  core::page_key skip_below = core::page_key::min();

  const auto leave_out = [&](const page_read& read, const core::page_key& run_end) -> core::result<void> {
    if (read.failure->code != core::errc::unsupported && read.failure->code != core::errc::corrupt)
      return *read.failure;
    failures = run_end == failing_run_end ? failures + 1 : 1;
    failing_run_end = run_end;
    skip_below = failures < failures_max ? read.key.next() : run_end;
    core::log_warning("a page has no image: " + core::to_string(*read.failure));
    // Reads must still find its versions, so no image layer may cover it.
    return writer.leave_out({read.key, skip_below});
  };
  const auto write_pages = [&]() -> core::result<void> {
    read_pages(reads, at, read_mode::may_block);
    for (std::size_t i = 0; i < reads.size(); ++i) {
      if (reads[i].key < skip_below) continue;
      STRATA_TRY(reads[i].failure ? leave_out(reads[i], run_ends[i]) : writer.add(reads[i].key, reads[i].page));
    }
    reads.clear();
    run_ends.clear();
    return add_images(writer.take_finished(), outcome);
  };
  for (const core::key_range& whole_run : dense) {
    const core::key_range run = intersection(whole_run, range);
    for (core::page_key key = run.begin; key < run.end && !(key < skip_below && skip_below == run.end); ++key.block) {
      reads.push_back({key, core::bytes_span(pages).subspan(reads.size() * pg::page_size, pg::page_size), {}});
      run_ends.push_back(run.end);
      if (reads.size() < pages_per_read) continue;
      STRATA_TRY(write_pages());
      if (cancelled && cancelled()) return {};
    }
  }
  STRATA_TRY(write_pages());
  STRATA_TRY(writer.finish());
  return add_images(writer.take_finished(), outcome);
}

core::result<void> timeline_store::create_sparse_images(const core::key_range& range, core::lsn at,
                                                        compaction_outcome& outcome) {
  image_writer writer(*this, range, at, options().compaction_target_bytes);
  core::result<void> added;
  STRATA_TRY(scan(range, at, [&](const core::page_key& key, core::bytes_view value) {
    added = writer.add(key, value);
    return added.has_value();
  }));
  STRATA_TRY(std::move(added));
  STRATA_TRY(writer.finish());
  return add_images(writer.take_finished(), outcome);
}

}  // namespace strata::storage
