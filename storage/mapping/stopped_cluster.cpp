#include "storage/mapping/stopped_cluster.hpp"

#include <signal.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>

#include "io/disk.hpp"
#include "io/file.hpp"
#include "pg/files/data_directory.hpp"
#include "pg/files/relation_map.hpp"
#include "pg/files/tar.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "storage/mapping/database_rows.hpp"
#include "storage/mapping/gunzip_stream.hpp"

namespace strata::storage::mapping {

using namespace pg::files;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t part_size = 1u << 20;
constexpr std::size_t small_file_size_max = 64u << 10;
constexpr std::string_view shared_map_name = "global/pg_filenode.map";

core::error refused(core::errc code, const std::string& path, const std::string& why) {
  return {code, path + " can't be imported: " + why};
}

std::string_view text_of(core::bytes_view content) {
  return {reinterpret_cast<const char*>(content.data()), content.size()};
}

/// What is to be known of the data before anything is imported.
struct findings {
  std::optional<core::bytes> control;
  std::optional<core::bytes> shared_map;  ///< global/pg_filenode.map
  std::optional<core::bytes> server;      ///< postmaster.pid
  std::string foreign;                    ///< a file that says that it is no stopped primary
  std::string linked_tablespace;          ///< of an archive: only its link is there
  std::string control_elsewhere;          ///< the directory in an archive that has pg_control
};

std::string not_stopped(database_state state) {
  switch (state) {
    case database_state::shut_down: return "";
    case database_state::shut_down_in_recovery: return "it is a standby; promote it, or import its primary";
    case database_state::in_production:
    case database_state::shutting_down:
      return "its server runs, or was not shut down (pg_control: in production): stop it with pg_ctl stop -m fast; "
             "after a "
             "crash start it and stop it";
    default: return "its server was stopped in recovery: start it, wait until it accepts connections, and stop it";
  }
}

core::result<void> check_no_server(const std::string& path, const core::bytes& pid_file) {
  const std::string_view text = text_of(pid_file);
  pid_t server = 0;
  std::from_chars(text.data(), text.data() + text.size(), server);
  if (server <= 0 || (::kill(server, 0) != 0 && errno != EPERM)) return {};
  return refused(core::errc::conflict, path,
                 "a server runs on it, process " + std::to_string(server) +
                     ": stop it with pg_ctl stop -m fast; if that process is no Postgres, remove postmaster.pid");
}

/// 0: a map that is missing or damaged is found by the import.
pg::oid database_catalog_file(const core::bytes& map, pg::major_version major) {
  if (const auto mappings = decode_relation_map_file(map, major))
    for (const relation_mapping& each : *mappings)
      if (each.relation == database_catalog) return each.file;
  return 0;
}

core::result<stopped_cluster> judge(const std::string& path, bool is_archive, findings found) {
  if (!found.foreign.empty())
    return refused(core::errc::conflict, path,
                   "it has " + found.foreign +
                       (found.foreign == "backup_label" ? ", so it is a base backup: start a server on it, and stop it"
                                                        : ", so it is a standby or is being recovered"));
  if (!found.control)
    return refused(core::errc::invalid_argument, path,
                   found.control_elsewhere.empty()
                       ? "it has no global/pg_control, so it is no data directory of Postgres"
                       : "its data directory is in " + found.control_elsewhere +
                             "; make an archive of its contents: tar -cf FILE -C DIRECTORY .");
  stopped_cluster made{
      .path = path, .is_archive = is_archive, .control_bytes = *std::move(found.control), .control = {}};
  auto control = decode_control_file(made.control_bytes);
  if (!control) return std::move(control).error().within(path + " can't be imported");
  made.control = *control;
  made.database_catalog_file = database_catalog_file(found.shared_map.value_or(core::bytes()), control->major);
  if (!is_archive && found.server) STRATA_TRY(check_no_server(path, *found.server));
  if (const std::string why = not_stopped(made.control.state); !why.empty())
    return refused(core::errc::conflict, path, why);
  if (!found.linked_tablespace.empty())
    return refused(core::errc::unsupported, path,
                   "it has only the link of tablespace " + found.linked_tablespace +
                       "; import the directory, or make the archive with tar --dereference");
  return made;
}

// -- archives -------------------------------------------------------------------------------------------------------

using sink = std::function<core::result<void>(core::bytes_view)>;

core::result<void> check_packing(const std::string& path, core::bytes_view head) {
  struct magic {
    std::array<std::uint8_t, 4> bytes;
    const char* name;
    const char* unpack;
  };
  static constexpr magic others[] = {{{0x28, 0xB5, 0x2F, 0xFD}, "zstd", "zstd -d"},
                                     {{0xFD, '7', 'z', 'X'}, "xz", "xz -d"},
                                     {{'B', 'Z', 'h', '9'}, "bzip2", "bzip2 -d"},
                                     {{0x04, 0x22, 0x4D, 0x18}, "lz4", "lz4 -d"}};
  for (const magic& each : others)
    if (head.size() >= each.bytes.size() && std::equal(each.bytes.begin(), each.bytes.end(), head.begin()))
      return refused(core::errc::unsupported, path,
                     std::string("it is packed by ") + each.name + "; unpack it first: " + each.unpack + " " + path);
  return {};
}

/// Hands over the unpacked bytes of an archive.
core::result<void> read_archive(const std::string& path, const sink& to) {
  STRATA_ASSIGN(const auto file, io::real_disk().open_for_reading(path));
  std::optional<gunzip_stream> packed;
  core::bytes part(part_size);
  for (std::uint64_t offset = 0;;) {
    STRATA_ASSIGN(const std::size_t count, file->read(offset, part));
    const core::bytes_view read = core::bytes_view(part).first(count);
    if (offset == 0) {
      STRATA_TRY(check_packing(path, read));
      if (count >= 2 && read[0] == 0x1F && read[1] == 0x8B) packed.emplace();
    }
    if (count == 0) break;
    offset += count;
    STRATA_TRY(packed ? packed->unpack(read, to) : to(read));
  }
  if (packed && !packed->complete()) return core::error{core::errc::corrupt, path + " ends too early"};
  return {};
}

/// Collects the findings of an archive.
class archive_scan {
 public:
  core::result<void> add(core::bytes_view bytes) {
    reader_.feed(bytes);
    for (;;) {
      STRATA_ASSIGN(const auto event, reader_.next());
      if (!event) return {};
      if (event->kind == tar_event::kind::entry) begin(*event->entry);
      if (event->kind != tar_event::kind::data || into_ == nullptr) continue;
      if (into_->size() + event->data.size() > small_file_size_max)
        return core::error{core::errc::corrupt, "a file in global is too large"};
      core::append(*into_, event->data);
    }
  }
  [[nodiscard]] bool complete() const { return reader_.complete(); }
  findings found;

