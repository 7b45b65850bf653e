#include "control/page_choice.hpp"

#include "control/failure.hpp"
#include "host/account.hpp"
#include "page_files/fuse_mount.hpp"
#include "page_files/guarded_directory.hpp"

namespace strata::control {
namespace {

using host::page_mode;

core::result<void> check(page_mode mode, const std::string& directory) {
  if (mode == page_mode::fanotify) return page_files::check_fanotify(directory);
  if (mode == page_mode::copy) return {};
  STRATA_ASSIGN(const auto account, host::postgres_account());
  return page_files::fuse_available(account.has_value());
}

}  // namespace

page_mode choose_pages(const scope& of, std::optional<page_mode> wanted, const std::string& directory) {
  if (wanted) {
    need(check(*wanted, directory), std::string("can't use --pages ") + host::to_string(*wanted),
         *wanted == page_mode::fanotify ? "use --pages fuse" : "use --pages copy");
    return *wanted;
  }
  std::string why;
  for (const page_mode each : {page_mode::fanotify, page_mode::fuse}) {
    const auto allowed = check(each, directory);
    if (allowed) return each;
    why += (why.empty() ? "" : "; ") + std::string(host::to_string(each)) + ": " + allowed.error().detail;
  }
  of.report->note("all pages are copied before Postgres starts (" + why + ")");
  return page_mode::copy;
}

}  // namespace strata::control
