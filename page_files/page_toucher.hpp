#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "io/unique_fd.hpp"
#include "page_files/page_map.hpp"

namespace strata::page_files {

/// Opens a sparse file by its name, O_RDONLY or O_RDWR, if that is still the file that the map means. errc::not_found
/// when it is gone or another one has its name.
core::result<io::unique_fd> open_by_name(const std::string& directory, const page_map& map, std::uint32_t file,
                                         int access);

/// Has the kernel raise an event for each of some files, in a thread of its own: a read of no bytes, which waits until
/// the event is answered. So a door gets a descriptor for a file of which it has an event without one.
class page_toucher : public std::enable_shared_from_this<page_toucher> {
 public:
  static core::result<std::shared_ptr<page_toucher>> make();

  /// Starts the thread, once. It ends by itself when the events are answered, or with the process.
  void touch(std::string directory, const page_map& map, std::vector<std::uint32_t> files);
  /// Readable when a file could not be touched.
  [[nodiscard]] int fd() const { return signal_.get(); }
  /// The files that could not be touched since the last call.
  std::vector<std::uint32_t> take_failed();

 private:
  void report(std::uint32_t file);

  io::unique_fd signal_;
  std::mutex mutex_;
  std::vector<std::uint32_t> failed_;
};

}  // namespace strata::page_files
