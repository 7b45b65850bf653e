#include "actors/pageserver/ingest/source_import.hpp"

namespace strata::actors::pageserver {

namespace client = pg::client;
using storage::mapping::base_backup_import;

source_import::source_import(std::shared_ptr<storage::timeline_store> store, core::lsn start, pg::major_version major)
    : import_(std::make_shared<base_backup_import>(
          std::move(store), storage::mapping::base_backup_options{.start = start, .major = major})) {
  piece_.reserve(piece_size_bytes + (256u << 10));
}

source_import::job source_import::on(const client::replication_event& event) {
  if (const auto* archive = std::get_if<client::archive_started>(&event))
    return piece_then(
        [tablespace = archive->tablespace](base_backup_import& import) { return import.begin_archive(tablespace); });
  if (const auto* data = std::get_if<client::archive_data>(&event)) {
    core::append(piece_, data->bytes);
    if (piece_.size() < piece_size_bytes) return {};
    return piece_then([](base_backup_import&) { return core::result<void>(); });
  }
  if (const auto* end = std::get_if<client::backup_finished>(&event)) {
    finished_ = true;
    return piece_then([end = end->end](base_backup_import& import) -> core::result<void> {
      STRATA_TRY(import.finish(end));
      return {};
    });
  }
  return {};
}

source_import::job source_import::piece_then(std::function<core::result<void>(base_backup_import&)> rest) {
  begun_ = true;
  core::bytes piece;
  piece.reserve(piece_.capacity());
  std::swap(piece, piece_);
  return [import = import_, piece = std::move(piece), rest = std::move(rest)]() -> core::result<void> {
    if (!piece.empty()) STRATA_TRY(import->add(piece));
    return rest(*import);
  };
}

}  // namespace strata::actors::pageserver
