#include "actors/pageserver/pages/page_connection.hpp"

#include "actors/net/server_session.hpp"
#include "actors/pageserver/pages/page_batch.hpp"
#include "actors/runtime/actor_base.hpp"
#include "actors/runtime/latency.hpp"
#include "pg/wire/commands.hpp"
#include "pg/wire/extended_query.hpp"
#include "pg/wire/frames.hpp"
#include "storage/timeline/timeline_store.hpp"

namespace strata::actors::pageserver {
namespace {

namespace wire = pg::wire;

struct go_on {};
struct startup_overdue {};
/// Check of the backup with this number; so many of its bytes had been sent when the check was scheduled.
struct backup_progress_due {
  std::uint64_t backup;
  std::uint64_t sent;
};
using private_page_connection =
    runtime::socket_owner::extend<messages::accepts<go_on>, messages::accepts<startup_overdue>,
                                  messages::accepts<backup_progress_due>>;

constexpr std::uint64_t backup_progress_min = 64u << 10;

/// The rows of a command, for the extended protocol.
core::result<std::optional<std::string_view>> describe_command(std::string_view query) {
  STRATA_ASSIGN(const auto command, wire::parse_command(query));
  if (std::holds_alternative<wire::lease>(command)) return std::optional<std::string_view>("valid_until");
  return std::optional<std::string_view>();
}

struct page_metrics {
  explicit page_metrics(runtime::metrics& of)
      : pages(of.counter("strata_pages_served_total", "Pages sent to clients of the page service")),
        slow_pages(of.counter("strata_pages_read_from_disk_total", "Pages whose rebuilding had to wait for the disk")),
        read_seconds(of.histogram("strata_page_read_seconds",
                                  "Answering a batch of page requests, with the waits for WAL and the disk",
                                  runtime::latency_buckets())),
        redo_seconds(of.histogram("strata_page_redo_seconds",
                                  "Finding the versions of a batch's pages and replaying their records",
                                  runtime::latency_buckets())) {}
  runtime::counter pages;
  runtime::counter slow_pages;
  runtime::histogram read_seconds;
  runtime::histogram redo_seconds;
};

/// A page stream between its start and its end.
struct page_stream {
  messages::timeline_opened timeline;
  wire::pagestream_version version{};
  std::shared_ptr<page_batch> batch = nullptr;  ///< requests that are not answered yet
  runtime::stopwatch batch_begun = {};
  std::function<void()> after_batch = nullptr;
  bool used = false;     ///< a request has arrived
  bool closing = false;  ///< the client has ended it; answers may be pending
};

/// An archive that is being sent.
struct backup_stream {
  messages::basebackup_actor actor;
  std::uint64_t number = 0;  ///< of the backups of the connection
};

class page_connection final : public runtime::actor_base<private_page_connection> {
 public:
  static constexpr const char* kind = "pageserver.page_connection";
  static constexpr runtime::pool_id pool = runtime::pool_id::page;

  page_connection(const runtime::actor_setup& setup, page_connection_options options)
      : actor_base(setup),
        options_(std::move(options)),
        session_(env().sockets(), std::move(options_.socket)),
        metrics_(env().metrics()) {}

  void on_start() {
    alive_ = self();
    if (auto watched = session_.watch(self()); !watched) quit(watched.error());
    tell(self(), go_on{});
    tell_self_after(options_.startup_limit, startup_overdue{});
  }

 private:
  friend actor_base;
  // -- the socket ---------------------------------------------------------------------------------------------------

  void on(const runtime::socket_ready& event) {
    if (session_.fired(event)) advance();
  }
  void on(const go_on&) { advance(); }
  void on(const startup_overdue&) {
    if (!session_.started()) quit({core::errc::timeout, "a client did not start up in time"});
  }

  void advance() {
    move_on();
    report_use();
  }

  /// For the service, which may close an idle connection. A stream is idle while it waits for the client to send a
  /// request or to read an answer; a stream without any request so far counts as unused.
  void report_use() {
    using enum core::seat_use;
    const auto now = clock().monotonic();
    const auto otherwise = !session_.started() ? fresh : stream_ && stream_->used ? quiet : idle;
    options_.seat->set(busy_ || backup_.actor ? busy : otherwise, now);
    if (std::exchange(bytes_noted_, session_.bytes_sent()) != session_.bytes_sent()) options_.seat->touch(now);
  }

