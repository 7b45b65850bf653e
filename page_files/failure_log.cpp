#include "page_files/failure_log.hpp"

#include <utility>

namespace strata::page_files {

namespace {
using namespace std::chrono_literals;
constexpr auto any_after = 1s;
constexpr auto same_after = 60s;
}  // namespace

std::string failure_log::line(const page_map& map, const fill_table::fetch& of, const core::error& why,
                              clock::time_point now) {
  if (now - at_ < any_after && !last_.empty()) return {};
  std::string text = "fetch " + std::to_string(of.count) + " pages from " + std::to_string(of.first) + " of " +
                     map.file(of.file).path + ": " + core::to_string(why);
  if (now - at_ < same_after && text == last_) return {};
  at_ = now;
  last_ = text;
  return text;
}

}  // namespace strata::page_files
