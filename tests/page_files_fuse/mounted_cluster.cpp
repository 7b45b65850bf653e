#include "tests/page_files_fuse/mounted_cluster.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <regex>
#include <system_error>

namespace strata::tests {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& doing) { throw std::system_error(errno, std::generic_category(), doing); }

std::optional<page_files::relation_file> relation_file_of(const std::string& path, std::uintmax_t bytes) {
  static const std::regex form("(?:global|base/([0-9]+))/([0-9]+)(_fsm|_vm|_init)?(?:\\.([0-9]+))?");
  std::smatch parts;
  if (bytes == 0 || bytes % pg::page_size != 0 || !std::regex_match(path, parts, form)) return std::nullopt;
  const auto number = [&](int part) {
    return parts[part].length() == 0 ? 0 : static_cast<std::uint32_t>(std::stoul(parts[part]));
  };
  page_files::relation_file found{.path = path,
                                  .relation = {parts[1].length() == 0 ? pg::global_tablespace : pg::default_tablespace,
                                               number(1), number(2), pg::fork::main},
                                  .segment = number(4),
                                  .pages = static_cast<std::uint32_t>(bytes / pg::page_size)};
  if (parts[3] == "_fsm") found.relation.fork = pg::fork::fsm;
  if (parts[3] == "_vm") found.relation.fork = pg::fork::vm;
  if (parts[3] == "_init") found.relation.fork = pg::fork::init;
  return found;
}

/// Pages of the files of a cluster that nobody changes.
scripted_source::contents pages_of_image(const fs::path& image) {
  return [image](const page_files::page_range& range, core::bytes& to) {
    const auto& of = range.relation;
    constexpr const char* suffixes[] = {"", "_fsm", "_vm", "_init"};
    std::string path = of.tablespace == pg::global_tablespace ? "global/" : "base/" + std::to_string(of.database) + "/";
    path += std::to_string(of.relation) + suffixes[static_cast<int>(of.fork)];
    const std::uint32_t segment = range.first / pg::blocks_per_relation_segment;
    if (segment > 0) path += "." + std::to_string(segment);
    const io::unique_fd fd(::open((image / path).c_str(), O_RDONLY | O_CLOEXEC));
    to.resize(range.count * pg::page_size);
    const auto from = static_cast<off_t>(range.first % pg::blocks_per_relation_segment * pg::page_size);
    if (::pread(fd.get(), to.data(), to.size(), from) != static_cast<ssize_t>(to.size())) to.clear();
  };
}

}  // namespace

mounted_cluster::mounted_cluster(const fs::path& image, const std::vector<std::string>& config)
    : source_(pages_of_image(image)) {
  build(image);
  fs::create_directory(mount());
  thread_ = std::make_unique<door_thread>(
      page_files::fuse_door_options{
          .directory = below(), .mount_point = mount(), .for_other_users = postgres_account().has_value()},
      *map_, source_);
  postgres_ = postgres_cluster::adopt(mount(), config);
}

void mounted_cluster::build(const fs::path& image) {
  fs::create_directory(below());
  for (const auto& entry : fs::recursive_directory_iterator(image)) {
    const std::string path = entry.path().lexically_relative(image);
    if (entry.is_directory()) {
      fs::create_directory(below() / path);
      continue;
    }
    const auto relation = relation_file_of(path, entry.file_size());
    if (!relation) {
      fs::copy_file(entry.path(), below() / path);
      continue;
    }
    const io::unique_fd fd(::open((below() / path).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    struct stat about {};
    if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(entry.file_size())) != 0 || ::fstat(fd.get(), &about) != 0)
      fail("create " + path);
    files_.push_back({*relation, {about.st_dev, about.st_ino}});
  }
  auto made = page_files::page_map::make(files_);
  BOOST_TEST_REQUIRE(made.has_value());
  map_ = std::move(*made);
}

}  // namespace strata::tests