  /// Sends, reads and works until it has to wait for the client or another actor.
  void move_on() {
    using enum net::server_session::step;
    // A client that keeps both directions busy must not keep the thread; ranges count by their pages.
    constexpr int rounds_max = 8;
    constexpr std::size_t turn_pages_max = rounds_max * page_batch::pages_max;
    turn_pages_ = 0;
    for (int round = 0; round < rounds_max && turn_pages_ < turn_pages_max; ++round) {
      if (const auto sent = session_.send(); sent != go_on) return sent == ended ? quit() : void();
      if (backup_.actor && !busy_) ask_for_chunk();
      if (busy_) return;
      work_off_input();
      if (busy_ || session_.output_pending() || session_.closing()) continue;
      if (const auto received = session_.receive(); received != go_on) return received == ended ? quit() : void();
    }
    tell(self(), pageserver::go_on{});
  }

  void put(core::bytes responses) {
    if (session_.output().empty())
      session_.output() = std::move(responses);
    else
      core::append(session_.output(), responses);
  }

  // -- the protocol -------------------------------------------------------------------------------------------------

  /// Handles complete frames until none is left or one of them has to wait.
  void work_off_input() {
    while (!busy_ && !session_.output_pending()) {
      const auto frame = session_.next_frame();
      if (!frame) break;
      const frame_fate fate = handle_frame(*frame);
      if (fate == frame_fate::left) break;
      session_.consume(*frame);
      if (fate == frame_fate::batched && !stream_->batch->full()) continue;
      serve_batch();
    }
    serve_batch();
  }

  enum class frame_fate : std::uint8_t {
    handled,
    batched,  ///< it is a request of the batch now
    left,     ///< not consumed: the batch has no room for it, and is served first
  };
  frame_fate handle_frame(const wire::frame& frame) {
    if (stream_) return stream(frame);
    if (session_.started())
      idle(frame);
    else
      session_.welcome("15.0 (Strata)");
    return frame_fate::handled;
  }

  void idle(const wire::frame& frame) {
    if (frame.kind == wire::frame_kind::terminate) {
      session_.close();
      return;
    }
    if (wire::extended_query::is_message(frame.kind)) {
      const auto command = extended_.take(frame, session_.output());
      simple_ = false;
      if (command) run(*command);
      return;
    }
    if (extended_.skipping()) return;
    simple_ = true;
    switch (frame.kind) {
      case wire::frame_kind::query: return run({reinterpret_cast<const char*>(frame.body.data()), frame.body.size()});
      case wire::frame_kind::unsupported:
        return refuse({core::errc::unsupported, "the page service does not support function calls"});
      default: return;  // left over from a stream that has ended
    }
  }

  void run(std::string_view query) {
    auto command = wire::parse_command(query);
    if (!command) return refuse(command.error());
    if (const auto* opened = std::get_if<wire::open_pagestream>(&*command)) return open_stream(*opened);
    if (const auto* backup = std::get_if<wire::send_backup>(&*command)) return start_backup(*backup);
    if (const auto* lease = std::get_if<wire::lease>(&*command)) return take_lease(*lease);
    complete("SELECT 1");
  }

  /// After a simple query the client may continue; in the extended protocol the answer to its Sync says so.
  void complete(std::string_view tag) {
    wire::append_command_complete(session_.output(), tag);
    if (simple_) wire::append_ready_for_query(session_.output());
  }
  void refuse(const core::error& why) {
    wire::append_error(session_.output(), wire::sqlstate_of(why.code), why.detail);
    if (simple_)
      wire::append_ready_for_query(session_.output());
    else
      extended_.failed();
  }

  // -- waiting for other actors: busy_ keeps the socket unread until then ---------------------------------------------

  template <class Handle, class Request, class Then>
  void ask_busy(const Handle& to, Request request, Then then) {
    busy_ = true;
    ask(to, std::move(request), [this, then = std::move(then)](auto answer) {
      busy_ = false;
      then(std::move(answer));
      advance();
    });
  }
  template <class Function, class Then>
  void offload_busy(std::string what, Function function, Then then) {
    busy_ = true;
    offload(runtime::pool_id::io, std::move(what), std::move(function), [this, then = std::move(then)](auto answer) {
      busy_ = false;
      then(std::move(answer));
      advance();
    });
  }

