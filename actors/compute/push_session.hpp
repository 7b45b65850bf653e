#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "core/bytes.hpp"
#include "core/ids.hpp"
#include "core/result.hpp"
#include "pg/wire/safekeeper_identity.hpp"
#include "protocol/quorum_codec.hpp"

namespace strata::actors::compute {

/// The protocol of a connection to a safekeeper's WAL service, without the socket: bytes in, events and bytes out.
///
///   starting --ready for query--> asking --COPY both--> pushing
///
/// Holds at most one message of the greatest allowed size.
class push_session {
 public:
  /// `expected`: who must answer. A safekeeper that does not send its identity passes here: its greeting has its id.
  push_session(const core::tenant_id& tenant, const core::timeline_id& timeline,
               pg::wire::safekeeper_identity expected = {});

  /// The proposer may send messages from now on.
  struct established {};
  using event = std::variant<established, protocol::received_reply>;

  /// The buffer for input; never empty if next() has been called until it returned no event.
  [[nodiscard]] core::bytes_span space();
  void received(std::size_t count) { end_ += count; }

  /// The safekeeper's next message; nullopt: more input is needed. After an error (a refusal, or a violation of the
  /// protocol) the connection can't be used.
  core::result<std::optional<event>> next();

  /// Output that must be sent first; empties it.
  core::bytes take_output() { return std::exchange(output_, {}); }
  [[nodiscard]] bool pushing() const { return now_ == state::pushing; }

 private:
  enum class state { starting, asking, pushing };

  [[nodiscard]] core::result<void> check_parameter(core::bytes_view body) const;

  pg::wire::safekeeper_identity expected_;
  core::bytes input_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  core::bytes output_;
  state now_ = state::starting;
};

}  // namespace strata::actors::compute
