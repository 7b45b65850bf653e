#include "api/http_connection.hpp"

#include <array>
#include <charconv>

#include "api/errors.hpp"
#include "core/url.hpp"

namespace strata::api {
namespace {

constexpr std::chrono::seconds drain_limit{2};
/// A client that takes an answer slower than this makes room for others when it is needed.
constexpr std::chrono::seconds patience{5};
constexpr std::size_t bytes_per_second_min = 16u << 10;
constexpr std::string_view go_on_text = "HTTP/1.1 100 Continue\r\n\r\n";

/// Where the first empty line ends; npos: nowhere. Nothing before `from` ends one.
std::size_t end_of_head(std::string_view input, std::size_t from) {
  for (auto at = input.find('\n', from); at != std::string_view::npos; at = input.find('\n', at + 1)) {
    const std::string_view before = input.substr(0, at);
    if (before.ends_with('\n') || before.ends_with("\n\r")) return at + 1;
  }
  return std::string_view::npos;
}

std::string_view phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Payload Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 507: return "Insufficient Storage";
    default: return "";
  }
}

std::string head_text(const reply& of) {
  std::string text = "HTTP/1.1 " + std::to_string(of.status) + " " + std::string(phrase(of.status)) +
                     "\r\nContent-Type: " + of.content_type + "\r\n";
  for (const auto& [name, value] : of.headers) text += name + ": " + value + "\r\n";
  return text;
}

std::string hexadecimal(std::size_t number) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  return {digits.data(), end};
}

}  // namespace

std::string answer_text(const reply& of, bool close, bool head_only) {
  std::string text = head_text(of) + "Content-Length: " + std::to_string(of.body.size()) +
                     (close ? "\r\nConnection: close" : "\r\nConnection: keep-alive") + "\r\n\r\n";
  if (!head_only) text += of.body;
  return text;
}

std::string stream_head_text(const reply& of, bool close) {
  return head_text(of) + (close ? "Connection: close\r\n" : "") + "Transfer-Encoding: chunked\r\n\r\n";
}

http_connection::http_connection(const http_limits& limits, body_budget& bodies, core::monotonic_time now)
    : limits_(limits), bodies_(bodies), since_(now), deadline_(now + limits.head_limit) {}

core::seat_use http_connection::use(core::monotonic_time now) const {
  switch (phase_) {
    case phase::reading: return had_request_ ? core::seat_use::idle : core::seat_use::fresh;
    case phase::serving: return core::seat_use::busy;
    case phase::sending: return !stream_ && now - since_ > patience ? core::seat_use::idle : core::seat_use::busy;
    case phase::draining:
    case phase::closed: break;
  }
  return core::seat_use::idle;
}

void http_connection::take_in(std::string_view bytes, core::monotonic_time now) {
  if (phase_ != phase::reading) return;
  if (input_.empty() && had_request_) deadline_ = now + limits_.head_limit;
  input_ += bytes;
}

void http_connection::input_ended() {
  if (wants_input()) break_off();
}

bool http_connection::find_head_in_input(core::monotonic_time now) {
  const std::size_t end = end_of_head(input_, scanned_);
  if (end == std::string::npos || end > limits_.head_size_max) {
    scanned_ = input_.size();
    const std::string limit = std::to_string(limits_.head_size_max) + " bytes";
    if (input_.size() > limits_.head_size_max && input_.find('\n') > limits_.head_size_max)
      refuse(414, "invalid_argument", "the path of the request is longer than " + limit, "send a shorter one", now);
    else if (input_.size() > limits_.head_size_max)
      refuse(431, "invalid_argument", "the head of the request is longer than " + limit,
             "send fewer and shorter headers", now);
    return false;
  }
  const auto head = find_head(std::string_view(input_).substr(0, end));
  if (!head) {
    refuse(400, "invalid_argument", "malformed or unsupported HTTP request",
           "GET /openapi.json describes every request", now);
    return false;
  }
  announced_ = {end, end, head->body_unknown || head->method.empty(), std::string(head->method),
                core::url_decoded(head->path)};
  if (head->body_size > limits_.body_size_max) {
    announced_->last = true;  // refused by its head
    return true;
  }
  if (bodies_.used + head->body_size > bodies_.max) {
    refuse(503, "busy", "too many requests with large bodies are in progress", "try again in a moment", now);
    return false;
  }
  announced_->size += head->body_size;
  reserved_ = head->body_size;
  bodies_.used += reserved_;
  deadline_ = now + limits_.body_limit;
  if (head->wants_continue && input_.size() < announced_->size) output_ += go_on_text;
  return true;
}

void http_connection::release_body() {
  bodies_.used -= reserved_;
  reserved_ = 0;
}

std::optional<raw_request> http_connection::take_request(core::monotonic_time now) {
  if (phase_ != phase::reading || input_.empty()) return std::nullopt;
  if (!announced_ && !find_head_in_input(now)) return std::nullopt;
  if (input_.size() < announced_->size) return std::nullopt;
  raw_request request{input_.substr(0, announced_->size), std::move(announced_->method), std::move(announced_->path),
                      announced_->head_size, announced_->last};
  input_.erase(0, announced_->size);
  close_ = announced_->last;
  announced_.reset();
  scanned_ = 0;
  had_request_ = true;
  enter(phase::serving, now);
  return request;
}

void http_connection::send(std::string bytes, core::monotonic_time now) {
  output_ = std::move(bytes);
  sent_ = 0;
  enter(phase::sending, now);
  deadline_ = now + limits_.write_limit + std::chrono::seconds(output_.size() / bytes_per_second_min);
}

void http_connection::refuse(int status, std::string_view code, const std::string& message, const std::string& next,
                             core::monotonic_time now) {
  reply made = refusal(status, code, message, next);
  if (status == 503) made.headers.emplace_back("Retry-After", "1");
  close_ = true;
  send(answer_text(made), now);
}

void http_connection::answer(raw_response made, core::monotonic_time now) {
  release_body();
  close_ = close_ || made.close;
  if (made.stream) stream_ = std::make_shared<body_source>(std::move(made.stream));
  send(std::move(made.bytes), now);
}

void http_connection::add_part(const core::result<body_part>& part, core::monotonic_time now) {
  if (!part) return break_off();
  if (!*part || (*part)->empty()) {
    stream_.reset();
    return send("0\r\n\r\n", now);
  }
  std::string chunk = hexadecimal((*part)->size()) + "\r\n";
  chunk.append(reinterpret_cast<const char*>((*part)->data()), (*part)->size());
  chunk += "\r\n";
  send(std::move(chunk), now);
}

void http_connection::sent(std::size_t count, core::monotonic_time now) {
  sent_ += count;
  if (sent_ < output_.size()) return;
  output_.clear();
  output_.shrink_to_fit();
  sent_ = 0;
  if (phase_ != phase::sending) return;
  if (stream_) return enter(phase::serving, now);
  if (close_) {
    deadline_ = now + drain_limit;
    return enter(phase::draining, now);
  }
  enter(phase::reading, now);
  deadline_ = now + (input_.empty() ? limits_.idle_limit : limits_.head_limit);
}

void http_connection::look_at_clock(core::monotonic_time now) {
  if (phase_ == phase::serving || phase_ == phase::closed || now < deadline_) return;
  if (phase_ != phase::reading || input_.empty()) {
    break_off();
    return;
  }
  release_body();
  refuse(408, "timeout", "the request did not arrive in time",
         "send its head within " + std::to_string(limits_.head_limit.count() / 1000) + " s, and its body within " +
             std::to_string(limits_.body_limit.count() / 1000) + " s more",
         now);
}

}  // namespace strata::api
