#include <algorithm>
#include <filesystem>
#include <set>

#include "core/log.hpp"
#include "storage/file.hpp"
#include "storage/local_timeline.hpp"

namespace strata::storage {

namespace {

bool is_layer_name(const std::string& name) {
  return name.ends_with(".delta") || name.ends_with(".image") || name.ends_with(temporary_suffix);
}

/// Removes temporary files and layer files that the metadata does not name: a crash left them before the edit that
/// would have named them, or after the one that stopped naming them.
core::result<void> remove_leftovers(const std::string& directory, const std::set<std::string>& named) {
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!is_layer_name(name) || named.contains(name)) continue;
    core::log_info("remove leftover " + at->path().string());
    std::error_code removal;
    std::filesystem::remove(at->path(), removal);
    if (removal) return core::from_errno("remove leftover " + at->path().string(), removal.value());
  }
  if (error) return core::from_errno("list directory " + directory, error.value());
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

core::result<local_timeline::opened> load_timeline_files(const timeline_store::context& context,
                                                         const timeline_record& record) {
  std::error_code error;
  std::filesystem::create_directories(context.directory, error);
  if (error) return core::from_errno("create directory " + context.directory, error.value());
  STRATA_TRY(sync_directory(std::filesystem::path(context.directory).parent_path().string()));

  STRATA_ASSIGN(std::vector<layer_record> layers, context.metadata->layers(record.tenant, record.id));
  STRATA_ASSIGN(const std::uint64_t last_number, context.metadata->last_layer_number(record.tenant, record.id));
  if (record.state == timeline_state::importing) STRATA_TRY(forget_import(context, record, layers));
  std::set<std::string> named;
  for (const layer_record& layer : layers) named.insert(layer_file_name(layer));
  STRATA_TRY(remove_leftovers(context.directory, named));

  local_timeline::opened opened{.record = record, .last_number = last_number};
  for (const layer_record& layer : layers) {
    const layer_identity identity{record.tenant, record.id, layer};
    opened.last_number = std::max(opened.last_number, layer.number);
    auto stored = std::make_shared<stored_layer>(*context.layers, context.directory, identity);
    if (auto readable = layer_reader::open(stored->path(), identity, context.layers->blocks()); !readable) {
      core::error failure = std::move(readable).error();
      if (failure.code == core::errc::not_found) failure.code = core::errc::corrupt;
      return failure;
    }
    opened.layers.push_back({layer, std::move(stored)});
  }
  return opened;
}

}  // namespace strata::storage
