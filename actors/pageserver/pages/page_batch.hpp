#pragma once

#include <memory>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "pg/wire/pagestream.hpp"
#include "storage/mapping/directory.hpp"

namespace strata::actors::pageserver {

/// Consecutive requests for pages and ranges of one client that are answered as one read. Pages are rebuilt in place in
/// the response. It has at most pages_max pages, or one range of at most pg::wire::range_pages_max: 1 MiB and a few
/// heads. Not thread safe, but it may move between threads.
class page_batch {
 public:
  static constexpr std::size_t pages_max = 32;

  page_batch(std::shared_ptr<storage::timeline_store> store, pg::wire::pagestream_version version)
      : store_(std::move(store)), version_(version) {}

  /// Whether the bound holds with this request, of kind page or range.
  [[nodiscard]] bool has_room_for(const pg::wire::pagestream_request& request) const {
    return requests_.empty() || pages_ + pg::wire::pages_of(request) <= pages_max;
  }
  /// Precondition: has_room_for(request).
  void add(const pg::wire::pagestream_request& request) {
    requests_.push_back(request);
    pages_ += pg::wire::pages_of(request);
  }
  [[nodiscard]] bool full() const { return pages_ >= pages_max; }
  [[nodiscard]] std::size_t pages() const { return pages_; }

  /// The greatest LSN that must arrive before it can be answered; 0: none.
  [[nodiscard]] core::lsn awaited() const;

  /// Answers what can be answered; false when pages are left that need the disk: call read() again with
  /// may_block.
  bool read(storage::read_mode mode);
  /// All responses in order. Precondition: read() has returned true.
  [[nodiscard]] core::bytes take_responses();
  /// Answers every request with this error, e.g. because its LSN did not arrive.
  [[nodiscard]] core::bytes fail(const core::error& why) const;

 private:
  /// The answer to a request: some of the reads, and a part of the responses.
  struct answer {
    std::size_t first_read = 0;
    std::size_t pages = 0;
    std::size_t begin = 0;        ///< of the response
    std::size_t pages_begin = 0;  ///< of the pages in it
    core::lsn at;
    bool open = true;  ///< not read yet
    std::optional<core::error> failure;
  };
  void prepare();
  void prepare_answer(const pg::wire::pagestream_request& request, core::lsn last_record_lsn);
  void read_run(std::size_t begin, std::size_t end, storage::read_mode mode);
  [[nodiscard]] core::bytes_view response(std::size_t index) const;

  std::shared_ptr<storage::timeline_store> store_;
  pg::wire::pagestream_version version_;
  std::vector<pg::wire::pagestream_request> requests_;
  std::size_t pages_ = 0;
  std::vector<answer> answers_;  ///< to the requests, once reading has begun
  std::vector<storage::mapping::page_request> reads_;
  core::bytes responses_;
};

/// Answers one request of another kind than page and range, into `to`. Blocks.
void answer_request(const storage::timeline_store& store, pg::wire::pagestream_version version,
                    const pg::wire::pagestream_request& request, core::bytes& to);

}  // namespace strata::actors::pageserver
