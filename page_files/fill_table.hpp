#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/error.hpp"
#include "page_files/page_map.hpp"

namespace strata::page_files {

/// Decides what a filler does: which pages to fetch, which accesses may go on, and when. Does no I/O; the door around
/// it carries out what it says. One thread.
///
/// An access to a file whose pages may be missing waits under a ticket. The rules
/// (docs/decisions/0050-fanotify-door.md):
/// - A page is filled at most once: it is claimed, fetched, written, and then present. Nothing that is present,
/// claimed,
///   or at or above the file's limit is claimed.
/// - An access goes on when all of its pages below the limit are present and no claim touches any of its pages. So a
///   write comes after the only fill of its page.
/// - A truncation goes on when no claim that was made before it is at or above the pages that stay. From then on only
///   pages that are asked for are filled there, and such a page must be written so that it can't lengthen the file.
/// - A file only grows by an access, before which the door lowers the limit to the size the file has. So pages that
///   were cut off stay cut off.
///
/// The door calls lower_limit() before want() and shrink() with the size it finds, and after each call takes the
/// verdicts and the fetches. It writes pages only between writable() and filled() or failed(), with no other call in
/// between: a claim that is not being written is dropped by a lower limit.
class fill_table {
 public:
  using ticket = std::uint32_t;

  struct options {
    std::uint32_t fetches_max = 64;        ///< in flight
    std::uint32_t pages_max = 2048;        ///< in flight, 16 MiB
    std::uint32_t pages_ahead_max = 1024;  ///< of these for nobody yet
    std::uint32_t tickets_max = page_map::taken_max;

    // Rules left out, to prove that the stress test finds it (tests/page_files_stress). Never set elsewhere.
    bool without_waiting_for_claims = false;
    bool without_limit = false;
    bool without_drain = false;
  };

  struct fetch {
    std::uint32_t id = 0;
    std::uint32_t file = 0;
    std::uint32_t first = 0;
    std::uint32_t count = 0;  ///< 1 to page_range::count_max
  };

  /// The part of a fetch that may be written.
  struct writable_pages {
    std::uint32_t count = 0;  ///< from the first page on; what follows is no longer part of the file
    /// Pages of it that can't be cut off meanwhile. The others are written in a way that never lengthens the file.
    std::uint32_t steady = 0;
  };

  struct verdict {
    ticket of = 0;
    std::optional<core::errc> denied;
  };

  /// `map` outlives the table, and nothing else writes to it.
  fill_table(page_map& map, options with);

  // -- what happens -------------------------------------------------------
  /// The file has `pages` pages now, counting a part of one.
  void lower_limit(std::uint32_t file, std::uint32_t pages);
  /// An access to `count` >= 1 pages. `of` is not in use and at most tickets_max are.
  void want(std::uint32_t file, std::uint32_t first, std::uint32_t count, ticket of);
  /// Nobody waits for these pages. Keeps 64 such ranges; the one that waits longest makes room.
  void want_ahead(std::uint32_t file, std::uint32_t first, std::uint32_t count);
  /// A truncation to `pages` pages, or what looks like one: nothing is cut off by the filler.
  void shrink(std::uint32_t file, std::uint32_t pages, ticket of);
  /// A ticket whose process is gone or was answered otherwise. What was claimed for it is still filled.
  void forget(ticket of);
  /// An access has written these pages as a whole although it was not waited for: the file has them below its limit.
  void written(std::uint32_t file, std::uint32_t first, std::uint32_t count);
  /// All writable pages of a fetch are in the file.
  void filled(std::uint32_t id);
  /// A fetch has failed, or not all of its writable pages could be written. Accesses that were waiting for it when it
  /// began are denied; those that came later cause another fetch.
  void failed(std::uint32_t id, core::errc why);

  // -- what to do ---------------------------------------------------------
  /// The next fetch to start, which from now on is a claim. None: nothing is missing, or enough is in flight.
  std::optional<fetch> next_fetch();
  [[nodiscard]] writable_pages writable(std::uint32_t id) const;
  /// Tickets that are decided; each is returned once and free from then on.
  std::optional<verdict> next_verdict();

  [[nodiscard]] std::size_t waiting() const { return waiters_.size(); }
  [[nodiscard]] std::size_t in_flight() const { return claims_.size(); }
  [[nodiscard]] bool has_ahead() const { return !ahead_.empty(); }
  /// A fetch in flight.
  [[nodiscard]] const fetch& fetch_of(std::uint32_t id) const { return claim_of(id).pages; }
  /// Whether anything waits for pages of the file, or may be written to it.
  [[nodiscard]] bool uses(std::uint32_t file) const;

 private:
  struct claim {
    fetch pages;
    std::uint64_t since = 0;
    bool ahead = false;
  };
  struct waiter {
    ticket of = 0;
    std::uint32_t file = 0;
    std::uint32_t first = 0;
    std::uint32_t end = 0;
    std::uint64_t since = 0;
    bool truncates = false;
  };
  struct ahead_range {
    std::uint32_t file = 0;
    std::uint32_t next = 0;
    std::uint32_t end = 0;
  };

  [[nodiscard]] const claim* claim_on(std::uint32_t file, std::uint32_t page) const;
  [[nodiscard]] const claim& claim_of(std::uint32_t id) const;
  [[nodiscard]] bool may_go_on(const waiter& of) const;
  void settle(std::uint32_t file);
  void drop(std::uint32_t id);
  [[nodiscard]] std::uint32_t next_unclaimed(std::uint32_t file, std::uint32_t first, std::uint32_t end) const;
  fetch make_claim(std::uint32_t file, std::uint32_t first, std::uint32_t end, std::uint32_t room, bool ahead);
  [[nodiscard]] std::uint32_t ahead_end(const ahead_range& of) const;

  page_map& map_;
  options options_;
  std::vector<claim> claims_;
  std::vector<waiter> waiters_;  ///< by arrival
  std::vector<ahead_range> ahead_;
  std::vector<verdict> verdicts_;
  std::uint32_t pages_in_flight_ = 0;
  std::uint32_t pages_ahead_ = 0;
  std::size_t turn_ = 0;  ///< the waiter that is served next
  std::uint64_t now_ = 0;
  std::uint32_t last_id_ = 0;
};

}  // namespace strata::page_files
