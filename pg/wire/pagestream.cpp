#include "pg/wire/pagestream.hpp"

#include <algorithm>
#include <string>

#include "pg/crc32c.hpp"
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
constexpr std::uint8_t range_tag = 106;

constexpr std::size_t lsn_echo_size = 24;   // request id and two LSNs
constexpr std::size_t range_head_size = 8;  // count and checksum, before the pages

bool has_echo(pagestream_version version) { return version != pagestream_version::v2; }

std::size_t body_size(request_kind kind) {
  switch (kind) {
    case request_kind::exists:
    case request_kind::size: return 13;
    case request_kind::page: return 17;
    case request_kind::database_size: return 4;
    case request_kind::slru_segment: return 5;
    case request_kind::range: return 21;
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
      if (request.kind == request_kind::page || request.kind == request_kind::range) core::append_be(to, request.block);
      if (request.kind == request_kind::range) core::append_be(to, request.count);
  }
}

void append_id_and_lsns(core::bytes& to, pagestream_version version, const pagestream_request& request) {
  if (has_echo(version)) core::append_be(to, request.id);
  core::append_be(to, request.request_lsn.value);
  core::append_be(to, request.not_modified_since.value);
}

std::size_t head_size(pagestream_version version, request_kind kind) {
  return has_echo(version) ? 1 + lsn_echo_size + body_size(kind) : 1;
}

void append_head(core::bytes& to, pagestream_version version, const pagestream_request& request, std::uint8_t tag,
                 std::size_t payload_size) {
  append_copy_data_header(to, head_size(version, request.kind) + payload_size);
  to.push_back(tag);
  if (!has_echo(version)) return;
  append_id_and_lsns(to, version, request);
  append_body(to, request);
}

pagestream_request take_head(core::byte_reader& in, pagestream_version version) {
  pagestream_request request;
  request.kind = static_cast<request_kind>(in.be<std::uint8_t>());
  if (has_echo(version)) request.id = in.be<std::uint64_t>();
  request.request_lsn = core::lsn(in.be<std::uint64_t>());
  request.not_modified_since = core::lsn(in.be<std::uint64_t>());
  return request;
}

/// The fork comes as a number that the caller checks.
std::uint8_t take_relation(core::byte_reader& in, relation_fork& relation) {
  relation.tablespace = in.be<std::uint32_t>();
  relation.database = in.be<std::uint32_t>();
  relation.relation = in.be<std::uint32_t>();
  return in.be<std::uint8_t>();
}

core::result<void> check_range(const pagestream_request& request) {
  const auto refuse = [&](const std::string& why) {
    return core::error{core::errc::invalid_argument, "pagestream: a range of " + std::to_string(request.count) +
                                                         " blocks from " + std::to_string(request.block) + ": " + why};
  };
  if (request.count == 0 || request.count > range_pages_max)
    return refuse("the count must be 1 to " + std::to_string(range_pages_max));
  if (request.block > UINT32_MAX - request.count) return refuse("there is no such block");
  return {};
}
}  // namespace

void append_request(core::bytes& to, pagestream_version version, const pagestream_request& request) {
  append_copy_data_header(to,
                          head_size(version, request.kind) + (has_echo(version) ? 0 : 16 + body_size(request.kind)));
  to.push_back(static_cast<std::uint8_t>(request.kind));
  append_id_and_lsns(to, version, request);
  append_body(to, request);
}

pagestream_request echo_of(core::bytes_view payload, pagestream_version version) {
  core::byte_reader in(payload);
  return take_head(in, version);
}

