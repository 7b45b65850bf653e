#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace strata::pg::files {

inline constexpr std::size_t tar_block_size = 512;

enum class tar_type : std::uint8_t { file, directory, symlink, other };

struct tar_entry {
  std::string name;  ///< relative, no "." or ".." parts, no slash at the end
  tar_type type = tar_type::file;
  std::uint64_t size = 0;     ///< of a file; 0 for the others
  std::uint32_t mode = 0600;  ///< permission bits
  std::string link_target;    ///< of a symlink; as found, may be absolute
  std::int64_t modified = 0;  ///< seconds since 1970
};

/// The modes of files and directories that Postgres requires in a data directory.
inline constexpr std::uint32_t tar_file_mode = 0600;
inline constexpr std::uint32_t tar_directory_mode = 0700;

/// Appends the header blocks of an entry; names and link targets over 100 bytes get a GNU long-name entry in front.
/// `size` bytes of content must follow, then append_tar_padding(to, size).
void append_tar_header(core::bytes& to, const tar_entry& entry);
/// Pads the last block of a content of `size` bytes.
void append_tar_padding(core::bytes& to, std::uint64_t size);
/// A whole small file.
void append_tar_file(core::bytes& to, std::string name, core::bytes_view content, std::int64_t modified = 0);
/// The two zero blocks that end an archive.
void append_tar_end(core::bytes& to);

/// One step of reading an archive.
struct tar_event {
  enum class kind : std::uint8_t {
    entry,      ///< a new entry: see `entry`
    data,       ///< the next part of the current entry's content: see `data`
    entry_end,  ///< the current entry is complete; for empty files, directories and links too
    archive_end
  };
  tar_event::kind kind;
  const tar_entry* entry = nullptr;  ///< the current entry, except for archive_end; valid until the next next()
  core::bytes_view data;             ///< points into the fed bytes
};

/// Reads a ustar, GNU or pax archive as it arrives. A pure machine: bytes in, events out, content never copied. Refuses
/// with errc::corrupt: wrong header checksums, sizes over `entry_size_max`, names that are absolute, empty or have
/// ".."; with errc::unsupported: sparse files.
class tar_reader {
 public:
  explicit tar_reader(std::uint64_t entry_size_max = std::uint64_t{1} << 40) : entry_size_max_(entry_size_max) {}

  /// Adds the next bytes. They must stay valid until next() has returned nullopt.
  /// Precondition: the bytes fed before are consumed (next() returned nullopt).
  void feed(core::bytes_view bytes);
  /// The next event, nullopt when more bytes are needed. After an error discard the reader. Bytes after the end of the
  /// archive are ignored.
  core::result<std::optional<tar_event>> next();
  /// Whether the input may end here: between two entries or after the archive's end (Postgres 14 sends no end blocks).
  [[nodiscard]] bool complete() const;

 private:
  enum class state : std::uint8_t { header, data, padding, ended };

  std::optional<core::bytes_view> take_block();
  core::result<std::optional<tar_event>> on_header(core::bytes_view block);
  core::result<std::optional<tar_event>> on_entry(core::bytes_view block, char type, std::uint64_t size);
  core::result<void> collect(char type, std::uint64_t size);
  std::optional<tar_event> on_data();
  core::result<void> on_collected();
  core::result<void> on_extended();
  [[nodiscard]] core::error corrupt(const std::string& what) const;

  std::uint64_t entry_size_max_;
  core::bytes_view input_;
  core::bytes block_;  ///< a header block that arrives in parts
  tar_entry entry_;
  std::string long_name_;
  std::string long_link_;
  std::optional<std::uint64_t> long_size_;
  std::string extended_;               ///< pax records
  bool extends_all_ = false;           ///< they are about all that follows, not the next entry
  std::string* collecting_ = nullptr;  ///< set while the content is about other entries: its destination
  std::uint64_t data_left_ = 0;
  std::uint64_t padding_left_ = 0;
  std::uint64_t offset_ = 0;  ///< in the archive, for errors
  state state_ = state::header;
  bool zero_block_seen_ = false;
};

}  // namespace strata::pg::files
