#pragma once

#include <string>

#include "actors/support/sockets.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"

namespace strata::actors::broker {

/// What a process of a cluster shows to the others, and by what it knows them: certificate and key of the cluster's
/// nodes, and the certificate of its own authority. Held in memory files: what was checked is what every later
/// connection uses, whatever happens to the directory.
class node_identity {
 public:
  /// Reads <directory>/{ca.crt,node.crt,node.key} and checks that they are readable by us alone, belong together and
  /// are valid at `now`. errc::not_found: there are none; errc::invalid_argument: they can't be used, the text says
  /// why.
  static core::result<node_identity> load(const std::string& directory, core::wall_time now);

  /// Paths under which this process can open them as long as the object lives.
  [[nodiscard]] std::string authority_path() const { return path_of(authority_); }
  [[nodiscard]] std::string certificate_path() const { return path_of(certificate_); }
  [[nodiscard]] std::string key_path() const { return path_of(key_); }

 private:
  static std::string path_of(const support::unique_fd& file) { return "/proc/self/fd/" + std::to_string(file.get()); }
  support::unique_fd authority_;
  support::unique_fd certificate_;
  support::unique_fd key_;
};

/// Makes an authority and one certificate for all nodes of a cluster in a directory that must not be there yet; it
/// appears when it is complete and durable. The authority's key is forgotten at once: nobody can make a second
/// certificate. errc::conflict: the directory is there already.
core::result<void> make_identity(const std::string& directory, core::wall_time now);

inline constexpr int identity_valid_days = 3650;

}  // namespace strata::actors::broker
