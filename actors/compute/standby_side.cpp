#include "actors/compute/standby_side.hpp"

#include <utility>

#include "host/standby_settings.hpp"

namespace strata::actors::compute {

using host::agent_state;

void standby_side::choose_start() {
  jobs_.run(
      "ask where a standby begins", [branch = context_.branch] { return branch->standby_start(); },
      [this](const core::result<host::standby_place>& found) {
        if (context_.state() != agent_state::waiting_for_pageserver) return;
        if (!found && found.error().code == core::errc::not_found) return context_.step(branch_deleted{});
        if (!found) return context_.step(step_failed{found.error()});
        place_ = *found;
        context_.step(start_chosen{found->at});
      });
}

void standby_side::restore(branch_directory& into) {
  struct parts {
    host::standby_directory directory;
    io::unique_fd listener;  ///< none: there is a feed already
  };
  const auto made = std::make_shared<parts>();
  into.create_by(
      [made, of = context_.branch, from = place_, sockets = context_.socket_directory, needs_listener = !has_feed_](
          const std::string& path,
          const branch_directory::progress& progress) -> core::result<branch_directory::directory> {
        STRATA_ASSIGN(made->directory, of->restore_standby(from, path, progress));
        STRATA_TRY(of->lease(from.at));
        if (needs_listener) {
          STRATA_ASSIGN(made->listener, host::listen_for_standby(sockets));
        }
        return made->directory.pages;
      },
      [this, made, at = place_.at](const core::result<branch_directory::directory>& done) {
        if (context_.state() != agent_state::restoring) return;
        if (!done) return context_.step(step_failed{done.error()});
        if (made->listener) {
          context_.start_feed(std::move(made->listener));
          has_feed_ = true;
        }
        progress_.begin();
        const auto& of = made->directory;
        context_.follow(follow_from{of.view, of.system_id, of.timeline, of.major});
        context_.restored(*done, at);
      });
}

void standby_side::look() {
  if (has_feed_) context_.ask_feed([this](feed_status status) { progress_.told_by_feed(std::move(status)); });
}

void standby_side::head_is(core::lsn reached) {
  if (!has_feed_) return;
  progress_.told_by_server(reached, context_.now());
  context_.report_head(reached);
}

}  // namespace strata::actors::compute
