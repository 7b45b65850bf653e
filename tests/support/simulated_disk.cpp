#include "tests/support/simulated_disk.hpp"

#include <algorithm>
#include <utility>

#include "core/check.hpp"

namespace strata::tests {
namespace {

constexpr std::uint64_t sector_size = 512;

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

core::error full(const std::string& path) { return {core::errc::disk_full, "write " + path + ": no space left"}; }
core::error missing(const std::string& path) { return {core::errc::not_found, "open " + path + ": no such file"}; }

void apply(core::bytes& to, std::uint64_t offset, core::bytes_view bytes, std::uint64_t size_after) {
  if (to.size() != size_after) to.resize(size_after);
  std::copy(bytes.begin(), bytes.end(), to.begin() + static_cast<std::ptrdiff_t>(offset));
}

}  // namespace

// ---- one file

void simulated_disk::node::change(std::uint64_t offset, core::bytes_view bytes, std::uint64_t size_after) {
  apply(current, offset, bytes, size_after);
  pending.push_back({offset, core::bytes(bytes.begin(), bytes.end()), size_after});
}

void simulated_disk::node::sync() {
  for (const auto& each : pending) apply(durable, each.offset, each.bytes, each.size_after);
  pending.clear();
}

/// How many sectors do not have their newest content.
std::uint64_t simulated_disk::node::crash(std::mt19937_64& random) {
  // Some crashes keep or lose everything, the others decide for each sector.
  const auto manner = random() % 4;
  std::map<std::uint64_t, std::vector<const pending_change*>> sectors;
  for (const auto& each : pending) {
    if (each.bytes.empty()) continue;
    for (auto sector = each.offset / sector_size; sector * sector_size < each.offset + each.bytes.size(); ++sector)
      sectors[sector].push_back(&each);
  }
  const auto size_before = durable.size();
  std::uint64_t lost = 0;
  const auto kept_of = [&](std::size_t count) -> std::size_t {
    if (manner == 0) return 0;
    if (manner == 1) return count;
    return random() % (count + 1);
  };
  for (const auto& [sector, writes] : sectors) {
    const auto kept = kept_of(writes.size());
    lost += kept < writes.size() ? 1 : 0;
    const auto begin = sector * sector_size;
    const auto end = begin + sector_size;
    for (std::size_t i = 0; i < kept; ++i) {
      const auto& write = *writes[i];
      const auto from = std::max(begin, write.offset);
      const auto to = std::min<std::uint64_t>(end, write.offset + write.bytes.size());
      if (durable.size() < to) durable.resize(to);
      std::copy_n(write.bytes.begin() + static_cast<std::ptrdiff_t>(from - write.offset), to - from,
                  durable.begin() + static_cast<std::ptrdiff_t>(from));
    }
  }
  const auto sizes = kept_of(pending.size());
  durable.resize(sizes > 0 ? pending[sizes - 1].size_after : size_before);
  pending.clear();
  current = durable;
  return lost;
}

class simulated_file final : public io::file {
 public:
  simulated_file(simulated_disk& on, simulated_disk::node_ptr of, std::string path)
      : disk_(on), node_(std::move(of)), path_(std::move(path)) {}

  core::result<std::uint64_t> size() const override { return node_->current.size(); }

  core::result<void> write(std::uint64_t offset, std::span<const core::bytes_view> parts) override {
    core::bytes bytes;
    for (const auto& part : parts) core::append(bytes, part);
    const bool fits = writable(offset, bytes);
    if (!fits) bytes.resize(std::min<std::size_t>(bytes.size(), disk_.sectors_written_when_full * sector_size));
    disk_.counts_.bytes_written += bytes.size();
    if (!bytes.empty())
      node_->change(offset, bytes, std::max<std::uint64_t>(node_->current.size(), offset + bytes.size()));
    if (!fits) return full(path_);
    return {};
  }

  core::result<std::size_t> read(std::uint64_t offset, core::bytes_span to) const override {
    offset += static_cast<std::uint64_t>(std::exchange(disk_.misdirected_by_, 0));
    if (offset >= node_->current.size()) return std::size_t{0};
    const auto count = std::min<std::size_t>(to.size(), node_->current.size() - offset);
    std::copy_n(node_->current.begin() + static_cast<std::ptrdiff_t>(offset), count, to.begin());
    return count;
  }

  void sync() override {
    ++disk_.counts_.syncs;
    if (disk_.may(simulated_disk::call::sync, path_)) node_->sync();
  }

  core::result<void> resize(std::uint64_t to) override {
    if (!disk_.may(simulated_disk::call::resize, path_)) return full(path_);
    node_->change(0, {}, to);
    return {};
  }

 private:
  /// A crash leaves any part of the write.
  bool writable(std::uint64_t offset, core::bytes_view bytes) {
    try {
      return disk_.may(simulated_disk::call::write, path_);
    } catch (const simulated_crash&) {
      node_->change(offset, bytes, std::max<std::uint64_t>(node_->current.size(), offset + bytes.size()));
      throw;
    }
  }

