#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "io/disk.hpp"

/// The bytes of a segment file (docs/formats/wal_log.md): a header, then frames on multiples of 32, then zeros.
namespace strata::wal {

/// The disk writes a sector as a whole or not at all. A frame that a crash has torn lacks whole sectors.
inline constexpr std::uint64_t sector_size = 512;

/// A segment file's header: its log, and its place in that log.
struct segment_identity {
  core::tenant_id tenant;
  core::timeline_id timeline;
  core::lsn start;  ///< of the segment: a multiple of segment_size
  core::lsn begin;  ///< of the first byte in the file; above start where a log begins inside a segment
  /// How often the log had been cut when the file was created. A file after one of a higher epoch is a left-over.
  std::uint64_t epoch = 0;
  std::uint32_t segment_size = 0;
  bool operator==(const segment_identity&) const = default;
};
inline constexpr std::size_t segment_header_size = 96;
core::bytes encode(const segment_identity& of);
/// errc::corrupt with offset and reason; errc::unsupported for a newer format. The caller names the file.
core::result<segment_identity> decode_segment_header(core::bytes_view from);

inline constexpr std::string_view segment_file_suffix = ".frames";
/// Postgres's name of the segment (timeline 1), with our suffix.
std::string segment_file_name(core::lsn start, std::uint32_t segment_size);
/// nullopt if `name` is no such name.
std::optional<core::lsn> parse_segment_file_name(const std::string& name, std::uint32_t segment_size);

inline constexpr std::size_t frame_alignment = 32;
inline constexpr std::size_t frame_header_size = 32;
/// WAL in one frame. Small enough that a short read does not have to check much.
inline constexpr std::uint32_t frame_payload_max = 256u << 10;
/// With its padding, which is never empty.
constexpr std::uint64_t frame_size(std::uint64_t payload) {
  return (frame_header_size + payload) / frame_alignment * frame_alignment + frame_alignment;
}

struct frame {
  core::lsn lsn;
  core::lsn durable;  ///< the log's durable end when the frame was written
  core::bytes_view payload;
  std::uint64_t size_bytes = 0;  ///< in the file
};

/// Encodes and checks the frames of one file. Every checksum depends on the file's identity and on the frame's offset:
/// a sound frame in a wrong place does not match.
class frame_codec {
 public:
  explicit frame_codec(const segment_identity& of);

  /// Encodes a frame in `into`. Precondition: 0 < payload <= frame_payload_max, durable <= lsn.
  void encode(core::lsn lsn, core::lsn durable, std::uint64_t offset, core::bytes_view payload,
              core::bytes& into) const;

  struct head {
    core::lsn lsn;
    core::lsn durable;
    std::uint32_t length = 0;
    std::uint16_t zero_sectors = 0;  ///< sectors after the first that are all zeros
    std::uint64_t payload_checksum = 0;
  };
  /// nullopt: no header of a frame at this offset. Precondition: frame_header_size bytes.
  [[nodiscard]] std::optional<head> decode_head(std::uint64_t offset, core::bytes_view from) const;
  /// Checks everything that follows the header. Precondition: frame_size(of.length) bytes.
  [[nodiscard]] bool sound(const head& of, std::uint64_t offset, core::bytes_view whole) const;

 private:
  [[nodiscard]] std::uint64_t seed(std::uint64_t offset) const;
  std::uint64_t identity_;
};

/// Reads the frames of a file in order through a buffer.
class frame_scanner {
 public:
  /// Begins with a frame at `offset` whose first byte is `lsn`, and reads no frame at or after `offset_end`.
  frame_scanner(const io::file& from, const segment_identity& of, std::uint64_t offset, core::lsn lsn,
                std::uint64_t offset_end);

  /// Why there is no further frame.
  enum class stop : std::uint8_t {
    none,
    untouched,  ///< zeros, or the end of the file
    torn,       ///< a frame with sectors that were never written: what a crash leaves of an unsynced write
    damaged,    ///< in a way that no crash explains
  };
  /// The payload is valid until the next call. nullopt: see stopped().
  core::result<std::optional<frame>> next();
  [[nodiscard]] stop stopped() const { return stopped_; }
  /// Where the next frame begins, or where the scan has stopped.
  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  [[nodiscard]] core::lsn lsn() const { return lsn_; }

  /// After a stop: what the rest of the file proves. `proof`: the offset of a sound frame that was written when
  /// everything up to and including `lost` was already durable.
  struct remains {
    bool all_zero = true;
    std::optional<std::uint64_t> proof;
  };
  core::result<remains> search_rest(core::lsn lost);

 private:
  core::result<core::bytes_view> window(std::uint64_t offset, std::size_t size);
  [[nodiscard]] stop judge(std::uint64_t offset, const frame_codec::head& head, core::bytes_view whole) const;

  const io::file& file_;
  segment_identity identity_;
  frame_codec codec_;
  std::uint64_t offset_;
  core::lsn lsn_;
  std::uint64_t offset_end_;
  stop stopped_ = stop::none;
  core::bytes buffer_;
  std::uint64_t buffer_offset_ = 0;
  std::size_t buffer_filled_ = 0;
};

}  // namespace strata::wal
