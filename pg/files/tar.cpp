#include "pg/files/tar.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "core/check.hpp"

namespace strata::pg::files {
namespace {

// Fields of a header block: offset and length.
struct field {
  std::size_t offset;
  std::size_t length;
};
constexpr field name_field{0, 100};
constexpr field mode_field{100, 8};
constexpr field owner_field{108, 8};
constexpr field group_field{116, 8};
constexpr field size_field{124, 12};
constexpr field time_field{136, 12};
constexpr field checksum_field{148, 8};
constexpr std::size_t type_offset = 156;
constexpr field link_field{157, 100};
constexpr field magic_field{257, 8};
constexpr field prefix_field{345, 155};

constexpr char gnu_long_name = 'L';
constexpr char gnu_long_link = 'K';
constexpr char gnu_sparse = 'S';
constexpr char pax_next = 'x';
constexpr char pax_all = 'g';
constexpr std::uint64_t long_name_size_max = 4096;
constexpr std::uint64_t extended_size_max = 64u << 10;
constexpr std::string_view posix_magic("ustar\00000", 8);

core::bytes_view at(core::bytes_view block, field which) { return block.subspan(which.offset, which.length); }

std::string text(core::bytes_view field) {
  return {field.begin(), std::find(field.begin(), field.end(), std::uint8_t{0})};
}

/// Octal digits, or a big-endian number after a byte of 0x80 where octal does not suffice.
void put_number(core::bytes_span field, std::uint64_t value) {
  const std::size_t digits = field.size() - 1;
  if (digits * 3 < 64 && value >> (digits * 3) != 0) {
    for (std::size_t i = field.size(); i-- > 1; value >>= 8) field[i] = static_cast<std::uint8_t>(value);
    field[0] = 0x80;
    return;
  }
  for (std::size_t i = digits; i-- > 0; value >>= 3) field[i] = static_cast<std::uint8_t>('0' + (value & 7));
  field[digits] = 0;
}

std::optional<std::uint64_t> number(core::bytes_view field) {
  std::uint64_t value = 0;
  if (field[0] == 0x80) {
    for (const std::uint8_t byte : field.subspan(1)) {
      if (value >> 56 != 0) return std::nullopt;
      value = value << 8 | byte;
    }
    return value;
  }
  std::size_t i = 0;
  while (i < field.size() && field[i] == ' ') ++i;
  for (; i < field.size() && field[i] != 0 && field[i] != ' '; ++i) {
    if (field[i] < '0' || field[i] > '7' || value >> 61 != 0) return std::nullopt;
    value = value << 3 | (field[i] - '0');
  }
  return value;
}

/// The sum of all bytes, with the checksum's own field counted as blanks.
std::uint64_t checksum(core::bytes_view block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i)
    sum += i >= checksum_field.offset && i < checksum_field.offset + checksum_field.length ? ' ' : block[i];
  return sum;
}

void append_block(core::bytes& to, std::string_view name, std::string_view link, char type, const tar_entry& entry,
                  std::uint64_t size) {
  const std::size_t begin = to.size();
  to.resize(begin + tar_block_size);
  const core::bytes_span block = core::bytes_span(to).subspan(begin);
  const auto span = [&block](field which) { return block.subspan(which.offset, which.length); };
  std::copy_n(name.begin(), std::min(name.size(), name_field.length), span(name_field).begin());
  std::copy_n(link.begin(), std::min(link.size(), link_field.length), span(link_field).begin());
  put_number(span(mode_field), entry.mode & 07777);
  put_number(span(owner_field), 0);
  put_number(span(group_field), 0);
  put_number(span(size_field), size);
  put_number(span(time_field), static_cast<std::uint64_t>(std::max<std::int64_t>(entry.modified, 0)));
  block[type_offset] = static_cast<std::uint8_t>(type);
  std::copy(posix_magic.begin(), posix_magic.end(), span(magic_field).begin());
  const std::uint64_t sum = checksum(block);
  put_number(span(checksum_field).first(7), sum);
  block[checksum_field.offset + 7] = ' ';
}

void append_long_name(core::bytes& to, std::string_view name, char type) {
  append_block(to, "././@LongLink", "", type, tar_entry{.mode = 0644}, name.size() + 1);
  to.insert(to.end(), name.begin(), name.end());
  to.push_back(0);
  append_tar_padding(to, name.size() + 1);
}

/// The name without a leading "./" and trailing slashes, if it can't lead out of its directory.
std::optional<std::string> safe_name(std::string name) {
  while (name.starts_with("./")) name.erase(0, 2);
  while (name.ends_with('/')) name.pop_back();
  if (name.empty() || name.front() == '/') return std::nullopt;
  for (std::string_view rest = name; !rest.empty();) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return std::nullopt;
    rest.remove_prefix(std::min(slash + 1, rest.size()));
  }
  return name;
}

