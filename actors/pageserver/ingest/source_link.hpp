#pragma once

#include <string>

#include "actors/net/replication_link.hpp"
#include "actors/pageserver/ingest/source_session.hpp"

namespace strata::actors::pageserver {

/// A replication connection to a source, driven by a source_session.
class source_link : public net::replication_link {
 public:
  using replication_link::replication_link;

  /// Sends the session's command. Precondition: open().
  core::result<void> carry_out(const session_command& command, const std::string& slot);
};

}  // namespace strata::actors::pageserver
