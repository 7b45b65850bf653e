#include "actors/safekeeper/timelines.hpp"

#include <functional>
#include <map>

#include "actors/runtime/actor_base.hpp"
#include "consensus/membership_change.hpp"

namespace strata::actors::safekeeper {
namespace {

using core::timeline_key;
using messages::wal_timeline_info;
using runtime::pool_id;
using runtime::reply;

std::string label_of(const core::timeline_key& key) {
  return core::to_string(key.tenant).substr(0, 8) + "/" + core::to_string(key.timeline).substr(0, 8);
}

class timelines final : public runtime::actor_base<timelines_actor> {
 public:
  static constexpr const char* kind = "safekeeper.timelines";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  timelines(const runtime::actor_setup& setup, timelines_options options)
      : actor_base(setup),
        options_(std::move(options)),
        donors_(options_.ask, [this](std::string what, donor_search::question ask, donor_search::outcome then) {
          offload(pool_id::io, std::move(what), std::move(ask), std::move(then));
        }) {}

  void on_start() { load(); }

  void on_stop() {
    stopping_ = true;
    stop_children([this] { quit(); });
  }

 private:
  friend actor_base;
  using waiter = std::function<void(const core::result<wal_timeline_opened>&)>;
  struct entry {
    std::shared_ptr<journal::timeline_view> view;  ///< null until it is open
    acceptor_actor acceptor;
    bool opening = false;
    bool deleting = false;
    bool everywhere = false;      ///< delete_wal_timeline
    std::vector<waiter> waiting;  ///< requests until it is open
    std::vector<reply<messages::done>> deletions;
    std::string broken;
    bool never_made = false;  ///< a crash has left the directory of a timeline whose creation was not acknowledged
  };

  // -- opening

  void load() {
    describe("loading");
    offload(
        pool_id::io, "load timelines", [directory = options_.directory] { return directory->load(); },
        [this](core::result<std::vector<core::timeline_key>> found) {
          if (!found) return quit(core::error(found.error()).within("load timelines"));
          loaded_ = true;
          describe("");
          for (const auto& key : *found) {
            entries_[key];
            open_files(key);
          }
          for (const auto& each : std::exchange(waiting_for_load_, {})) each();
        });
  }

  /// When the role has just started, requests come before the directory was read.
  bool postpone(std::function<void()> again) {
    if (loaded_) return false;
    waiting_for_load_.push_back(std::move(again));
    return true;
  }

  void open_files(const core::timeline_key& key) {
    entries_[key].opening = true;
    offload(
        pool_id::io, "open a timeline", [directory = options_.directory, key] { return directory->open(key); },
        [this, key](core::result<std::unique_ptr<journal::timeline_journal>> opened) {
          files_opened(key, std::move(opened));
        });
  }
  void create_files(const core::timeline_key& key, const consensus::acceptor_state& state) {
    entries_[key].opening = true;
    offload(
        pool_id::io, "create a timeline", [directory = options_.directory, state] { return directory->create(state); },
        [this, key](core::result<std::unique_ptr<journal::timeline_journal>> made) {
          const bool nothing_there = !made;
          files_opened(key, std::move(made));
          if (nothing_there && !entries_[key].deleting) entries_.erase(key);
        });
  }

  void files_opened(const core::timeline_key& key, core::result<std::unique_ptr<journal::timeline_journal>> opened) {
    entry& of = entries_[key];
    of.opening = false;
    of.never_made = !opened && opened.error().code == core::errc::not_found;
    if (opened) {
      of.broken.clear();
      of.view = std::make_shared<journal::timeline_view>(key, *std::move(opened));
      if (!stopping_) start_acceptor(key, of);
    } else {
      of.broken = core::to_string(opened.error());
      note_error("open timeline " + label_of(key), opened.error());
    }
    const auto outcome = opened ? core::result<wal_timeline_opened>(wal_timeline_opened{of.acceptor, of.view})
                                : core::result<wal_timeline_opened>(opened.error());
    for (const auto& each : std::exchange(of.waiting, {})) each(outcome);
    if (of.deleting) close_for_deletion(key);
  }

  void start_acceptor(const core::timeline_key& key, entry& of) {
    of.acceptor = spawn_wal_acceptor(system(), {.label = child_label(label_of(key)),
                                                .journal = options_.directory->where(key),
                                                .view = of.view,
                                                .around = options_.around});
    tell(options_.around.exchange, enter_exchange{key, of.acceptor});
    adopt(of.acceptor, [this, key](const core::error&) { acceptor_ended(key); });
  }

  void acceptor_ended(const core::timeline_key& key) {
    tell(options_.around.exchange, leave_exchange{key});
    const auto found = entries_.find(key);
    if (found == entries_.end() || stopping_) return;
    found->second.acceptor = nullptr;
    found->second.view = nullptr;
    if (found->second.deleting) close_for_deletion(key);
  }

