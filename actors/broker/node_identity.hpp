#pragma once

#include <memory>
#include <string>

#include "core/clock.hpp"
#include "core/result.hpp"

struct ssl_ctx_st;  // of OpenSSL

namespace strata::actors::broker {

/// What a process of a cluster shows to the others, and by what it knows them: certificate and key of the cluster's
/// nodes, and the certificate of its own authority. Held in memory: what was checked is what every later connection
/// uses, whatever happens to the directory.
class node_identity {
 public:
  /// Reads <directory>/{ca.crt,node.crt,node.key} and checks that they are readable by us alone, belong together and
  /// are valid at `now`. errc::not_found: there are none; errc::invalid_argument: they can't be used, the text says
  /// why.
  static core::result<node_identity> load(const std::string& directory, core::wall_time now);

  /// For connections in both directions: TLS 1.3, and nobody without a certificate of our authority.
  [[nodiscard]] const std::shared_ptr<ssl_ctx_st>& tls() const { return tls_; }

 private:
  std::shared_ptr<ssl_ctx_st> tls_;
};

/// Makes an authority and one certificate for all nodes of a cluster in a directory that must not be there yet; it
/// appears when it is complete and durable. The authority's key is forgotten at once: nobody can make a second
/// certificate. errc::conflict: the directory is there already.
core::result<void> make_identity(const std::string& directory, core::wall_time now);

inline constexpr int identity_valid_days = 3650;

}  // namespace strata::actors::broker
