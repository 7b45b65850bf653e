#include "protocol/quorum_codec.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace strata::protocol {

using namespace consensus;
namespace {

/// Longest host name of a member: that of DNS.
constexpr std::size_t host_size_max = 255;
/// Most keys that a pageserver's feedback may have; those that are not known are skipped.
constexpr std::uint8_t feedback_keys_max = 64;

core::error corrupt(std::string what) {
  return {core::errc::corrupt, "read a message of the proposer protocol: " + std::move(what)};
}

// -- writing ----------------------------------------------------------------------------------------------------------

void put_tag(core::bytes& to, char tag) { to.push_back(static_cast<std::uint8_t>(tag)); }
void put_text(core::bytes& to, std::string_view text) {
  to.insert(to.end(), text.begin(), text.end());
  to.push_back(0);
}
void put(core::bytes& to, term of) { core::append_be(to, of.value); }
void put(core::bytes& to, core::lsn of) { core::append_be(to, of.value); }

void put(core::bytes& to, const std::vector<member>& members) {
  core::append_be(to, static_cast<std::uint32_t>(members.size()));
  for (const member& each : members) {
    core::append_be(to, each.id.value);
    put_text(to, each.host);
    core::append_be(to, each.port);
  }
}
void put(core::bytes& to, const configuration& of) {
  core::append_be(to, of.generation);
  put(to, of.members);
  put(to, of.new_members.value_or(std::vector<member>()));
}
void put(core::bytes& to, const term_history& of) {
  core::append_be(to, static_cast<std::uint32_t>(of.entries().size()));
  for (const term_start& each : of.entries()) {
    put(to, each.in);
    put(to, each.at);
  }
}

// -- reading ----------------------------------------------------------------------------------------------------------

core::result<std::string> take_text(core::byte_reader& from, std::size_t size_max) {
  const core::bytes_view rest = from.rest().first(std::min(from.left(), size_max + 1));
  const auto end = std::find(rest.begin(), rest.end(), std::uint8_t{0});
  if (end == rest.end()) return corrupt("a text without its end");
  const auto size = static_cast<std::size_t>(end - rest.begin());
  std::string text(reinterpret_cast<const char*>(rest.data()), size);
  from.skip(size + 1);
  return text;
}

template <class Id>
core::result<Id> take_id(core::byte_reader& from) {
  STRATA_ASSIGN(const std::string text, take_text(from, 32));
  auto id = core::parse_id<Id>(text);
  if (!id || !id->valid()) return corrupt("what should be an id is none");
  return *id;
}

core::result<std::vector<member>> take_members(core::byte_reader& from) {
  const auto count = from.be<std::uint32_t>();
  if (count > members_max) return corrupt(std::to_string(count) + " members");
  std::vector<member> members(count);
  for (member& each : members) {
    each.id.value = from.be<std::uint64_t>();
    STRATA_ASSIGN(each.host, take_text(from, host_size_max));
    if (!std::all_of(each.host.begin(), each.host.end(), [](char c) { return c > ' ' && c <= '~'; }))
      return corrupt("a host name that is none");
    each.port = from.be<std::uint16_t>();
  }
  return members;
}

core::result<configuration> take_configuration(core::byte_reader& from) {
  configuration taken;
  taken.generation = from.be<std::uint32_t>();
  STRATA_ASSIGN(taken.members, take_members(from));
  STRATA_ASSIGN(auto next, take_members(from));
  if (!next.empty()) taken.new_members = std::move(next);
  return taken;
}

term take_term(core::byte_reader& from) { return {from.be<std::uint64_t>()}; }
core::lsn take_lsn(core::byte_reader& from) { return core::lsn(from.be<std::uint64_t>()); }

core::result<term_history> take_history(core::byte_reader& from) {
  const auto count = from.be<std::uint32_t>();
  if (count > from.left() / (2 * sizeof(std::uint64_t)))
    return corrupt("a history of " + std::to_string(count) + " terms in " + std::to_string(from.left()) + " bytes");
  std::vector<term_start> entries(count);
  for (term_start& each : entries) {
    each.in = take_term(from);
    each.at = take_lsn(from);
  }
  if (!term_history::well_formed(entries)) return corrupt("a history whose terms do not follow each other");
  return term_history(std::move(entries));
}

template <class Message>
core::result<Message> finish(const core::byte_reader& from, Message message) {
  if (!from.ok()) return corrupt("it is cut short");
  if (from.left() > 0) return corrupt(std::to_string(from.left()) + " bytes left over");
  return message;
}

core::result<greeting> take_greeting(core::byte_reader from) {
  greeting taken;
  STRATA_ASSIGN(taken.tenant, take_id<core::tenant_id>(from));
  STRATA_ASSIGN(taken.timeline, take_id<core::timeline_id>(from));
  STRATA_ASSIGN(taken.members, take_configuration(from));
  taken.cluster.pg_version = from.be<std::uint32_t>();
  taken.cluster.system_id = from.be<std::uint64_t>();
  taken.cluster.wal_segment_size = from.be<std::uint32_t>();
  return finish(from, std::move(taken));
}

core::result<vote_request> take_vote_request(core::byte_reader from) {
  vote_request taken;
  taken.generation = from.be<std::uint32_t>();
  taken.in = take_term(from);
  return finish(from, taken);
}

core::result<elected> take_elected(core::byte_reader from) {
  elected taken;
  taken.generation = from.be<std::uint32_t>();
  taken.in = take_term(from);
  taken.start_streaming_at = take_lsn(from);
  STRATA_ASSIGN(taken.history, take_history(from));
  return finish(from, std::move(taken));
}

core::result<received_message> take_append(core::byte_reader from) {
  append taken;
  taken.generation = from.be<std::uint32_t>();
  taken.in = take_term(from);
  taken.begin = take_lsn(from);
  taken.end = take_lsn(from);
  taken.commit_lsn = take_lsn(from);
  taken.truncate_lsn = take_lsn(from);
  if (!from.ok()) return corrupt("it is cut short");
  const core::bytes_view wal = from.rest();
  if (wal.size() > append_size_max) return corrupt("an append of " + std::to_string(wal.size()) + " bytes");
  if (taken.end < taken.begin || taken.end - taken.begin != wal.size())
    return corrupt("an append of [" + to_string(taken.begin) + ", " + to_string(taken.end) + ") with " +
                   std::to_string(wal.size()) + " bytes");
  return received_message{taken, wal};
}

template <class Taken>
core::result<received_message> without_wal(core::result<Taken> taken) {
  if (!taken) return std::move(taken).error();
  return received_message{*std::move(taken), {}};
}

core::result<greeting_reply> take_greeting_reply(core::byte_reader from) {
  greeting_reply taken;
  taken.from.value = from.be<std::uint64_t>();
  STRATA_ASSIGN(taken.members, take_configuration(from));
  taken.in = take_term(from);
  return finish(from, std::move(taken));
}

core::result<vote_reply> take_vote_reply(core::byte_reader from) {
  vote_reply taken;
  taken.generation = from.be<std::uint32_t>();
  taken.in = take_term(from);
  const auto given = from.be<std::uint8_t>();
  if (given > 1) return corrupt("a vote that is neither given nor refused");
  taken.given = given != 0;
  taken.flush_lsn = take_lsn(from);
  taken.truncate_lsn = take_lsn(from);
  STRATA_ASSIGN(taken.history, take_history(from));
  return finish(from, std::move(taken));
}

core::result<received_reply> take_append_reply(core::byte_reader from) {
  append_reply taken;
  taken.generation = from.be<std::uint32_t>();
  taken.in = take_term(from);
  taken.flush_lsn = take_lsn(from);
  taken.commit_lsn = take_lsn(from);
  from.skip(3 * sizeof(std::uint64_t));  // a hot standby's feedback: standbys of computes are not served
  if (!from.ok()) return corrupt("it is cut short");
  received_reply reply{taken, std::nullopt};
  if (from.left() > 0) {
    STRATA_ASSIGN(reply.feedback, decode_feedback(from.rest()));
  }
  return reply;
}

template <class Taken>
core::result<received_reply> without_feedback(core::result<Taken> taken) {
  if (!taken) return std::move(taken).error();
  return received_reply{*std::move(taken), std::nullopt};
}

// -- feedback ---------------------------------------------------------------------------------------------------------

constexpr std::string_view size_key = "current_timeline_size";
constexpr std::string_view received_key = "ps_writelsn";
constexpr std::string_view durable_key = "ps_flushlsn";
constexpr std::string_view remote_key = "ps_applylsn";
constexpr std::string_view time_key = "ps_replytime";

core::result<void> take_feedback_value(std::string_view key, core::bytes_view value, pageserver_feedback& into) {
  std::uint64_t number = 0;
  const std::array<std::string_view, 5> known{size_key, received_key, durable_key, remote_key, time_key};
  if (std::find(known.begin(), known.end(), key) == known.end()) return {};
  if (value.size() != sizeof number) return corrupt("feedback " + std::string(key) + " of another size");
  number = core::load_be<std::uint64_t>(value.data());
  if (key == size_key) into.timeline_size = number;
  if (key == received_key) into.last_received = core::lsn(number);
  if (key == durable_key) into.disk_consistent = core::lsn(number);
  if (key == remote_key) into.remote_consistent = core::lsn(number);
  if (key == time_key) into.replied_at = static_cast<std::int64_t>(number);
  return {};
}

}  // namespace

