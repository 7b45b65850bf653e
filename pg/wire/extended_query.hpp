#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "pg/wire/frames.hpp"

namespace strata::pg::wire {

/// The server's side of the extended query protocol, for a service whose queries are commands without parameters: one
/// unnamed statement and one unnamed portal. Decides; the caller runs the commands.
class extended_query {
 public:
  /// The name of the one text column of a command's rows, nullopt when it returns no rows. An error: the
  /// service has no such command.
  using describer = core::result<std::optional<std::string_view>> (*)(std::string_view query);
  explicit extended_query(describer of) : describe_(of) {}

  static bool is_message(frame_kind kind);

  /// Handles a message of the extended protocol, or a Sync, and appends the answer. If it returns a text, the caller
  /// executes that command now. Its answer has neither RowDescription nor ReadyForQuery.
  std::optional<std::string> take(const frame& message, core::bytes& to);
  /// The command that take() returned has failed and its error is in the output.
  void failed() { skipping_ = true; }
  /// After an error all messages but Sync and Terminate are skipped.
  [[nodiscard]] bool skipping() const { return skipping_; }

 private:
  core::result<void> parse(core::bytes_view body, core::bytes& to);
  core::result<void> bind(core::bytes_view body, core::bytes& to);
  core::result<void> describe(core::bytes_view body, core::bytes& to);
  core::result<std::string> execute(core::bytes_view body);
  core::result<void> close(core::bytes_view body, core::bytes& to);

  describer describe_;
  std::optional<std::string> statement_;
  std::optional<std::string> portal_;
  bool skipping_ = false;
};

}  // namespace strata::pg::wire
