#pragma once

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/replies_to.hpp>
#include <caf/result.hpp>
#include <caf/typed_actor.hpp>
#include <caf/unit.hpp>

namespace strata::messages {

/// The notation of an actor's interface: actor_interface<answers<request, reply>, accepts<event>>. These aliases and
/// the macro below hide CAF's signatures, so that a later version of CAF changes only this file.
template <class Request, class Reply>
using answers = typename caf::replies_to<Request>::template with<Reply>;
template <class Message>
using accepts = caf::reacts_to<Message>;
template <class... Signatures>
using actor_interface = caf::typed_actor<Signatures...>;

/// The reply to a request that only succeeds or fails.
struct done {};

}  // namespace strata::messages

/// A message that never leaves the process. At global namespace scope.
#define STRATA_LOCAL_MESSAGE(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(type)

STRATA_LOCAL_MESSAGE(strata::messages::done)
