#include "actors/pageserver/tenant_record_writer.hpp"

#include <utility>

namespace strata::actors::pageserver {

void tenant_record_writer::put(storage::tenant_record record, done then) {
  if (closed_) return then(core::error{core::errc::unavailable, "tenant " + record.name + " is being deleted"});
  changes_.push_back({std::move(record), std::move(then)});
  if (changes_.size() == 1) write_next();
}

void tenant_record_writer::close(std::function<void()> then) {
  closed_ = true;
  if (changes_.empty()) return then();
  when_idle_ = std::move(then);
}

void tenant_record_writer::write_next() {
  const storage::tenant_record& next = changes_.front().record;
  jobs_.run(
      "store the options of " + next.name, [&metadata = metadata_, next] { return metadata.put_tenant(next); },
      [this](const core::result<void>& stored) {
        const change ended = std::move(changes_.front());
        changes_.pop_front();
        if (!changes_.empty()) write_next();
        ended.then(stored);
        if (!changes_.empty()) return;
        if (const auto then = std::exchange(when_idle_, nullptr)) then();
      });
}

}  // namespace strata::actors::pageserver