void encode(const proposer_message& message, core::bytes& to) {
  if (const auto* greets = std::get_if<greeting>(&message)) {
    put_tag(to, 'g');
    put_text(to, to_string(greets->tenant));
    put_text(to, to_string(greets->timeline));
    put(to, greets->members);
    core::append_be(to, greets->cluster.pg_version);
    core::append_be(to, greets->cluster.system_id);
    core::append_be(to, greets->cluster.wal_segment_size);
  } else if (const auto* asks = std::get_if<vote_request>(&message)) {
    put_tag(to, 'v');
    core::append_be(to, asks->generation);
    put(to, asks->in);
  } else if (const auto* won = std::get_if<elected>(&message)) {
    put_tag(to, 'e');
    core::append_be(to, won->generation);
    put(to, won->in);
    put(to, won->start_streaming_at);
    put(to, won->history);
  } else if (const auto* writes = std::get_if<append>(&message)) {
    put_tag(to, 'a');
    core::append_be(to, writes->generation);
    put(to, writes->in);
    put(to, writes->begin);
    put(to, writes->end);
    put(to, writes->commit_lsn);
    put(to, writes->truncate_lsn);
  }
}

core::result<received_message> decode_from_proposer(core::bytes_view from) {
  if (from.empty()) return corrupt("it is empty");
  if (from.size() > message_size_max) return corrupt("it has " + std::to_string(from.size()) + " bytes");
  core::byte_reader reader(from);
  switch (const auto tag = reader.be<std::uint8_t>()) {
    case 'g': return without_wal(take_greeting(reader));
    case 'v': return without_wal(take_vote_request(reader));
    case 'e': return without_wal(take_elected(reader));
    case 'a': return take_append(reader);
    default: return corrupt("type " + std::to_string(tag));
  }
}

