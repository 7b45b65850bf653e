#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <stop_token>
#include <string>
#include <utility>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"

namespace strata::api {

/// A client of the management API. Errors of the server come back as they left it (code and message); one that can't be
/// reached is errc::unavailable. Without an answer in time, get() and download() are errc::timeout, for they change
/// nothing, and other calls errc::outcome_unknown. One call at a time.
///
/// Every wait of a call ends: by the limit of the client, which belongs to one kind of request, or by a stop token.
class api_client {
 public:
  using query = std::map<std::string, std::string>;

  /// Longer than any answer of the server may take.
  static constexpr std::chrono::seconds longest_answer{960};

  /// `address` is host:port; `patience` how long an answer may take, of download() how long nothing may arrive; `name`
  /// is that of the server in errors.
  explicit api_client(std::string address, std::chrono::seconds patience = longest_answer,
                      std::string name = "the server")
      : address_(std::move(address)), patience_(patience), name_(std::move(name)) {}

  /// From now on a call that is refused as busy, which means that nothing was done, is repeated until this limit: a
  /// server takes a bounded number of requests at once. Without it, errc::busy is returned.
  api_client& repeat_while_busy(std::chrono::milliseconds limit) {
    busy_limit_ = limit;
    return *this;
  }

  /// A stop ends a call that waits within 100 ms, with errc::unavailable.
  api_client& end_with(std::stop_token stop) {
    stop_ = std::move(stop);
    return *this;
  }

  core::result<nlohmann::json> get(const std::string& path, const query& with = {}) const;
  core::result<nlohmann::json> post(const std::string& path, const nlohmann::json& body) const;
  core::result<nlohmann::json> put(const std::string& path, const nlohmann::json& body) const;
  core::result<nlohmann::json> patch(const std::string& path, const nlohmann::json& body) const;
  core::result<nlohmann::json> remove(const std::string& path, const query& with = {}) const;

  /// Hands the body to `sink` as it comes, until it ends or the sink fails. errc::io_error when the server broke off.
  using body_sink = std::function<core::result<void>(core::bytes_view)>;
  core::result<void> download(const std::string& path, const query& with, const body_sink& sink) const;

  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  template <class Call>
  auto repeated(const Call& call, const bool& has_effect = false) const -> decltype(call());
  core::result<std::string> send_once(const char* method, const std::string& path, const std::string& body) const;
  core::result<void> download_once(const std::string& path, const query& with, const body_sink& sink) const;
  core::result<std::string> send(const char* method, const std::string& path, const std::string& body) const;
  core::result<nlohmann::json> send_json(const char* method, const std::string& path, const std::string& body) const;

  /// "safekeeper 3 at 127.0.0.1:7001"
  [[nodiscard]] std::string server() const { return name_ + " at " + address_; }

  std::string address_;
  std::chrono::seconds patience_;
  std::string name_;
  std::chrono::milliseconds busy_limit_{0};
  std::stop_token stop_{};
};

}  // namespace strata::api
