#include "journal/timeline_journal.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "core/check.hpp"
#include "journal/acceptor_state_codec.hpp"
#include "wal/control_file.hpp"

namespace strata::journal {
namespace {

using consensus::acceptor_state;
using consensus::cluster_identity;

constexpr const char* control_name = "control";
constexpr std::uint32_t segment_size_min = 1u << 20;
constexpr std::uint32_t segment_size_max = 1u << 30;

std::uint32_t segment_size_of(const cluster_identity& of) {
  return of.wal_segment_size != 0 ? of.wal_segment_size : pg::default_wal_segment_size;
}

std::uint32_t major_of(const cluster_identity& of) { return of.pg_version / 10000; }

core::error refused(const std::string& why) {
  return {core::errc::invalid_argument, "handle a proposer's message: " + why};
}

/// Unknown values (0) pass.
core::result<void> check_cluster(const cluster_identity& of) {
  const auto size = of.wal_segment_size;
  if (size != 0 && (!std::has_single_bit(size) || size < segment_size_min || size > segment_size_max))
    return refused("no cluster has WAL segments of " + std::to_string(size) + " bytes");
  const auto major = major_of(of);
  if (of.pg_version != 0 && (major < static_cast<std::uint32_t>(pg::major_version::v14) ||
                             major > static_cast<std::uint32_t>(pg::major_version::v18)))
    return refused("Postgres " + std::to_string(major) + " is not supported");
  return {};
}

/// Whether a record can begin there, and a segment that begins there has an end.
core::result<void> check_start(const acceptor_state& of) {
  const std::uint64_t space = 2 * std::uint64_t{segment_size_of(of.cluster)};
  if (of.local_start.aligned() && of.local_start <= core::lsn::max() - space) return {};
  return core::error{core::errc::invalid_argument,
                     "create timeline: no WAL begins at " + core::to_string(of.local_start)};
}

wal::log_options log_options_of(const timeline_journal::options& where, const acceptor_state& of) {
  return {.directory = where.directory,
          .tenant = of.tenant,
          .timeline = of.timeline,
          .segment_size = segment_size_of(of.cluster),
          .preallocated_bytes = where.preallocated_bytes};
}

/// WAL before it is not needed here: it survives elsewhere, and the pageserver has it.
core::lsn removable_before(const acceptor_state& durable) {
  return std::min({durable.commit_lsn, durable.remote_consistent, std::max(durable.backup_lsn, durable.peer_horizon)});
}

std::string parent_of(const std::string& directory) {
  const auto slash = directory.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : directory.substr(0, slash);
}

/// Feeds `wal` to the decoder. A record counts when all of it was fed: with its padding and, of a segment switch, the
/// rest of the segment.
core::result<void> feed(pg::wal::stream_decoder& decoder, core::bytes_view wal, core::lsn& record_end) {
  const auto fed_to = decoder.position() + wal.size();
  decoder.feed(wal);
  for (;;) {
    STRATA_ASSIGN(const auto record, decoder.next());
    if (!record) break;
    if (record->end <= fed_to) record_end = record->end;
  }
  if (decoder.record_end() <= fed_to) record_end = std::max(record_end, decoder.record_end());
  return {};
}

core::result<void> write_pulled_log(io::disk& on, const timeline_journal::options& where, const acceptor_state& state,
                                    const timeline_journal::wal_source& source) {
  STRATA_ASSIGN(const auto log, wal::log::create(on, log_options_of(where, state), state.local_start));
  core::bytes buffer(wal::log::append_size_max);
  while (source) {
    STRATA_ASSIGN(const auto got, source(log->end(), buffer));
    if (got == 0) break;
    const std::array<core::bytes_view, 1> parts{core::bytes_view(buffer).first(got)};
    STRATA_TRY(log->append(parts));
  }
  if (log->end() < state.commit_lsn)
    return core::error{core::errc::invalid_argument, "create timeline in " + where.directory + ": its WAL ends at " +
                                                         core::to_string(log->end()) + ", before " +
                                                         core::to_string(state.commit_lsn)};
  log->sync();
  return {};
}

}  // namespace

// ---- creating and opening

core::result<std::unique_ptr<timeline_journal>> timeline_journal::create(io::disk& on, const options& where,
                                                                         const acceptor_state& state,
                                                                         const wal_source& wal) {
  if (auto sound = decode_acceptor_state(encode(state)); !sound)
    return core::error{core::errc::invalid_argument, std::move(sound).error().detail};
  STRATA_TRY(check_cluster(state.cluster));
  STRATA_TRY(check_start(state));
  const auto made = on.make_directory(where.directory);
  if (!made && made.error().code != core::errc::conflict) return core::error(made.error());
  if (!made) {
    const auto found = wal::read_control_file(on, where.directory, control_name);
    if (found || found.error().code != core::errc::not_found)
      return core::error{core::errc::conflict, "create timeline: " + where.directory + " has one"};
  }
  on.sync_directory(parent_of(where.directory));
  STRATA_TRY(wal::log::remove(on, where.directory));
  if (state.local_start.valid()) STRATA_TRY(write_pulled_log(on, where, state, wal));
  // From here on it is a timeline.
  STRATA_TRY(wal::replace_control_file(on, where.directory, control_name, encode(state)));
  return open(on, where);
}

core::result<std::unique_ptr<timeline_journal>> timeline_journal::open(io::disk& on, const options& where) {
  STRATA_ASSIGN(const auto payload, wal::read_control_file(on, where.directory, control_name));
  auto read = decode_acceptor_state(payload);
  if (!read) return std::move(read).error().within("open " + where.directory + "/" + control_name);
  const auto& state = *read;
  STRATA_TRY(check_cluster(state.cluster));

  std::shared_ptr<wal::log> log;
  core::lsn flushed;
  if (state.local_start.valid()) {
    STRATA_ASSIGN(log, wal::log::open(on, log_options_of(where, state), state.local_start, state.commit_lsn));
    if (log->begin() > std::max(state.local_start, removable_before(state)))
      return core::error{core::errc::corrupt,
                         "open " + where.directory + ": WAL before " + core::to_string(log->begin()) + " is missing"};
    // Without bytes after commit_lsn there is nothing to decode, and the version may still be unknown.
    flushed = state.commit_lsn;
    if (log->end() > flushed) {
      STRATA_ASSIGN(const auto found, decode_log(*log, state.cluster, flushed));
      flushed = found.record_end;
    }
    STRATA_TRY(log->truncate(flushed));
  }
  return std::unique_ptr<timeline_journal>(
      new timeline_journal(on, where, consensus::acceptor(where.self, state, flushed), std::move(log)));
}

timeline_journal::timeline_journal(io::disk& on, options where, consensus::acceptor machine,
                                   std::shared_ptr<wal::log> log)
    : disk_(on),
      options_(std::move(where)),
      machine_(std::move(machine)),
      log_(std::move(log)),
      persisted_(machine_.state()) {}

// ---- records

/// From `known_end`, the end of a record, to the end of the log.
core::result<timeline_journal::decoded> timeline_journal::decode_log(const wal::log& from,
                                                                     const cluster_identity& cluster,
                                                                     core::lsn known_end) {
  decoded made{pg::wal::stream_decoder({.start = known_end,
                                        .major = static_cast<pg::major_version>(major_of(cluster)),
                                        .segment_size = segment_size_of(cluster),
                                        .system_id = cluster.system_id,
                                        .keeps_records = false}),
               known_end};
  core::bytes buffer(std::min<std::uint64_t>(wal::log::append_size_max, from.end() - known_end));
  while (made.decoder.position() < from.end()) {
    STRATA_ASSIGN(const auto got, from.read(made.decoder.position(), buffer));
    STRATA_TRY(feed(made.decoder, core::bytes_view(buffer).first(got), made.record_end));
  }
  return made;
}

core::result<void> timeline_journal::make_decoder() {
  if (decoded_) return {};
  STRATA_ASSIGN(decoded_, decode_log(*log_, machine_.state().cluster, machine_.flush_lsn()));
  return {};
}

core::result<void> timeline_journal::decode(core::bytes_view wal) {
  return feed(decoded_->decoder, wal, decoded_->record_end);
}

// ---- messages

timeline_journal::outcome timeline_journal::handle(std::span<const incoming> messages) {
  auto done = write(messages);
  if (broken_) return done;
  if (auto flushed = flush(done); !flushed) refuse(done, break_with(std::move(flushed).error()));
  return done;
}

timeline_journal::outcome timeline_journal::sync() {
  outcome done;
  if (broken_)
    refuse(done, {core::errc::unavailable, "make WAL durable: the journal has failed before"});
  else if (auto flushed = flush(done); !flushed)
    refuse(done, break_with(std::move(flushed).error()));
  return done;
}

timeline_journal::outcome timeline_journal::write(std::span<const incoming> messages) {
  outcome done;
  if (broken_) {
    refuse(done, {core::errc::unavailable, "handle a proposer's message: the journal has failed before"});
    return done;
  }
  const auto failed = [&](core::result<void> result) {
    if (!result) refuse(done, break_with(std::move(result).error()));
    return !result;
  };
  for (const auto& next : messages) {
    if (auto sound = check_incoming(next); !sound) {
      refuse(done, std::move(sound).error());
      break;
    }
    // Only appends may wait for those after them.
    const bool waits = std::holds_alternative<consensus::append>(next.message);
    if (!waits && failed(flush(done))) return done;
    auto effects = std::visit([this](const auto& message) { return step(message); }, next.message);
    if (!effects) {
      refuse(done, std::move(effects).error());
      break;
    }
    const bool writes = std::ranges::any_of(
        *effects, [](const auto& each) { return std::holds_alternative<consensus::write_wal>(each); });
    if (writes) {
      if (failed(make_decoder())) return done;
      if (auto sound = decode(next.wal); !sound) {
        if (failed(drop_damaged_wal(done))) return done;
        refuse(done, std::move(sound).error());
        break;
      }
    }
    if (failed(carry_out(*effects, next.wal, done))) return done;
    ++done.taken;
  }
  failed(write_group());
  return done;
}

core::result<void> timeline_journal::check_incoming(const incoming& next) const {
  if (const auto* greeting = std::get_if<consensus::greeting>(&next.message)) {
    STRATA_TRY(check_cluster(greeting->cluster));
    // A log created before the size was known has the default.
    const auto size = greeting->cluster.wal_segment_size;
    if (log_ && size != 0 && size != segment_size_of(machine_.state().cluster))
      return core::error{core::errc::conflict, "handle a proposer's message: its WAL segments have another size"};
  }
  if (const auto* append = std::get_if<consensus::append>(&next.message)) {
    if (append->end < append->begin || next.wal.size() != append->end - append->begin)
      return refused("an append of " + core::to_string(append->begin) + " to " + core::to_string(append->end) +
                     " with " + std::to_string(next.wal.size()) + " bytes");
    if (!next.wal.empty() && machine_.state().cluster.pg_version == 0)
      return refused("WAL of a Postgres of unknown version");
  }
  return {};
}

core::result<consensus::acceptor_effects> timeline_journal::step(const consensus::acceptor_input& input) {
  const std::lock_guard guard(mutex_);
  const auto cluster_before = machine_.state().cluster;
  auto effects = machine_.step(input);
  if (machine_.state().cluster != cluster_before)
    decoded_.reset();  // a new decoder checks the cluster that is known now
  return effects;
}

core::result<void> timeline_journal::carry_out(const consensus::acceptor_effects& effects, core::bytes_view wal,
                                               outcome& into) {
  for (const auto& effect : effects) {
    if (std::holds_alternative<consensus::persist_state>(effect)) {
      STRATA_TRY(persist());
    } else if (std::holds_alternative<consensus::write_wal>(effect)) {
      if (group_bytes_ + wal.size() > wal::log::append_size_max) STRATA_TRY(write_group());
      group_.push_back(wal);
      group_bytes_ += wal.size();
    } else if (const auto* cut = std::get_if<consensus::truncate_wal>(&effect)) {
      STRATA_TRY(truncate(cut->to));
    } else if (const auto* reply = std::get_if<consensus::send_reply>(&effect)) {
      into.replies.push_back(reply->message);
    }
  }
  return {};
}

core::result<void> timeline_journal::write_group() {
  if (group_.empty()) return {};
  auto written = log_->append(group_);
  group_.clear();
  group_bytes_ = 0;
  return written;
}

/// Makes accepted appends durable, and answers the last one.
core::result<void> timeline_journal::flush(outcome& into) {
  STRATA_TRY(write_group());
  if (!machine_.owes_reply()) return {};
  log_->sync();
  STRATA_ASSIGN(const auto effects, step(consensus::wal_flushed{log_->synced(), decoded_->record_end}));
  return carry_out(effects, {}, into);
}

/// The last append has WAL that no Postgres writes. Cuts the log after the last whole record before it: the beginning
/// of the damaged one may be in an earlier append.
core::result<void> timeline_journal::drop_damaged_wal(outcome& into) {
  STRATA_TRY(write_group());
  const auto sound_end = log_->end();
  decoded_.reset();
  STRATA_ASSIGN(const auto sound, decode_log(*log_, machine_.state().cluster, machine_.flush_lsn()));
  log_->sync();
  STRATA_ASSIGN(const auto effects, step(consensus::wal_flushed{sound_end, sound.record_end}));
  STRATA_TRY(carry_out(effects, {}, into));
  STRATA_TRY(log_->truncate(sound.record_end));
  {
    const std::lock_guard guard(mutex_);
    machine_ = consensus::acceptor(options_.self, machine_.state(), sound.record_end);
  }
  return persist();
}

core::result<void> timeline_journal::truncate(core::lsn to) {
  decoded_.reset();
  if (log_) return log_->truncate(to);
  // A crash left it before the timeline was created.
  STRATA_TRY(wal::log::remove(disk_, options_.directory));
  STRATA_ASSIGN(std::shared_ptr<wal::log> made,
                wal::log::create(disk_, log_options_of(options_, machine_.state()), to));
  const std::lock_guard guard(mutex_);
  log_ = std::move(made);
  return {};
}

core::result<void> timeline_journal::persist() {
  STRATA_TRY(wal::replace_control_file(disk_, options_.directory, control_name, encode(machine_.state())));
  persisted_ = machine_.state();
  return {};
}

core::error timeline_journal::break_with(core::error from) {
  broken_ = true;
  group_.clear();
  group_bytes_ = 0;
  return from;
}

void timeline_journal::refuse(outcome& into, core::error why) {
  into.refused = std::move(why);
  into.failed = broken_;
}

// ---- everything else

core::result<void> timeline_journal::tell(const consensus::acceptor_input& event) {
  core::check(std::holds_alternative<consensus::timeline_news>(event) ||
                  std::holds_alternative<consensus::switch_members>(event) ||
                  std::holds_alternative<consensus::bump_term>(event),
              "tell() is for inputs that are no proposer's messages");
  if (broken_) return core::error{core::errc::unavailable, "handle a report: the journal has failed before"};
  STRATA_ASSIGN(const auto effects, step(event));
  outcome unanswered;
  if (auto done = carry_out(effects, {}, unanswered); !done) return break_with(std::move(done).error());
  return {};
}

core::result<void> timeline_journal::remove_wal_before(core::lsn horizon) {
  if (broken_) return core::error{core::errc::unavailable, "remove WAL: the journal has failed before"};
  if (!log_) return {};
  if (auto done = log_->remove_before(std::min(horizon, removable_before(persisted_))); !done)
    return break_with(std::move(done).error());
  return {};
}

core::result<void> timeline_journal::save_positions() {
  if (broken_) return core::error{core::errc::unavailable, "save positions: the journal has failed before"};
  if (machine_.state() == persisted_) return {};
  if (auto done = persist(); !done) return break_with(std::move(done).error());
  return {};
}

void timeline_journal::rest() {
  if (log_ && !broken_) log_->rest();
}

acceptor_position timeline_journal::position() const {
  const std::lock_guard guard(mutex_);
  const auto& state = machine_.state();
  return {.in = state.in,
          .last_log_term = machine_.last_log_term(),
          .write_lsn = machine_.write_lsn(),
          .flush_lsn = machine_.flush_lsn(),
          .commit_lsn = state.commit_lsn,
          .backup_lsn = state.backup_lsn,
          .peer_horizon = state.peer_horizon,
          .remote_consistent = state.remote_consistent,
          .timeline_start = state.timeline_start,
          .local_start = state.local_start,
          .generation = state.members.generation};
}

consensus::acceptor_state timeline_journal::state() const {
  const std::lock_guard guard(mutex_);
  return machine_.state();
}

std::shared_ptr<const wal::log> timeline_journal::log() const {
  const std::lock_guard guard(mutex_);
  return log_;
}

protocol::acceptor_summary summary_of(const timeline_journal& journal) {
  const auto position = journal.position();
  const auto state = journal.state();
  return {state.members.generation, position.in, position.flush_lsn, position.commit_lsn, state.history};
}

}  // namespace strata::journal
