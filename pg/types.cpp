#include "pg/types.hpp"

namespace strata::pg {
namespace {

constexpr std::chrono::sys_days epoch = std::chrono::year{2000} / 1 / 1;

}  // namespace

core::wall_time wall_time_of(timestamp time) { return epoch + std::chrono::microseconds(time); }
timestamp timestamp_of(core::wall_time time) { return (time - core::wall_time(epoch)).count(); }

std::string to_string(const relation_fork& of) {
  static constexpr const char* suffix[] = {"", "_fsm", "_vm", "_init"};
  return std::to_string(of.tablespace) + "/" + std::to_string(of.database) + "/" + std::to_string(of.relation) +
         suffix[static_cast<std::size_t>(of.fork)];
}

}  // namespace strata::pg