 private:
  void begin(const tar_entry& entry) {
    into_ = nullptr;
    const std::string_view name = entry.name;
    constexpr std::string_view control_name = "global/pg_control";
    constexpr std::string_view spaces = "pg_tblspc/";
    if (name == control_name) into_ = &found.control.emplace();
    if (name == shared_map_name) into_ = &found.shared_map.emplace();
    if (name == "backup_label" || name == "standby.signal" || name == "recovery.signal") found.foreign = name;
    if (name.ends_with(std::string("/") + std::string(control_name)))
      found.control_elsewhere = name.substr(0, name.size() - control_name.size());
    if (entry.type == tar_type::symlink && name.starts_with(spaces))
      found.linked_tablespace = name.substr(spaces.size());
  }

  tar_reader reader_;
  core::bytes* into_ = nullptr;
};

core::result<stopped_cluster> inspect_archive(const std::string& path) {
  archive_scan scan;
  if (auto read = read_archive(path, [&](core::bytes_view part) { return scan.add(part); }); !read)
    return std::move(read).error().within("read archive " + path);
  if (!scan.complete()) return core::error{core::errc::corrupt, path + " ends too early"};
  STRATA_ASSIGN(stopped_cluster made, judge(path, true, std::move(scan.found)));
  std::error_code failure;
  made.archive_bytes = fs::file_size(path, failure);
  if (!failure) made.archive_modified = fs::last_write_time(path, failure);
  if (failure) return core::from_errno("look at " + path, failure.value());
  return made;
}

// -- directories ----------------------------------------------------------------------------------------------------

core::result<std::optional<core::bytes>> read_if_there(const std::string& path) {
  auto content = io::read_file(io::real_disk(), path, small_file_size_max);
  if (content) return std::optional(*std::move(content));
  if (content.error().code == core::errc::not_found) return std::optional<core::bytes>();
  return std::move(content).error();
}

core::result<stopped_cluster> inspect_directory(const std::string& path) {
  findings found;
  STRATA_ASSIGN(found.control, read_if_there(path + "/global/pg_control"));
  STRATA_ASSIGN(found.shared_map, read_if_there(path + "/" + std::string(shared_map_name)));
  STRATA_ASSIGN(found.server, read_if_there(path + "/postmaster.pid"));
  for (const char* name : {"backup_label", "standby.signal", "recovery.signal"})
    if (io::real_disk().exists(path + "/" + name)) found.foreign = name;
  return judge(path, false, std::move(found));
}

/// Reads a data directory as archives, the way a base backup sends them.
class directory_reader {
 public:
  directory_reader(base_backup_import& to, pg::major_version major, const cluster_import_options& options)
      : to_(to), major_(major), options_(options) {}

