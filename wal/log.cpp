#include "wal/log.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/check.hpp"
#include "wal/segment_file.hpp"
#include "wal/window.hpp"

namespace strata::wal {
namespace {

static_assert(log::append_size_max == frame_payload_max);

/// WAL for each mark of the index: 16 bytes of memory for 32 KiB on disk.
constexpr std::uint64_t index_step_bytes = 32u << 10;
constexpr std::size_t recent_block = 128u << 10;
static_assert(log::append_size_max + recent_block <= log::recent_bytes_max);
constexpr std::string_view temporary_suffix = ".tmp";

core::error corrupt(const std::string& path, std::uint64_t offset, const std::string& why) {
  return {core::errc::corrupt, "read " + path + " at offset " + std::to_string(offset) + ": " + why};
}

core::result<void> write_at(io::file& to, std::uint64_t offset, core::bytes_view bytes) {
  const std::array<core::bytes_view, 1> parts{bytes};
  return to.write(offset, parts);
}

/// A frame that begins here.
struct mark {
  core::lsn lsn;
  std::uint64_t offset = 0;
};

struct segment {
  segment_identity identity;
  core::lsn end;  ///< of its frames
  std::uint64_t end_offset = segment_header_size;
  std::uint64_t size_bytes = 0;  ///< of the file; everything after end_offset is zeros, durably
  std::vector<mark> index;       ///< ascends

  [[nodiscard]] core::lsn limit() const { return identity.start + identity.segment_size; }
  [[nodiscard]] bool complete() const { return end == limit(); }
  void add(core::lsn frame_lsn, std::uint64_t length, std::uint64_t size) {
    if (index.empty() || frame_lsn >= index.back().lsn + index_step_bytes) index.push_back({frame_lsn, end_offset});
    end = frame_lsn + length;
    end_offset += size;
  }
  /// The last marked frame that begins at or before `at`.
  [[nodiscard]] mark mark_before(core::lsn at) const {
    const auto behind = std::upper_bound(index.begin(), index.end(), at,
                                         [](core::lsn value, const mark& of) { return value < of.lsn; });
    return behind == index.begin() ? mark{identity.begin, segment_header_size} : *std::prev(behind);
  }
};

/// Files are written under a temporary name and renamed when they are durable, so a segment file has a sound header.
/// Only the last segment grows; the next one is created when it is complete and durable. A cut rewrites the last
/// segment that stays, with a higher epoch. Its rename is the moment at which the old end becomes the new one: from
/// then on files of a lower epoch after it are left-overs. So bytes that may be durable are never overwritten, and
/// frames that were cut off are in no file that is read again.
class segment_log final : public log {
 public:
  segment_log(io::disk& on, const log_options& options) : disk_(on), options_(options) {}

  core::result<void> make_first(core::lsn begin);
  core::result<void> recover(core::lsn begin, core::lsn must_reach);

  core::lsn begin() const override {
    return locked([this] { return segments_.front().identity.begin; });
  }
  core::lsn end() const override {
    return locked([this] { return segments_.back().end; });
  }
  core::lsn synced() const override {
    return locked([this] { return synced_; });
  }
  std::uint64_t size_bytes() const override;

  core::result<void> append(std::span<const core::bytes_view> parts) override;
  void sync() override;
  core::result<void> truncate(core::lsn to) override;
  core::result<void> remove_before(core::lsn before) override;
  core::result<std::size_t> read(core::lsn from, core::bytes_span to) const override;
  std::size_t read_recent(core::lsn from, core::bytes_span to) const override;
  void rest() override;

 private:
  template <class F>
  std::invoke_result_t<F> locked(F f) const {
    const std::lock_guard guard(mutex_);
    return f();
  }
  [[nodiscard]] std::string path_of(core::lsn segment_start) const {
    return options_.directory + "/" + segment_file_name(segment_start, options_.segment_size);
  }

  core::result<std::vector<core::lsn>> find_files();
  core::result<segment> read_header(core::lsn start);
  core::result<void> collect_segments(core::lsn begin);
  core::result<frame_scanner::remains> scan(segment& of, bool& whole);
  struct new_segment {
    segment made;
    std::shared_ptr<io::file> opened;
  };
  core::result<new_segment> write_segment(const segment_identity& identity, const segment* copied,
                                          core::lsn copied_end);
  core::result<void> install(new_segment fresh, std::size_t place);
  core::result<void> next_segment();
  core::result<void> cut(std::size_t place, core::lsn to);
  core::result<void> write_frame(core::bytes_view payload);
  core::result<void> make_room(std::uint64_t offset_end);
  core::result<void> open_tail();
  core::result<std::shared_ptr<const io::file>> reader_of(const segment& of) const;
  void remember(core::lsn at, core::bytes_view payload);

