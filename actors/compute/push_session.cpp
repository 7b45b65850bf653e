#include "actors/compute/push_session.hpp"

#include <cstring>
#include <utility>

#include "pg/client/conninfo.hpp"
#include "pg/wire/client_frames.hpp"
#include "pg/wire/frames.hpp"

namespace strata::actors::compute {
namespace {

namespace wire = pg::wire;

// A safekeeper that has lost the timeline must not recreate it: it would vote as if it had never voted.
constexpr std::string_view start_push = "START_WAL_PUSH (proto_version '3', allow_timeline_creation 'false')";

core::error refusal(core::bytes_view body) {
  const auto said = wire::parse_complaint(body);
  if (said.sqlstate == wire::sqlstate_of(core::errc::not_found))
    return {core::errc::not_found,
            "the branch is missing on it: it was unreachable when the branch was assigned to it, or its directory was "
            "emptied"};
  return {core::errc::unavailable, "the safekeeper refuses: " + said.message + " (" + said.sqlstate + ")"};
}

}  // namespace

push_session::push_session(const core::tenant_id& tenant, const core::timeline_id& timeline,
                           wire::safekeeper_identity expected)
    : expected_(expected), input_(protocol::message_size_max + 5) {
  wire::append_startup(output_, {{"user", "strata"},
                                 {"database", "replication"},
                                 {"replication", "true"},
                                 {"application_name", "wal_proposer"},
                                 {"options", pg::client::timeline_option(tenant, timeline)}});
}

core::bytes_span push_session::space() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (begin_ > 0) {
    std::memmove(input_.data(), input_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return core::bytes_span(input_).subspan(end_);
}

core::result<std::optional<push_session::event>> push_session::next() {
  for (;;) {
    const auto arrived = core::bytes_view(input_).subspan(begin_, end_ - begin_);
    STRATA_ASSIGN(const auto frame, wire::parse_backend_frame(arrived, protocol::message_size_max));
    if (!frame) return std::optional<event>();
    begin_ += frame->size;
    if (frame->tag == 'E') return refusal(frame->body);
    if (frame->tag == 'S') STRATA_TRY(check_parameter(frame->body));
    if (frame->tag == 'N' || frame->tag == 'S' || frame->tag == 'K') continue;
    switch (now_) {
      case state::starting:
        if (frame->tag == 'R' && frame->body.size() >= 4 && core::load_be<std::uint32_t>(frame->body.data()) != 0)
          return core::error{core::errc::permission_denied, "the safekeeper asks for a password"};
        if (frame->tag != 'Z') continue;
        wire::append_query(output_, start_push);
        now_ = state::asking;
        continue;
      case state::asking:
        if (frame->tag != 'W')
          return core::error{core::errc::corrupt,
                             "the safekeeper did not accept START_WAL_PUSH: it answered " + std::string(1, frame->tag)};
        now_ = state::pushing;
        return std::optional<event>(established{});
      case state::pushing:
        if (frame->tag != 'd') return core::error{core::errc::unavailable, "the safekeeper has ended the stream"};
        STRATA_ASSIGN(auto reply, protocol::decode_from_acceptor(frame->body));
        return std::optional<event>(std::move(reply));
    }
  }
}

core::result<void> push_session::check_parameter(core::bytes_view body) const {
  const auto parameter = wire::parse_parameter_status(body);
  if (!parameter || parameter->first != wire::safekeeper_parameter) return {};
  const auto answering = wire::parse_safekeeper_identity(parameter->second);
  if (!answering) return core::error{core::errc::corrupt, "the safekeeper did not identify itself"};
  return wire::check_identity(expected_, *answering);
}

}  // namespace strata::actors::compute