  core::result<void> read(const fs::path& root) {
    STRATA_TRY(read_tree(root, 0));
    for (const auto& [tablespace, target] : links_) STRATA_TRY(read_tree(target, tablespace));
    return {};
  }

 private:
  [[nodiscard]] std::string path_of(const std::string& name, pg::oid tablespace) const {
    return tablespace == 0 ? name : "pg_tblspc/" + std::to_string(tablespace) + "/" + name;
  }

  core::result<void> read_tree(const fs::path& root, pg::oid tablespace) {
    STRATA_TRY(to_.begin_archive(tablespace));
    std::error_code failure;
    fs::recursive_directory_iterator at(root, failure);
    for (; !failure && at != fs::recursive_directory_iterator(); at.increment(failure)) {
      const std::string name = at->path().lexically_relative(root);
      const classified_path is = classify(path_of(name, tablespace), major_);
      const fs::file_status status = at->symlink_status(failure);
      if (failure) break;
      if (fs::is_symlink(status)) {
        STRATA_TRY(on_link(at->path(), name, is));
      } else if (fs::is_directory(status)) {
        STRATA_TRY(add({.name = name, .type = tar_type::directory}));
      } else if (fs::is_regular_file(status) && is.kind != path_kind::ignored && is.kind != path_kind::unknown &&
                 is.kind != path_kind::configuration) {
        STRATA_TRY(read_file(at->path(), name));
      }
    }
    if (failure) return core::from_errno("list " + root.string(), failure.value());
    core::bytes end;
    append_tar_end(end);
    return to_.add(end);
  }

  core::result<void> on_link(const fs::path& path, const std::string& name, const classified_path& is) {
    if (is.kind == path_kind::ignored || is.kind == path_kind::unknown || is.kind == path_kind::configuration)
      return {};
    if (is.kind != path_kind::tablespace)
      return refused(core::errc::unsupported, path, "it is a link; only tablespaces and pg_wal may be links");
    STRATA_TRY(add({.name = name, .type = tar_type::symlink}));
    links_.emplace_back(is.tablespace, path);
    return {};
  }

