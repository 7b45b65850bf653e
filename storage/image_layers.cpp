#include <algorithm>
#include <set>

#include "core/log.hpp"
#include "pg/types.hpp"
#include "storage/key_space.hpp"
#include "storage/local_timeline.hpp"
#include "storage/value.hpp"

namespace strata::storage {

namespace {

/// Pages rebuilt by one vectored read.
constexpr std::size_t pages_per_read = 64;
/// Pages of one range that may fail to rebuild before the range is given up for now: each costs a layer of its own.
constexpr std::size_t failures_max = 16;
constexpr std::size_t image_block_size_bytes = 8u << 10;

core::page_key sparse_begin() { return kind_range(key_kind::two_phase).begin; }

/// Different LSN ranges of delta layers a read of this interval would have to look into; layers of one range have
/// different keys.
std::size_t depth_of(const layer_map& files, std::size_t interval, core::lsn at) {
  const core::lsn floor = files.find(files.interval(interval).begin, at).floor();
  std::set<std::pair<core::lsn, core::lsn>> ranges;
  for (const std::uint32_t index : files.covering(interval)) {
    const layer_record& layer = files.layers()[index].record;
    if (layer.kind == layer_kind::delta && layer_map::holds(layer, floor, at)) ranges.emplace(layer.begin, layer.end);
  }
  return ranges.size();
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
  image_writer(local_timeline& timeline, const core::key_range& range, core::lsn at, std::uint64_t target_bytes)
      : timeline_(timeline), range_(range), at_(at), target_bytes_(target_bytes), next_begin_(range.begin) {}

  core::result<void> add(const core::page_key& key, core::bytes_view image) {
    if (writer_ && writer_->size_bytes() >= target_bytes_) STRATA_TRY(close(key));
    if (!writer_) STRATA_TRY(start(compacted_format));
    value_.assign(1, value_tag(value_kind::image, false));
    core::append(value_, image);
    return writer_->add(key, at_, value_);
  }
  core::result<void> leave_out(const core::page_key& key) {
    if (next_begin_ < key) STRATA_TRY(close(key));
    next_begin_ = key.next();
    return {};
  }
  core::result<std::vector<layer_record>> finish() {
    if (next_begin_ < range_.end) STRATA_TRY(close(range_.end));
    finished_ = true;
    return layers_;
  }
  ~image_writer() {
    if (!finished_) timeline_.remove_files(layers_);
  }

 private:
  core::result<void> start(layer_format format) {
    number_ = timeline_.last_number_.fetch_add(1) + 1;
    STRATA_ASSIGN(writer_, timeline_.new_layer({.number = number_,
                                                .format = format,
                                                .compress = true,
                                                .filter = false,
                                                .block_size_bytes = image_block_size_bytes}));
    return {};
  }
  core::result<void> close(const core::page_key& end) {
    // A table of RocksDB must have an entry; a layer may say that no key of its range exists.
    if (!writer_) STRATA_TRY(start(layer_format::block));
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

  local_timeline& timeline_;
  const core::key_range range_;
  const core::lsn at_;
  const std::uint64_t target_bytes_;
  core::page_key next_begin_;
  std::uint64_t number_ = 0;
  std::unique_ptr<layer_writer> writer_;
  core::bytes value_;
  std::vector<layer_record> layers_;
  bool finished_ = false;
};

core::result<void> local_timeline::create_images(const cancelled_check& cancelled, compaction_outcome& outcome) {
  const core::lsn at = disk_consistent_lsn();
  // Below readable_from pages are not consistent with each other yet; below the cutoff nobody may read.
  if (at < load(readable_from_) || at < gc_cutoff()) return {};
  STRATA_ASSIGN(const std::vector<core::key_range> ranges, deep_ranges(at));
  for (const core::key_range& range : ranges) {
    if (cancelled && cancelled()) return {};
    STRATA_TRY(create_images_of(range, at, cancelled, outcome));
  }
  return {};
}

core::result<std::vector<core::key_range>> local_timeline::deep_ranges(core::lsn at) const {
  const std::size_t threshold = std::max(1u, options().image_creation_threshold);
  const auto view = current();
  const layer_map& files = *view->files;
  std::vector<core::key_range> ranges;
  for (std::size_t i = 0; i < files.interval_count(); ++i) {
    if (depth_of(files, i, at) < threshold) continue;
    core::key_range interval = files.interval(i);
    // Dense and sparse keys are imaged in different ways: a range ends between them.
    if (interval.contains(sparse_begin()) && interval.begin != sparse_begin()) {
      ranges.push_back({interval.begin, sparse_begin()});
      interval.begin = sparse_begin();
    }
    if (!ranges.empty() && ranges.back().end == interval.begin && interval.begin != sparse_begin()) {
      ranges.back().end = interval.end;
    } else {
      ranges.push_back(interval);
    }
  }
  return ranges;
}

core::result<void> local_timeline::create_images_of(const core::key_range& range, core::lsn at,
                                                    const cancelled_check& cancelled, compaction_outcome& outcome) {
  auto written = is_sparse(range.begin) ? write_sparse_images(range, at) : write_dense_images(range, at, cancelled);
  if (!written) return std::move(written).error().within("create image layers");
  if (written->empty()) return {};
  timeline_edit edit{.add = *std::move(written)};
  outcome.images_out += edit.add.size();
  for (const layer_record& layer : edit.add) outcome.bytes_out += layer.size_bytes;
  return exchange_layers(std::move(edit));
}

core::result<std::vector<core::key_range>> local_timeline::dense_keys(const core::key_range& range,
                                                                      core::lsn at) const {
  std::vector<core::key_range> dense;
  const auto add_pages = [&](core::key_range pages) {
    pages = {std::max(pages.begin, range.begin), std::min(pages.end, range.end)};
    if (pages.begin < pages.end) dense.push_back(pages);
  };
  std::optional<core::error> malformed;
  const auto count_of = [&](const core::page_key& key, core::bytes_view value) -> std::uint32_t {
    auto count = count_in(value, key);
    if (count) return *count;
    malformed = std::move(count).error();
    return 0;
  };
  STRATA_TRY(scan(kind_range(key_kind::relation_catalog), at, [&](const core::page_key& key, core::bytes_view value) {
    const pg::relation_fork of = relation_of(key);
    add_pages({relation_page_key(of, 0), relation_page_key(of, count_of(key, value))});
    return !malformed;
  }));
  STRATA_TRY(scan(kind_range(key_kind::slru_catalog), at, [&](const core::page_key& key, core::bytes_view value) {
    const auto kind = static_cast<pg::slru_kind>(key.tablespace);
    const std::uint32_t first = key.relation * pg::pages_per_slru_segment;
    add_pages({slru_page_key(kind, first), slru_page_key(kind, first + count_of(key, value))});
    return !malformed;
  }));
  if (malformed) return *malformed;
  return dense;
}

core::result<std::vector<layer_record>> local_timeline::write_dense_images(const core::key_range& range, core::lsn at,
                                                                           const cancelled_check& cancelled) {
  STRATA_ASSIGN(const std::vector<core::key_range> dense, dense_keys(range, at));
  image_writer writer(*this, range, at, options().compaction_target_bytes);
  core::bytes pages(pages_per_read * pg::page_size);
  std::vector<page_read> reads;
  std::size_t failures = 0;

  const auto write_pages = [&]() -> core::result<void> {
    read_pages(reads, at, read_mode::may_block);
    for (const page_read& read : reads) {
      if (!read.failure) {
        STRATA_TRY(writer.add(read.key, read.page));
        continue;
      }
      if (read.failure->code != core::errc::unsupported && read.failure->code != core::errc::corrupt)
        return *read.failure;
      if (++failures > failures_max) return *read.failure;
      // Its versions must stay what reads look at, so no image layer may cover it.
      core::log_warning("no image of a page: " + core::to_string(*read.failure));
      STRATA_TRY(writer.leave_out(read.key));
    }
    reads.clear();
    return {};
  };
  for (const core::key_range& run : dense) {
    for (core::page_key key = run.begin; key < run.end; ++key.block) {
      reads.push_back({key, core::bytes_span(pages).subspan(reads.size() * pg::page_size, pg::page_size), {}});
      if (reads.size() < pages_per_read) continue;
      STRATA_TRY(write_pages());
      if (cancelled && cancelled()) return std::vector<layer_record>();
    }
  }
  STRATA_TRY(write_pages());
  return writer.finish();
}

core::result<std::vector<layer_record>> local_timeline::write_sparse_images(const core::key_range& range,
                                                                            core::lsn at) {
  image_writer writer(*this, range, at, options().compaction_target_bytes);
  core::result<void> added;
  STRATA_TRY(scan(range, at, [&](const core::page_key& key, core::bytes_view value) {
    added = writer.add(key, value);
    return added.has_value();
  }));
  STRATA_TRY(std::move(added));
  return writer.finish();
}

}  // namespace strata::storage
