#include "tests/support/simulated_disk.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "core/check.hpp"
#include "io/file.hpp"

namespace strata::tests {
namespace {

constexpr std::uint64_t sector_size = 512;

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

core::error full(const std::string& path) { return {core::errc::disk_full, "write " + path + ": no space left"}; }
core::error missing(const std::string& path) { return {core::errc::not_found, "open " + path + ": no such file"}; }

void apply(core::bytes& to, std::uint64_t offset, core::bytes_view bytes, std::uint64_t size_after) {
  if (to.size() != size_after) to.resize(size_after);
  std::copy(bytes.begin(), bytes.end(), to.begin() + static_cast<std::ptrdiff_t>(offset));
}

}  // namespace

// ---- one file or directory

void simulated_disk::node::change(std::uint64_t offset, core::bytes_view bytes, std::uint64_t size_after) {
  apply(current, offset, bytes, size_after);
  pending.push_back({offset, core::bytes(bytes.begin(), bytes.end()), size_after});
}

void simulated_disk::node::change(name_change what) {
  for (const auto& [name, meaning] : what)
    meaning ? void(current_names[name] = meaning) : void(current_names.erase(name));
  pending_names.push_back(std::move(what));
}

void simulated_disk::node::sync() {
  for (const auto& each : pending) apply(durable, each.offset, each.bytes, each.size_after);
  pending.clear();
  durable_names = current_names;
  pending_names.clear();
}

/// How many names do not have their newest meaning.
std::uint64_t simulated_disk::node::crash_names(std::mt19937_64& random, bool in_order) {
  // Names that are changed together once stay together.
  std::map<std::string, std::vector<const name_change*>> apart;
  std::vector<const name_change*> together;
  std::set<std::string> bound;
  for (const auto& each : pending_names)
    if (each.size() > 1)
      for (const auto& [name, meaning] : each) bound.insert(name);
  for (const auto& each : pending_names) {
    const auto& name = each.front().first;
    (in_order || bound.contains(name) ? together : apart[name]).push_back(&each);
  }
  std::uint64_t lost = 0;
  const auto keep_some_of = [&](const std::vector<const name_change*>& changes) {
    if (changes.empty()) return;
    const auto kept = random() % (changes.size() + 1);
    lost += kept < changes.size() ? 1 : 0;
    for (std::size_t i = 0; i < kept; ++i)
      for (const auto& [name, meaning] : *changes[i])
        meaning ? void(durable_names[name] = meaning) : void(durable_names.erase(name));
  };
  for (const auto& [name, changes] : apart) keep_some_of(changes);
  keep_some_of(together);
  pending_names.clear();
  current_names = durable_names;
  return lost;
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

  core::result<void> sync_unreserved() override {
    sync();
    return {};
  }

  void start_writeback(std::uint64_t, std::uint64_t) override {}

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
  node_ptr at = root_;
  for (std::size_t begin = 1; begin < path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    const auto found = at->current_names.find(path.substr(begin, end - begin));
    if (found == at->current_names.end()) return nullptr;
    at = found->second;
    begin = end + 1;
  }
  return at;
}

simulated_disk::node_ptr simulated_disk::parent(const std::string& path) const {
  const auto found = find(io::parent_of(path));
  return found && found->directory ? found : nullptr;
}

core::result<std::unique_ptr<io::file>> simulated_disk::create(const std::string& path) {
  if (find(path)) return core::error{core::errc::conflict, "create " + path + ": it exists"};
  const auto in = parent(path);
  if (!in) return missing(io::parent_of(path));
  if (!may(call::create, path)) return full(path);
  const auto made = std::make_shared<node>();
  in->change({{name_of(path), made}});
  return std::unique_ptr<io::file>(std::make_unique<simulated_file>(*this, made, path));
}

core::result<std::unique_ptr<io::file>> simulated_disk::open(const std::string& path) {
  const auto found = find(path);
  if (!found || found->directory) return missing(path);
  return std::unique_ptr<io::file>(std::make_unique<simulated_file>(*this, found, path));
}

core::result<std::uint64_t> simulated_disk::file_size(const std::string& path) {
  const auto found = find(path);
  if (!found || found->directory) return missing(path);
  return found->current.size();
}

core::result<void> simulated_disk::rename(const std::string& from, const std::string& to) {
  const auto found = find(from);
  if (!found) return missing(from);
  const auto there = find(to);
  if (there && (there->directory || found->directory))
    return core::error{core::errc::conflict, "rename " + from + " to " + to + ": it exists"};
  const auto source = parent(from);
  const auto target = parent(to);
  if (!target) return missing(io::parent_of(to));
  if (!may(call::rename, to)) return full(to);
  if (source == target && (found->directory || (keeps_order && keeps_order(io::parent_of(to))))) {
    source->change({{name_of(to), found}, {name_of(from), nullptr}});
  } else {
    core::check(!found->directory, "directories stay in their directory");
    target->change({{name_of(to), found}});
    source->change({{name_of(from), nullptr}});
  }
  return {};
}

core::result<void> simulated_disk::exchange(const std::string& one, const std::string& other) {
  const auto first = find(one);
  const auto second = find(other);
  if (!first || !second) return missing(first ? other : one);
  if (!may(call::rename, other)) return full(other);
  parent(one)->change({{name_of(one), second}, {name_of(other), first}});
  return {};
}

core::result<void> simulated_disk::link(const std::string& existing, const std::string& path) {
  const auto found = find(existing);
  if (!found) return missing(existing);
  if (!parent(path)) return missing(io::parent_of(path));
  if (!may(call::rename, path)) return full(path);
  parent(path)->change({{name_of(path), found}});
  return {};
}

core::result<void> simulated_disk::remove(const std::string& path) {
  if (!find(path)) return {};
  // A full disk can still remove.
  (void)may(call::remove, path);
  parent(path)->change({{name_of(path), nullptr}});
  return {};
}

core::result<void> simulated_disk::make_directory(const std::string& path) {
  if (find(path)) return core::error{core::errc::conflict, "make directory " + path + ": it exists"};
  const auto in = parent(path);
  if (!in) return missing(io::parent_of(path));
  if (!may(call::make_directory, path)) return full(path);
  in->change({{name_of(path), std::make_shared<node>(node{.directory = true})}});
  return {};
}

core::result<void> simulated_disk::remove_directory(const std::string& path) {
  (void)may(call::remove_directory, path);
  const auto found = find(path);
  if (!found) return {};
  std::vector<node_ptr> below{found};
  while (!below.empty()) {
    const auto at = below.back();
    below.pop_back();
    const names held = at->current_names;
    for (const auto& [name, each] : held) {
      if (each->directory) below.push_back(each);
      at->change({{name, nullptr}});
    }
  }
  parent(path)->change({{name_of(path), nullptr}});
  return {};
}

core::result<std::vector<std::string>> simulated_disk::list(const std::string& directory) {
  const auto in = find(directory);
  if (!in || !in->directory) return missing(directory);
  std::vector<std::string> found;
  for (const auto& [name, meaning] : in->current_names) found.push_back(name);
  return found;
}

void simulated_disk::sync_directory(const std::string& directory) {
  ++counts_.syncs;
  if (!may(call::sync_directory, directory)) return;
  const auto in = find(directory);
  core::check(in && in->directory, "a directory that is made durable exists");
  in->sync();
}

void simulated_disk::crash(std::mt19937_64& random) {
  std::map<node*, node_ptr> done;
  crash_below("/", *root_, random, done);
}

void simulated_disk::crash_below(const std::string& path, node& directory, std::mt19937_64& random,
                                 std::map<node*, node_ptr>& done) {
  counts_.names_lost += directory.crash_names(random, keeps_order && keeps_order(path));
  for (auto& [name, meaning] : directory.durable_names) {
    // Handles from before the crash must not reach what is there now.
    node_ptr& copy = done[meaning.get()];
    if (!copy) {
      copy = meaning->directory ? meaning : std::make_shared<node>(*meaning);
      if (copy->directory)
        crash_below(path == "/" ? path + name : path + "/" + name, *copy, random, done);
      else
        counts_.sectors_lost += copy->crash(random);
    }
    meaning = copy;
  }
  directory.current_names = directory.durable_names;
}

std::vector<std::string> simulated_disk::files() const {
  std::vector<std::string> found;
  list_below("", *root_, found);
  return found;
}

void simulated_disk::list_below(const std::string& path, const node& directory, std::vector<std::string>& into) {
  for (const auto& [name, each] : directory.current_names)
    if (each->directory)
      list_below(path + "/" + name, *each, into);
    else
      into.push_back(path + "/" + name);
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
  const auto in = parent(path);
  core::check(in != nullptr, "the directory is there");
  in->durable_names[name_of(path)] = in->current_names[name_of(path)] = made;
}

}  // namespace strata::tests
