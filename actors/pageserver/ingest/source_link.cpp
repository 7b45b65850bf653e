#include "actors/pageserver/ingest/source_link.hpp"

namespace strata::actors::pageserver {

core::result<void> source_link::carry_out(const session_command& command, const std::string& slot) {
  if (std::holds_alternative<send_identify_system>(command)) return connection().identify_system();
  if (const auto* show = std::get_if<send_show>(&command)) return connection().show(show->setting);
  if (const auto* create = std::get_if<send_create_slot>(&command))
    return connection().create_physical_slot(slot, create->for_this_connection ? pg::client::slot_lifetime::connection
                                                                               : pg::client::slot_lifetime::permanent);
  if (std::holds_alternative<send_drop_slot>(command)) return connection().drop_slot(slot);
  if (std::holds_alternative<send_read_slot>(command)) return connection().read_slot(slot);
  if (const auto* history = std::get_if<send_show_history>(&command))
    return connection().show_history(history->source_timeline);
  if (std::holds_alternative<send_start_backup>(command)) return connection().start_backup();
  if (const auto* stream = std::get_if<send_start_replication>(&command))
    return connection().start_replication(slot, stream->from, stream->source_timeline);
  return {};
}

}  // namespace strata::actors::pageserver
