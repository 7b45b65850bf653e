#include "pg/records/fields.hpp"

namespace strata::pg::records {

core::error corrupt_record(const wal::record& of, std::string_view what) {
  return {core::errc::corrupt,
          "read " + wal::describe(of.manager, of.info) + " at " + core::to_string(of.start) + ": " + std::string(what)};
}

core::error unknown_operation(const wal::record& of) { return corrupt_record(of, "unknown operation"); }

core::result<void> check_finished(const core::byte_reader& reader, const wal::record& of) {
  if (!reader.ok()) return corrupt_record(of, "data is too short");
  if (!reader.finished()) return corrupt_record(of, std::to_string(reader.left()) + " bytes too many");
  return {};
}

}  // namespace strata::pg::records