  simulated_disk& disk_;
  simulated_disk::node_ptr node_;
  std::string path_;
};

// ---- the disk

bool simulated_disk::may(call what, const std::string& path) {
  ++counts_.calls;
  const auto found = decide ? decide(what, path) : fault::none;
  if (found == fault::crash) throw simulated_crash("the machine stops at " + path);
  const bool is_sync = what == call::sync || what == call::sync_directory;
  core::check(found == fault::none || is_sync == (found == fault::lie), "a fault fits its call");
  return found == fault::none;
}

simulated_disk::node_ptr simulated_disk::find(const std::string& path) const {
  const auto found = names_.find(path);
  return found == names_.end() ? nullptr : found->second.now();
}

core::result<std::unique_ptr<io::file>> simulated_disk::create(const std::string& path) {
  if (find(path)) return core::error{core::errc::conflict, "create " + path + ": it exists"};
  if (parent_of(path) != "/" && !find(parent_of(path))) return missing(parent_of(path));
  if (!may(call::create, path)) return full(path);
  const auto made = std::make_shared<node>();
  set(path, made);
  return std::unique_ptr<io::file>(std::make_unique<simulated_file>(*this, made, path));
}

core::result<std::unique_ptr<io::file>> simulated_disk::open(const std::string& path) {
  const auto found = find(path);
  if (!found || found->directory) return missing(path);
  return std::unique_ptr<io::file>(std::make_unique<simulated_file>(*this, found, path));
}

core::result<void> simulated_disk::rename(const std::string& from, const std::string& to) {
  const auto found = find(from);
  if (!found) return missing(from);
  if (!may(call::rename, to)) return full(to);
  set(to, found);
  set(from, nullptr);
  return {};
}

core::result<void> simulated_disk::remove(const std::string& path) {
  if (!find(path)) return {};
  // A full disk can still remove.
  (void)may(call::remove, path);
  set(path, nullptr);
  return {};
}

core::result<void> simulated_disk::make_directory(const std::string& path) {
  if (find(path)) return core::error{core::errc::conflict, "make directory " + path + ": it exists"};
  if (!may(call::make_directory, path)) return full(path);
  const auto made = std::make_shared<node>();
  made->directory = true;
  set(path, made);
  return {};
}

core::result<void> simulated_disk::remove_directory(const std::string& path) {
  (void)may(call::remove_directory, path);
  for (auto& [name, meaning] : names_)
    if ((name == path || name.starts_with(path + "/")) && meaning.now()) meaning.pending.push_back(nullptr);
  return {};
}

core::result<std::vector<std::string>> simulated_disk::list(const std::string& directory) {
  if (directory != "/" && !find(directory)) return missing(directory);
  std::vector<std::string> found;
  for (const auto& [path, meaning] : names_)
    if (meaning.now() && parent_of(path) == directory) found.push_back(path.substr(path.rfind('/') + 1));
  return found;
}

void simulated_disk::sync_directory(const std::string& directory) {
  ++counts_.syncs;
  if (!may(call::sync_directory, directory)) return;
  for (auto name = names_.begin(); name != names_.end();) {
    auto& [path, meaning] = *name;
    if (parent_of(path) == directory && !meaning.pending.empty()) {
      meaning.durable = meaning.pending.back();
      meaning.pending.clear();
    }
    name = meaning.durable || !meaning.pending.empty() ? std::next(name) : names_.erase(name);
  }
}

core::result<std::uint64_t> simulated_disk::free_bytes(const std::string&) { return std::uint64_t{1} << 40; }

void simulated_disk::crash(std::mt19937_64& random) {
  std::vector<node_ptr> done;
  for (auto& [path, meaning] : names_) {
    if (const auto kept = meaning.pending.empty() ? 0 : random() % (meaning.pending.size() + 1); kept > 0)
      meaning.durable = meaning.pending[kept - 1];
    else if (!meaning.pending.empty())
      ++counts_.names_lost;
    meaning.pending.clear();
  }
  // What lies in a directory that was lost is lost with it; parents come before what they hold.
  std::erase_if(names_, [](const auto& each) { return !each.second.durable; });
  std::erase_if(names_, [this](const auto& each) {
    for (auto above = parent_of(each.first); above != "/"; above = parent_of(above))
      if (!names_.contains(above)) return true;
    return false;
  });
  for (auto& [path, meaning] : names_) {
    auto& each = meaning.durable;
    if (each->directory || std::find(done.begin(), done.end(), each) != done.end()) continue;
    counts_.sectors_lost += each->crash(random);
    done.push_back(each);
    // Handles from before the crash must not reach what is there now.
    each = std::make_shared<node>(*each);
  }
}

void simulated_disk::flip(const std::string& path, std::uint64_t offset, std::uint8_t mask) {
  const auto found = find(path);
  core::check(found && offset < found->current.size() && found->pending.empty(), "a durable byte is flipped");
  found->current[offset] ^= mask;
  found->durable[offset] ^= mask;
}

core::bytes simulated_disk::content(const std::string& path) const {
  const auto found = find(path);
  core::check(found != nullptr, "the file is there");
  return found->current;
}

void simulated_disk::set_content(const std::string& path, core::bytes content) {
  const auto made = std::make_shared<node>();
  made->durable = made->current = std::move(content);
  names_[path] = {made, {}};
}

}  // namespace strata::tests
