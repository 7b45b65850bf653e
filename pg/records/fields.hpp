#pragma once

#include <limits>
#include <string>

#include "core/bytes.hpp"
#include "core/lsn.hpp"
#include "core/result.hpp"
#include "pg/records/packed.hpp"
#include "pg/wal/record.hpp"

namespace strata::pg::records {

/// "read Transaction/COMMIT at 0/1A2B3C8: <what>"
core::error corrupt_record(const wal::record& of, std::string_view what);
/// For an operation that this resource manager does not have.
core::error unknown_operation(const wal::record& of);
/// errc::corrupt unless the record was read completely and was long enough.
core::result<void> check_finished(const core::byte_reader& reader, const wal::record& of);

/// An array after its 32-bit count. The reader fails if the count is larger than the rest of the record.
template <class Element>
packed_array<Element> take_array(core::byte_reader& reader, std::uint32_t count) {
  const std::uint64_t size = std::uint64_t{count} * packed_element<Element>::size;
  if (size > reader.left()) reader.skip(std::numeric_limits<std::size_t>::max());
  return packed_array<Element>(reader.take(size));
}
template <class Element>
packed_array<Element> take_counted_array(core::byte_reader& reader) {
  const auto count = reader.le<std::uint32_t>();
  return take_array<Element>(reader, count);
}
inline relation_fork take_relation(core::byte_reader& reader) {
  relation_fork relation;
  relation.tablespace = reader.le<oid>();
  relation.database = reader.le<oid>();
  relation.relation = reader.le<oid>();
  return relation;
}

}  // namespace strata::pg::records