  /// Calls back with the open timeline, now or later.
  void with_open(const core::timeline_key& key, waiter then) {
    if (postpone([this, key, then] { with_open(key, then); })) return;
    const auto found = entries_.find(key);
    if (stopping_) return then(core::error{core::errc::unavailable, "the safekeeper is stopping"});
    if (found == entries_.end() || found->second.deleting)
      return then(core::error{core::errc::not_found, "timeline " + core::to_string(key.timeline) + " of tenant " +
                                                         core::to_string(key.tenant) + " is not on this safekeeper"});
    entry& of = found->second;
    if (of.view && of.acceptor) return then(wal_timeline_opened{of.acceptor, of.view});
    of.waiting.push_back(std::move(then));
    if (!of.opening) open_files(key);
  }

  void with_created(const consensus::acceptor_state& state, const waiter& then) {
    if (postpone([this, state, then] { with_created(state, then); })) return;
    const core::timeline_key key{state.tenant, state.timeline};
    const auto found = entries_.find(key);
    const bool none =
        found == entries_.end() || (found->second.never_made && !found->second.opening && !found->second.deleting);
    if (none && !stopping_) {
      entries_[key].waiting.push_back(then);
      return create_files(key, state);
    }
    with_open(key, then);
  }

  void on(const open_wal_timeline& request, reply<wal_timeline_opened> owed) {
    const auto answer = [owed](const core::result<wal_timeline_opened>& opened) { owed.answer(opened); };
    if (request.create)
      with_created(*request.create, answer);
    else
      with_open(request.of, answer);
  }

  // -- requests that are forwarded to the acceptor

  template <class Request, class Reply>
  void pass_on(const core::timeline_key& key, const Request& request, reply<Reply> owed) {
    with_open(key, [request, owed](const core::result<wal_timeline_opened>& opened) {
      if (opened)
        owed.pass_to(opened->acceptor, request);
      else
        owed.fail(opened.error());
    });
  }
  void on(const messages::get_wal_timeline& request, reply<wal_timeline_info> owed) {
    pass_on(request.of, request, owed);
  }
  void on(const messages::switch_wal_members& request, reply<wal_timeline_info> owed) {
    pass_on(request.of, request, owed);
  }
  void on(const messages::bump_wal_term& request, reply<wal_timeline_info> owed) { pass_on(request.of, request, owed); }
  void on(const messages::checkpoint_wal_timeline& request, reply<wal_timeline_info> owed) {
    pass_on(request.of, request, owed);
  }
  void on(const messages::digest_wal& request, reply<messages::wal_digest> owed) { pass_on(request.of, request, owed); }

  void on(const messages::list_wal_timelines&, reply<messages::wal_timeline_list> owed) {
    if (postpone([this, owed] { on(messages::list_wal_timelines{}, owed); })) return;
    struct collecting {
      messages::wal_timeline_list list;
      std::size_t awaited = 0;
    };
    auto collected = std::make_shared<collecting>();
    for (const auto& [key, of] : entries_) {
      if (of.acceptor) {
        ++collected->awaited;
        ask(of.acceptor, messages::get_wal_timeline{key}, [collected, owed](core::result<wal_timeline_info> info) {
          if (info) collected->list.timelines.push_back(*std::move(info));
          if (--collected->awaited == 0) owed.deliver(std::move(collected->list));
        });
      } else {
        wal_timeline_info unreadable;
        unreadable.state.tenant = key.tenant;
        unreadable.state.timeline = key.timeline;
        unreadable.condition = of.deleting ? "deleting" : of.opening ? "opening" : "broken: " + of.broken;
        collected->list.timelines.push_back(std::move(unreadable));
      }
    }
    if (collected->awaited == 0) owed.deliver(std::move(collected->list));
  }

  void on(const messages::create_wal_timeline& request, reply<wal_timeline_info> owed) {
    with_created(request.state, [request, owed](const core::result<wal_timeline_opened>& opened) {
      if (!opened) return owed.fail(opened.error());
      const auto cluster = opened->view->journal()->state().cluster;
      if (cluster.system_id != request.state.cluster.system_id && cluster.system_id != 0)
        return owed.fail({core::errc::conflict, "the timeline exists and belongs to another cluster"});
      owed.pass_to(opened->acceptor, messages::get_wal_timeline{opened->view->key()});
    });
  }

  // -- a copy from another safekeeper

  void on(const messages::pull_wal_timeline& request, reply<wal_timeline_info> owed) {
    donors_.find(request, [this, of = request.of, owed](core::result<messages::wal_donor> donor) {
      if (!donor) return owed.fail(donor.error());
      core::log_info("pulling timeline " + core::to_string(of.timeline) + " from " + donor->wal_address);
      fetch_from(*std::move(donor), owed);
    });
  }

  void fetch_from(messages::wal_donor donor, reply<wal_timeline_info> owed) {
    // It must begin with whole records. Where the donor has removed segments, the pageserver's position is the oldest
    // known end of a record after them.
    consensus::acceptor_state state = donor.state;
    if (donor.wal_begin > donor.state.local_start) state.local_start = donor.state.remote_consistent;
    state.history = donor.state.history.up_to(state.local_start);
    state.in = state.history.last_term();
    state.commit_lsn = state.local_start;
    with_created(state, [request = fetch_wal{std::move(donor)}, owed](const core::result<wal_timeline_opened>& opened) {
      if (opened)
        owed.pass_to(opened->acceptor, request);
      else
        owed.fail(opened.error());
    });
  }

