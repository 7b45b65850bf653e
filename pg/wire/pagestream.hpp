#pragma once

#include <cstdint>
#include <string_view>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/types.hpp"

namespace strata::pg::wire {

/// The pagestream protocol inside COPY BOTH: each request and each response is one CopyData payload, integers
/// big-endian (docs/formats/wire.md). Version 3 echoes the request in its response.
enum class pagestream_version : std::uint8_t { v2 = 2, v3 = 3 };

enum class request_kind : std::uint8_t { exists = 0, size = 1, page = 2, database_size = 3, slru_segment = 4 };

struct pagestream_request {
  request_kind kind{};
  std::uint64_t id = 0;  ///< v3 only
  core::lsn request_lsn;
  core::lsn not_modified_since;
  relation_fork relation;  ///< database_size uses its database only
  block_number block = 0;
  slru_kind slru = slru_kind::clog;
  std::uint32_t slru_segment = 0;
};

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
                          std::string_view message);
/// A page response with room for the page. Returns the page's offset in `to`; the caller writes its page_size bytes.
std::size_t append_page(core::bytes& to, pagestream_version version, const pagestream_request& request);
/// Bytes of a whole page response, to reserve room for a batch.
std::size_t page_response_size(pagestream_version version);

/// The LSN of the answer, from the client's request and the timeline's positions (docs/formats/wire.md).
struct read_position {
  core::lsn at;
  bool wait = false;  ///< `at` has not arrived: wait for it first
};
core::result<read_position> position_of(const pagestream_request& request, core::lsn last_record_lsn);

}  // namespace strata::pg::wire
