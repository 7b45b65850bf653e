#include "config/json_file.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/small_file.hpp"

namespace strata::config {

std::string json_place(std::string_view text, std::size_t bytes_read) {
  // The byte at which it stopped counts as read, the end of the text as one more byte.
  const std::string_view before = text.substr(0, bytes_read > 0 ? bytes_read - 1 : 0);
  const auto line = 1 + std::ranges::count(before, '\n');
  const auto line_begin = before.rfind('\n') + 1;  // 0 when there is none
  return "line " + std::to_string(line) + ", column " + std::to_string(before.size() - line_begin + 1);
}

core::result<nlohmann::json> read_json_file(const std::string& path) {
  STRATA_ASSIGN(const std::string text, read_small_file(path));
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& e) {
    return core::error{core::errc::corrupt, path + " is damaged: not JSON at " + json_place(text, e.byte)};
  } catch (const nlohmann::json::exception&) {  // a number that no type holds
    return wrong_members(path);
  }
}

core::error wrong_members(const std::string& path) {
  return {core::errc::corrupt, path + " is damaged: a member is missing or has the wrong type"};
}

}  // namespace strata::config
