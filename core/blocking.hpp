#pragma once

#include <cstdint>
#include <source_location>
#include <string_view>

/// The rule that some threads never wait for a disk, a name server or another process, checked where a call may do so
/// (docs/decisions/0046-threads-that-never-block.md).
namespace strata::core {

/// While this object lives its thread must not block. `thread`, a literal, names the thread in the log. They nest.
class no_blocking {
 public:
  explicit no_blocking(const char* thread);
  ~no_blocking();
  no_blocking(const no_blocking&) = delete;
  no_blocking& operator=(const no_blocking&) = delete;

 private:
  const char* outer_;
};

/// The first line of a function that may block, called whether or not it will this time. `what` completes "may wait
/// to". On a thread that must not block the call is counted and logged, once for each place in the source, and the
/// function goes on; or the process ends, if end_process_on_blocking() says so.
void may_block(std::string_view what, std::source_location where = std::source_location::current());

/// Whether this thread must not block: for work that can be left to another thread.
[[nodiscard]] bool must_not_block();

/// How often may_block() was called on a thread that must not block.
std::uint64_t blocking_calls();

/// Whether such a call ends the process. At first: whether the environment variable is set to anything but "".
void end_process_on_blocking(bool end);
inline constexpr const char* end_process_on_blocking_variable = "STRATA_END_ON_BLOCKING";

}  // namespace strata::core
