#pragma once

#include <memory>
#include <string>

#include "core/clock.hpp"
#include "core/result.hpp"

struct ssl_ctx_st;  // of OpenSSL

namespace strata::actors::broker {

/// The identity of a process in its cluster, and the authority by which it checks others: certificate and key of the
/// cluster's nodes, and the certificate of the cluster's own authority. Held in memory: later connections use the
/// checked certificates, whatever happens to the directory.
class node_identity {
 public:
  /// Reads <directory>/{ca.crt,node.crt,node.key} and checks that they are readable by us alone, belong together and
  /// are valid at `now`. errc::not_found: they are missing; errc::invalid_argument: they can't be used, for the reason
  /// in the text.
  static core::result<node_identity> load(const std::string& directory, core::wall_time now);

  /// For connections in both directions: TLS 1.3, and only peers with a certificate of our authority.
  [[nodiscard]] const std::shared_ptr<ssl_ctx_st>& tls() const { return tls_; }

 private:
  std::shared_ptr<ssl_ctx_st> tls_;
};

/// Creates an authority and one certificate for all nodes of a cluster in a directory that must not exist yet; it
/// appears when it is complete and durable. The authority's key is discarded at once: no second certificate can be
/// issued. errc::conflict: the directory exists.
core::result<void> make_identity(const std::string& directory, core::wall_time now);

inline constexpr int identity_valid_days = 3650;

}  // namespace strata::actors::broker
