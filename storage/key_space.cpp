#include "storage/key_space.hpp"

#include <limits>

namespace strata::storage {

namespace {

constexpr std::uint8_t byte_of(key_kind kind) { return static_cast<std::uint8_t>(kind); }

core::page_key key_of(key_kind kind) { return {.kind = byte_of(kind)}; }

/// The first key after all keys that share the fields set in `prefix`; `last_field` is the last field set.
core::page_key behind(core::page_key prefix, std::uint32_t core::page_key::*last_field) {
  constexpr auto field_max = std::numeric_limits<std::uint32_t>::max();
  if (prefix.*last_field < field_max) {
    ++(prefix.*last_field);
    return prefix;
  }
  prefix.*last_field = 0;
  if (last_field == &core::page_key::relation) return behind(prefix, &core::page_key::database);
  if (last_field == &core::page_key::database) return behind(prefix, &core::page_key::tablespace);
  ++prefix.kind;
  return prefix;
}

}  // namespace

core::page_key relation_page_key(const pg::relation_fork& of, pg::block_number block) {
  return {byte_of(key_kind::relation_page),   of.tablespace, of.database, of.relation,
          static_cast<std::uint8_t>(of.fork), block};
}

core::page_key relation_catalog_key(const pg::relation_fork& of) {
  return {byte_of(key_kind::relation_catalog),
          of.tablespace,
          of.database,
          of.relation,
          static_cast<std::uint8_t>(of.fork),
          0};
}

core::page_key database_catalog_key(pg::oid tablespace, pg::oid database) {
  return {.kind = byte_of(key_kind::database_catalog), .tablespace = tablespace, .database = database};
}

core::page_key relation_map_key(pg::oid tablespace, pg::oid database) {
  return {.kind = byte_of(key_kind::relation_map), .tablespace = tablespace, .database = database};
}

core::page_key tablespace_catalog_key(pg::oid tablespace) {
  return {.kind = byte_of(key_kind::tablespace_catalog), .tablespace = tablespace};
}

core::page_key slru_page_key(pg::slru_kind kind, std::uint32_t page) {
  return {.kind = byte_of(key_kind::slru_page), .tablespace = static_cast<std::uint32_t>(kind), .block = page};
}

core::page_key slru_catalog_key(pg::slru_kind kind, std::uint32_t segment) {
  return {.kind = byte_of(key_kind::slru_catalog), .tablespace = static_cast<std::uint32_t>(kind), .relation = segment};
}

core::page_key two_phase_key(pg::transaction_id xid) { return {.kind = byte_of(key_kind::two_phase), .block = xid}; }

core::page_key replication_origin_key(std::uint16_t origin) {
  return {.kind = byte_of(key_kind::replication_origin), .block = origin};
}

core::page_key control_file_key() { return key_of(key_kind::control_file); }

core::page_key checkpoint_key() { return {.kind = byte_of(key_kind::control_file), .block = 1}; }

core::page_key standby_start_key() { return {.kind = byte_of(key_kind::control_file), .block = 2}; }

pg::relation_fork relation_of(const core::page_key& key) {
  return {key.tablespace, key.database, key.relation, static_cast<pg::fork>(key.fork)};
}

core::key_range kind_range(key_kind kind) {
  return {key_of(kind), {.kind = static_cast<std::uint8_t>(byte_of(kind) + 1)}};
}

core::key_range kind_range(key_kind kind, std::uint32_t tablespace) {
  const core::page_key begin{.kind = byte_of(kind), .tablespace = tablespace};
  return {begin, behind(begin, &core::page_key::tablespace)};
}

core::key_range kind_range(key_kind kind, std::uint32_t tablespace, std::uint32_t database) {
  const core::page_key begin{.kind = byte_of(kind), .tablespace = tablespace, .database = database};
  return {begin, behind(begin, &core::page_key::database)};
}

}  // namespace strata::storage
