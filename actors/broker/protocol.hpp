#pragma once

#include <caf/meta/type_name.hpp>

#include "messages/broker.hpp"

/// The messages between a link and the broker, maybe over the network. No message has an answer: CAF never fails a
/// request to a process that died. A sender that waits has a deadline.
namespace strata::actors::broker {

using protocol::safekeeper_timeline_info;

/// Checked when processes connect (CAF's app-identifier): a changed struct would be decoded wrongly without an error.
/// Increment it with every change of a message below or of protocol::safekeeper_timeline_info.
inline constexpr const char* protocol_name = "strata-broker-1";

/// Limit of one message. The broker refuses a longer one; a link splits it.
inline constexpr std::size_t timelines_per_message_max = 10'000;
inline constexpr std::size_t address_size_max = 255;

// -- broker to link ---------------------------------------------------------------------------------------------------
/// The answer to open_session of the same attempt.
struct session_opened {
  std::uint64_t attempt = 0;
  std::uint64_t session = 0;
};
/// Acknowledged by delivery_taken.
struct delivery {
  std::vector<safekeeper_timeline_info> timelines;
};
/// The link may send one more publication.
struct publication_taken {};

using client_actor = messages::actor_interface<messages::accepts<session_opened>, messages::accepts<delivery>,
                                               messages::accepts<publication_taken>>;

// -- link to broker ---------------------------------------------------------------------------------------------------
/// A session lasts until the client ends or the connection to its process is lost. Not answered when there are too many
/// sessions.
struct open_session {
  client_actor client;
  std::uint64_t attempt = 0;
  bool deliver = false;
};
/// From now on the session receives publications.
struct begin_deliveries {
  std::uint64_t session = 0;
};
/// Acknowledged by publication_taken.
struct publication {
  std::uint64_t session = 0;
  std::vector<safekeeper_timeline_info> timelines;
};
/// The broker may send one more delivery.
struct delivery_taken {
  std::uint64_t session = 0;
};

using broker_actor = messages::actor_interface<messages::accepts<open_session>, messages::accepts<begin_deliveries>,
                                               messages::accepts<publication>, messages::accepts<delivery_taken>>;

// -- as bytes ---------------------------------------------------------------------------------------------------------
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, session_opened& x) {
  return f(caf::meta::type_name("strata.session_opened"), x.attempt, x.session);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, delivery& x) {
  return f(caf::meta::type_name("strata.delivery"), x.timelines);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, publication_taken&) {
  return f(caf::meta::type_name("strata.publication_taken"));
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, open_session& x) {
  return f(caf::meta::type_name("strata.open_session"), x.client, x.attempt, x.deliver);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, begin_deliveries& x) {
  return f(caf::meta::type_name("strata.begin_deliveries"), x.session);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, publication& x) {
  return f(caf::meta::type_name("strata.publication"), x.session, x.timelines);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, delivery_taken& x) {
  return f(caf::meta::type_name("strata.delivery_taken"), x.session);
}

}  // namespace strata::actors::broker
