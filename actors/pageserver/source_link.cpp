#include "actors/pageserver/source_link.hpp"

namespace strata::actors::pageserver {

void source_link::adopt(pg::client::replication_connection connection) {
  close();
  connection_.emplace(std::move(connection));
}

void source_link::close() {
  if (watched_fd_ >= 0) sockets_.forget(token_);
  watched_fd_ = -1;
  connection_.reset();
}

core::result<void> source_link::arm(const support::socket_owner& owner) {
  const int fd = connection_->fd();
  const support::socket_events wanted{.read = connection_->wants_read(), .write = connection_->wants_write()};
  if (fd == watched_fd_) {
    sockets_.rearm(token_, wanted);
    return {};
  }
  if (watched_fd_ >= 0) sockets_.forget(token_);
  watched_fd_ = -1;
  STRATA_ASSIGN(token_, sockets_.watch(fd, wanted, owner));
  watched_fd_ = fd;
  return {};
}

core::result<void> source_link::carry_out(const session_command& command, const std::string& slot) {
  if (std::holds_alternative<send_identify_system>(command)) return connection_->identify_system();
  if (const auto* show = std::get_if<send_show>(&command)) return connection_->show(show->setting);
  if (std::holds_alternative<send_create_slot>(command)) return connection_->create_physical_slot(slot);
  if (std::holds_alternative<send_start_backup>(command)) return connection_->start_backup();
  if (const auto* stream = std::get_if<send_start_replication>(&command))
    return connection_->start_replication(slot, stream->from, stream->source_timeline);
  return {};
}

}  // namespace strata::actors::pageserver