core::result<pagestream_request> parse_request(core::bytes_view payload, pagestream_version version) {
  core::byte_reader in(payload);
  pagestream_request request = take_head(in, version);
  const auto kind = static_cast<std::uint8_t>(request.kind);
  std::uint8_t fork_number = 0;
  const auto unknown = [&] {
    return core::error{core::errc::invalid_argument, "pagestream: unknown request type " + std::to_string(kind)};
  };
  switch (request.kind) {
    case request_kind::exists:
    case request_kind::size: fork_number = take_relation(in, request.relation); break;
    case request_kind::page:
      fork_number = take_relation(in, request.relation);
      request.block = in.be<std::uint32_t>();
      break;
    case request_kind::range:
      if (version != pagestream_version::v4) return unknown();
      fork_number = take_relation(in, request.relation);
      request.block = in.be<std::uint32_t>();
      request.count = in.be<std::uint32_t>();
      break;
    case request_kind::database_size: request.relation.database = in.be<std::uint32_t>(); break;
    case request_kind::slru_segment:
      request.slru = static_cast<slru_kind>(in.be<std::uint8_t>());
      request.slru_segment = in.be<std::uint32_t>();
      break;
    default: return unknown();
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
  if (request.kind == request_kind::range) STRATA_TRY(check_range(request));
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
                          const core::error& why) {
  const std::string& message = why.detail;
  const std::string_view sqlstate = version == pagestream_version::v4 ? sqlstate_of(why.code) : std::string_view();
  const std::size_t echo = has_echo(version) ? lsn_echo_size : 0;
  append_copy_data_header(to, 1 + echo + message.size() + 1 + (sqlstate.empty() ? 0 : sqlstate.size() + 1));
  to.push_back(error_tag);
  if (has_echo(version)) append_id_and_lsns(to, version, request);
  to.insert(to.end(), message.begin(), message.end());
  to.push_back(0);
  if (sqlstate.empty()) return;
  to.insert(to.end(), sqlstate.begin(), sqlstate.end());
  to.push_back(0);
}

std::size_t append_pages(core::bytes& to, pagestream_version version, const pagestream_request& request) {
  const std::size_t size = std::size_t{pages_of(request)} * page_size;
  if (request.kind == request_kind::range) {
    append_head(to, version, request, range_tag, range_head_size + size);
    core::append_be(to, request.count);
    core::append_be<std::uint32_t>(to, 0);
  } else {
    append_head(to, version, request, page_tag, size);
  }
  const std::size_t offset = to.size();
  to.resize(offset + size);
  return offset;
}

void store_range_checksum(core::bytes& in, std::size_t offset, std::uint32_t count) {
  const auto pages = core::bytes_view(in).subspan(offset, std::size_t{count} * page_size);
  core::store_be(in.data() + offset - sizeof(std::uint32_t), crc32c(pages));
}

std::size_t page_response_size(pagestream_version version, const pagestream_request& request) {
  return 5 + head_size(version, request.kind) + (request.kind == request_kind::range ? range_head_size : 0) +
         std::size_t{pages_of(request)} * page_size;
}

namespace {
/// The server's error, from the rest of an error response.
core::error take_error(core::bytes_view rest) {
  const auto text = [&] {
    const auto end = std::find(rest.begin(), rest.end(), std::uint8_t{0});
    std::string found(rest.begin(), end);
    rest = rest.subspan(std::min(rest.size(), found.size() + 1));
    return found;
  };
  std::string message = text();
  return {errc_of_sqlstate(text()), std::move(message)};
}
}  // namespace

core::result<range_response> parse_range_response(core::bytes_view payload, const pagestream_request& request) {
  const auto damaged = [](std::string what) {
    return core::error{core::errc::corrupt, "answer of the page service: " + std::move(what)};
  };
  core::byte_reader in(payload);
  const auto tag = in.be<std::uint8_t>();
  if (tag != range_tag && tag != error_tag) return damaged("a response of type " + std::to_string(tag));
  const auto id = in.be<std::uint64_t>();
  if (!in.ok() || id != request.id)
    return damaged("to request " + std::to_string(id) + " instead of " + std::to_string(request.id));
  const core::lsn at(in.be<std::uint64_t>());
  const core::lsn since(in.be<std::uint64_t>());
  if (!in.ok() || at != request.request_lsn || since != request.not_modified_since) return damaged("at another LSN");
  if (tag == error_tag) return range_response{{}, take_error(in.rest())};
  relation_fork relation;
  const auto fork_number = take_relation(in, relation);
  relation.fork = request.relation.fork;
  const auto block = in.be<std::uint32_t>();
  const auto count = in.be<std::uint32_t>();
  if (!in.ok() || relation != request.relation || fork_number != static_cast<std::uint8_t>(request.relation.fork) ||
      block != request.block || count != request.count)
    return damaged("of another range");
  const auto pages_count = in.be<std::uint32_t>();
  const auto checksum = in.be<std::uint32_t>();
  if (!in.ok() || pages_count != request.count || in.left() != std::size_t{request.count} * page_size)
    return damaged(std::to_string(pages_count) + " pages in " + std::to_string(in.left()) + " bytes instead of " +
                   std::to_string(request.count));
  if (crc32c(in.rest()) != checksum) return damaged("the pages do not match their checksum");
  return range_response{in.rest(), std::nullopt};
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