void encode(const pageserver_feedback& feedback, core::bytes& to) {
  const std::array<std::pair<std::string_view, std::uint64_t>, 5> pairs{
      {{size_key, feedback.timeline_size},
       {received_key, feedback.last_received.value},
       {durable_key, feedback.disk_consistent.value},
       {remote_key, feedback.remote_consistent.value},
       {time_key, static_cast<std::uint64_t>(feedback.replied_at)}}};
  to.push_back(static_cast<std::uint8_t>(pairs.size()));
  for (const auto& [key, value] : pairs) {
    put_text(to, key);
    core::append_be(to, static_cast<std::uint32_t>(sizeof value));
    core::append_be(to, value);
  }
}

core::result<pageserver_feedback> decode_feedback(core::bytes_view from) {
  core::byte_reader reader(from);
  pageserver_feedback taken;
  const auto count = reader.be<std::uint8_t>();
  if (count > feedback_keys_max) return corrupt("feedback with " + std::to_string(count) + " keys");
  for (std::uint8_t i = 0; i < count; ++i) {
    STRATA_ASSIGN(const std::string key, take_text(reader, 64));
    const auto size = reader.be<std::uint32_t>();
    const core::bytes_view value = reader.take(size);
    if (!reader.ok()) return corrupt("feedback is cut short");
    STRATA_TRY(take_feedback_value(key, value, taken));
  }
  return finish(reader, taken);
}

void encode(const acceptor_message& message, const std::optional<pageserver_feedback>& feedback, core::bytes& to) {
  if (const auto* greets = std::get_if<greeting_reply>(&message)) {
    put_tag(to, 'g');
    core::append_be(to, greets->from.value);
    put(to, greets->members);
    put(to, greets->in);
  } else if (const auto* votes = std::get_if<vote_reply>(&message)) {
    put_tag(to, 'v');
    core::append_be(to, votes->generation);
    put(to, votes->in);
    core::append_be(to, static_cast<std::uint8_t>(votes->given));
    put(to, votes->flush_lsn);
    put(to, votes->truncate_lsn);
    put(to, votes->history);
  } else if (const auto* has = std::get_if<append_reply>(&message)) {
    put_tag(to, 'a');
    core::append_be(to, has->generation);
    put(to, has->in);
    put(to, has->flush_lsn);
    put(to, has->commit_lsn);
    to.resize(to.size() + 3 * sizeof(std::uint64_t));  // a hot standby's feedback: none
    if (feedback) encode(*feedback, to);
  }
}

core::result<received_reply> decode_from_acceptor(core::bytes_view from) {
  if (from.empty()) return corrupt("it is empty");
  if (from.size() > message_size_max) return corrupt("it has " + std::to_string(from.size()) + " bytes");
  core::byte_reader reader(from);
  switch (const auto tag = reader.be<std::uint8_t>()) {
    case 'g': return without_feedback(take_greeting_reply(reader));
    case 'v': return without_feedback(take_vote_reply(reader));
    case 'a': return take_append_reply(reader);
    default: return corrupt("type " + std::to_string(tag));
  }
}

}  // namespace strata::protocol