  // -- pages --------------------------------------------------------------------------------------------------------

  void open_stream(const wire::open_pagestream& command) {
    ask_busy(options_.tenants, messages::open_timeline{command.tenant, command.timeline},
             [this, version = command.version](core::result<messages::timeline_opened> opened) {
               if (!opened) return refuse(opened.error());
               stream_.emplace(page_stream{.timeline = *std::move(opened), .version = version});
               wire::append_copy_both_response(session_.output());
             });
  }

  void end_stream() {
    stream_.reset();
    wire::append_copy_done(session_.output());
    complete("COPY 0");
  }

  frame_fate stream(const wire::frame& frame) {
    using enum frame_fate;
    switch (frame.kind) {
      case wire::frame_kind::copy_data: break;
      case wire::frame_kind::copy_done:
      case wire::frame_kind::copy_fail:
        serve_batch();
        stream_->closing = true;
        finish_stream();
        return handled;
      case wire::frame_kind::terminate: session_.close(); return handled;
      default: return handled;
    }
    auto request = wire::parse_request(frame.body, stream_->version);
    stream_->used = stream_->used || request;
    if (!request) {
      serve_then([this, echo = wire::echo_of(frame.body, stream_->version), why = request.error()] {
        wire::append_request_error(session_.output(), stream_->version, echo, why);
      });
      return handled;
    }
    if (request->kind == wire::request_kind::page || request->kind == wire::request_kind::range) {
      if (!stream_->batch) stream_->batch = std::make_shared<page_batch>(stream_->timeline.store, stream_->version);
      if (!stream_->batch->has_room_for(*request)) return left;
      stream_->batch->add(*request);
      return batched;
    }
    serve_then([this, asked = *request] { serve_metadata(asked); });
    return handled;
  }

  /// The batch collected so far is answered first, so that responses keep the order of the requests.
  void serve_then(std::function<void()> next) {
    stream_->after_batch = std::move(next);
    if (!stream_->batch) run_after_batch();
  }
  void run_after_batch() {
    if (auto next = std::exchange(stream_->after_batch, nullptr)) next();
  }
  void finish_stream() {
    if (!busy_ && !stream_->batch && stream_->closing) end_stream();
  }

  void serve_batch() {
    if (busy_ || !stream_ || !stream_->batch) return;
    stream_->batch_begun = runtime::stopwatch();
    const core::lsn awaited = stream_->batch->awaited();
    if (!awaited.valid()) return read_batch();
    ask_busy(stream_->timeline.actor, messages::wait_lsn{awaited, options_.wait_lsn_timeout},
             [this](core::result<messages::lsn_reached> reached) {
               if (reached) return read_batch();
               put(stream_->batch->fail(reached.error()));
               batch_done();
             });
  }

  void read_batch() {
    const runtime::stopwatch watch;
    const bool complete = stream_->batch->read(storage::read_mode::memory_only);
    if (complete) {
      metrics_.redo_seconds.observe(watch.elapsed());
      return send_batch();
    }
    metrics_.slow_pages.add(static_cast<double>(stream_->batch->pages()));
    offload_busy(
        "read pages",
        [batch = stream_->batch, seconds = metrics_.redo_seconds]() mutable -> core::result<void> {
          const runtime::stopwatch again;
          batch->read(storage::read_mode::may_block);
          seconds.observe(again.elapsed());
          return {};
        },
        [this](const core::result<void>& read) {
          if (read) return send_batch();
          put(stream_->batch->fail(read.error()));
          batch_done();
        });
  }

  void send_batch() {
    metrics_.pages.add(static_cast<double>(stream_->batch->pages()));
    turn_pages_ += stream_->batch->pages();
    metrics_.read_seconds.observe(stream_->batch_begun.elapsed());
    put(stream_->batch->take_responses());
    batch_done();
  }

  void batch_done() {
    stream_->batch.reset();
    run_after_batch();
    finish_stream();
  }

