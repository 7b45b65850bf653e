#pragma once

#include <string>
#include <string_view>

namespace strata::core {

enum class log_level { trace, debug, info, warning, error, critical, off };

/// Opens the log. Call once, before threads start; until then lines are written to standard error at level info.
/// `file` empty means standard error.
void open_log(log_level level, const std::string& file);

/// Writes one line. Thread safe.
void log(log_level level, std::string_view line);
void flush_log();

inline void log_info(std::string_view line) { log(log_level::info, line); }
inline void log_warning(std::string_view line) { log(log_level::warning, line); }
inline void log_error(std::string_view line) { log(log_level::error, line); }

}  // namespace strata::core
