#include "actors/pageserver/source_slots.hpp"

#include <memory>
#include <utility>

#include "pg/client/replication_connection.hpp"

namespace strata::actors::pageserver {

void source_slots::drop(const storage::timeline_record& of,
                        std::function<void(std::optional<messages::slot_left>)> then) const {
  const auto& source = *of.source;
  messages::slot_left left{.source = pg::client::redact_conninfo(source.conninfo), .slot = source.slot, .why = {}};
  if (keeps_slot(of)) return then(std::move(left));
  // At another server a slot of that name is not ours. 14 can't show the owner.
  const std::uint64_t system_id = of.major >= pg::major_version::v15 ? of.system_id : 0;
  context_.drop({source.conninfo, source.slot, system_id, core::lsn::max()},
                [note = context_.note, then = std::move(then),
                 left = std::move(left)](const core::result<void>& dropped) mutable {
                  if (dropped) return then(std::nullopt);
                  note("drop slot " + left.slot + " (drop it by hand, it retains WAL)", dropped.error());
                  left.why = dropped.error().detail;
                  then(std::move(left));
                });
}

void source_slots::drop_all(const std::vector<storage::timeline_record>& of,
                            std::function<void(const outcome&)> then) const {
  struct dropping {
    std::size_t missing = 1;
    outcome made;
  };
  auto drops = std::make_shared<dropping>();
  const auto one_less = [drops, then = std::move(then)] {
    if (--drops->missing == 0) then(drops->made);
  };
  for (const storage::timeline_record& record : of) {
    if (!record.source) continue;
    ++drops->missing;
    drop(record, [drops, one_less, record](std::optional<messages::slot_left> left) {
      if (auto later = slot_drop_of(record); left && !left->why.empty() && later) {
        left->remembered = true;
        drops->made.later.push_back(*std::move(later));
      }
      if (left) drops->made.left.push_back(*std::move(left));
      one_less();
    });
  }
  one_less();
}

}  // namespace strata::actors::pageserver
