#include "control/compute_settings.hpp"

#include "control/failure.hpp"
#include "control/shell_quoted.hpp"
#include "host/forced_settings.hpp"

namespace strata::control {

void check_settings(const std::vector<std::string>& lines, bool armed) {
  for (const auto& line : lines) {
    need(host::check_setting(line), "can't use --set " + shell_quoted(line),
         "correct it, as in --set \"work_mem = 64MB\", or leave it out");
    if (armed) continue;
    if (const auto library = host::armed_library_in(line))
      throw failure(core::errc::invalid_argument, "can't preload " + *library,
                    "its workers act on other servers, as those of the source do", "add --armed to allow that");
    if (host::asks_for_io_uring(line))
      throw failure(core::errc::invalid_argument, "can't use --set " + shell_quoted(line),
                    "connections that are made by io_uring can't be blocked, so a compute that is not armed has none",
                    "use io_method = worker, or add --armed");
  }
}

std::string next_after_failed_start(const host::compute_record& record, const std::string& without_settings) {
  if (record.settings.empty()) return without_settings;
  std::string lines;
  for (const auto& line : record.settings) lines += " --set " + shell_quoted(line);
  return "correct" + lines + ", or start it without";
}

}  // namespace strata::control
