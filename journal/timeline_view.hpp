#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "core/ids.hpp"
#include "journal/timeline_journal.hpp"

namespace strata::journal {

/// The state of a timeline that any thread may read. Its acceptor writes it; after an error of the disk it points to
/// another journal.
class timeline_view {
 public:
  timeline_view(core::timeline_key key, std::shared_ptr<timeline_journal> journal)
      : key_(key), journal_(std::move(journal)) {}

  [[nodiscard]] const core::timeline_key& key() const { return key_; }
  [[nodiscard]] std::shared_ptr<timeline_journal> journal() const {
    const std::lock_guard lock(mutex_);
    return journal_;
  }
  void replace(std::shared_ptr<timeline_journal> journal) {
    const std::lock_guard lock(mutex_);
    journal_ = std::move(journal);
  }
  [[nodiscard]] acceptor_position position() const { return journal()->position(); }

  std::atomic<std::uint32_t> proposers{0};  ///< that push WAL here now

 private:
  const core::timeline_key key_;
  mutable std::mutex mutex_;
  std::shared_ptr<timeline_journal> journal_;
};

}  // namespace strata::journal
