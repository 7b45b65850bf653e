#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "pg/types.hpp"
#include "pg/verify/page_masks.hpp"

namespace strata::tests {

using pg::verify::page_bytes;

/// What the page service said instead of an answer.
struct pagestream_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A TCP connection to 127.0.0.1; every failure, and silence for a minute, throws std::runtime_error.
class raw_connection {
 public:
  explicit raw_connection(std::uint16_t port);
  ~raw_connection();
  raw_connection(const raw_connection&) = delete;
  raw_connection& operator=(const raw_connection&) = delete;

  void send(core::bytes_view bytes) const;
  /// No more will be sent; the peer sees the end of the stream.
  void end_sending() const;
  /// False when the peer closed the connection before `count` bytes came.
  bool receive(std::uint8_t* to, std::size_t count) const;
  /// Everything until the peer closes the connection.
  [[nodiscard]] core::bytes receive_all() const;

 private:
  int socket_;
};

/// Frontend messages of the Postgres protocol.
core::bytes startup_message();
core::bytes query_message(const std::string& text);

/// What the page service sends as COPY OUT for a command, such as a backup. Throws pagestream_error when it refuses.
core::bytes copy_out(std::uint16_t port, const std::string& command);

/// A client of the page service, written from its protocol alone (docs/formats/wire.md).
class pagestream_client {
 public:
  pagestream_client(std::uint16_t port, const std::string& tenant, const std::string& timeline, int version = 3);

  /// A page, or why there is none.
  struct page_reply {
    std::optional<page_bytes> page;
    std::string error;
  };

  /// Each throws pagestream_error when the answer is an error, std::runtime_error when the connection is lost.
  bool exists(const pg::relation_fork& relation, core::lsn at);
  std::uint32_t size(const pg::relation_fork& relation, core::lsn at);
  std::uint64_t database_size(pg::oid database, core::lsn at);
  core::bytes slru_segment(pg::slru_kind kind, std::uint32_t segment, core::lsn at);
  page_bytes page(const pg::relation_fork& relation, pg::block_number block, core::lsn at);
  /// Many in flight.
  std::vector<page_reply> pages(const pg::relation_fork& relation, pg::block_number first, std::uint32_t count,
                                core::lsn at);
  /// As one request of version 4, with its checksum compared.
  core::bytes range(const pg::relation_fork& relation, pg::block_number first, std::uint32_t count, core::lsn at);

 private:
  void append_request(core::bytes& to, std::uint8_t tag, core::lsn at, core::bytes_view body);
  /// The payload behind the echo; throws pagestream_error.
  core::bytes answer(std::uint8_t tag, std::size_t echoed);
  core::bytes ask(std::uint8_t tag, core::lsn at, core::bytes_view body, std::uint8_t answer_tag);
  raw_connection connection_;
  int version_;
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
};

}  // namespace strata::tests
