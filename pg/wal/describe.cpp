#include <algorithm>
#include <array>
#include <cstdio>
#include <span>
#include <string>

#include "pg/wal/record.hpp"

namespace strata::pg::wal {
namespace {

struct operation_name {
  std::uint8_t operation;
  const char* name;
  bool may_init = false;  ///< it has a form that builds its page
  major_version first = major_version::v14;
};

constexpr operation_name xlog[] = {{0x00, "CHECKPOINT_SHUTDOWN"},
                                   {0x10, "CHECKPOINT_ONLINE"},
                                   {0x20, "NOOP"},
                                   {0x30, "NEXTOID"},
                                   {0x40, "SWITCH"},
                                   {0x50, "BACKUP_END"},
                                   {0x60, "PARAMETER_CHANGE"},
                                   {0x70, "RESTORE_POINT"},
                                   {0x80, "FPW_CHANGE"},
                                   {0x90, "END_OF_RECOVERY"},
                                   {0xA0, "FPI_FOR_HINT"},
                                   {0xB0, "FPI"},
                                   {0xD0, "OVERWRITE_CONTRECORD"},
                                   {0xE0, "CHECKPOINT_REDO", false, major_version::v17}};
constexpr operation_name transaction[] = {{0x00, "COMMIT"},          {0x10, "PREPARE"},        {0x20, "ABORT"},
                                          {0x30, "COMMIT_PREPARED"}, {0x40, "ABORT_PREPARED"}, {0x50, "ASSIGNMENT"},
                                          {0x60, "INVALIDATION"}};
constexpr operation_name storage[] = {{0x10, "CREATE"}, {0x20, "TRUNCATE"}};
constexpr operation_name clog[] = {{0x00, "ZEROPAGE"}, {0x10, "TRUNCATE"}};
constexpr operation_name database_14[] = {{0x00, "CREATE"}, {0x10, "DROP"}};
constexpr operation_name database[] = {{0x00, "CREATE_FILE_COPY"}, {0x10, "CREATE_WAL_LOG"}, {0x20, "DROP"}};
constexpr operation_name tablespace[] = {{0x00, "CREATE"}, {0x10, "DROP"}};
constexpr operation_name multixact[] = {
    {0x00, "ZERO_OFF_PAGE"}, {0x10, "ZERO_MEM_PAGE"}, {0x20, "CREATE_ID"}, {0x30, "TRUNCATE_ID"}};
constexpr operation_name relmap[] = {{0x00, "UPDATE"}};
constexpr operation_name standby[] = {{0x00, "LOCK"}, {0x10, "RUNNING_XACTS"}, {0x20, "INVALIDATIONS"}};
// Three occasions of one prune-and-freeze record.
constexpr operation_name heap2_17[] = {
    {0x00, "REWRITE"}, {0x10, "PRUNE_ON_ACCESS"},    {0x20, "PRUNE_VACUUM_SCAN"}, {0x30, "PRUNE_VACUUM_CLEANUP"},
    {0x40, "VISIBLE"}, {0x50, "MULTI_INSERT", true}, {0x60, "LOCK_UPDATED"},      {0x70, "NEW_CID"}};
constexpr operation_name heap2[] = {{0x00, "REWRITE"},      {0x10, "PRUNE"},   {0x20, "VACUUM"},
                                    {0x30, "FREEZE_PAGE"},  {0x40, "VISIBLE"}, {0x50, "MULTI_INSERT", true},
                                    {0x60, "LOCK_UPDATED"}, {0x70, "NEW_CID"}};
constexpr operation_name heap[] = {{0x00, "INSERT", true}, {0x10, "DELETE"},     {0x20, "UPDATE", true},
                                   {0x30, "TRUNCATE"},     {0x40, "HOT_UPDATE"}, {0x50, "CONFIRM"},
                                   {0x60, "LOCK"},         {0x70, "INPLACE"}};
constexpr operation_name btree[] = {
    {0x00, "INSERT_LEAF"}, {0x10, "INSERT_UPPER"},     {0x20, "INSERT_META"}, {0x30, "SPLIT_L"},
    {0x40, "SPLIT_R"},     {0x50, "INSERT_POST"},      {0x60, "DEDUP"},       {0x70, "DELETE"},
    {0x80, "UNLINK_PAGE"}, {0x90, "UNLINK_PAGE_META"}, {0xA0, "NEWROOT"},     {0xB0, "MARK_PAGE_HALFDEAD"},
    {0xC0, "VACUUM"},      {0xD0, "REUSE_PAGE"},       {0xE0, "META_CLEANUP"}};
constexpr operation_name hash[] = {{0x00, "INIT_META_PAGE"}, {0x10, "INIT_BITMAP_PAGE"},    {0x20, "INSERT"},
                                   {0x30, "ADD_OVFL_PAGE"},  {0x40, "SPLIT_ALLOCATE_PAGE"}, {0x50, "SPLIT_PAGE"},
                                   {0x60, "SPLIT_COMPLETE"}, {0x70, "MOVE_PAGE_CONTENTS"},  {0x80, "SQUEEZE_PAGE"},
                                   {0x90, "DELETE"},         {0xA0, "SPLIT_CLEANUP"},       {0xB0, "UPDATE_META_PAGE"},
                                   {0xC0, "VACUUM_ONE_PAGE"}};
constexpr operation_name gin[] = {
    {0x10, "CREATE_PTREE"},    {0x20, "INSERT"},          {0x30, "SPLIT"},
    {0x40, "VACUUM_PAGE"},     {0x50, "DELETE_PAGE"},     {0x60, "UPDATE_META_PAGE"},
    {0x70, "INSERT_LISTPAGE"}, {0x80, "DELETE_LISTPAGE"}, {0x90, "VACUUM_DATA_LEAF_PAGE"}};
constexpr operation_name gist[] = {{0x00, "PAGE_UPDATE"}, {0x10, "DELETE"},      {0x20, "PAGE_REUSE"},
                                   {0x30, "PAGE_SPLIT"},  {0x60, "PAGE_DELETE"}, {0x70, "ASSIGN_LSN"}};
constexpr operation_name sequence[] = {{0x00, "LOG"}};
constexpr operation_name spgist[] = {{0x10, "ADD_LEAF"},    {0x20, "MOVE_LEAFS"},     {0x30, "ADD_NODE"},
                                     {0x40, "SPLIT_TUPLE"}, {0x50, "PICKSPLIT"},      {0x60, "VACUUM_LEAF"},
                                     {0x70, "VACUUM_ROOT"}, {0x80, "VACUUM_REDIRECT"}};
constexpr operation_name brin[] = {{0x00, "CREATE_INDEX"},    {0x10, "INSERT", true},  {0x20, "UPDATE", true},
                                   {0x30, "SAMEPAGE_UPDATE"}, {0x40, "REVMAP_EXTEND"}, {0x50, "DESUMMARIZE"}};
constexpr operation_name commit_ts[] = {{0x00, "ZEROPAGE"}, {0x10, "TRUNCATE"}};
constexpr operation_name replication_origin[] = {{0x00, "SET"}, {0x10, "DROP"}};
constexpr operation_name generic[] = {{0x00, "GENERIC"}};
constexpr operation_name logical_message[] = {{0x00, "MESSAGE"}};

struct manager_operations {
  std::span<const operation_name> names;
  std::uint8_t mask = 0xF0;  ///< the bits of the operation
  const char* marked = "";   ///< the meaning of a set bit outside the mask
};

/// Heap, heap2 and BRIN mark records that build their page; transaction records have a flag for extra data.
constexpr std::array<manager_operations, 22> operations{{
    {xlog},
    {transaction, 0x70},
    {storage},
    {clog},
    {database},
    {tablespace},
    {multixact},
    {relmap},
    {standby},
    {heap2, 0x70, "+INIT"},
    {heap, 0x70, "+INIT"},
    {btree},
    {hash},
    {gin},
    {gist},
    {sequence},
    {spgist},
    {brin, 0x70, "+INIT"},
    {commit_ts},
    {replication_origin},
    {generic},
    {logical_message},
}};

manager_operations operations_of(std::size_t manager, major_version major) {
  manager_operations of = operations[manager];
  if (manager == static_cast<std::size_t>(resource_manager::database) && major == major_version::v14)
    of.names = database_14;
  if (manager == static_cast<std::size_t>(resource_manager::heap2) && major >= major_version::v17) of.names = heap2_17;
  return of;
}

}  // namespace

std::string describe(resource_manager manager, std::uint8_t info, major_version major) {
  const auto operation = static_cast<std::uint8_t>(info & 0xF0);
  if (const auto index = static_cast<std::size_t>(manager); index < operations.size()) {
    const manager_operations of = operations_of(index, major);
    const auto found = std::find_if(of.names.begin(), of.names.end(), [&](const operation_name& candidate) {
      return candidate.operation == (operation & of.mask);
    });
    if (found != of.names.end())
      return to_string(manager) + "/" + found->name + ((operation & ~of.mask) != 0 ? of.marked : "");
  }
  char number[8];
  std::snprintf(number, sizeof number, "/%02X", operation);
  return to_string(manager) + number;
}

std::vector<std::string> record_types(major_version major) {
  std::vector<std::string> all;
  for (std::size_t manager = 0; manager < operations.size(); ++manager) {
    const manager_operations of = operations_of(manager, major);
    for (const operation_name& each : of.names) {
      if (each.first > major) continue;
      const auto id = static_cast<resource_manager>(manager);
      all.push_back(describe(id, each.operation, major));
      if (each.may_init) all.push_back(describe(id, static_cast<std::uint8_t>(each.operation | 0x80), major));
    }
  }
  return all;
}

}  // namespace strata::pg::wal
