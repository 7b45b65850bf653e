#pragma once

#include <exception>

#include "core/lsn.hpp"
#include "pg/page/page.hpp"
#include "pg/redo/redo.hpp"

/// Shared by the redo functions of this folder. Private to it.
namespace strata::pg::redo {

using page::require;

/// Thrown for an operation without a redo function.
class not_written : public std::exception {};

/// One block of one record, and the page that it changes.
struct action {
  const block_record& record;
  core::lsn end;
  const redo_context& context;
  core::bytes_span bytes;
  page::slotted_page page;
  /// Cleared by operations after which the page keeps its LSN.
  bool moves_lsn = true;

  /// The bits of info that belong to the resource manager.
  [[nodiscard]] std::uint8_t operation() const { return record.info & 0xF0; }
  /// The number of another block of the record, which must have it.
  [[nodiscard]] block_number block_of(std::uint8_t id) const {
    require(has_block(id), "block reference is missing");
    return record.addresses[id].block;
  }
  /// Both accept ids up to 7.
  [[nodiscard]] bool has_block(std::uint8_t id) const { return record.addresses.at(id).present; }
  [[nodiscard]] page::cursor main_data() const { return page::cursor(record.main_data); }
  [[nodiscard]] page::cursor data() const { return page::cursor(record.data); }
  /// Reinitialises the page; the record must have announced it.
  void init_page(std::size_t special_size) {
    require(record.will_init, "page is to be initialised without an announcement");
    page.init(special_size);
  }
};

/// One per resource manager, in a file of that name.
void redo_xlog(action& of);
void redo_heap(action& of);
void redo_heap2(action& of);
void redo_btree(action& of);
void redo_hash(action& of);
void redo_gin(action& of);
void redo_gist(action& of);
void redo_spgist(action& of);
void redo_brin(action& of);
void redo_sequence(action& of);
void redo_generic(action& of);

/// GiST finishes the left child of a split after its image was taken: the only change on top of an applied image.
void finish_gist_image(action& of);

}  // namespace strata::pg::redo
