#include "pg/wire/replication_messages.hpp"

#include "pg/wire/frames.hpp"

namespace strata::pg::wire {
namespace {

core::error corrupt(std::string what) {
  return {core::errc::corrupt, "read a message of a replication client: " + std::move(what)};
}

core::result<client_message> parse_status(core::byte_reader from) {
  standby_status status;
  status.written = core::lsn(from.be<std::uint64_t>());
  status.flushed = core::lsn(from.be<std::uint64_t>());
  status.applied = core::lsn(from.be<std::uint64_t>());
  from.skip(sizeof(timestamp));
  status.reply_requested = from.be<std::uint8_t>() != 0;
  if (!from.finished()) return corrupt("a status of the wrong size");
  return client_message(status);
}

}  // namespace

core::result<client_message> parse_client_message(core::bytes_view payload) {
  core::byte_reader reader(payload);
  const auto tag = reader.be<std::uint8_t>();
  if (!reader.ok()) return corrupt("it is empty");
  switch (tag) {
    case 'r': return parse_status(reader);
    case 'h':
      if (reader.left() != 8 + 4 * 4) return corrupt("a hot standby's feedback of the wrong size");
      return client_message(standby_feedback{});
    case 'z': {
      const auto size = reader.be<std::uint64_t>();
      if (!reader.ok() || size != reader.left()) return corrupt("a pageserver's feedback with a wrong size field");
      return client_message(pageserver_status{reader.rest()});
    }
    default: return corrupt("type " + std::to_string(tag));
  }
}

void append_wal_data_header(core::bytes& to, core::lsn start, core::lsn wal_end, timestamp sent, std::size_t size) {
  append_copy_data_header(to, wal_data_header_size - 5 + size);
  to.push_back('w');
  core::append_be(to, start.value);
  core::append_be(to, wal_end.value);
  core::append_be(to, static_cast<std::uint64_t>(sent));
}

void append_keepalive(core::bytes& to, core::lsn wal_end, timestamp sent, bool reply_requested) {
  append_copy_data_header(to, 1 + 8 + 8 + 1);
  to.push_back('k');
  core::append_be(to, wal_end.value);
  core::append_be(to, static_cast<std::uint64_t>(sent));
  to.push_back(static_cast<std::uint8_t>(reply_requested));
}

}  // namespace strata::pg::wire
