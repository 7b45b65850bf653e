#include "core/blocking.hpp"

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "core/blocking_allowed.hpp"
#include "core/check.hpp"
#include "core/log.hpp"

namespace strata::core {
namespace {

constinit thread_local const char* never_blocks = nullptr;  ///< the name of this thread, if it must not
constinit std::atomic<std::uint64_t> calls{0};

std::atomic<bool>& ends_process() {
  static std::atomic<bool> ends = [] {
    const char* set = std::getenv(end_process_on_blocking_variable);
    return set != nullptr && *set != '\0';
  }();
  return ends;
}

bool is_first_at(const std::source_location& where) {
  static std::mutex mutex;
  static std::set<std::pair<std::string, std::uint32_t>> seen;
  const std::lock_guard lock(mutex);
  return seen.emplace(where.file_name(), where.line()).second;
}

void blocks(std::string_view what, const std::source_location& where) {
  calls.fetch_add(1, std::memory_order_relaxed);
  const std::string text =
      std::string("thread ") + never_blocks + " must not block, and may wait to " + std::string(what);
  if (ends_process()) broken_invariant(text, where);
  if (is_first_at(where))
    log_error(text + " at " + where.file_name() + ":" + std::to_string(where.line()) +
              " (logged once, counted in strata_blocking_calls)");
}

}  // namespace

no_blocking::no_blocking(const char* thread) : outer_(std::exchange(never_blocks, thread)) {}
no_blocking::~no_blocking() { never_blocks = outer_; }

blocking_allowed::blocking_allowed() : outer_(std::exchange(never_blocks, nullptr)) {}
blocking_allowed::~blocking_allowed() { never_blocks = outer_; }

void may_block(std::string_view what, std::source_location where) {
  if (never_blocks != nullptr) [[unlikely]]
    blocks(what, where);
}

bool must_not_block() { return never_blocks != nullptr; }

std::uint64_t blocking_calls() { return calls.load(std::memory_order_relaxed); }

void end_process_on_blocking(bool end) { ends_process().store(end, std::memory_order_relaxed); }

}  // namespace strata::core
