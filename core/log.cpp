#include "core/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace strata::core {
namespace {

spdlog::level::level_enum spdlog_level(log_level level) { return static_cast<spdlog::level::level_enum>(level); }

std::shared_ptr<spdlog::logger> make_logger(log_level level, const std::string& file) {
  spdlog::sink_ptr sink;
  if (file.empty())
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  else
    sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
  auto logger = std::make_shared<spdlog::logger>("strata", std::move(sink));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
  logger->set_level(spdlog_level(level));
  logger->flush_on(spdlog::level::info);
  return logger;
}

std::shared_ptr<spdlog::logger>& current() {
  static std::shared_ptr<spdlog::logger> logger = make_logger(log_level::info, "");
  return logger;
}

}  // namespace

void open_log(log_level level, const std::string& file) { current() = make_logger(level, file); }

void log(log_level level, std::string_view line) { current()->log(spdlog_level(level), "{}", line); }

void flush_log() { current()->flush(); }

}  // namespace strata::core
