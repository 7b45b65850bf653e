#include <algorithm>
#include <filesystem>
#include <set>

#include "core/log.hpp"
#include "io/file.hpp"
#include "storage/layers/layer_cache.hpp"
#include "storage/layers/layer_file.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::storage {

namespace {

constexpr const char* set_aside_directory = "set_aside";

bool is_layer_name(const std::string& name) {
  return name.ends_with(".delta") || name.ends_with(".image") || name.ends_with(io::temporary_suffix);
}

/// Moves a file to where nothing looks for it, under a name that is free there.
core::result<void> set_aside(const std::filesystem::path& path) {
  const std::filesystem::path to = path.parent_path() / set_aside_directory;
  std::error_code error;
  std::filesystem::create_directory(to, error);
  if (error) return core::from_errno("create directory " + to.string(), error.value());
  std::filesystem::path free = to / path.filename();
  for (int i = 2; std::filesystem::exists(free, error); ++i)
    free = to / (path.filename().string() + "." + std::to_string(i));
  std::filesystem::rename(path, free, error);
  if (error) return core::from_errno("set aside " + path.string(), error.value());
  core::log_warning("the metadata does not name layer " + path.string() + ": set aside as " + free.string());
  return {};
}

/// Layer files that the metadata does not name are set aside: a crash left them before the edit that would have named
/// them, or after the one that stopped naming them - or the metadata is not what it should be. Temporary files were
/// never part of anything, and neither were the layers of an unfinished import.
core::result<void> clear_leftovers(const std::string& directory, const std::set<std::string>& named, bool importing) {
  std::vector<std::filesystem::path> found;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (is_layer_name(name) && !named.contains(name)) found.push_back(at->path());
  }
  if (error) return core::from_errno("list directory " + directory, error.value());
  for (const std::filesystem::path& path : found) {
    if (!importing && path.extension() != io::temporary_suffix) {
      STRATA_TRY(set_aside(path));
      continue;
    }
    core::log_info("remove leftover " + path.string());
    std::filesystem::remove(path, error);
    if (error) return core::from_errno("remove leftover " + path.string(), error.value());
  }
  return {};
}

/// An import that was interrupted starts anew: nothing of it can be used.
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
  std::error_code error;
  std::filesystem::create_directories(context.directory, error);
  if (error) return core::from_errno("create directory " + context.directory, error.value());
  STRATA_TRY(io::sync_directory(std::filesystem::path(context.directory).parent_path().string()));

  STRATA_ASSIGN(std::vector<layer_record> layers, context.metadata->layers(record.tenant, record.id));
  STRATA_ASSIGN(const std::uint64_t last_number, context.metadata->last_layer_number(record.tenant, record.id));
  if (record.state == timeline_state::importing) STRATA_TRY(forget_import(context, record, layers));
  std::set<std::string> named;
  for (const layer_record& layer : layers) named.insert(layer_file_name(layer));
  STRATA_TRY(clear_leftovers(context.directory, named, record.state == timeline_state::importing));

  opened found{.record = record, .last_number = last_number};
  for (const layer_record& layer : layers) {
    const layer_identity identity{record.tenant, record.id, layer};
    found.last_number = std::max(found.last_number, layer.number);
    auto stored = std::make_shared<stored_layer>(*context.layers, context.directory, identity);
    // Only what has to look into the layer fails then; what doesn't is as right as before.
    if (auto readable = layer_reader::open(stored->path(), identity, context.layers->blocks()); !readable) {
      core::log_error("timeline " + to_string(record.id) + " (" + record.name +
                      ") has a damaged layer: " + core::to_string(readable.error()));
      found.damaged_layers.push_back(std::move(readable).error().detail);
    }
    found.layers.push_back({layer, std::move(stored)});
  }
  return found;
}

}  // namespace strata::storage
