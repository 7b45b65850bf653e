#include "pg/wire/extended_query.hpp"

#include <algorithm>

namespace strata::pg::wire {
namespace {

core::error malformed(const char* message) {
  return {core::errc::invalid_argument, std::string("malformed ") + message + " message"};
}

/// Text up to its NUL; "?" and a reader that has failed when there is none.
std::string text(core::byte_reader& in) {
  const auto rest = in.rest();
  const auto end = std::find(rest.begin(), rest.end(), std::uint8_t{0});
  if (end == rest.end()) {
    in.skip(rest.size() + 1);
    return "?";
  }
  std::string taken(rest.begin(), end);
  in.skip(taken.size() + 1);
  return taken;
}

core::result<void> unnamed(const std::string& name, const char* what) {
  if (name.empty()) return {};
  return core::error{core::errc::unsupported, std::string(what) + " \"" + name.substr(0, 60) +
                                                  "\": this port keeps one unnamed statement and portal only"};
}

/// A message with only a tag.
void append_empty(core::bytes& to, char tag) {
  to.push_back(static_cast<std::uint8_t>(tag));
  core::append_be<std::uint32_t>(to, 4);
}

void append_no_parameters(core::bytes& to) {
  to.push_back('t');
  core::append_be<std::uint32_t>(to, 6);
  core::append_be<std::uint16_t>(to, 0);
}

}  // namespace

bool extended_query::is_message(frame_kind kind) {
  switch (kind) {
    case frame_kind::parse:
    case frame_kind::bind:
    case frame_kind::describe:
    case frame_kind::execute:
    case frame_kind::close:
    case frame_kind::sync: return true;
    default: return false;
  }
}

std::optional<std::string> extended_query::take(const frame& message, core::bytes& to) {
  if (message.kind == frame_kind::sync) {
    skipping_ = false;
    portal_.reset();
    append_ready_for_query(to);
    return std::nullopt;
  }
  if (skipping_) return std::nullopt;
  core::result<void> done;
  switch (message.kind) {
    case frame_kind::parse: done = parse(message.body, to); break;
    case frame_kind::bind: done = bind(message.body, to); break;
    case frame_kind::describe: done = describe(message.body, to); break;
    case frame_kind::close: done = close(message.body, to); break;
    case frame_kind::execute: {
      auto command = execute(message.body);
      if (command) return *std::move(command);
      done = command.error();
      break;
    }
    default: return std::nullopt;
  }
  if (!done) {
    append_error(to, sqlstate_of(done.error().code), done.error().detail);
    skipping_ = true;
  }
  return std::nullopt;
}

core::result<void> extended_query::parse(core::bytes_view body, core::bytes& to) {
  core::byte_reader in(body);
  const std::string name = text(in);
  std::string query = text(in);
  const auto parameters = in.be<std::uint16_t>();
  in.skip(std::size_t{4} * parameters);
  if (!in.finished()) return malformed("Parse");
  STRATA_TRY(unnamed(name, "statement"));
  if (parameters > 0) return core::error{core::errc::unsupported, "commands of this port take no parameters"};
  statement_.reset();
  portal_.reset();
  STRATA_TRY(describe_(query));
  statement_ = std::move(query);
  append_empty(to, '1');
  return {};
}

core::result<void> extended_query::bind(core::bytes_view body, core::bytes& to) {
  core::byte_reader in(body);
  const std::string portal = text(in);
  const std::string statement = text(in);
  in.skip(std::size_t{2} * in.be<std::uint16_t>());
  const auto parameters = in.be<std::uint16_t>();
  // Formats of the result follow; a text has the same bytes in both.
  if (!in.ok()) return malformed("Bind");
  STRATA_TRY(unnamed(portal, "portal"));
  STRATA_TRY(unnamed(statement, "statement"));
  if (parameters > 0) return core::error{core::errc::unsupported, "commands of this port take no parameters"};
  if (!statement_) return core::error{core::errc::not_found, "there is no statement to bind: Parse one first"};
  portal_ = statement_;
  append_empty(to, '2');
  return {};
}

core::result<void> extended_query::describe(core::bytes_view body, core::bytes& to) {
  core::byte_reader in(body);
  const auto kind = in.be<std::uint8_t>();
  const std::string name = text(in);
  if (!in.finished() || (kind != 'S' && kind != 'P')) return malformed("Describe");
  const bool of_statement = kind == 'S';
  STRATA_TRY(unnamed(name, of_statement ? "statement" : "portal"));
  const auto& query = of_statement ? statement_ : portal_;
  if (!query)
    return core::error{core::errc::not_found, of_statement ? "there is no statement to describe: Parse one first"
                                                           : "there is no portal to describe: Bind one first"};
  STRATA_ASSIGN(const auto column, describe_(*query));
  if (of_statement) append_no_parameters(to);
  if (column)
    append_row_description(to, *column);
  else
    append_empty(to, 'n');
  return {};
}

core::result<std::string> extended_query::execute(core::bytes_view body) {
  core::byte_reader in(body);
  const std::string portal = text(in);
  in.be<std::uint32_t>();  // most rows: no command has more than one
  if (!in.finished()) return malformed("Execute");
  STRATA_TRY(unnamed(portal, "portal"));
  if (!portal_) return core::error{core::errc::not_found, "there is no portal to execute: Bind one first"};
  std::string command = *std::move(portal_);
  portal_.reset();
  return command;
}

core::result<void> extended_query::close(core::bytes_view body, core::bytes& to) {
  core::byte_reader in(body);
  const auto kind = in.be<std::uint8_t>();
  const std::string name = text(in);
  if (!in.finished() || (kind != 'S' && kind != 'P')) return malformed("Close");
  if (name.empty()) {
    portal_.reset();
    if (kind == 'S') statement_.reset();
  }
  append_empty(to, '3');
  return {};
}

}  // namespace strata::pg::wire
