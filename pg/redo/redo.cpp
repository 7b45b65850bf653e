#include "pg/redo/redo.hpp"

#include "core/check.hpp"
#include "pg/redo/action.hpp"

namespace strata::pg::redo {

namespace {

using wal::resource_manager;

using redo_function = void (*)(action&);

redo_function function_of(resource_manager manager) {
  switch (manager) {
    case resource_manager::xlog: return redo_xlog;
    case resource_manager::heap: return redo_heap;
    case resource_manager::heap2: return redo_heap2;
    case resource_manager::btree: return redo_btree;
    case resource_manager::hash: return redo_hash;
    case resource_manager::gin: return redo_gin;
    case resource_manager::gist: return redo_gist;
    case resource_manager::spgist: return redo_spgist;
    case resource_manager::brin: return redo_brin;
    case resource_manager::sequence: return redo_sequence;
    case resource_manager::generic: return redo_generic;
    default: throw not_written();
  }
}

/// False if the page is newer than the record.
bool page_needs(const action& of) {
  if (of.record.will_init || of.record.manager == resource_manager::xlog) return true;
  if (of.page.is_new()) {
    // Postgres extends the visibility map without a record; its blocks begin as zeros.
    require(of.record.own().in_fork == fork::vm, "page was never initialised");
    return true;
  }
  if (of.page.lsn() >= of.end) return false;
  of.page.require_sane_header();
  return true;
}

void change_page(action& of) {
  const redo_function redo = function_of(of.record.manager);
  require(of.record.own().present, "block reference is missing");
  if (!page_needs(of)) return;
  redo(of);
  require(!of.record.will_init || of.page.initialised(), "page was announced but not initialised");
  if (of.moves_lsn) of.page.set_lsn(of.end);
}

core::error failed(core::errc code, const block_record& record, core::lsn end, std::string_view why) {
  return {code, "redo " + wal::describe(record.manager, record.info) + " that ends at " + core::to_string(end) +
                    " on block " + std::to_string(record.block()) + ": " + std::string(why)};
}

}  // namespace

core::result<void> apply(const block_record& record, core::lsn end, const redo_context& context,
                         core::bytes_span page) {
  core::check(page.size() == page_size, "a page has 8192 bytes");
  try {
    action of{.record = record, .end = end, .context = context, .bytes = page, .page = page::slotted_page(page)};
    if (record.has_image) {
      if (auto restored = wal::restore_image(record.image, end, page); !restored)
        return failed(restored.error().code, record, end, restored.error().detail);
      if (record.manager == resource_manager::gist) finish_gist_image(of);
      return {};
    }
    change_page(of);
    return {};
  } catch (const not_written&) {
    return failed(core::errc::unsupported, record, end, "redo of this operation is not written");
  } catch (const page::malformed& damage) {
    return failed(core::errc::corrupt, record, end, damage.what());
  }
}

}  // namespace strata::pg::redo
