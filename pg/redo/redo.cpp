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

/// Whether the record needs the old content of the page.
bool needs_page(const block_record& record) { return !record.will_init && record.manager != resource_manager::xlog; }

void require_usable(const action& of) {
  // Postgres extends the visibility map, which only heaps have, without a record; its blocks begin as zeros.
  const bool may_be_new = of.record.own().in_fork == fork::vm &&
                          (of.record.manager == resource_manager::heap || of.record.manager == resource_manager::heap2);
  if (of.page.is_new()) return require(may_be_new, "page was never initialised");
  of.page.require_sane_header();
}

void change_page(action& of) {
  require(of.record.own().present, "block reference is missing");
  // A page of a base backup may have the change already, and then its redo need not be supported.
  if (needs_page(of.record) && !of.page.is_new() && of.page.lsn() >= of.end) return;
  const redo_function redo = function_of(of.record.manager);
  if (needs_page(of.record)) require_usable(of);
  redo(of);
  require(!of.record.will_init || of.page.initialised(), "page was announced but not initialised");
  if (of.moves_lsn) of.page.set_lsn(of.end);
}

core::error failed(core::errc code, const block_record& record, core::lsn end, std::string_view why) {
  return {code, "redo " + wal::describe(record.manager, record.info) + " that ends at " + core::to_string(end) +
                    " on block " + std::to_string(record.block()) + ": " + std::string(why)};
}

std::string why_not_written(const block_record& record) {
  if (!wal::is_custom(record.manager)) return "redo of this operation is not supported";
  return "resource manager " + std::to_string(static_cast<unsigned>(record.manager)) +
         " is an extension's own (a custom resource manager), and only the extension can redo its records; "
         "pages without such records are not affected";
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
    return failed(core::errc::unsupported, record, end, why_not_written(record));
  } catch (const page::malformed& damage) {
    return failed(core::errc::corrupt, record, end, damage.what());
  }
}

}  // namespace strata::pg::redo