  void on(const messages::get_wal_disk&, reply<messages::wal_disk_info> owed) {
    messages::wal_disk_info info;
    info.timelines = entries_.size();
    info.reserve_bytes = options_.around.disk_reserve;
    for (const auto& [key, of] : entries_)
      if (const auto log = of.view ? of.view->journal()->log() : nullptr) info.wal_bytes += log->size_bytes();
    offload(
        pool_id::io, "read the free disk space", [directory = options_.directory] { return directory->free_bytes(); },
        [info, owed](const core::result<std::uint64_t>& free) mutable {
          if (!free) return owed.fail(free.error());
          info.free_bytes = *free;
          owed.deliver(info);
        });
  }

  // -- deletion

  void on(const messages::delete_wal_timeline& request, reply<messages::done> owed) {
    if (postpone([this, request, owed] { on(request, owed); })) return;
    entry& of = entries_[request.of];
    of.deletions.push_back(owed);
    of.everywhere = of.everywhere || request.everywhere;
    if (std::exchange(of.deleting, true)) return;
    close_for_deletion(request.of);
  }

  void close_for_deletion(const core::timeline_key& key) {
    const entry& of = entries_[key];
    if (of.opening) return;                     // continues when it is open
    if (of.acceptor) return stop(of.acceptor);  // and when it has ended
    offload(
        pool_id::io, "delete a timeline",
        [directory = options_.directory, key,
         backup = of.everywhere ? options_.around.backup : nullptr]() -> core::result<void> {
          STRATA_TRY(directory->remove(key));
          return backup ? backup->remove_all(key) : core::result<void>();
        },
        [this, key](const core::result<void>& removed) {
          const auto found = entries_.find(key);
          for (const auto& each : found->second.deletions) each.answer(removed);
          if (!removed) {
            note_error("delete timeline " + label_of(key), removed.error());
            found->second.broken = core::to_string(removed.error());
            found->second.deletions.clear();
            found->second.deleting = false;
          } else {
            entries_.erase(found);
          }
        });
  }

  /// Two steps, in this order: no proposer that still counts on this safekeeper may get an answer after its copy is
  /// gone.
  void on(const messages::exclude_wal_member& request, reply<messages::wal_member_excluded> owed) {
    if (const auto left_out = consensus::check_left_out(options_.around.self, request.to); !left_out)
      return owed.fail(left_out.error());
    ask(self(), messages::switch_wal_members{request.of, request.to},
        [this, request, owed](const core::result<wal_timeline_info>& installed) {
          if (installed) return delete_excluded(request, installed->state.members, owed);
          // Deleted before, or never here: the second step may be repeated.
          if (installed.error().code == core::errc::not_found) return delete_excluded(request, std::nullopt, owed);
          owed.fail(installed.error());
        });
  }

  void delete_excluded(const messages::exclude_wal_member& request,
                       const std::optional<consensus::configuration>& installed,
                       const reply<messages::wal_member_excluded>& owed) {
    // A proposer may have brought a newer configuration since the first step was answered.
    const auto found = entries_.find(request.of);
    const bool is_open = found != entries_.end() && found->second.view;
    const auto newest =
        is_open ? found->second.view->journal()->state().members : installed.value_or(consensus::configuration());
    if (const auto allowed = consensus::check_deletion(options_.around.self, request.to, newest); !allowed)
      return owed.fail(allowed.error());
    ask(self(), messages::delete_wal_timeline{.of = request.of},
        [had_timeline = installed.has_value(), owed](const core::result<void>& removed) {
          if (!removed) return owed.fail(removed.error());
          owed.deliver({had_timeline});
        });
  }

  void on(const messages::delete_wal_tenant& request, reply<messages::done> owed) {
    if (postpone([this, request, owed] { on(request, owed); })) return;
    struct pending {
      std::size_t awaited = 1;
      std::optional<core::error> failure;
    };
    auto removing = std::make_shared<pending>();
    const auto one_less = [removing, owed](const core::result<void>& removed) {
      if (!removed) removing->failure = removed.error();
      if (--removing->awaited > 0) return;
      if (removing->failure)
        owed.fail(*removing->failure);
      else
        owed.deliver();
    };
    for (const auto& [key, of] : entries_) {
      if (key.tenant != request.of) continue;
      ++removing->awaited;
      ask(self(), messages::delete_wal_timeline{.of = key}, one_less);
    }
    one_less({});
  }

  timelines_options options_;
  donor_search donors_;
  std::map<core::timeline_key, entry> entries_;
  std::vector<std::function<void()>> waiting_for_load_;
  bool loaded_ = false;
  bool stopping_ = false;
};

}  // namespace

timelines_actor spawn_timelines(caf::actor_system& system, timelines_options options) {
  auto label = options.label;
  return runtime::spawn<timelines>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::safekeeper
