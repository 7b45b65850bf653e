#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "io/unique_fd.hpp"
#include "page_files/page_source.hpp"
#include "page_files/relation_file.hpp"

namespace strata::page_files {

/// An event that a filler has read from the kernel and not yet answered. The successor of a killed filler answers it.
struct taken_event {
  std::int32_t fd = -1;      ///< the number of the event's descriptor in the filler, by which the kernel knows it
  std::int32_t process = 0;  ///< that waits
  std::uint32_t file = 0;
  std::uint32_t first = 0;  ///< page; of a truncation: the pages that stay
  std::uint32_t count = 0;  ///< pages; 0: a truncation
  bool operator==(const taken_event&) const = default;
};

/// What the fillers of a directory have done, one after the other. A door counts what it has.
struct fill_counts {
  std::uint64_t accesses = 0;             ///< that the kernel asked about (fanotify)
  std::uint64_t accesses_waited = 0;      ///< of these, for pages (fanotify)
  std::uint64_t accesses_denied = 0;      ///< failed: fetches, signals, what a killed filler left unrecorded
  std::uint64_t accesses_taken_over = 0;  ///< from a killed filler (fanotify)
  std::uint64_t pages_filled = 0;
  std::uint64_t files_completed = 0;  ///< (fanotify)
  std::uint64_t fetches = 0;
  std::uint64_t fetches_failed = 0;
  std::uint64_t waiting = 0;  ///< accesses, now
};

/// Which pages of the sparse files of a data directory are present, in memory that outlives the filler: a sealed memfd,
/// which the guard creates and every filler inherits. Files are named by index, pages by their number within the file.
///
/// One process writes at a time, the living filler, from one thread. The others read; a number they read is at most as
/// old as their reading.
///
/// About 100 bytes a file with its path, one bit a page: 100,000 files of 20 GB together are 11 MB.
class page_map {
 public:
  static constexpr std::uint32_t files_max = 1u << 24;
  /// Events that a filler has taken at the same time.
  static constexpr std::uint32_t taken_max = 256;

  /// No page is present. errc::invalid_argument for a file of more pages than a segment has, for two files of one
  /// inode, too many files or too long a path.
  static core::result<page_map> make(std::span<const sparse_file> files);
  /// Takes over the map in a descriptor, which it owns from then on. Counts anew what a killed filler may have left
  /// half counted if `to_write`. errc::corrupt for anything that make() did not create.
  static core::result<page_map> open(io::unique_fd from, bool to_write);

  page_map(page_map&& other) noexcept;
  page_map& operator=(page_map&& other) noexcept;
  ~page_map();

  /// The memfd, for a process that inherits it. Closed on exec.
  [[nodiscard]] int fd() const { return fd_.get(); }

  // -- the files: never change --------------------------------------------
  [[nodiscard]] std::uint32_t file_count() const;
  [[nodiscard]] relation_file file(std::uint32_t index) const;
  [[nodiscard]] inode_id inode(std::uint32_t index) const;
  [[nodiscard]] std::optional<std::uint32_t> find(inode_id inode) const;
  /// Pages of a file as the page service names them. `count` is 1 to page_range::count_max.
  [[nodiscard]] page_range range(std::uint32_t index, std::uint32_t first, std::uint32_t count) const;

  // -- the pages ----------------------------------------------------------
  /// Pages at or above are never filled: the file was shorter once, so they are no longer the page service's.
  [[nodiscard]] std::uint32_t limit(std::uint32_t index) const;
  /// From here on a truncation may have cut the file, or may yet: nothing is filled that nobody asked for.
  [[nodiscard]] std::uint32_t no_ahead_from(std::uint32_t index) const;
  /// Pages below the limit that are not present; 0: the file is complete.
  [[nodiscard]] std::uint32_t missing(std::uint32_t index) const;
  [[nodiscard]] std::uint64_t missing() const;  ///< of all files
  /// `page` is below the file's pages.
  [[nodiscard]] bool present(std::uint32_t index, std::uint32_t page) const;
  /// The first page of [first, end) that is below the limit and not present; `end` if there is none.
  [[nodiscard]] std::uint32_t first_missing(std::uint32_t index, std::uint32_t first, std::uint32_t end) const;

  void set_present(std::uint32_t index, std::uint32_t first, std::uint32_t count);
  void lower_limit(std::uint32_t index, std::uint32_t pages);
  void lower_no_ahead_from(std::uint32_t index, std::uint32_t page);

  /// Counts rounds of the filler's loop, which come at least once a second: a filler that does not count hangs.
  void beat();
  [[nodiscard]] std::uint32_t beats() const;
  /// Nothing is missing, or only of files that have no name any more, and no file needs a filler. Never taken back.
  void set_complete();
  [[nodiscard]] bool is_complete() const;
  /// Numbers that are read may be of two moments.
  void set_counts(const fill_counts& now);
  [[nodiscard]] fill_counts counts() const;
  /// What the filler has to say, for people; cut off at note_max bytes. Empty: nothing.
  static constexpr std::size_t note_max = 240;
  void set_note(std::string_view text);
  [[nodiscard]] std::string note() const;
  /// Counts a filler that begins; returns how many have begun before.
  std::uint32_t add_filler();

  // -- taken events: by slot, below taken_max -----------------------------
  void record_taken(std::uint32_t slot, const taken_event& event);
  void clear_taken(std::uint32_t slot);
  [[nodiscard]] std::optional<taken_event> taken(std::uint32_t slot) const;

 private:
  struct header;
  struct file_record;
  struct taken_record;
  struct sizes;

  page_map(io::unique_fd fd, std::uint8_t* at, std::size_t bytes);
  static core::result<page_map> map(io::unique_fd fd, std::size_t bytes);
  [[nodiscard]] header& head() const;
  [[nodiscard]] file_record& record(std::uint32_t index) const;
  [[nodiscard]] std::uint32_t* slots() const;
  [[nodiscard]] std::uint64_t* words(const file_record& of) const;
  [[nodiscard]] taken_record& taken_at(std::uint32_t slot) const;
  [[nodiscard]] core::result<void> validate() const;
  [[nodiscard]] std::uint32_t count_missing(const file_record& of) const;
  bool add_to_index(std::uint32_t index);
  void change_missing(file_record& of, std::uint32_t to);

  io::unique_fd fd_;
  std::uint8_t* at_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace strata::page_files
