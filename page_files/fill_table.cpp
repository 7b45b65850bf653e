#include "page_files/fill_table.hpp"

#include <algorithm>
#include <limits>

#include "core/check.hpp"

namespace strata::page_files {

namespace {

constexpr std::size_t ahead_ranges_max = 64;
constexpr std::uint32_t no_end = std::numeric_limits<std::uint32_t>::max();

bool touch(const fill_table::fetch& claimed, std::uint32_t file, std::uint32_t first, std::uint32_t end) {
  return claimed.file == file && claimed.first < end && first < claimed.first + claimed.count;
}

}  // namespace

fill_table::fill_table(page_map& map, options with) : map_(map), options_(with) {
  claims_.reserve(options_.fetches_max);
  waiters_.reserve(options_.tickets_max);
  verdicts_.reserve(options_.tickets_max);
  ahead_.reserve(ahead_ranges_max);
}

void fill_table::lower_limit(std::uint32_t file, std::uint32_t pages) {
  if (options_.without_limit || pages >= map_.limit(file)) return;
  map_.lower_limit(file, pages);
  map_.lower_no_ahead_from(file, pages);
  settle(file);
}

void fill_table::want(std::uint32_t file, std::uint32_t first, std::uint32_t count, ticket of) {
  core::check(count > 0 && waiters_.size() < options_.tickets_max, "a want of pages, and room for it");
  const waiter asked{of, file, first, count > no_end - first ? no_end : first + count, ++now_, false};
  if (may_go_on(asked))
    verdicts_.push_back({of, std::nullopt});
  else
    waiters_.push_back(asked);
}

void fill_table::want_ahead(std::uint32_t file, std::uint32_t first, std::uint32_t count) {
  const ahead_range asked{file, first, count > no_end - first ? no_end : first + count};
  if (ahead_end(asked) <= first) return;
  for (ahead_range& each : ahead_)
    if (each.file == file && each.next <= asked.end && first <= each.end) {
      each = {file, std::min(each.next, first), std::max(each.end, asked.end)};
      return;
    }
  if (ahead_.size() == ahead_ranges_max) ahead_.erase(ahead_.begin());
  ahead_.push_back(asked);
}

void fill_table::shrink(std::uint32_t file, std::uint32_t pages, ticket of) {
  core::check(waiters_.size() < options_.tickets_max, "room for a truncation");
  const waiter asked{of, file, pages, no_end, ++now_, true};
  if (!options_.without_drain) map_.lower_no_ahead_from(file, pages);
  if (may_go_on(asked))
    verdicts_.push_back({of, std::nullopt});
  else
    waiters_.push_back(asked);
}

void fill_table::forget(ticket of) {
  std::erase_if(waiters_, [of](const waiter& each) { return each.of == of; });
}

const fill_table::claim* fill_table::claim_on(std::uint32_t file, std::uint32_t page) const {
  const auto found =
      std::ranges::find_if(claims_, [&](const claim& each) { return touch(each.pages, file, page, page + 1); });
  return found == claims_.end() ? nullptr : &*found;
}

const fill_table::claim& fill_table::claim_of(std::uint32_t id) const {
  const auto found = std::ranges::find_if(claims_, [id](const claim& each) { return each.pages.id == id; });
  core::check(found != claims_.end(), "a fetch in flight");
  return *found;
}

bool fill_table::may_go_on(const waiter& of) const {
  if (of.truncates)
    return options_.without_drain || std::ranges::none_of(claims_, [&](const claim& each) {
             return each.since < of.since && touch(each.pages, of.file, of.first, of.end);
           });
  if (options_.without_waiting_for_claims) {
    std::uint32_t page = map_.first_missing(of.file, of.first, of.end);
    for (; page < of.end; page = map_.first_missing(of.file, page + 1, of.end))
      if (const claim* by = claim_on(of.file, page); by == nullptr || by->since > of.since) return false;
    return true;
  }
  return map_.first_missing(of.file, of.first, of.end) == of.end &&
         std::ranges::none_of(claims_, [&](const claim& each) { return touch(each.pages, of.file, of.first, of.end); });
}

void fill_table::settle(std::uint32_t file) {
  std::erase_if(waiters_, [&](const waiter& each) {
    if (each.file != file || !may_go_on(each)) return false;
    verdicts_.push_back({each.of, std::nullopt});
    return true;
  });
}

void fill_table::drop(std::uint32_t id) {
  const claim& ended = claim_of(id);
  pages_in_flight_ -= ended.pages.count;
  if (ended.ahead) pages_ahead_ -= ended.pages.count;
  std::erase_if(claims_, [id](const claim& each) { return each.pages.id == id; });
}

fill_table::writable_pages fill_table::writable(std::uint32_t id) const {
  const fetch& pages = claim_of(id).pages;
  const auto below = [&](std::uint32_t end) {
    return end > pages.first ? std::min(pages.count, end - pages.first) : 0;
  };
  const std::uint32_t count = below(map_.limit(pages.file));
  return {count, std::min(count, below(map_.no_ahead_from(pages.file)))};
}

void fill_table::written(std::uint32_t file, std::uint32_t first, std::uint32_t count) {
  const std::uint32_t limit = map_.limit(file);
  if (first >= limit || count == 0) return;
  map_.set_present(file, first, std::min(count, limit - first));
  settle(file);
}

void fill_table::filled(std::uint32_t id) {
  const fetch pages = claim_of(id).pages;
  if (const std::uint32_t count = writable(id).count; count > 0) map_.set_present(pages.file, pages.first, count);
  drop(id);
  settle(pages.file);
}

void fill_table::failed(std::uint32_t id, core::errc why) {
  const claim ended = claim_of(id);
  drop(id);
  std::erase_if(ahead_, [&](const ahead_range& each) { return each.file == ended.pages.file; });
  std::erase_if(waiters_, [&](const waiter& each) {
    if (each.truncates || each.file != ended.pages.file || each.since > ended.since) return false;
    const std::uint32_t end = std::min(each.end, ended.pages.first + ended.pages.count);
    if (map_.first_missing(each.file, std::max(each.first, ended.pages.first), end) >= end) return false;
    verdicts_.push_back({each.of, why});
    return true;
  });
  settle(ended.pages.file);
}

std::uint32_t fill_table::next_unclaimed(std::uint32_t file, std::uint32_t first, std::uint32_t end) const {
  std::uint32_t page = map_.first_missing(file, first, end);
  while (page < end) {
    const claim* by = claim_on(file, page);
    if (by == nullptr) return page;
    page = map_.first_missing(file, std::min(end, by->pages.first + by->pages.count), end);
  }
  return end;
}

fill_table::fetch fill_table::make_claim(std::uint32_t file, std::uint32_t first, std::uint32_t end, std::uint32_t room,
                                         bool ahead) {
  const std::uint32_t stop = std::min({end, map_.limit(file), first + std::min(room, page_range::count_max)});
  std::uint32_t last = first + 1;
  while (last < stop && !map_.present(file, last) && claim_on(file, last) == nullptr) ++last;
  const fetch made{++last_id_, file, first, last - first};
  claims_.push_back({made, ++now_, ahead});
  pages_in_flight_ += made.count;
  if (ahead) pages_ahead_ += made.count;
  return made;
}

std::uint32_t fill_table::ahead_end(const ahead_range& of) const {
  return std::min({of.end, map_.limit(of.file), map_.no_ahead_from(of.file)});
}

std::optional<fill_table::fetch> fill_table::next_fetch() {
  if (claims_.size() >= options_.fetches_max || pages_in_flight_ >= options_.pages_max) return std::nullopt;
  const std::uint32_t room = options_.pages_max - pages_in_flight_;
  // In turns, so that a page is not fetched after the whole file that somebody else has asked for.
  for (std::size_t looked = 0; looked < waiters_.size(); ++looked) {
    const waiter& each = waiters_[(turn_ + looked) % waiters_.size()];
    if (each.truncates) continue;
    const std::uint32_t first = next_unclaimed(each.file, each.first, each.end);
    if (first == each.end) continue;
    // What is wanted ahead right behind the asked-for pages comes with the same request.
    std::uint32_t end = each.end;
    for (const ahead_range& behind : ahead_)
      if (behind.file == each.file && behind.next <= end) end = std::max(end, ahead_end(behind));
    turn_ = (turn_ + looked + 1) % waiters_.size();
    return make_claim(each.file, first, end, room, false);
  }
  if (pages_ahead_ >= options_.pages_ahead_max) return std::nullopt;
  while (!ahead_.empty()) {
    ahead_range next = ahead_.front();
    ahead_.erase(ahead_.begin());
    const std::uint32_t end = std::max(next.next, ahead_end(next));
    const std::uint32_t first = next_unclaimed(next.file, next.next, end);
    if (first == end) continue;
    const fetch made = make_claim(next.file, first, end, std::min(room, options_.pages_ahead_max - pages_ahead_), true);
    // To the back: two scans take turns.
    next.next = made.first + made.count;
    if (next.next < end) ahead_.push_back(next);
    return made;
  }
  return std::nullopt;
}

bool fill_table::uses(std::uint32_t file) const {
  return std::ranges::any_of(claims_, [file](const claim& each) { return each.pages.file == file; }) ||
         std::ranges::any_of(waiters_, [file](const waiter& each) { return each.file == file; }) ||
         std::ranges::any_of(ahead_, [file](const ahead_range& each) { return each.file == file; });
}

std::optional<fill_table::verdict> fill_table::next_verdict() {
  if (verdicts_.empty()) return std::nullopt;
  const verdict next = verdicts_.back();
  verdicts_.pop_back();
  return next;
}

}  // namespace strata::page_files
