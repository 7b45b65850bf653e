#include "io/file.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/log.hpp"

namespace strata::io {

namespace {

constexpr std::size_t buffer_size_bytes = 1u << 20;
/// The disk is told to start writing this much behind us, so that the final sync finds little left to do.
constexpr std::uint64_t writeback_step_bytes = 8u << 20;

}  // namespace

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

core::result<void> read_at(const file& from, std::uint64_t offset, core::bytes_span to, const std::string& path) {
  STRATA_ASSIGN(const std::size_t got, from.read(offset, to));
  if (got == to.size()) return {};
  return core::error{core::errc::corrupt, "read " + path + " at " + std::to_string(offset) + ": the file ends before"};
}

core::result<core::bytes> read_file(disk& on, const std::string& path, std::uint64_t size_max) {
  STRATA_ASSIGN(const auto from, on.open_for_reading(path));
  STRATA_ASSIGN(const std::uint64_t size, from->size());
  if (size > size_max)
    return core::error{core::errc::corrupt, "read " + path + ": it is too large, " + std::to_string(size) + " bytes"};
  core::bytes content(static_cast<std::size_t>(size));
  STRATA_TRY(read_at(*from, 0, content, path));
  return content;
}

core::result<void> copy_file(disk& on, const std::string& from, const std::string& to) {
  STRATA_ASSIGN(const auto source, on.open_for_reading(from));
  STRATA_ASSIGN(const auto target, on.create(to));
  core::bytes buffer(buffer_size_bytes);
  for (std::uint64_t at = 0;;) {
    STRATA_ASSIGN(const std::size_t got, source->read(at, buffer));
    if (got == 0) break;
    const std::array<core::bytes_view, 1> part{core::bytes_view(buffer).first(got)};
    STRATA_TRY(target->write(at, part));
    at += got;
  }
  return target->sync_unreserved();
}

core::result<void> make_directories(disk& on, const std::string& path) {
  if (on.exists(path)) return {};
  const std::string parent = parent_of(path);
  STRATA_TRY(make_directories(on, parent));
  STRATA_TRY(ensure_directory(on, path));
  on.sync_directory(parent);
  return {};
}

core::result<void> publish_file(disk& on, const std::string& temporary_path, const std::string& final_path) {
  STRATA_TRY(on.rename(temporary_path, final_path));
  on.sync_directory(parent_of(final_path));
  return {};
}

void remove_quietly(disk& on, const std::string& path) noexcept {
  try {
    if (const auto removed = on.remove(path); !removed) core::log_warning(core::to_string(removed.error()));
  } catch (...) {  // of a simulated disk whose machine has stopped
  }
}

new_file::new_file(disk& on, std::unique_ptr<file> file, std::string path)
    : disk_(&on), file_(std::move(file)), path_(std::move(path)) {
  buffer_.reserve(buffer_size_bytes);
}

core::result<new_file> new_file::create(const std::string& temporary_path, disk& on) {
  auto made = on.create(temporary_path);
  if (!made && made.error().code == core::errc::conflict) {
    STRATA_TRY(on.remove(temporary_path));
    made = on.create(temporary_path);
  }
  if (!made) return std::move(made).error();
  return new_file(on, *std::move(made), temporary_path);
}

new_file::~new_file() {
  if (file_) remove_quietly(*disk_, path_);
}

core::result<void> new_file::append(core::bytes_view bytes) {
  while (!bytes.empty()) {
    const std::size_t fits = std::min(bytes.size(), buffer_size_bytes - buffer_.size());
    core::append(buffer_, bytes.first(fits));
    bytes = bytes.subspan(fits);
    if (buffer_.size() == buffer_size_bytes) STRATA_TRY(write_out());
  }
  return {};
}

core::result<void> new_file::write_out() {
  const std::array<core::bytes_view, 1> part{buffer_};
  STRATA_TRY(file_->write(written_, part));
  written_ += buffer_.size();
  buffer_.clear();
  if (written_ - writeback_started_ >= writeback_step_bytes) {
    file_->start_writeback(writeback_started_, written_ - writeback_started_);
    writeback_started_ = written_;
  }
  return {};
}

core::result<void> new_file::commit(const std::string& final_path, bool durable) {
  STRATA_TRY(write_out());
  if (durable) {
    STRATA_TRY(file_->sync_unreserved());
    STRATA_TRY(publish_file(*disk_, path_, final_path));
  } else {
    STRATA_TRY(disk_->rename(path_, final_path));
  }
  file_.reset();
  return {};
}

}  // namespace strata::io
