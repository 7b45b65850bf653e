#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace strata::api {

/// A request as handlers see it: decoded, matched to its route, the body read and bounded.
struct request {
  std::string path;
  std::map<std::string, std::string> path_parameters;
  std::map<std::string, std::string> query;
  std::string body;

  [[nodiscard]] const std::string& parameter(const std::string& name) const { return path_parameters.at(name); }
  /// Empty when not given.
  [[nodiscard]] std::string_view query_text(const std::string& name) const {
    const auto found = query.find(name);
    return found == query.end() ? std::string_view() : std::string_view(found->second);
  }
};

/// The next part of a streamed body; an empty one ends it. After an error the connection is broken off, which is how
/// the client learns that the body is not complete.
using body_part = std::shared_ptr<const core::bytes>;
using body_source = std::function<core::result<body_part>()>;

struct reply;
/// Takes an answer that was waited for: once, from any thread.
using answer_taker = std::function<void(core::result<reply>)>;
/// Begins a wait, without holding a thread for it. What comes back ends it: nobody wants the answer any more.
using wait = std::function<std::function<void()>(answer_taker)>;

struct reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  body_source stream;  ///< set: follows `body`, asked for as fast as the client takes it
  wait later;          ///< set: this is no answer yet, it comes from here
};

}  // namespace strata::api
