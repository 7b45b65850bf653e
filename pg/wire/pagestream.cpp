#include "pg/wire/pagestream.hpp"

#include <algorithm>

#include "pg/wire/frames.hpp"

namespace strata::pg::wire {
namespace {

// Response tags, part of the protocol.
constexpr std::uint8_t exists_tag = 100;
constexpr std::uint8_t size_tag = 101;
constexpr std::uint8_t page_tag = 102;
constexpr std::uint8_t error_tag = 103;
constexpr std::uint8_t database_size_tag = 104;
constexpr std::uint8_t slru_segment_tag = 105;

constexpr std::size_t lsn_echo_size = 24;  // request id and two LSNs

std::size_t body_size(request_kind kind) {
  switch (kind) {
    case request_kind::exists:
    case request_kind::size: return 13;
    case request_kind::page: return 17;
    case request_kind::database_size: return 4;
    case request_kind::slru_segment: return 5;
  }
  return 0;
}

void append_body(core::bytes& to, const pagestream_request& request) {
  const relation_fork& relation = request.relation;
  switch (request.kind) {
    case request_kind::database_size: core::append_be(to, relation.database); return;
    case request_kind::slru_segment:
      to.push_back(static_cast<std::uint8_t>(request.slru));
      core::append_be(to, request.slru_segment);
      return;
    default:
      core::append_be(to, relation.tablespace);
      core::append_be(to, relation.database);
      core::append_be(to, relation.relation);
      to.push_back(static_cast<std::uint8_t>(relation.fork));
      if (request.kind == request_kind::page) core::append_be(to, request.block);
  }
}

std::size_t head_size(pagestream_version version, request_kind kind) {
  return version == pagestream_version::v3 ? 1 + lsn_echo_size + body_size(kind) : 1;
}

void append_head(core::bytes& to, pagestream_version version, const pagestream_request& request, std::uint8_t tag,
                 std::size_t payload_size) {
  append_copy_data_header(to, head_size(version, request.kind) + payload_size);
  to.push_back(tag);
  if (version != pagestream_version::v3) return;
  core::append_be(to, request.id);
  core::append_be(to, request.request_lsn.value);
  core::append_be(to, request.not_modified_since.value);
  append_body(to, request);
}

}  // namespace

namespace {
pagestream_request take_head(core::byte_reader& in, pagestream_version version) {
  pagestream_request request;
  request.kind = static_cast<request_kind>(in.be<std::uint8_t>());
  if (version == pagestream_version::v3) request.id = in.be<std::uint64_t>();
  request.request_lsn = core::lsn(in.be<std::uint64_t>());
  request.not_modified_since = core::lsn(in.be<std::uint64_t>());
  return request;
}
}  // namespace

pagestream_request echo_of(core::bytes_view payload, pagestream_version version) {
  core::byte_reader in(payload);
  return take_head(in, version);
}

core::result<pagestream_request> parse_request(core::bytes_view payload, pagestream_version version) {
  core::byte_reader in(payload);
  pagestream_request request = take_head(in, version);
  const auto kind = static_cast<std::uint8_t>(request.kind);
  std::uint8_t fork_number = 0;
  switch (request.kind) {
    case request_kind::exists:
    case request_kind::size:
    case request_kind::page:
      request.relation.tablespace = in.be<std::uint32_t>();
      request.relation.database = in.be<std::uint32_t>();
      request.relation.relation = in.be<std::uint32_t>();
      fork_number = in.be<std::uint8_t>();
      if (request.kind == request_kind::page) request.block = in.be<std::uint32_t>();
      break;
    case request_kind::database_size: request.relation.database = in.be<std::uint32_t>(); break;
    case request_kind::slru_segment:
      request.slru = static_cast<slru_kind>(in.be<std::uint8_t>());
      request.slru_segment = in.be<std::uint32_t>();
      break;
    default:
      return core::error{core::errc::invalid_argument, "pagestream: unknown request type " + std::to_string(kind)};
  }
  if (!in.finished())
    return core::error{core::errc::invalid_argument, "pagestream: a request of type " + std::to_string(kind) +
                                                         " with " + std::to_string(payload.size()) +
                                                         " bytes does not fit version " +
                                                         std::to_string(static_cast<int>(version))};
  if (fork_number >= fork_count)
    return core::error{core::errc::invalid_argument, "pagestream: no fork " + std::to_string(fork_number)};
  if (request.slru > slru_kind::multixact_offsets)
    return core::error{core::errc::invalid_argument, "pagestream: no SLRU of this kind"};
  request.relation.fork = static_cast<fork>(fork_number);
  return request;
}

void append_exists(core::bytes& to, pagestream_version version, const pagestream_request& request, bool exists) {
  append_head(to, version, request, exists_tag, 1);
  to.push_back(exists ? 1 : 0);
}

void append_size(core::bytes& to, pagestream_version version, const pagestream_request& request, std::uint32_t blocks) {
  append_head(to, version, request, size_tag, 4);
  core::append_be(to, blocks);
}

void append_database_size(core::bytes& to, pagestream_version version, const pagestream_request& request,
                          std::uint64_t bytes) {
  append_head(to, version, request, database_size_tag, 8);
  core::append_be(to, bytes);
}

void append_slru_segment(core::bytes& to, pagestream_version version, const pagestream_request& request,
                         core::bytes_view pages) {
  append_head(to, version, request, slru_segment_tag, 4 + pages.size());
  core::append_be(to, static_cast<std::uint32_t>(pages.size() / page_size));
  core::append(to, pages);
}

void append_request_error(core::bytes& to, pagestream_version version, const pagestream_request& request,
                          std::string_view message) {
  const std::size_t echo = version == pagestream_version::v3 ? lsn_echo_size : 0;
  append_copy_data_header(to, 1 + echo + message.size() + 1);
  to.push_back(error_tag);
  if (version == pagestream_version::v3) {
    core::append_be(to, request.id);
    core::append_be(to, request.request_lsn.value);
    core::append_be(to, request.not_modified_since.value);
  }
  to.insert(to.end(), message.begin(), message.end());
  to.push_back(0);
}

std::size_t append_page(core::bytes& to, pagestream_version version, const pagestream_request& request) {
  append_head(to, version, request, page_tag, page_size);
  const std::size_t offset = to.size();
  to.resize(offset + page_size);
  return offset;
}

std::size_t page_response_size(pagestream_version version) {
  return 5 + head_size(version, request_kind::page) + page_size;
}

core::result<read_position> position_of(const pagestream_request& request, core::lsn last_record_lsn) {
  const auto refuse = [](std::string why) { return core::error{core::errc::invalid_argument, std::move(why)}; };
  if (!request.request_lsn.valid())
    return refuse("request_lsn 0/0: name the LSN to read at, or the greatest for the newest");
  if (request.request_lsn < request.not_modified_since)
    return refuse("request_lsn " + to_string(request.request_lsn) + " is below not_modified_since " +
                  to_string(request.not_modified_since));
  if (request.not_modified_since > last_record_lsn) return read_position{request.not_modified_since, true};
  return read_position{std::min(request.request_lsn, last_record_lsn), false};
}

}  // namespace strata::pg::wire