  core::result<void> read_file(const fs::path& path, const std::string& name) {
    if (options_.cancelled()) return core::error{core::errc::unavailable, "import: the server is stopping"};
    STRATA_ASSIGN(const auto file, io::real_disk().open_for_reading(path));
    STRATA_ASSIGN(const std::uint64_t size, io::real_disk().file_size(path));
    STRATA_TRY(add({.name = name, .type = tar_type::file, .size = size}));
    for (std::uint64_t offset = 0; offset < size;) {
      const std::size_t wanted = std::min<std::uint64_t>(part_.size(), size - offset);
      STRATA_ASSIGN(const std::size_t count, file->read(offset, core::bytes_span(part_).first(wanted)));
      if (count == 0) return refused(core::errc::conflict, path, "it became shorter while it was read");
      STRATA_TRY(to_.add(core::bytes_view(part_).first(count)));
      offset += count;
      options_.progress(done_ += count);
    }
    core::bytes padding;
    append_tar_padding(padding, size);
    return to_.add(padding);
  }

  core::result<void> add(const tar_entry& entry) {
    core::bytes header;
    append_tar_header(header, entry);
    return to_.add(header);
  }

  base_backup_import& to_;
  pg::major_version major_;
  const cluster_import_options& options_;
  std::vector<std::pair<pg::oid, fs::path>> links_;
  core::bytes part_ = core::bytes(part_size);
  std::uint64_t done_ = 0;
};

core::result<void> check_unchanged(const stopped_cluster& of) {
  if (of.is_archive) {
    std::error_code failure;
    if (fs::file_size(of.path, failure) == of.archive_bytes && !failure &&
        fs::last_write_time(of.path, failure) == of.archive_modified && !failure)
      return {};
    return refused(core::errc::conflict, of.path, "it changed while it was read");
  }
  const auto now = inspect_stopped_cluster(of.path);
  if (!now) return now.error();
  if (now->control_bytes == of.control_bytes) return {};
  return refused(core::errc::conflict, of.path, "it changed while it was read: a server was started on it");
}

}  // namespace

core::result<stopped_cluster> inspect_stopped_cluster(const std::string& path) {
  std::error_code failure;
  const fs::file_status status = fs::status(path, failure);
  if (fs::is_directory(status)) return inspect_directory(path);
  if (fs::is_regular_file(status)) return inspect_archive(path);
  if (failure && failure != std::errc::no_such_file_or_directory)
    return core::from_errno("look at " + path, failure.value());
  return core::error{core::errc::not_found, fs::exists(status) ? path + " is neither a directory nor a file"
                                                               : "there is no directory or archive " + path};
}

core::result<imported_cluster> import_stopped_cluster(const std::shared_ptr<timeline_store>& into,
                                                      const stopped_cluster& from,
                                                      const cluster_import_options& options) {
  const core::lsn checkpoint = from.control.checkpoint_location;
  base_backup_import import(into, {.start = checkpoint,
                                   .major = from.control.major,
                                   .wal_segment_size = from.control.wal_segment_size,
                                   .shut_down = true,
                                   .database_catalog_file = from.database_catalog_file,
                                   .system_id = options.system_id});
  if (from.is_archive) {
    STRATA_TRY(import.begin_archive(0));
    std::uint64_t done = 0;
    STRATA_TRY(read_archive(from.path, [&](core::bytes_view part) -> core::result<void> {
      if (options.cancelled()) return core::error{core::errc::unavailable, "import: the server is stopping"};
      STRATA_TRY(import.add(part));
      options.progress(done += part.size());
      return {};
    }));
  } else {
    STRATA_TRY(directory_reader(import, from.control.major, options).read(from.path));
  }
  STRATA_TRY(check_unchanged(from));
  // Its last checkpoint changed nothing: the data are those of the position where it begins.
  return import.finish(checkpoint);
}

}  // namespace strata::storage::mapping
