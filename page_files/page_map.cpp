#include "page_files/page_map.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "core/check.hpp"

namespace strata::page_files {

namespace {

constexpr std::uint64_t magic = 0x50414d4547415053;  // "SPAGEMAP"
constexpr std::uint32_t version = 2;
constexpr std::uint32_t word_bits = 64;
constexpr std::size_t path_bytes_max = 4096;
constexpr int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

std::uint64_t words_for(std::uint32_t pages) { return (std::uint64_t{pages} + word_bits - 1) / word_bits; }

/// Bits [from, to) of a word, to <= 64.
std::uint64_t mask(std::uint32_t from, std::uint32_t to) {
  const std::uint64_t below_to = to == word_bits ? ~std::uint64_t{0} : (std::uint64_t{1} << to) - 1;
  return below_to & ~((std::uint64_t{1} << from) - 1);
}

// The other processes read while the filler writes.
template <class T>
T load(const T& from) {
  return std::atomic_ref<T>(const_cast<T&>(from)).load(std::memory_order_acquire);
}
template <class T>
void store(T& to, T value) {
  std::atomic_ref<T>(to).store(value, std::memory_order_release);
}

core::error not_a_map(std::string_view why) { return {core::errc::corrupt, "open page map: " + std::string(why)}; }

}  // namespace

struct page_map::header {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t files;
  std::uint32_t index_slots;  ///< a power of two, more than files
  std::uint32_t taken_slots;
  std::uint64_t path_bytes;
  std::uint64_t bit_words;
  std::uint64_t bytes;    ///< of the whole map
  std::uint64_t missing;  ///< of all files
  std::uint32_t beats;
  std::uint32_t note_version;  ///< odd while the note changes
  char note[note_max + 1];
  std::uint64_t fillers;  ///< that have begun
  std::uint32_t complete;
  fill_counts counts;
};

struct page_map::file_record {
  std::uint64_t device;
  std::uint64_t inode;
  std::uint64_t word_at;
  std::uint64_t path_at;
  std::uint32_t path_length;
  std::uint32_t tablespace;
  std::uint32_t database;
  std::uint32_t relation;
  std::uint32_t fork;
  std::uint32_t segment;
  std::uint32_t pages;
  std::uint32_t limit;
  std::uint32_t no_ahead_from;
  std::uint32_t missing;
};

struct page_map::taken_record {
  std::uint32_t in_use;
  taken_event event;
};

// The parts lie one after the other: header, files, taken events, bits, index, paths.
struct page_map::sizes {
  std::size_t records_at, taken_at, words_at, index_at, paths_at, end;