tar_type type_of(char type) {
  switch (type) {
    case 0:
    case '0':
    case '7': return tar_type::file;
    case '2': return tar_type::symlink;
    case '5': return tar_type::directory;
    default: return tar_type::other;
  }
}

std::optional<std::uint64_t> decimal(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (failure != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

struct pax_record {
  std::string_view key;
  std::string_view value;
};
/// Takes the first of "LENGTH KEY=VALUE\n", the length being that of the whole record. nullopt: it is none.
std::optional<pax_record> take_record(std::string_view& from) {
  const std::size_t blank = from.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const auto length = decimal(from.substr(0, blank));
  if (!length || *length > from.size() || *length < blank + 3) return std::nullopt;
  std::string_view record = from.substr(0, *length);
  from.remove_prefix(*length);
  if (record.back() != '\n') return std::nullopt;
  record.remove_suffix(1);
  record.remove_prefix(blank + 1);
  const std::size_t equals = record.find('=');
  if (equals == 0 || equals == std::string_view::npos) return std::nullopt;
  return pax_record{record.substr(0, equals), record.substr(equals + 1)};
}

core::error sparse() {
  return {core::errc::unsupported, "read tar: it has sparse files; make the archive without --sparse"};
}

std::uint64_t padding_of(std::uint64_t size) { return (tar_block_size - size % tar_block_size) % tar_block_size; }

}  // namespace

void append_tar_header(core::bytes& to, const tar_entry& entry) {
  core::check(entry.type != tar_type::other, "a written tar entry is a file, directory or symlink");
  const bool directory = entry.type == tar_type::directory;
  const std::string name = directory ? entry.name + '/' : entry.name;
  const char type = directory ? '5' : entry.type == tar_type::symlink ? '2' : '0';
  if (name.size() > name_field.length) append_long_name(to, name, gnu_long_name);
  if (entry.link_target.size() > link_field.length) append_long_name(to, entry.link_target, gnu_long_link);
  append_block(to, name, entry.link_target, type, entry, entry.type == tar_type::file ? entry.size : 0);
}

void append_tar_padding(core::bytes& to, std::uint64_t size) { to.resize(to.size() + padding_of(size)); }

void append_tar_file(core::bytes& to, std::string name, core::bytes_view content, std::int64_t modified) {
  append_tar_header(to, {.name = std::move(name), .size = content.size(), .modified = modified});
  core::append(to, content);
  append_tar_padding(to, content.size());
}

void append_tar_end(core::bytes& to) { to.resize(to.size() + 2 * tar_block_size); }

void tar_reader::feed(core::bytes_view bytes) {
  core::check(input_.empty(), "a tar reader is fed only when its input is consumed");
  input_ = bytes;
}

bool tar_reader::complete() const {
  return state_ == state::ended ||
         (state_ == state::header && block_.empty() && long_name_.empty() && long_link_.empty() && !long_size_);
}

std::optional<core::bytes_view> tar_reader::take_block() {
  if (block_.empty() && input_.size() >= tar_block_size) {
    const core::bytes_view block = input_.first(tar_block_size);
    input_ = input_.subspan(tar_block_size);
    return block;
  }
  const std::size_t missing = std::min(tar_block_size - block_.size(), input_.size());
  core::append(block_, input_.first(missing));
  input_ = input_.subspan(missing);
  if (block_.size() < tar_block_size) return std::nullopt;
  return block_;
}

core::result<std::optional<tar_event>> tar_reader::next() {
  while (true) {
    switch (state_) {
      case state::header: {
        const auto block = take_block();
        if (!block) return std::optional<tar_event>{};
        STRATA_ASSIGN(const auto event, on_header(*block));
        block_.clear();
        offset_ += tar_block_size;
        if (event) return event;
        break;
      }
      case state::data: {
        if (data_left_ == 0) {
          state_ = state::padding;
          break;
        }
        if (input_.empty()) return std::optional<tar_event>{};
        const auto event = on_data();
        if (event) return event;
        break;
      }
      case state::padding: {
        const std::uint64_t skipped = std::min<std::uint64_t>(padding_left_, input_.size());
        input_ = input_.subspan(skipped);
        offset_ += skipped;
        padding_left_ -= skipped;
        if (padding_left_ != 0) return std::optional<tar_event>{};
        if (collecting_ == nullptr) {
          state_ = state::header;
          return std::optional(tar_event{tar_event::kind::entry_end, &entry_, {}});
        }
        state_ = state::header;
        STRATA_TRY(on_collected());
        break;
      }
      case state::ended: input_ = {}; return std::optional<tar_event>{};
    }
  }
}

core::error tar_reader::corrupt(const std::string& what) const {
  return {core::errc::corrupt, "read tar: " + what + " at byte " + std::to_string(offset_)};
}

core::result<std::optional<tar_event>> tar_reader::on_header(core::bytes_view block) {
  if (std::all_of(block.begin(), block.end(), [](std::uint8_t byte) { return byte == 0; })) {
    if (!std::exchange(zero_block_seen_, true)) return std::optional<tar_event>{};
    state_ = state::ended;
    return std::optional(tar_event{tar_event::kind::archive_end, nullptr, {}});
  }
  if (zero_block_seen_) return corrupt("entry after the end of the archive");
  const auto sum = number(at(block, checksum_field));
  if (!sum || *sum != checksum(block)) return corrupt("wrong header checksum");
  const auto size = number(at(block, size_field));
  if (!size || *size > entry_size_max_) return corrupt("entry too large");

  const char type = static_cast<char>(block[type_offset]);
  if (type == gnu_long_name || type == gnu_long_link || type == pax_next || type == pax_all) {
    STRATA_TRY(collect(type, *size));
    return std::optional<tar_event>{};
  }
  const std::uint64_t whole = std::exchange(long_size_, {}).value_or(*size);
  if (whole > entry_size_max_) return corrupt("entry too large");
  return on_entry(block, type, whole);
}

/// The content that follows is about other entries.
core::result<void> tar_reader::collect(char type, std::uint64_t size) {
  const bool is_extended = type == pax_next || type == pax_all;
  if (size == 0 || size > (is_extended ? extended_size_max : long_name_size_max)) return corrupt("name too long");
  extends_all_ = type == pax_all;
  collecting_ = is_extended ? &extended_ : type == gnu_long_name ? &long_name_ : &long_link_;
  collecting_->clear();
  data_left_ = size;
  padding_left_ = padding_of(size);
  state_ = state::data;
  return {};
}

core::result<std::optional<tar_event>> tar_reader::on_entry(core::bytes_view block, char type, std::uint64_t size) {
  if (type == gnu_sparse) return sparse();
  std::string name = std::exchange(long_name_, {});
  if (name.empty()) {
    name = text(at(block, name_field));
    const core::bytes_view magic = at(block, magic_field);
    const std::string prefix = text(at(block, prefix_field));
    if (std::equal(magic.begin(), magic.end(), posix_magic.begin()) && !prefix.empty()) name = prefix + "/" + name;
  }
  // What `tar -C DIRECTORY .` begins with: the directory itself.
  if ((name == "./" || name == ".") && type_of(type) == tar_type::directory && size == 0)
    return std::optional<tar_event>{};
  auto safe = safe_name(std::move(name));
  if (!safe) return corrupt("entry name that is empty or leads out of the archive");
  const auto mode = number(at(block, mode_field));
  const auto modified = number(at(block, time_field));
  if (!mode || !modified) return corrupt("header field is not a number");

  std::string link = std::exchange(long_link_, {});
  entry_.name = *std::move(safe);
  entry_.type = type_of(type);
  entry_.size = size;
  entry_.mode = static_cast<std::uint32_t>(*mode & 07777);
  entry_.modified = static_cast<std::int64_t>(*modified);
  entry_.link_target.clear();
  if (entry_.type == tar_type::symlink)
    entry_.link_target = link.empty() ? text(at(block, link_field)) : std::move(link);
  if ((entry_.type == tar_type::directory || entry_.type == tar_type::symlink) && size != 0)
    return corrupt("directory or link with contents");
  data_left_ = size;
  padding_left_ = padding_of(size);
  state_ = state::data;
  return std::optional(tar_event{tar_event::kind::entry, &entry_, {}});
}

std::optional<tar_event> tar_reader::on_data() {
  const core::bytes_view part = input_.first(std::min<std::uint64_t>(data_left_, input_.size()));
  input_ = input_.subspan(part.size());
  data_left_ -= part.size();
  offset_ += part.size();
  if (collecting_ == nullptr) return tar_event{tar_event::kind::data, &entry_, part};
  collecting_->append(part.begin(), part.end());
  return std::nullopt;
}

core::result<void> tar_reader::on_collected() {
  const bool is_extended = collecting_ == &extended_;
  if (!is_extended) collecting_->resize(std::min(collecting_->find('\0'), collecting_->size()));
  collecting_ = nullptr;
  return is_extended ? on_extended() : core::result<void>();
}

core::result<void> tar_reader::on_extended() {
  for (std::string_view rest = extended_; !rest.empty();) {
    const auto record = take_record(rest);
    if (!record || record->value.find('\0') != std::string_view::npos) return corrupt("extended header is damaged");
    const auto& [key, value] = *record;
    if (key.starts_with("GNU.sparse.")) return sparse();
    const bool is_name = key == "path" || key == "linkpath";
    if (!is_name && key != "size") continue;
    if (extends_all_ || (is_name && (value.empty() || value.size() > long_name_size_max)))
      return corrupt("extended header has a " + std::string(key) + " that no entry can have");
    if (key == "path") long_name_ = value;
    if (key == "linkpath") long_link_ = value;
    if (key != "size") continue;
    long_size_ = decimal(value);
    if (!long_size_) return corrupt("extended header is damaged");
  }
  return {};
}

}  // namespace strata::pg::files
