#pragma once

#include <caf/actor_system.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "actors/net/client_socket.hpp"
#include "actors/runtime/socket_watcher.hpp"
#include "journal/timeline_view.hpp"
#include "messages/broker.hpp"
#include "messages/safekeeper.hpp"
#include "protocol/quorum_codec.hpp"

/// The messages between the actors of the role; messages/safekeeper.hpp is for other roles.
namespace strata::actors::safekeeper {

/// Messages of one proposer in the order of their arrival, with their WAL.
struct message_batch {
  struct entry {
    consensus::proposer_message message;
    std::size_t wal_offset = 0;  ///< in `wal`
    std::size_t wal_size = 0;
  };
  std::vector<entry> entries;
  core::bytes wal;

  void add(const protocol::received_message& received) {
    entries.push_back({received.message, wal.size(), received.wal.size()});
    core::append(wal, received.wal);
  }
  void clear() {
    entries.clear();
    wal.clear();
  }
  [[nodiscard]] bool empty() const { return entries.empty(); }
  /// At its limit for one proposer: then its socket is no longer read.
  [[nodiscard]] bool full() const { return entries.size() >= messages_max || wal.size() >= wal_max; }
  static constexpr std::size_t messages_max = 256;
  static constexpr std::size_t wal_max = 8u << 20;
};

/// Answered when what the replies promise is durable. One at a time from each proposer: messages that arrive meanwhile
/// are the next batch, made durable as one.
struct take_batch {
  std::shared_ptr<const message_batch> batch;
};
struct batch_taken {
  std::vector<consensus::acceptor_message> replies;
  std::optional<core::error> refused;  ///< the connection must be closed
  std::optional<protocol::pageserver_feedback> feedback;
};
/// Until `who` ends.
struct proposer_arrived {
  runtime::socket_owner who;
};
struct positions_moved {};
using position_listener = messages::actor_interface<messages::accepts<positions_moved>>;
/// Until `who` ends it is notified of every move.
struct receiver_arrived {
  position_listener who;
};
struct pageserver_reported {
  protocol::pageserver_feedback feedback;
};
/// A peer's publication on the timeline.
struct peer_published {
  protocol::safekeeper_timeline_info info;
};
/// Every second while the timeline is active; the answer is published.
struct report_due {};
struct timeline_report {
  protocol::safekeeper_timeline_info info;
};

/// Fetches the WAL of another safekeeper. Answered when this one has all WAL that the donor reported.
struct fetch_wal {
  messages::wal_donor from;
};

/// The actor of a timeline on this safekeeper.
using acceptor_actor =
    messages::actor_interface<messages::answers<take_batch, batch_taken>, messages::accepts<proposer_arrived>,
                              messages::accepts<receiver_arrived>, messages::accepts<pageserver_reported>,
                              messages::accepts<peer_published>, messages::answers<report_due, timeline_report>,
                              messages::answers<messages::get_wal_timeline, messages::wal_timeline_info>,
                              messages::answers<fetch_wal, messages::wal_timeline_info>,
                              messages::answers<messages::switch_wal_members, messages::wal_timeline_info>,
                              messages::answers<messages::bump_wal_term, messages::wal_timeline_info>,
                              messages::answers<messages::checkpoint_wal_timeline, messages::wal_timeline_info>,
                              messages::answers<messages::digest_wal, messages::wal_digest>>;

/// For connections. errc::not_found unless the timeline is here or `create` is set.
struct open_wal_timeline {
  core::timeline_key of;
  std::optional<consensus::acceptor_state> create;
};
struct wal_timeline_opened {
  acceptor_actor acceptor;
  std::shared_ptr<journal::timeline_view> view;
};
using timelines_actor =
    messages::wal_timelines_actor::extend<messages::answers<open_wal_timeline, wal_timeline_opened>>;

/// To the flusher. A batch for a journal that no other actor uses until the answer. The message keeps `journal` alive.
struct keep_wal {
  core::timeline_id timeline;
  std::shared_ptr<journal::timeline_journal> journal;
  std::shared_ptr<const message_batch> batch;
};
struct wal_kept {
  journal::timeline_journal::outcome outcome;
};
using wal_flusher_actor = messages::actor_interface<messages::answers<keep_wal, wal_kept>>;

/// Acceptors with something to publish are in the exchange's group; all receive the peers' publications.
struct enter_exchange {
  core::timeline_key key;
  acceptor_actor acceptor;
};
struct leave_exchange {
  core::timeline_key key;
};
struct set_active {
  core::timeline_key key;
  bool active = false;
};
using peer_exchange_actor = messages::actor_interface<messages::accepts<enter_exchange>,
                                                      messages::accepts<leave_exchange>, messages::accepts<set_active>>;

/// The stream is over; the actor that handed the socket over has it back.
struct stream_over {
  std::shared_ptr<net::client_socket> socket;
};
using stream_starter = messages::actor_interface<messages::accepts<stream_over>>;

}  // namespace strata::actors::safekeeper

STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::take_batch)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::batch_taken)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::proposer_arrived)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::positions_moved)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::receiver_arrived)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::pageserver_reported)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::peer_published)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::report_due)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::timeline_report)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::fetch_wal)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::open_wal_timeline)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::wal_timeline_opened)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::keep_wal)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::wal_kept)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::enter_exchange)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::leave_exchange)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::set_active)
STRATA_LOCAL_MESSAGE(strata::actors::safekeeper::stream_over)