  io::disk& disk_;
  const log_options options_;

  /// Guards the readers' fields. Held while files are opened and renamed and while bytes are copied in memory, never
  /// while they move to or from a disk.
  mutable std::mutex mutex_;
  std::deque<segment> segments_;  ///< without gaps; not empty after make_first or recover
  core::lsn synced_;
  mutable std::shared_ptr<const io::file> reading_;  ///< the file that was read last
  mutable core::lsn reading_start_;
  window recent_{recent_bytes_max, recent_block};  ///< valid when it ends where the log does

  // The writer's.
  std::shared_ptr<io::file> tail_;  ///< of the last segment; null after rest()
  bool soiled_ = false;             ///< a write has failed: there may be bytes after the end
  core::bytes payload_;
  core::bytes frame_;
};

// ---- creating files

core::result<segment_log::new_segment> segment_log::write_segment(const segment_identity& identity,
                                                                  const segment* copied, core::lsn copied_end) {
  const auto temporary = path_of(identity.start) + std::string(temporary_suffix);
  const auto write = [&]() -> core::result<new_segment> {
    STRATA_TRY(disk_.remove(temporary));
    STRATA_ASSIGN(std::shared_ptr<io::file> opened, disk_.create(temporary));
    segment made{.identity = identity, .end = identity.begin};
    STRATA_TRY(write_at(*opened, 0, encode(identity)));
    if (copied != nullptr) {
      STRATA_ASSIGN(const auto source, locked([&] { return reader_of(*copied); }));
      frame_scanner frames(*source, copied->identity, segment_header_size, copied->identity.begin, copied->end_offset);
      const frame_codec codec(identity);
      while (made.end < copied_end) {
        STRATA_ASSIGN(const auto next, frames.next());
        if (!next) return corrupt(path_of(identity.start), frames.offset(), "a frame is damaged");
        const auto kept = next->payload.first(std::min<std::uint64_t>(next->payload.size(), copied_end - made.end));
        codec.encode(made.end, made.end, made.end_offset, kept, frame_);
        STRATA_TRY(write_at(*opened, made.end_offset, frame_));
        made.add(made.end, kept.size(), frame_.size());
      }
    }
    made.size_bytes = made.end_offset;
    opened->sync();
    return new_segment{std::move(made), std::move(opened)};
  };
  auto written = write();
  // What is left of a failed attempt has no segment's name; the next attempt or opening removes it.
  if (!written) (void)disk_.remove(temporary).has_value();
  return written;
}

/// Renames the file to its segment's name. It becomes the last segment, at `place`; the files after it are removed.
core::result<void> segment_log::install(new_segment fresh, std::size_t place) {
  const auto path = path_of(fresh.made.identity.start);
  std::vector<std::string> left_over;
  {
    const std::lock_guard guard(mutex_);
    STRATA_TRY(disk_.rename(path + std::string(temporary_suffix), path));
    reading_.reset();
    while (segments_.size() > place) {
      if (segments_.size() > place + 1) left_over.push_back(path_of(segments_.back().identity.start));
      segments_.pop_back();
    }
    segments_.push_back(std::move(fresh.made));
    synced_ = segments_.back().end;
  }
  tail_ = std::move(fresh.opened);
  soiled_ = false;
  disk_.sync_directory(options_.directory);
  if (left_over.empty()) return {};
  for (const auto& name : left_over) STRATA_TRY(disk_.remove(name));
  disk_.sync_directory(options_.directory);
  return {};
}

core::result<void> segment_log::make_first(core::lsn begin) {
  STRATA_ASSIGN(const auto found, find_files());
  if (!found.empty()) return core::error{core::errc::conflict, "create log: there is " + path_of(found.front())};
  const auto start = begin - begin.value % options_.segment_size;
  STRATA_ASSIGN(auto first, write_segment({.tenant = options_.tenant,
                                           .timeline = options_.timeline,
                                           .start = start,
                                           .begin = begin,
                                           .epoch = 0,
                                           .segment_size = options_.segment_size},
                                          nullptr, begin));
  return install(std::move(first), 0);
}

core::result<void> segment_log::next_segment() {
  sync();  // a segment's file exists only when the one before is complete and durable: recover() relies on it
  auto identity = segments_.back().identity;
  identity.start = identity.begin = segments_.back().limit();
  STRATA_ASSIGN(auto fresh, write_segment(identity, nullptr, identity.begin));
  return install(std::move(fresh), segments_.size());
}

core::result<void> segment_log::cut(std::size_t place, core::lsn to) {
  auto identity = segments_[place].identity;
  identity.epoch = segments_.back().identity.epoch + 1;  // epochs never descend from file to file
  STRATA_ASSIGN(auto fresh, write_segment(identity, &segments_[place], to));
  return install(std::move(fresh), place);
}

// ---- writing

core::result<void> segment_log::open_tail() {
  if (tail_) return {};
  STRATA_ASSIGN(tail_, disk_.open(path_of(segments_.back().identity.start)));
  return {};
}

core::result<void> segment_log::append(std::span<const core::bytes_view> parts) {
  payload_.clear();
  for (const auto& part : parts) core::append(payload_, part);
  core::check(payload_.size() <= append_size_max, "an append to a log is within its limit");
  if (soiled_) STRATA_TRY(cut(segments_.size() - 1, segments_.back().end));
  for (core::bytes_view rest = payload_; !rest.empty();) {
    if (segments_.back().complete()) STRATA_TRY(next_segment());
    const auto& last = segments_.back();
    const auto piece = rest.first(std::min<std::uint64_t>(rest.size(), last.limit() - last.end));
    STRATA_TRY(write_frame(piece));
    rest = rest.subspan(piece.size());
  }
  return {};
}

core::result<void> segment_log::write_frame(core::bytes_view payload) {
  STRATA_TRY(open_tail());
  auto& last = segments_.back();
  STRATA_TRY(make_room(last.end_offset + frame_size(payload.size())));
  frame_codec(last.identity).encode(last.end, synced_, last.end_offset, payload, frame_);
  if (auto written = write_at(*tail_, last.end_offset, frame_); !written) {
    soiled_ = true;
    return std::move(written).error();
  }
  const std::lock_guard guard(mutex_);
  remember(last.end, payload);
  last.add(last.end, payload.size(), frame_.size());
  return {};
}

/// Precondition: mutex_ is held.
void segment_log::remember(core::lsn at, core::bytes_view payload) {
  if (recent_.end() != at) recent_.restart(at);  // the log was cut since
  if (recent_.room() < payload.size()) {
    const std::uint64_t kept = recent_bytes_max - recent_block - payload.size();
    recent_.release(recent_.end() - std::min(recent_.end() - recent_.begin(), kept));
  }
  recent_.append(payload);
}

core::result<void> segment_log::make_room(std::uint64_t offset_end) {
  static const core::bytes zeros(64u << 10);
  auto& last = segments_.back();
  if (offset_end <= last.size_bytes) return {};
  const auto step = options_.preallocated_bytes;
  const auto size = (offset_end + step - 1) / step * step;
  STRATA_TRY(tail_->resize(size));
  for (auto at = last.size_bytes; at < size;) {
    const auto some = core::bytes_view(zeros).first(std::min<std::uint64_t>(zeros.size(), size - at));
    STRATA_TRY(write_at(*tail_, at, some));
    at += some.size();
  }
  tail_->sync();
  const std::lock_guard guard(mutex_);
  last.size_bytes = size;
  synced_ = last.end;
  return {};
}

void segment_log::sync() {
  const auto end = segments_.back().end;
  if (synced_ == end) return;
  core::check(tail_ != nullptr, "a log with unsynced bytes is open");
  tail_->sync();
  locked([&] { synced_ = end; });
}

core::result<void> segment_log::truncate(core::lsn to) {
  if (to < segments_.front().identity.begin || to > segments_.back().end)
    return core::error{core::errc::out_of_range, "truncate log in " + options_.directory + " at " +
                                                     core::to_string(to) + ": it has " + core::to_string(begin()) +
                                                     " to " + core::to_string(end())};
  if (to == segments_.back().end) {
    sync();
    return {};
  }
  auto place = segments_.size() - 1;
  while (to < segments_[place].identity.begin) --place;
  return cut(place, to);
}

core::result<void> segment_log::remove_before(core::lsn before) {
  while (segments_.size() > 1 && segments_.front().limit() <= before) {
    const auto path = path_of(segments_.front().identity.start);
    locked([this] { segments_.pop_front(); });
    STRATA_TRY(disk_.remove(path));
    // One at a time: a crash that kept an older file and lost this one would leave a gap.
    disk_.sync_directory(options_.directory);
  }
  return {};
}

void segment_log::rest() {
  sync();
  tail_.reset();
  locked([this] {
    reading_.reset();
    recent_ = window(recent_bytes_max, recent_block);
  });
}

std::uint64_t segment_log::size_bytes() const {
  const std::lock_guard guard(mutex_);
  std::uint64_t sum = 0;
  for (const auto& each : segments_) sum += each.size_bytes;
  return sum;
}

// ---- reading

/// Precondition: mutex_ is held, so that no other file is renamed to this name meanwhile.
core::result<std::shared_ptr<const io::file>> segment_log::reader_of(const segment& of) const {
  if (!reading_ || reading_start_ != of.identity.start) {
    STRATA_ASSIGN(reading_, disk_.open(path_of(of.identity.start)));
    reading_start_ = of.identity.start;
  }
  return reading_;
}

std::size_t segment_log::read_recent(core::lsn from, core::bytes_span to) const {
  const std::lock_guard guard(mutex_);
  if (recent_.end() != segments_.back().end || !recent_.holds(from, recent_.end())) return 0;
  std::size_t done = 0;
  while (done < to.size() && from + done < recent_.end()) {
    const auto at = from + done;
    const auto size = std::min({to.size() - done, static_cast<std::size_t>(recent_.end() - at), recent_block});
    const auto seen = recent_.view(at, at + size);
    for (std::size_t i = 0; i < seen.count; ++i) {
      std::ranges::copy(seen.part[i], to.begin() + static_cast<std::ptrdiff_t>(done));
      done += seen.part[i].size();
    }
  }
  return done;
}

core::result<std::size_t> segment_log::read(core::lsn from, core::bytes_span to) const {
  std::size_t done = 0;
  while (done < to.size()) {
    const auto at = from + done;
    std::shared_ptr<const io::file> source;
    segment_identity identity;
    mark first;
    core::lsn end;
    std::uint64_t end_offset = 0;
    {
      const std::lock_guard guard(mutex_);
      if (at < segments_.front().identity.begin || at >= segments_.back().end) {
        if (done > 0) return done;
        return core::error{core::errc::out_of_range, "read log in " + options_.directory + " at " +
                                                         core::to_string(from) + ": it has " +
                                                         core::to_string(segments_.front().identity.begin) + " to " +
                                                         core::to_string(segments_.back().end)};
      }
      const auto behind =
          std::upper_bound(segments_.begin(), segments_.end(), at,
                           [](core::lsn value, const segment& of) { return value < of.identity.begin; });
      const auto& found = *std::prev(behind);
      STRATA_ASSIGN(source, reader_of(found));
      identity = found.identity;
      first = found.mark_before(at);
      end = found.end;
      end_offset = found.end_offset;
    }
    frame_scanner frames(*source, identity, first.offset, first.lsn, end_offset);
    while (done < to.size() && frames.lsn() < end) {
      STRATA_ASSIGN(const auto next, frames.next());
      if (!next)
        return corrupt(path_of(identity.start), frames.offset(),
                       "the frame of " + core::to_string(frames.lsn()) + " is damaged");
      if (frames.lsn() <= from + done) continue;
      const auto wanted = next->payload.subspan((from + done) - next->lsn);
      const auto count = std::min(wanted.size(), to.size() - done);
      std::copy_n(wanted.begin(), count, to.begin() + static_cast<std::ptrdiff_t>(done));
      done += count;
    }
  }
  return done;
}

// ---- opening

/// Starts of the segments that have a file, ascending. Removes files that were never renamed.
core::result<std::vector<core::lsn>> segment_log::find_files() {
  STRATA_ASSIGN(const auto names, disk_.list(options_.directory));
  std::vector<core::lsn> starts;
  for (const auto& name : names) {
    if (const auto start = parse_segment_file_name(name, options_.segment_size)) starts.push_back(*start);
    if (!name.ends_with(temporary_suffix)) continue;
    const auto named = name.substr(0, name.size() - temporary_suffix.size());
    if (parse_segment_file_name(named, options_.segment_size))
      STRATA_TRY(disk_.remove(options_.directory + "/" + name));
  }
  return starts;
}

core::result<segment> segment_log::read_header(core::lsn start) {
  const auto path = path_of(start);
  STRATA_ASSIGN(const auto opened, disk_.open(path));
  core::bytes header(segment_header_size);
  STRATA_ASSIGN(const auto got, opened->read(0, header));
  auto identity = decode_segment_header(core::bytes_view(header).first(got));
  if (!identity) return std::move(identity).error().within("read " + path);
  if (identity->tenant != options_.tenant || identity->timeline != options_.timeline)
    return corrupt(path, 0,
                   "it belongs to timeline " + core::to_string(identity->timeline) + " of tenant " +
                       core::to_string(identity->tenant));
  if (identity->segment_size != options_.segment_size || identity->start != start || identity->begin < start ||
      identity->begin >= start + identity->segment_size)
    return corrupt(path, 0, "it is another segment, the one at " + core::to_string(identity->start));
  STRATA_ASSIGN(const auto size, opened->size());
  return segment{.identity = *identity, .end = identity->begin, .size_bytes = size};
}

/// Reads the headers, removes left-overs, and checks that no segment is missing in between.
core::result<void> segment_log::collect_segments(core::lsn begin) {
  STRATA_ASSIGN(const auto starts, find_files());
  for (const auto start : starts) {
    STRATA_ASSIGN(auto found, read_header(start));
    if (!segments_.empty()) {
      const auto& before = segments_.back();
      if (found.identity.epoch < before.identity.epoch) {
        STRATA_TRY(disk_.remove(path_of(start)));
        continue;
      }
      if (found.identity.begin != before.limit()) return corrupt(path_of(before.limit()), 0, "the segment is missing");
    }
    segments_.push_back(std::move(found));
  }
  if (segments_.empty())
    return core::error{core::errc::not_found, "open log: " + options_.directory + " has no segment"};
  const auto& first = segments_.front().identity;
  if (first.begin != begin && (first.start < begin || first.begin != first.start))
    return corrupt(path_of(first.start), 0,
                   "the log begins at " + core::to_string(first.begin) + " instead of " + core::to_string(begin));
  return {};
}

/// Reads every frame. `whole`: up to the end of the segment or, of the last one, to zeros.
core::result<frame_scanner::remains> segment_log::scan(segment& of, bool& whole) {
  const auto path = path_of(of.identity.start);
  STRATA_ASSIGN(const auto opened, disk_.open(path));
  frame_scanner frames(*opened, of.identity, segment_header_size, of.identity.begin, of.size_bytes);
  while (frames.lsn() < of.limit()) {
    STRATA_ASSIGN(const auto next, frames.next());
    if (!next) break;
    of.add(next->lsn, next->payload.size(), next->size_bytes);
  }
  whole = of.complete() || frames.stopped() == frame_scanner::stop::untouched;
  if (of.complete()) return frame_scanner::remains{};
  const auto missing = "the frame of " + core::to_string(of.end);
  if (frames.stopped() == frame_scanner::stop::damaged) return corrupt(path, of.end_offset, missing + " is damaged");
  STRATA_ASSIGN(const auto remains, frames.search_rest(of.end));
  if (remains.proof)
    return corrupt(path, of.end_offset,
                   missing + " is lost, but it was durable when the one at offset " + std::to_string(*remains.proof) +
                       " was written");
  return remains;
}

core::result<void> segment_log::recover(core::lsn begin, core::lsn must_reach) {
  STRATA_TRY(collect_segments(begin));
  bool clean = true;
  for (auto& each : segments_) {
    bool whole = false;
    STRATA_ASSIGN(const auto remains, scan(each, whole));
    const bool last = &each == &segments_.back();
    if (!each.complete() && (!last || each.end < must_reach))
      return corrupt(path_of(each.identity.start), each.end_offset,
                     "the frame of " + core::to_string(each.end) + " is missing, and it was durable");
    clean = whole && remains.all_zero;
  }
  if (segments_.back().end < must_reach) return corrupt(path_of(segments_.back().limit()), 0, "the segment is missing");
  if (!clean) {
    STRATA_TRY(cut(segments_.size() - 1, segments_.back().end));
  } else {
    STRATA_TRY(open_tail());
    tail_->sync();
    locked([this] { synced_ = segments_.back().end; });
  }
  disk_.sync_directory(options_.directory);
  return {};
}

}  // namespace

core::result<void> log::remove(io::disk& on, const std::string& directory) {
  STRATA_ASSIGN(const auto names, on.list(directory));
  for (const auto& name : names) {
    const auto of_segment = std::string_view(name).substr(
        0, name.size() - (name.ends_with(temporary_suffix) ? temporary_suffix.size() : 0));
    if (of_segment.ends_with(segment_file_suffix)) STRATA_TRY(on.remove(directory + "/" + name));
  }
  on.sync_directory(directory);
  return {};
}

core::result<std::unique_ptr<log>> log::create(io::disk& on, const log_options& options, core::lsn begin) {
  auto made = std::make_unique<segment_log>(on, options);
  STRATA_TRY(made->make_first(begin));
  return std::unique_ptr<log>(std::move(made));
}

core::result<std::unique_ptr<log>> log::open(io::disk& on, const log_options& options, core::lsn begin,
                                             core::lsn must_reach) {
  auto opened = std::make_unique<segment_log>(on, options);
  STRATA_TRY(opened->recover(begin, must_reach));
  return std::unique_ptr<log>(std::move(opened));
}

}  // namespace strata::wal
