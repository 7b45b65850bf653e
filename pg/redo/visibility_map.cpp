#include "pg/redo/visibility_map.hpp"

#include "core/check.hpp"
#include "pg/redo/heap_format.hpp"

namespace strata::pg::redo {

namespace {

struct bit_position {
  std::size_t byte;
  unsigned shift;
};

bit_position position_of(block_number heap_block) {
  const std::uint32_t on_page = heap_block % heap_blocks_per_vm_page;
  return {page::header_size + on_page / 4, 2 * (on_page % 4)};
}
static_assert(page::header_size + heap_blocks_per_vm_page / 4 == page_size);

/// Bits that a record clears; 0: none.
struct cleared_bits {
  std::uint8_t of_new = 0;  ///< of the block with reference 0
  std::uint8_t of_old = 0;  ///< of the block that holds the old version
};

/// Offset of the flags byte of a heap record, and which bits it clears.
struct clearing_rule {
  std::size_t flags_at = 0;
  std::uint8_t new_flag = 0;  ///< bit that clears both bits of the block with reference 0
  std::uint8_t old_flag = 0;  ///< bit that clears `old_bits` of the block that holds the old version
  std::uint8_t old_bits = 0;
};

clearing_rule rule_for(wal::resource_manager manager, std::uint8_t info) {
  constexpr clearing_rule lock{.flags_at = 7, .old_flag = clears_all_frozen, .old_bits = vm_all_frozen};
  if (manager == wal::resource_manager::heap) {
    switch (static_cast<heap_operation>(info & heap_operation_mask)) {
      case heap_operation::insert: return {.flags_at = 2, .new_flag = clears_all_visible};
      case heap_operation::remove: return {.flags_at = 7, .old_flag = clears_all_visible, .old_bits = vm_both_bits};
      case heap_operation::update:
      case heap_operation::hot_update:
        return {.flags_at = 7,
                .new_flag = clears_new_all_visible,
                .old_flag = clears_all_visible,
                .old_bits = vm_both_bits};
      case heap_operation::lock: return lock;
      default: return {};
    }
  }
  if (manager == wal::resource_manager::heap2) {
    switch (static_cast<heap2_operation>(info & heap_operation_mask)) {
      case heap2_operation::multi_insert: return {.flags_at = 0, .new_flag = clears_all_visible};
      case heap2_operation::lock_updated: return lock;
      default: return {};
    }
  }
  return {};
}

cleared_bits bits_cleared(wal::resource_manager manager, std::uint8_t info, core::bytes_view main_data) {
  const clearing_rule rule = rule_for(manager, info);
  if (main_data.size() <= rule.flags_at) return {};
  const std::uint8_t flags = main_data[rule.flags_at];
  cleared_bits bits;
  if (flags & rule.new_flag) bits.of_new = vm_both_bits;
  if (flags & rule.old_flag) bits.of_old = rule.old_bits;
  return bits;
}

}  // namespace

bool clear_visibility(core::bytes_span bytes, block_number heap_block, std::uint8_t bits) {
  if (page::slotted_page(bytes).is_new()) return false;
  const auto [byte, shift] = position_of(heap_block);
  const auto mask = static_cast<std::uint8_t>((bits & vm_both_bits) << shift);
  const bool changes = (bytes[byte] & mask) != 0;
  bytes[byte] &= static_cast<std::uint8_t>(~mask);
  return changes;
}

bool set_visibility(core::bytes_span bytes, block_number heap_block, std::uint8_t bits) {
  page::slotted_page map(bytes);
  if (map.is_new()) map.init(0);
  const auto [byte, shift] = position_of(heap_block);
  const auto mask = static_cast<std::uint8_t>((bits & vm_both_bits) << shift);
  // Postgres compares for equality, then adds: setting one of two bits that are set counts as a change.
  const bool changes = (bytes[byte] & (vm_both_bits << shift)) != mask;
  bytes[byte] |= mask;
  return changes;
}

void truncate_visibility_map(core::bytes_span bytes, block_number first_cut) {
  if (page::slotted_page(bytes).is_new()) return;
  const auto [byte, shift] = position_of(first_cut);
  bytes[byte] &= static_cast<std::uint8_t>((1u << shift) - 1);
  std::memset(bytes.data() + byte + 1, 0, page_size - byte - 1);
}

visibility_clears_of_record visibility_clears(const wal::record& record) {
  visibility_clears_of_record found;
  if (record.manager != wal::resource_manager::heap && record.manager != wal::resource_manager::heap2) return found;
  // Most records clear nothing: ingest asks for each, and those are decided without their blocks.
  const cleared_bits bits = bits_cleared(record.manager, record.info, record.main_data);
  if (bits.of_new == 0 && bits.of_old == 0) return found;
  const wal::block_reference* new_block = record.block(0);
  if (new_block == nullptr || new_block->relation.fork != fork::main) return found;
  const wal::block_reference* old_block = new_block;
  for (std::size_t i = 0; i < record.block_count; ++i) {
    const wal::block_reference& reference = record.blocks[i];
    if (reference.relation.fork == fork::vm) return found;
    if (reference.id == 1) old_block = &reference;
  }
  if (bits.of_new != 0) found.clears[found.count++] = {new_block->relation, new_block->block, bits.of_new};
  if (bits.of_old != 0) found.clears[found.count++] = {new_block->relation, old_block->block, bits.of_old};
  return found;
}

void redo_visibility_block(action& of) {
  const block_record::address& second = of.record.addresses[1];
  const block_number new_block = of.block_of(0);
  const block_number old_block = second.present && second.in_fork == fork::main ? second.block : new_block;
  const cleared_bits bits = bits_cleared(of.record.manager, of.record.info, of.record.main_data);
  bool changed = false;
  const auto clear = [&](block_number heap_block, std::uint8_t cleared) {
    if (cleared != 0 && vm_block_of(heap_block) == of.record.block())
      changed |= clear_visibility(of.bytes, heap_block, cleared);
  };
  clear(new_block, bits.of_new);
  clear(old_block, bits.of_old);
  of.moves_lsn = changed;
}

}  // namespace strata::pg::redo
