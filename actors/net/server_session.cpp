#include "actors/net/server_session.hpp"

namespace strata::actors::net {

namespace wire = pg::wire;

server_session::server_session(runtime::socket_watcher& sockets, io::unique_fd fd)
    : socket_(std::make_shared<client_socket>(sockets, std::move(fd), wire::frame_size_max + 16)) {}

server_session::step server_session::send() {
  // A client that pipelines has sent its next requests while these were answered.
  if (socket_->output_pending()) socket_->expect_input();
  switch (socket_->send()) {
    case client_socket::outcome::closed: return step::ended;
    case client_socket::outcome::nothing: socket_->rearm({.write = true}); return step::wait;
    case client_socket::outcome::something: break;
  }
  return closing() ? step::ended : step::go_on;
}

server_session::step server_session::receive() {
  switch (socket_->receive()) {
    case client_socket::outcome::closed: return step::ended;
    case client_socket::outcome::nothing: socket_->rearm({.read = true}); return step::wait;
    case client_socket::outcome::something: break;
  }
  return step::go_on;
}

std::optional<wire::frame> server_session::next_frame() {
  while (!closing()) {
    const auto frame = wire::parse_frame(socket_->input(), started());
    if (!frame) {
      wire::append_error(output(), "08P01", frame.error().detail, true);
      close();
      break;
    }
    if (!*frame || started() || (*frame)->kind == wire::frame_kind::startup) return *frame;
    consume(**frame);
    if ((*frame)->kind == wire::frame_kind::ssl_request || (*frame)->kind == wire::frame_kind::gss_request)
      output().push_back('N');
    else
      close();
  }
  return std::nullopt;
}

void server_session::welcome(std::string_view server_version, const parameters& more) {
  wire::append_authentication_ok(output());
  wire::append_parameter_status(output(), "server_version", server_version);
  wire::append_parameter_status(output(), "client_encoding", "UTF8");
  wire::append_parameter_status(output(), "integer_datetimes", "on");
  wire::append_parameter_status(output(), "standard_conforming_strings", "on");
  for (const auto& [name, value] : more) wire::append_parameter_status(output(), name, value);
  wire::append_ready_for_query(output());
  state_ = state::ready;
}

void server_session::end(const core::error& why) {
  wire::append_error(output(), wire::sqlstate_of(why.code), why.detail, true);
  close();
}

std::shared_ptr<client_socket> server_session::hand_over() {
  socket_->let_go();
  return std::move(socket_);
}

}  // namespace strata::actors::net