  void serve_metadata(const wire::pagestream_request& request) {
    const auto position = wire::position_of(request, stream_->timeline.store->last_record_lsn());
    if (!position || !position->wait) return answer_metadata(request);
    ask_busy(stream_->timeline.actor, messages::wait_lsn{position->at, options_.wait_lsn_timeout},
             [this, request](core::result<messages::lsn_reached> reached) {
               if (reached) return answer_metadata(request);
               wire::append_request_error(session_.output(), stream_->version, request, reached.error());
               finish_stream();
             });
  }

  void answer_metadata(const wire::pagestream_request& request) {
    offload_busy(
        "answer a request",
        [store = stream_->timeline.store, version = stream_->version, request]() -> core::result<core::bytes> {
          core::bytes response;
          answer_request(*store, version, request, response);
          return response;
        },
        [this](core::result<core::bytes> response) {
          if (response)
            put(*std::move(response));
          else
            quit(response.error());
          finish_stream();
        });
  }

  // -- backups and leases -------------------------------------------------------------------------------------------

  void start_backup(const wire::send_backup& command) {
    messages::start_backup request{command.tenant, command.timeline, command.at,
                                   command.full ? messages::backup_kind::full : messages::backup_kind::compute,
                                   command.gzip};
    ask_busy(options_.backups, request, [this](core::result<messages::backup_started> started) {
      if (!started) return refuse(started.error());
      wire::append_copy_out_response(session_.output());
      backup_ = {started->actor, backup_.number + 1};
      look_at_progress();
    });
  }

  void look_at_progress() {
    tell_self_after(options_.backup_progress_limit, backup_progress_due{backup_.number, session_.bytes_sent()});
  }
  void on(const backup_progress_due& then) {
    if (!backup_.actor || then.backup != backup_.number) return;
    // While a chunk is being written the client is not the slow side.
    if (session_.output_pending() && session_.bytes_sent() - then.sent < backup_progress_min)
      return quit({core::errc::timeout, "a client does not read the archive that it requested"});
    look_at_progress();
  }

  /// Called when all earlier output was sent, so that at most one chunk is in memory.
  void ask_for_chunk() {
    ask_busy(backup_.actor, messages::next_chunk{}, [this](core::result<messages::backup_chunk> chunk) {
      if (!chunk) {
        backup_.actor = nullptr;
        return refuse(chunk.error());
      }
      if (!chunk->bytes->empty()) {
        wire::append_copy_data_header(session_.output(), chunk->bytes->size());
        core::append(session_.output(), *chunk->bytes);
        return;
      }
      backup_.actor = nullptr;
      wire::append_copy_done(session_.output());
      complete("COPY 0");
    });
  }

  void take_lease(const wire::lease& command) {
    ask_busy(options_.tenants, messages::open_timeline{command.tenant, command.timeline},
             [this, at = command.at](core::result<messages::timeline_opened> opened) {
               if (!opened) return refuse(opened.error());
               ask_busy(opened->actor, messages::lease_lsn{at}, [this](core::result<messages::lsn_leased> leased) {
                 if (simple_) wire::append_row_description(session_.output(), "valid_until");
                 if (leased) {
                   const auto since_1970 = leased->valid_until.time_since_epoch();
                   wire::append_data_row(
                       session_.output(),
                       std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count()));
                 } else {
                   wire::append_data_row(session_.output(), std::nullopt);
                 }
                 complete("SELECT 1");
               });
             });
  }

  page_connection_options options_;
  net::server_session session_;
  /// Keeps the connection alive until it quits.
  runtime::socket_owner alive_;
  page_metrics metrics_;
  bool busy_ = false;           ///< another actor's answer is pending
  std::size_t turn_pages_ = 0;  ///< served since move_on() began
  wire::extended_query extended_{describe_command};
  bool simple_ = true;  ///< the protocol of the command in progress

  std::uint64_t bytes_noted_ = 0;  ///< bytes_sent() when the seat was touched last

  std::optional<page_stream> stream_;
  backup_stream backup_;
};

}  // namespace

runtime::socket_owner spawn_page_connection(caf::actor_system& system, page_connection_options options) {
  auto label = options.label;
  return runtime::spawn<page_connection>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver

STRATA_LOCAL_MESSAGE(strata::actors::pageserver::go_on)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::startup_overdue)
STRATA_LOCAL_MESSAGE(strata::actors::pageserver::backup_progress_due)
