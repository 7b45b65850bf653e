#include "control/page_choice.hpp"

#include <string>

#include "config/quantity.hpp"
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

struct best_mode {
  page_mode mode = page_mode::copy;
  std::string why;  ///< not a better one
};

best_mode best_for(const std::string& directory) {
  best_mode found;
  for (const page_mode each : {page_mode::fanotify, page_mode::fuse}) {
    const auto allowed = check(each, directory);
    if (allowed) {
      found.mode = each;
      break;
    }
    found.why += (found.why.empty() ? "" : "; ") + std::string(host::to_string(each)) + ": " + allowed.error().detail;
  }
  return found;
}

page_mode choose_mode(const scope& of, const page_request& wanted, const host::compute_record& record) {
  if (wanted.mode) {
    need(check(*wanted.mode, record.home), std::string("can't use --pages ") + host::to_string(*wanted.mode),
         *wanted.mode == page_mode::fanotify ? "use --pages fuse" : "use --pages copy");
    return *wanted.mode;
  }
  if (record.pages_named && check(record.pages, record.home)) return record.pages;
  const best_mode best = best_for(record.home);
  const std::string why = best.why.empty() ? "" : " (" + best.why + ")";
  if (has_started(record) && best.mode != record.pages)
    of.report->note("compute " + record.name + " uses --pages " + host::to_string(best.mode) + "; at its last start " +
                    host::to_string(record.pages) + " was used" + why);
  else if (best.mode == page_mode::copy)
    of.report->note("all pages are copied before Postgres starts" + why);
  return best.mode;
}

}  // namespace

std::chrono::milliseconds parse_page_timeout(const std::string& text) {
  constexpr std::chrono::milliseconds least{100};
  constexpr std::chrono::milliseconds most = std::chrono::hours(24);
  const std::string next = "strata compute start BRANCH --page-timeout 60s";
  const auto timeout = need(config::parse_duration(text), "can't use --page-timeout", next);
  if (timeout < least || timeout > most)
    throw failure(core::errc::invalid_argument, "can't use --page-timeout " + text,
                  "it must be " + config::duration_text(least) + " to " + config::duration_text(most), next);
  return timeout;
}

void choose_pages(const scope& of, const page_request& wanted, host::compute_record& record) {
  record.pages = choose_mode(of, wanted, record);
  record.pages_named = record.pages_named || wanted.mode;
  record.fill = wanted.fill.value_or(record.fill);
  record.page_timeout = wanted.timeout.value_or(record.page_timeout);
  if (record.pages == page_mode::copy && (wanted.fill || wanted.timeout))
    of.report->note("--fill, --no-fill and --page-timeout have no effect: all pages are copied before Postgres starts");
}

}  // namespace strata::control
