#pragma once

#include <memory>
#include <vector>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "pg/wire/pagestream.hpp"
#include "storage/mapping/directory.hpp"

namespace strata::actors::pageserver {

/// Consecutive getpage requests of one client that are answered as one read. Pages are rebuilt in place
/// in the response. Not thread safe, but it may move between threads.
class page_batch {
 public:
  static constexpr std::size_t requests_max = 32;

  page_batch(std::shared_ptr<storage::timeline_store> store, pg::wire::pagestream_version version)
      : store_(std::move(store)), version_(version) {}

  void add(const pg::wire::pagestream_request& request) { requests_.push_back(request); }
  [[nodiscard]] bool empty() const { return requests_.empty(); }
  [[nodiscard]] bool full() const { return requests_.size() == requests_max; }
  [[nodiscard]] std::size_t size() const { return requests_.size(); }

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
  void prepare();
  void read_run(std::size_t begin, std::size_t end, storage::read_mode mode);

  std::shared_ptr<storage::timeline_store> store_;
  pg::wire::pagestream_version version_;
  std::vector<pg::wire::pagestream_request> requests_;
  std::vector<storage::mapping::page_request> reads_;
  std::vector<core::lsn> positions_;
  std::vector<bool> open_;
  std::vector<std::size_t> page_at_;
  core::bytes responses_;
};

/// Answers one request of another kind than getpage, into `to`. Blocks.
void answer_request(const storage::timeline_store& store, pg::wire::pagestream_version version,
                    const pg::wire::pagestream_request& request, core::bytes& to);

}  // namespace strata::actors::pageserver
