#include "pg/verify/cluster_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <memory>
#include <set>

#include "pg/files/data_directory.hpp"
#include "pg/page/checksum.hpp"
#include "pg/wal/stream_decoder.hpp"

namespace strata::pg::verify {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t read_size = 1u << 20;

class input_file {
 public:
  static core::result<input_file> open(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return core::from_errno("open " + path.string(), errno);
    return input_file(fd, path);
  }
  input_file(input_file&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
  input_file& operator=(input_file&&) = delete;
  ~input_file() {
    if (fd_ >= 0) ::close(fd_);
  }
  /// Fills `into` unless the file ends first.
  core::result<std::size_t> read(core::bytes_span into) {
    std::size_t filled = 0;
    while (filled < into.size()) {
      const ssize_t got = ::read(fd_, into.data() + filled, into.size() - filled);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return core::from_errno("read " + path_.string(), errno);
      if (got == 0) break;
      filled += static_cast<std::size_t>(got);
    }
    return filled;
  }
  core::result<void> skip(std::uint64_t bytes) {
    if (::lseek(fd_, static_cast<off_t>(bytes), SEEK_CUR) < 0) return core::from_errno("read " + path_.string(), errno);
    return {};
  }

 private:
  input_file(int fd, fs::path path) : fd_(fd), path_(std::move(path)) {}
  int fd_;
  fs::path path_;
};

struct segment_name {
  std::uint32_t timeline = 0;
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  [[nodiscard]] core::lsn begin(std::uint32_t segment_size) const { return core::lsn(high << 32 | low * segment_size); }
};

std::optional<segment_name> parse_segment_name(const std::string& name) {
  if (name.size() != 24) return std::nullopt;
  const auto number = [&](std::size_t at) -> std::optional<std::uint32_t> {
    std::uint32_t value = 0;
    const char* end = name.data() + at + 8;
    if (std::from_chars(name.data() + at, end, value, 16).ptr != end) return std::nullopt;
    return value;
  };
  const auto timeline = number(0), high = number(8), low = number(16);
  if (!timeline || !high || !low) return std::nullopt;
  return segment_name{*timeline, *high, *low};
}

/// By their start; of several timelines the newest.
core::result<std::map<core::lsn, fs::path>> segments_of(const fs::path& directory, std::uint32_t segment_size) {
  std::map<core::lsn, std::pair<std::uint32_t, fs::path>> found;
  std::error_code failed;
  for (fs::directory_iterator at(directory, failed), end; !failed && at != end; at.increment(failed)) {
    const auto name = parse_segment_name(at->path().filename());
    if (!name) continue;
    auto& [timeline, path] = found[name->begin(segment_size)];
    if (!path.empty() && timeline > name->timeline) continue;
    timeline = name->timeline;
    path = at->path();
  }
  if (failed) return core::from_errno("read directory " + directory.string(), failed.value());
  std::map<core::lsn, fs::path> segments;
  for (auto& [begin, entry] : found) segments.emplace(begin, std::move(entry.second));
  return segments;
}

/// Where the first record of a segment begins when WAL does not fill the segment from its start: a server that was
/// started at a position (start_segment.hpp) has zeros before it. Invalid when the segment begins as usual.
core::result<core::lsn> start_inside(const fs::path& segment, core::lsn begin) {
  constexpr std::size_t long_header = 40, short_header = 24;
  constexpr std::uint16_t continues_record = 1;
  STRATA_ASSIGN(input_file file, input_file::open(segment));
  core::bytes page(wal_page_size);
  for (core::lsn at = begin;; at = at + wal_page_size) {
    STRATA_ASSIGN(const std::size_t got, file.read(page));
    if (got < page.size()) return core::lsn{};
    const bool continues = (core::load_le<std::uint16_t>(page.data() + 2) & continues_record) != 0;
    const std::size_t header = at == begin ? long_header : short_header;
    const auto content = page.begin() + static_cast<std::ptrdiff_t>(header);
    const auto first = std::find_if(content, page.end(), [](std::uint8_t byte) { return byte != 0; });
    if (continues) return core::lsn{};
    if (first == page.end()) continue;
    const core::lsn record = at + static_cast<std::uint64_t>(first - page.begin()) / 8 * 8;
    return record == begin + long_header ? core::lsn{} : record;
  }
}

// The long header of the first page has what the file name lacks (docs/formats/wal_records.md).
core::result<void> read_long_header(const fs::path& segment, wal_directory& into) {
  std::array<std::uint8_t, 40> header{};
  STRATA_ASSIGN(input_file file, input_file::open(segment));
  STRATA_ASSIGN(const std::size_t got, file.read(header));
  constexpr std::uint16_t has_long_header = 2;
  if (got < header.size() || !(core::load_le<std::uint16_t>(header.data() + 2) & has_long_header))
    return core::error{core::errc::corrupt, segment.string() + " is not a WAL segment"};
  STRATA_ASSIGN(into.major, wal::major_of_magic(core::load_le<std::uint16_t>(header.data())));
  into.system_id = core::load_le<std::uint64_t>(header.data() + 24);
  into.segment_size = core::load_le<std::uint32_t>(header.data() + 32);
  if (into.segment_size < (1u << 20) || into.segment_size > (1u << 30) ||
      (into.segment_size & (into.segment_size - 1)) != 0)
    return core::error{core::errc::corrupt, segment.string() + " has an invalid segment size"};
  return {};
}

/// Directories of a data directory that hold relations, as paths below it.
std::vector<fs::path> relation_directories(const fs::path& data_directory) {
  std::vector<fs::path> all{"global"};
  std::error_code ignored;
  const auto add_children = [&](const fs::path& below) {
    for (const auto& entry : fs::directory_iterator(data_directory / below, ignored))
      if (entry.is_directory()) all.push_back(below / entry.path().filename());
  };
  add_children("base");
  for (const auto& space : fs::directory_iterator(data_directory / "pg_tblspc", ignored))
    for (const auto& version : fs::directory_iterator(space.path(), ignored))
      add_children(fs::path("pg_tblspc") / space.path().filename() / version.path().filename());
  return all;
}

core::result<void> read_relation_file(
    const fs::path& path, const files::relation_file& named, core::bytes& buffer,
    const std::function<core::result<void>(const relation_fork&, block_number, core::bytes_view)>& use) {
  STRATA_ASSIGN(input_file file, input_file::open(path));
  block_number block = named.segment * blocks_per_relation_segment;
  while (true) {
    STRATA_ASSIGN(const std::size_t got, file.read(buffer));
    for (std::size_t at = 0; at + page_size <= got; at += page_size)
      STRATA_TRY(use(named.relation, block++, core::bytes_view(buffer).subspan(at, page_size)));
    if (got < buffer.size()) return {};
  }
}

/// Begins at the record that starts at `start`, at the first one of a segment, or, without a start, at the first of
/// all.
core::result<wal::stream_decoder> decoder_from(const wal_directory& in, const std::map<core::lsn, fs::path>& segments,
                                               core::lsn start) {
  bool at_record = start.valid();
  if (!at_record && !segments.empty()) {
    start = in.first;
    STRATA_ASSIGN(const core::lsn inside, start_inside(segments.begin()->second, start));
    at_record = inside.valid();
    if (at_record) start = inside;
  }
  return wal::stream_decoder({.start = start,
                              .major = in.major,
                              .segment_size = in.segment_size,
                              .system_id = in.system_id,
                              .starts_at_record = at_record && start.value % in.segment_size != 0});
}

}  // namespace

core::result<wal_directory> open_wal_directory(const fs::path& path) {
  wal_directory found;
  found.path = path;
  std::error_code ignored;
  if (fs::exists(path / "global/pg_control", ignored)) {
    found.data_directory = path;
    found.path = path / "pg_wal";
    core::bytes bytes(files::control_file_size);
    STRATA_ASSIGN(input_file file, input_file::open(path / "global/pg_control"));
    STRATA_ASSIGN(const std::size_t got, file.read(bytes));
    bytes.resize(got);
    STRATA_ASSIGN(found.control, files::decode_control_file(bytes));
    found.major = found.control->major;
    found.segment_size = found.control->wal_segment_size;
    found.system_id = found.control->system_id;
  }
  STRATA_ASSIGN(auto segments, segments_of(found.path, found.segment_size));
  if (segments.empty()) return core::error{core::errc::not_found, "no WAL segments in " + found.path.string()};
  if (!found.control) {
    STRATA_TRY(read_long_header(segments.begin()->second, found));
    STRATA_ASSIGN(segments, segments_of(found.path, found.segment_size));
  }
  found.first = segments.begin()->first;
  return found;
}

core::result<void> for_each_page(
    const fs::path& data_directory, major_version major,
    const std::function<core::result<void>(const relation_fork&, block_number, core::bytes_view)>& use) {
  core::bytes buffer(read_size);
  for (const fs::path& directory : relation_directories(data_directory)) {
    std::map<files::relation_file, fs::path> found;
    std::set<oid> unlogged;
    std::error_code failed;
    for (fs::directory_iterator at(data_directory / directory, failed), end; !failed && at != end;
         at.increment(failed)) {
      const auto named = files::classify((directory / at->path().filename()).string(), major);
      if (named.kind != files::path_kind::relation) continue;
      found.emplace(named.relation, at->path());
      if (named.relation.relation.fork == fork::init) unlogged.insert(named.relation.relation.relation);
    }
    if (failed) return core::from_errno("read directory " + (data_directory / directory).string(), failed.value());
    for (const auto& [named, path] : found) {
      if (unlogged.contains(named.relation.relation) && named.relation.fork != fork::init) continue;
      STRATA_TRY(read_relation_file(path, named, buffer, use));
    }
  }
  return {};
}

core::result<bool> has_check_images(const wal_directory& in, core::lsn from) {
  constexpr std::size_t sample_size = 16u << 20;
  constexpr std::size_t info_at = 16;
  constexpr std::uint8_t carries_check_images = 0x02;
  STRATA_ASSIGN(const auto segments, segments_of(in.path, in.segment_size));
  if (segments.empty()) return false;
  const auto sample = [&](core::lsn start) -> core::result<bool> {
    STRATA_ASSIGN(wal::stream_decoder decoder, decoder_from(in, segments, start));
    const core::lsn begin(decoder.position().value - decoder.position().value % in.segment_size);
    const auto at = segments.find(begin);
    if (at == segments.end()) return false;
    STRATA_ASSIGN(input_file file, input_file::open(at->second));
    STRATA_TRY(file.skip(decoder.position() - begin));
    core::bytes buffer(sample_size);
    STRATA_ASSIGN(const std::size_t got, file.read(buffer));
    decoder.feed(core::bytes_view(buffer).first(got));
    while (true) {
      const auto framed = decoder.next();
      if (!framed || !*framed) return false;
      if ((*framed)->bytes[info_at] & carries_check_images) return true;
    }
  };
  STRATA_ASSIGN(const bool at_begin, sample(from));
  if (at_begin) return true;
  // The control file has the end of a server's WAL; the segments after it are recycled ones.
  const core::lsn end = in.control ? in.control->checkpoint_location : segments.rbegin()->first;
  return sample(core::lsn(end.value - end.value % in.segment_size));
}

core::result<replayed> replay(const wal_directory& from, core::lsn start, std::optional<core::lsn> until,
                              wal_verifier& verifier, const std::function<void(core::lsn)>& tell) {
  STRATA_ASSIGN(const auto segments, segments_of(from.path, from.segment_size));
  STRATA_ASSIGN(wal::stream_decoder decoder, decoder_from(from, segments, start));
  const auto record = std::make_unique<wal::record>();
  core::bytes buffer(read_size);
  replayed done{.start = decoder.record_end()};
  bool first = true;
  const core::lsn begin = decoder.position();
  for (auto at = segments.find(core::lsn(begin.value - begin.value % from.segment_size)); at != segments.end();
       at = segments.find(core::lsn(at->first.value + from.segment_size))) {
    STRATA_ASSIGN(input_file file, input_file::open(at->second));
    STRATA_TRY(file.skip(decoder.position().value - at->first.value));
    if (tell) tell(decoder.record_end());
    while (true) {
      STRATA_ASSIGN(const std::size_t got, file.read(buffer));
      if (got == 0) break;
      done.bytes += got;
      decoder.feed(core::bytes_view(buffer).first(got));
      while (true) {
        auto framed = decoder.next();
        if (!framed) {
          // As in Postgres's recovery: WAL ends before the first record that does not pass its checks.
          done.why_ended = framed.error().detail;
          return done;
        }
        if (!*framed) break;
        const wal::framed_record& found = **framed;
        if (until && found.end > *until) {
          done.why_ended = "requested end";
          return done;
        }
        STRATA_TRY(wal::parse_record(found.bytes, found.start, found.end, from.major, *record));
        verifier.add(*record);
        if (std::exchange(first, false)) done.start = found.start;
        done.end = found.end;
      }
    }
  }
  done.why_ended = "no segment follows";
  return done;
}

core::result<void> compare_files(const wal_directory& with, wal_verifier& verifier, report& into) {
  const bool checksums = with.control && with.control->data_checksum_version != 0;
  return for_each_page(
      with.data_directory, with.major,
      [&](const relation_fork& relation, block_number block, core::bytes_view page) -> core::result<void> {
        const auto stored = core::load_le<std::uint16_t>(page.data() + 8);
        const bool is_new = core::load_le<std::uint16_t>(page.data() + 14) == 0;
        if (checksums && !is_new && page::page_checksum(page, block) != stored)
          into.found({{}, {}, "file", relation, block, "its checksum is wrong"});
        verifier.compare_with_file(relation, block, page);
        return {};
      });
}

}  // namespace strata::pg::verify
