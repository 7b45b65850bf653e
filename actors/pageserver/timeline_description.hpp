#pragma once

#include <string>
#include <vector>

#include "messages/timeline.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {

/// The part of a timeline's description that is in its store; its actor adds state, receiver and history.
messages::timeline_info describe_timeline(const storage::timeline_store& store);

/// Of a timeline that has no actor, because of `why`.
messages::timeline_info describe_broken(const storage::timeline_record& of, const std::string& why);

/// Empty when no layer is damaged.
std::string damage_of(const storage::timeline_store& store);

/// In the form of the timeline's description.
std::vector<messages::custom_manager> custom_managers_of(const storage::timeline_record& record);

/// "waiting to reconnect to the source (connection refused)".
std::string receiver_state(const messages::source_status& of);

}  // namespace strata::actors::pageserver
