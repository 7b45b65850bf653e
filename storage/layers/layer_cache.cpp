#include "storage/layers/layer_cache.hpp"

#include <algorithm>

#include "io/file.hpp"

namespace strata::storage {

stored_layer::stored_layer(layer_cache& cache, std::string directory, const layer_identity& identity)
    : cache_(cache),
      identity_(identity),
      path_(std::move(directory) + "/" + layer_file_name(identity.layer)),
      ticket_(cache.next_ticket()) {}

stored_layer::~stored_layer() {
  cache_.forget(ticket_);
  // A file that could not be removed is set aside by the next opening.
  if (retired_.load(std::memory_order_relaxed)) cache_.queue_removal(std::move(path_));
}

core::result<std::shared_ptr<const layer_reader>> stored_layer::reader(read_mode mode) const {
  return cache_.get(*this, mode);
}

layer_cache::layer_cache(std::uint64_t block_cache_bytes, std::uint32_t open_layers_max, io::disk& on)
    : disk_(on), blocks_(block_cache_bytes), open_layers_max_(std::max(1u, open_layers_max)) {}

core::result<std::shared_ptr<const layer_reader>> layer_cache::get(const stored_layer& layer, read_mode mode) {
  {
    const std::lock_guard guard(mutex_);
    if (const auto found = by_ticket_.find(layer.ticket()); found != by_ticket_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return found->second->reader;
    }
  }
  if (mode == read_mode::memory_only)
    return core::error{core::errc::would_block, "layer " + layer.path() + " is not open"};
  if (layer.record().residency != layer_residency::local)
    return core::error{core::errc::unavailable,
                       "layer " + layer.path() + " is in object storage, which this server does not use"};
  auto found = layer_reader::open(layer.path(), layer.identity(), blocks_, disk_);
  // The metadata says that it is local: a missing file is damage.
  if (!found && found.error().code == core::errc::not_found) found.error().code = core::errc::corrupt;
  STRATA_ASSIGN(auto opened, std::move(found));

  std::list<open_layer> closed;  // closing is done without the lock
  const std::lock_guard guard(mutex_);
  if (const auto found = by_ticket_.find(layer.ticket()); found != by_ticket_.end()) return found->second->reader;
  recent_.push_front({layer.ticket(), opened});
  by_ticket_.emplace(layer.ticket(), recent_.begin());
  if (recent_.size() > open_layers_max_) {
    by_ticket_.erase(recent_.back().ticket);
    closed.splice(closed.begin(), recent_, std::prev(recent_.end()));
  }
  return opened;
}

void layer_cache::forget(std::uint64_t ticket) {
  std::list<open_layer> closed;
  const std::lock_guard guard(mutex_);
  const auto found = by_ticket_.find(ticket);
  if (found == by_ticket_.end()) return;
  closed.splice(closed.begin(), recent_, found->second);
  by_ticket_.erase(found);
}

void layer_cache::queue_removal(std::string path) {
  const std::lock_guard guard(mutex_);
  retired_.push_back(std::move(path));
}

void layer_cache::remove_retired() {
  std::vector<std::string> paths;
  {
    const std::lock_guard guard(mutex_);
    paths.swap(retired_);
  }
  for (const std::string& path : paths) io::remove_quietly(disk_, path);
}

}  // namespace strata::storage
