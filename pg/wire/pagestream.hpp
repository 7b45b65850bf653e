#pragma once

#include <cstdint>
#include <optional>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"

namespace strata::pg::wire {

/// The pagestream protocol inside COPY BOTH: each request and each response is one CopyData payload, integers
/// big-endian (docs/formats/wire.md). Version 3 echoes the request in its response; version 4 adds ranges of pages and
/// the SQLSTATE of an error.
enum class pagestream_version : std::uint8_t { v2 = 2, v3 = 3, v4 = 4 };

/// On the wire: never renumber.
enum class request_kind : std::uint8_t {
  exists = 0,
  size = 1,
  page = 2,
  database_size = 3,
  slru_segment = 4,
  range = 5,  ///< v4 only
};

/// The most pages of one range, 1 MiB.
inline constexpr std::uint32_t range_pages_max = 128;

struct pagestream_request {
  request_kind kind{};
  std::uint64_t id = 0;  ///< not in v2
  core::lsn request_lsn;
  core::lsn not_modified_since;
  relation_fork relation;   ///< database_size uses its database only
  block_number block = 0;   ///< of a range: its first
  std::uint32_t count = 0;  ///< pages of a range, 1 to range_pages_max; all of them must exist
  slru_kind slru = slru_kind::clog;
  std::uint32_t slru_segment = 0;
};

/// Pages in the answer to a page or a range request.
constexpr std::uint32_t pages_of(const pagestream_request& request) {
  return request.kind == request_kind::range ? request.count : 1;
}

/// The client's side: a request as a whole CopyData message, appended to `to`.
void append_request(core::bytes& to, pagestream_version version, const pagestream_request& request);

/// errc::invalid_argument for an invalid request of this version; the connection can continue after an error response.
core::result<pagestream_request> parse_request(core::bytes_view payload, pagestream_version version);

/// The id and LSNs that an error response to a refused payload echoes, as far as the payload has them.
pagestream_request echo_of(core::bytes_view payload, pagestream_version version);

/// Responses as whole CopyData messages, appended to `to`.
void append_exists(core::bytes& to, pagestream_version version, const pagestream_request& request, bool exists);
void append_size(core::bytes& to, pagestream_version version, const pagestream_request& request, std::uint32_t blocks);
void append_database_size(core::bytes& to, pagestream_version version, const pagestream_request& request,
                          std::uint64_t bytes);
void append_slru_segment(core::bytes& to, pagestream_version version, const pagestream_request& request,
                         core::bytes_view pages);
void append_request_error(core::bytes& to, pagestream_version version, const pagestream_request& request,
                          const core::error& why);
/// The response to a page or a range request, with room for its pages. Returns their offset in `to`; the caller writes
/// them, and then calls store_range_checksum() for a range.
std::size_t append_pages(core::bytes& to, pagestream_version version, const pagestream_request& request);
/// The checksum of the pages of a range at this offset, in front of them.
void store_range_checksum(core::bytes& in, std::size_t offset, std::uint32_t count);
/// Bytes of a whole response to a page or a range request, to reserve room for a batch.
std::size_t page_response_size(pagestream_version version, const pagestream_request& request);

/// The client's side of a range request of version 4, whose response is the payload of a CopyData message.
struct range_response {
  core::bytes_view pages;              ///< within the payload
  std::optional<core::error> failure;  ///< of the server; the range has no pages then
};
/// errc::corrupt when the payload is not the response to this request, or its pages fail their checksum.
core::result<range_response> parse_range_response(core::bytes_view payload, const pagestream_request& request);

/// The LSN of the answer, from the client's request and the timeline's positions (docs/formats/wire.md).
struct read_position {
  core::lsn at;
  bool wait = false;  ///< `at` has not arrived: wait for it first
};
core::result<read_position> position_of(const pagestream_request& request, core::lsn last_record_lsn);

}  // namespace strata::pg::wire
