#include "actors/pageserver/quorum/safekeeper_membership.hpp"

#include <utility>

#include "actors/pageserver/quorum/safekeeper_assignment.hpp"

namespace strata::actors::pageserver {

void safekeeper_membership::assign(const messages::assign_safekeepers& request, const reply& owed) {
  if (storing_) return waiting_.push_back([this, request, owed] { assign(request, owed); });
  const auto record = store_->record();
  if (record.safekeepers) return owed.answer(safekeepers_of(record));
  store(first_safekeepers(record, request.available), [this, owed](const core::result<void>& done) {
    if (!done) return owed.fail(done.error());
    context_.create_on_safekeepers([this, owed] {
      context_.follow();
      owed.answer(safekeepers_of(store_->record()));
    });
  });
}

void safekeeper_membership::change(const messages::change_safekeepers& request, const reply& owed) {
  if (storing_) return waiting_.push_back([this, request, owed] { change(request, owed); });
  store(next_safekeepers(store_->record(), request.to), [this, owed](const core::result<void>& done) {
    if (!done) return owed.fail(done.error());
    context_.changed();
    context_.follow();
    owed.answer(safekeepers_of(store_->record()));
  });
}

storage::timeline_edit safekeeper_membership::edit_to(const consensus::configuration& to) const {
  const auto record = store_->record();
  storage::timeline_edit edit{.safekeepers = to};
  if (!record.ancestor && !record.safekeepers) edit.quorum_start = store_->last_record_lsn();
  return edit;
}

void safekeeper_membership::store(const core::result<consensus::configuration>& to, runtime::io_jobs::done then) {
  if (!to) return then(to.error());
  if (const auto active = context_.check_active(); !active) return then(active.error());
  storing_ = true;
  jobs_.run(
      "store safekeepers", [store = store_, edit = edit_to(*to)] { return store->update(edit); },
      [this, then = std::move(then)](const core::result<void>& done) {
        storing_ = false;
        then(done);
        for (const auto& next : std::exchange(waiting_, {})) next();
      });
}

}  // namespace strata::actors::pageserver
