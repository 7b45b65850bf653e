#include "control/page_choice.hpp"

#include "control/failure.hpp"
#include "page_files/guarded_directory.hpp"

namespace strata::control {

using host::page_mode;

host::page_mode choose_pages(const scope& of, std::optional<page_mode> wanted, const std::string& directory) {
  if (wanted == page_mode::copy) return page_mode::copy;
  const auto allowed = page_files::check_fanotify(directory);
  if (allowed) return page_mode::fanotify;
  if (wanted == page_mode::fanotify)
    throw failure(allowed.error(), "can't fill in pages by fanotify", "--pages copy, or no --pages for the best way here");
  of.report->note("all pages are copied before Postgres starts: " + allowed.error().detail);
  return page_mode::copy;
}

}  // namespace strata::control
