#include <algorithm>
#include <set>

#include "core/log.hpp"
#include "io/file.hpp"
#include "storage/layers/layer_cache.hpp"
#include "storage/layers/layer_file.hpp"
#include "storage/timeline/read_path.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::storage {

namespace {

constexpr const char* set_aside_directory = "set_aside";

bool is_layer_name(const std::string& name) {
  return name.ends_with(".delta") || name.ends_with(".image") || name.ends_with(io::temporary_suffix);
}

/// Moves a file to a directory that is never read, under a name that is free there.
core::result<void> set_aside(io::disk& on, const std::string& directory, const std::string& name) {
  const std::string path = directory + "/" + name;
  const std::string to = directory + "/" + set_aside_directory;
  STRATA_TRY(io::ensure_directory(on, to));
  std::string free = to + "/" + name;
  for (int i = 2; on.exists(free); ++i) free = to + "/" + name + "." + std::to_string(i);
  STRATA_TRY(on.rename(path, free));
  core::log_warning("the metadata does not name layer " + path + ": set aside as " + free);
  return {};
}

/// Layer files that the metadata does not name are set aside: a crash left them before the edit that would have named
/// them, or after the one that stopped naming them - or the metadata is damaged. Temporary files were never part of the
/// timeline, and neither were the layers of an unfinished import.
core::result<void> clear_leftovers(io::disk& on, const std::string& directory, const std::vector<std::string>& files,
                                   const std::set<std::string>& named, bool importing) {
  for (const std::string& name : files) {
    if (!is_layer_name(name) || named.contains(name)) continue;
    if (!importing && !name.ends_with(io::temporary_suffix)) {
      STRATA_TRY(set_aside(on, directory, name));
      continue;
    }
    core::log_info("remove left-over " + directory + "/" + name);
    STRATA_TRY(on.remove(directory + "/" + name));
  }
  return {};
}

/// A directory has no layer of a later attachment than the one that opens it.
core::result<void> check_generation(const timeline_store::context& context, const layer_record& layer) {
  if (layer.generation <= context.generation) return {};
  return core::error{core::errc::corrupt, "layer " + layer_file_name(layer) + " has generation " +
                                              std::to_string(layer.generation.value) + ", the tenant has " +
                                              std::to_string(context.generation.value)};
}

bool tells_damage(const core::error& why) {
  using enum core::errc;
  return why.code == corrupt || why.code == unsupported || why.code == not_found;
}

std::string damage(const timeline_record& of, std::string what) {
  core::log_error("timeline " + to_string(of.id) + " (" + of.name + ") has a damaged layer: " + what);
  return what;
}

/// An interrupted import starts over: none of its files can be used.
core::result<void> forget_import(const timeline_store::context& context, const timeline_record& record,
                                 std::vector<layer_record>& layers) {
  if (layers.empty()) return {};
  timeline_edit edit;
  for (const layer_record& layer : layers) edit.remove.push_back(layer.number);
  layers.clear();
  return context.metadata->apply(record.tenant, record.id, edit);
}

}  // namespace

core::result<timeline_store::opened> timeline_store::load_files(const context& context, const timeline_record& record) {
  io::disk& disk = context.layers->disk();
  STRATA_TRY(io::make_directories(disk, context.directory));
  // The directory may exist and not be durable yet.
  disk.sync_directory(io::parent_of(context.directory));

  STRATA_ASSIGN(std::vector<layer_record> layers, context.metadata->layers(record.tenant, record.id));
  STRATA_ASSIGN(const std::uint64_t last_number, context.metadata->last_layer_number(record.tenant, record.id));
  if (record.state == timeline_state::importing) STRATA_TRY(forget_import(context, record, layers));
  std::set<std::string> named;
  for (const layer_record& layer : layers) named.insert(layer_file_name(layer));
  STRATA_ASSIGN(const std::vector<std::string> files, disk.list(context.directory));
  STRATA_TRY(clear_leftovers(disk, context.directory, files, named, record.state == timeline_state::importing));
  const std::set<std::string> present(files.begin(), files.end());

  opened found{.record = record, .last_number = last_number};
  for (const layer_record& layer : layers) {
    STRATA_TRY(check_generation(context, layer));
    found.last_number = std::max(found.last_number, layer.number);
    const layer_identity identity{record.tenant, record.id, layer};
    auto stored = std::make_shared<stored_layer>(*context.layers, context.directory, identity);
    if (layer.residency == layer_residency::local) {
      if (present.contains(layer_file_name(layer)))
        found.unchecked_layers.push_back(layer.number);
      else
        found.damaged_layers.push_back(damage(record, "layer " + stored->path() + " is missing"));
    }
    found.layers.push_back({layer, std::move(stored)});
  }
  return found;
}

core::result<void> timeline_store::check_layers(const cancelled_check& cancelled) {
  const std::lock_guard checking(check_mutex_);
  while (!unchecked_layers_.empty()) {
    if (cancelled && cancelled()) return core::error{core::errc::unavailable, "the check of layers was cancelled"};
    const auto view = current();
    const auto layers = view->files->layers();
    const auto item = std::find_if(layers.begin(), layers.end(), [this](const layer_map::item& each) {
      return each.record.number == unchecked_layers_.back();
    });
    if (item != layers.end()) {
      layer_cache& cache = *context_.layers;
      auto readable = layer_reader::open(item->layer->path(), item->layer->identity(), cache.blocks(), cache.disk());
      // Whether it is damaged is not known when, say, no file can be opened: it stays unchecked.
      if (!readable && !tells_damage(readable.error())) return std::move(readable).error().within("check layers");
      if (!readable) {
        // Only reads that need the layer fail then; others are as correct as before.
        std::string what = damage(record(), std::move(readable).error().detail);
        const std::lock_guard guard(damage_mutex_);
        damaged_layers_.push_back(std::move(what));
      }
    }
    unchecked_layers_.pop_back();
  }
  return {};
}

std::vector<std::string> timeline_store::damaged_layers() const {
  const std::lock_guard guard(damage_mutex_);
  return damaged_layers_;
}

}  // namespace strata::storage
