#include "actors/pageserver/tenant_record_writer.hpp"

#include <utility>

namespace strata::actors::pageserver {

void tenant_record_writer::change(edit what, done then) {
  if (closed_) return then(core::error{core::errc::unavailable, "tenant " + record_.name + " is being deleted"});
  changes_.push_back({std::move(what), std::move(then)});
  if (changes_.size() == 1) write_next();
}

void tenant_record_writer::close(std::function<void()> then) {
  closed_ = true;
  if (changes_.empty()) return then();
  when_idle_ = std::move(then);
}

void tenant_record_writer::write_next() {
  storage::tenant_record next = record_;
  changes_.front().what(next);
  jobs_.run(
      "store the record of " + record_.name, [&metadata = metadata_, next] { return metadata.put_tenant(next); },
      [this, next](const core::result<void>& stored) {
        if (stored) record_ = next;
        const request ended = std::move(changes_.front());
        changes_.pop_front();
        if (!changes_.empty()) write_next();
        ended.then(stored);
        if (!changes_.empty()) return;
        if (const auto then = std::exchange(when_idle_, nullptr)) then();
      });
}

}  // namespace strata::actors::pageserver