  explicit sizes(const header& of) {
    records_at = sizeof(header);
    taken_at = records_at + sizeof(file_record) * of.files;
    words_at = (taken_at + sizeof(taken_record) * of.taken_slots + 7) / 8 * 8;
    index_at = words_at + sizeof(std::uint64_t) * of.bit_words;
    paths_at = index_at + sizeof(std::uint32_t) * of.index_slots;
    end = paths_at + of.path_bytes;
  }
};

page_map::page_map(io::unique_fd fd, std::uint8_t* at, std::size_t bytes)
    : fd_(std::move(fd)), at_(at), bytes_(bytes) {}

page_map::page_map(page_map&& other) noexcept
    : fd_(std::move(other.fd_)), at_(std::exchange(other.at_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

page_map& page_map::operator=(page_map&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(at_, other.at_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

page_map::~page_map() {
  if (at_ != nullptr) ::munmap(at_, bytes_);
}

core::result<page_map> page_map::map(io::unique_fd fd, std::size_t bytes) {
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) return core::from_errno("map page map", errno);
  return page_map(std::move(fd), static_cast<std::uint8_t*>(at), bytes);
}

core::result<page_map> page_map::make(std::span<const sparse_file> files) {
  const auto refused = [](const std::string& why) {
    return core::error{core::errc::invalid_argument, "make page map: " + why};
  };
  if (files.size() > files_max) return refused("more than " + std::to_string(files_max) + " files");
  header head{};
  head.magic = magic;
  head.version = version;
  head.files = static_cast<std::uint32_t>(files.size());
  head.index_slots = std::bit_ceil(head.files * 2 + 2);
  head.taken_slots = taken_max;
  for (const sparse_file& each : files) {
    if (each.file.pages > pg::blocks_per_relation_segment || each.file.path.size() > path_bytes_max ||
        each.file.segment > pg::invalid_block / pg::blocks_per_relation_segment)
      return refused("file " + each.file.path);
    head.bit_words += words_for(each.file.pages);
    head.path_bytes += each.file.path.size();
    head.missing += each.file.pages;
  }
  const sizes parts(head);
  head.bytes = parts.end;

  io::unique_fd fd(::memfd_create("strata page map", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return core::from_errno("create page map", errno);
  if (::ftruncate(fd.get(), static_cast<off_t>(head.bytes)) != 0) return core::from_errno("size page map", errno);
  if (::fcntl(fd.get(), F_ADD_SEALS, seals) != 0) return core::from_errno("seal page map", errno);
  STRATA_ASSIGN(page_map made, map(std::move(fd), head.bytes));
  std::memcpy(made.at_, &head, sizeof head);
  std::uint64_t word_at = 0;
  std::uint64_t path_at = 0;
  for (std::uint32_t i = 0; i < head.files; ++i) {
    const auto& [file, inode] = files[i];
    made.record(i) = {.device = inode.device,
                      .inode = inode.inode,
                      .word_at = word_at,
                      .path_at = path_at,
                      .path_length = static_cast<std::uint32_t>(file.path.size()),
                      .tablespace = file.relation.tablespace,
                      .database = file.relation.database,
                      .relation = file.relation.relation,
                      .fork = static_cast<std::uint32_t>(file.relation.fork),
                      .segment = file.segment,
                      .pages = file.pages,
                      .limit = file.pages,
                      .no_ahead_from = file.pages,
                      .missing = file.pages};
    std::ranges::copy(file.path, made.at_ + parts.paths_at + path_at);
    word_at += words_for(file.pages);
    path_at += file.path.size();
    if (!made.add_to_index(i)) return refused("two files are one inode: " + file.path);
  }
  return made;
}

core::result<page_map> page_map::open(io::unique_fd from, bool to_write) {
  struct stat found {};
  if (::fstat(from.get(), &found) != 0) return core::from_errno("open page map", errno);
  // Only a map that nobody can shorten may be read through a mapping.
  if (::fcntl(from.get(), F_GET_SEALS) != seals) return not_a_map("not sealed");
  if (static_cast<std::uint64_t>(found.st_size) < sizeof(header)) return not_a_map("too short");
  STRATA_ASSIGN(page_map opened, map(std::move(from), static_cast<std::size_t>(found.st_size)));
  STRATA_TRY(opened.validate());
  if (to_write) {
    std::uint64_t missing = 0;
    for (std::uint32_t i = 0; i < opened.file_count(); ++i) {
      file_record& each = opened.record(i);
      store(each.missing, opened.count_missing(each));
      missing += each.missing;
    }
    store(opened.head().missing, missing);
  }
  return opened;
}

core::result<void> page_map::validate() const {
  const header& head = this->head();
  if (head.magic != magic) return not_a_map("another magic number");
  if (head.version != version) return not_a_map("version " + std::to_string(head.version));
  if (head.files > files_max || head.index_slots != std::bit_ceil(head.files * 2 + 2) ||
      head.taken_slots != taken_max || head.bytes != bytes_ || head.bit_words > bytes_ || head.path_bytes > bytes_ ||
      sizes(head).end != bytes_)
    return not_a_map("sizes do not match");
  std::uint64_t word_at = 0;
  std::uint64_t path_at = 0;
  for (std::uint32_t i = 0; i < head.files; ++i) {
    const file_record& each = record(i);
    if (each.pages > pg::blocks_per_relation_segment || each.limit > each.pages || each.no_ahead_from > each.pages ||
        each.fork >= pg::fork_count || each.word_at != word_at || each.path_at != path_at ||
        each.path_length > path_bytes_max || each.segment > pg::invalid_block / pg::blocks_per_relation_segment)
      return not_a_map("file " + std::to_string(i));
    word_at += words_for(each.pages);
    path_at += each.path_length;
  }
  if (word_at != head.bit_words || path_at != head.path_bytes) return not_a_map("files do not match the sizes");
  for (std::uint32_t slot = 0; slot < head.index_slots; ++slot)
    if (slots()[slot] > head.files) return not_a_map("index");
  for (std::uint32_t i = 0; i < head.files; ++i)
    if (find(inode(i)) != i) return not_a_map("index does not have file " + std::to_string(i));
  for (std::uint32_t slot = 0; slot < taken_max; ++slot)
    if (const taken_record& each = taken_at(slot);
        each.in_use > 1 || (each.in_use == 1 && each.event.file >= head.files))
      return not_a_map("taken event " + std::to_string(slot));
  return {};
}

page_map::header& page_map::head() const { return *reinterpret_cast<header*>(at_); }

page_map::file_record& page_map::record(std::uint32_t index) const {
  return reinterpret_cast<file_record*>(at_ + sizes(head()).records_at)[index];
}

std::uint32_t* page_map::slots() const { return reinterpret_cast<std::uint32_t*>(at_ + sizes(head()).index_at); }

std::uint64_t* page_map::words(const file_record& of) const {
  return reinterpret_cast<std::uint64_t*>(at_ + sizes(head()).words_at) + of.word_at;
}

page_map::taken_record& page_map::taken_at(std::uint32_t slot) const {
  return reinterpret_cast<taken_record*>(at_ + sizes(head()).taken_at)[slot];
}

std::uint32_t page_map::file_count() const { return head().files; }

relation_file page_map::file(std::uint32_t index) const {
  const file_record& of = record(index);
  return {.path = std::string(reinterpret_cast<const char*>(at_ + sizes(head()).paths_at + of.path_at), of.path_length),
          .relation = {of.tablespace, of.database, of.relation, static_cast<pg::fork>(of.fork)},
          .segment = of.segment,
          .pages = of.pages};
}

inode_id page_map::inode(std::uint32_t index) const { return {record(index).device, record(index).inode}; }

namespace {
std::uint32_t first_slot(inode_id of, std::uint32_t slots) {
  const std::uint64_t mixed = (of.inode ^ of.device << 32) * 0x9E3779B97F4A7C15u;
  return static_cast<std::uint32_t>(mixed >> 32) & (slots - 1);
}
}  // namespace

// A slot has the index of a file plus 1. There are more slots than files, so that a search ends.
bool page_map::add_to_index(std::uint32_t index) {
  const inode_id of = inode(index);
  std::uint32_t slot = first_slot(of, head().index_slots);
  for (; slots()[slot] != 0; slot = (slot + 1) & (head().index_slots - 1))
    if (inode(slots()[slot] - 1) == of) return false;
  slots()[slot] = index + 1;
  return true;
}

std::optional<std::uint32_t> page_map::find(inode_id of) const {
  const std::uint32_t count = head().index_slots;
  std::uint32_t slot = first_slot(of, count);
  // A map that is not validated yet may have no free slot.
  for (std::uint32_t looked = 0; looked < count && slots()[slot] != 0; ++looked, slot = (slot + 1) & (count - 1))
    if (inode(slots()[slot] - 1) == of) return slots()[slot] - 1;
  return std::nullopt;
}

page_range page_map::range(std::uint32_t index, std::uint32_t first, std::uint32_t count) const {
  const file_record& of = record(index);
  return {.relation = {of.tablespace, of.database, of.relation, static_cast<pg::fork>(of.fork)},
          .first = of.segment * pg::blocks_per_relation_segment + first,
          .count = count};
}

std::uint32_t page_map::limit(std::uint32_t index) const { return load(record(index).limit); }
std::uint32_t page_map::no_ahead_from(std::uint32_t index) const { return load(record(index).no_ahead_from); }
std::uint32_t page_map::missing(std::uint32_t index) const { return load(record(index).missing); }
std::uint64_t page_map::missing() const { return load(head().missing); }

bool page_map::present(std::uint32_t index, std::uint32_t page) const {
  return (load(words(record(index))[page / word_bits]) >> page % word_bits & 1) != 0;
}

std::uint32_t page_map::first_missing(std::uint32_t index, std::uint32_t first, std::uint32_t end) const {
  const file_record& of = record(index);
  const std::uint32_t stop = std::min(end, load(of.limit));
  const std::uint64_t* bits = words(of);
  for (std::uint32_t page = first; page < stop;) {
    const std::uint32_t word = page / word_bits;
    const std::uint64_t absent = ~load(bits[word]) & mask(page % word_bits, word_bits);
    if (absent != 0) {
      const std::uint32_t found = word * word_bits + static_cast<std::uint32_t>(std::countr_zero(absent));
      return found < stop ? found : end;
    }
    page = (word + 1) * word_bits;
  }
  return end;
}

std::uint32_t page_map::count_missing(const file_record& of) const {
  std::uint32_t present = 0;
  for (std::uint32_t word = 0; word * word_bits < of.limit; ++word) {
    const std::uint32_t end = std::min(word_bits, of.limit - word * word_bits);
    present += static_cast<std::uint32_t>(std::popcount(load(words(of)[word]) & mask(0, end)));
  }
  return of.limit - present;
}

void page_map::change_missing(file_record& of, std::uint32_t to) {
  store(head().missing, head().missing + to - of.missing);
  store(of.missing, to);
}

void page_map::set_present(std::uint32_t index, std::uint32_t first, std::uint32_t count) {
  file_record& of = record(index);
  core::check(first <= of.pages && count <= of.pages - first, "pages of the file");
  std::uint32_t added = 0;
  for (std::uint32_t page = first; page < first + count;) {
    const std::uint32_t word = page / word_bits;
    const std::uint32_t end = std::min(first + count, (word + 1) * word_bits);
    std::uint64_t& bits = words(of)[word];
    const std::uint64_t more = mask(page % word_bits, end - word * word_bits) & ~bits;
    if (const std::uint32_t alive = std::min(end, of.limit); page < alive)
      added += static_cast<std::uint32_t>(std::popcount(more & mask(page % word_bits, alive - word * word_bits)));
    store(bits, bits | more);
    page = end;
  }
  change_missing(of, of.missing - added);
}

void page_map::lower_limit(std::uint32_t index, std::uint32_t pages) {
  file_record& of = record(index);
  if (pages >= of.limit) return;
  store(of.limit, pages);
  change_missing(of, count_missing(of));
}

void page_map::lower_no_ahead_from(std::uint32_t index, std::uint32_t page) {
  file_record& of = record(index);
  if (page < of.no_ahead_from) store(of.no_ahead_from, page);
}

void page_map::beat() { store(head().beats, head().beats + 1); }
std::uint32_t page_map::beats() const { return load(head().beats); }

void page_map::set_complete() { store(head().complete, std::uint32_t{1}); }
bool page_map::is_complete() const { return load(head().complete) != 0; }

namespace {
constexpr std::array counted{&fill_counts::accesses,        &fill_counts::accesses_waited,
                             &fill_counts::accesses_denied, &fill_counts::accesses_taken_over,
                             &fill_counts::pages_filled,    &fill_counts::files_completed,
                             &fill_counts::fetches,         &fill_counts::fetches_failed,
                             &fill_counts::waiting};
static_assert(counted.size() * sizeof(std::uint64_t) == sizeof(fill_counts));
}  // namespace

void page_map::set_counts(const fill_counts& now) {
  for (const auto each : counted) store(head().counts.*each, now.*each);
}

fill_counts page_map::counts() const {
  fill_counts now;
  for (const auto each : counted) now.*each = load(head().counts.*each);
  return now;
}

void page_map::set_note(std::string_view text) {
  header& to = head();
  const std::size_t size = std::min(text.size(), note_max);
  if (std::string_view(to.note) == text.substr(0, size)) return;
  const std::uint32_t before = load(to.note_version);
  // A killed filler may have left it odd.
  store(to.note_version, before | 1u);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  std::memcpy(to.note, text.data(), size);
  to.note[size] = 0;
  store(to.note_version, (before | 1u) + 1);
}

std::string page_map::note() const {
  const header& from = head();
  for (int attempt = 0; attempt < 100; ++attempt) {
    const std::uint32_t before = load(from.note_version);
    char copy[note_max + 1];
    std::memcpy(copy, from.note, sizeof copy);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (before % 2 == 0 && load(from.note_version) == before) return std::string(copy, ::strnlen(copy, note_max));
  }
  return "";
}

std::uint32_t page_map::add_filler() {
  const std::uint64_t before = head().fillers;
  store(head().fillers, before + 1);
  return static_cast<std::uint32_t>(before);
}

void page_map::record_taken(std::uint32_t slot, const taken_event& event) {
  core::check(slot < taken_max, "a slot of the taken events");
  taken_record& to = taken_at(slot);
  to.event = event;
  store(to.in_use, std::uint32_t{1});
}

void page_map::clear_taken(std::uint32_t slot) {
  core::check(slot < taken_max, "a slot of the taken events");
  store(taken_at(slot).in_use, std::uint32_t{0});
}

std::optional<taken_event> page_map::taken(std::uint32_t slot) const {
  const taken_record& from = taken_at(slot);
  if (load(from.in_use) == 0) return std::nullopt;
  return from.event;
}

}  // namespace strata::page_files
