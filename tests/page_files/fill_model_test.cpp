#include <boost/test/unit_test.hpp>
#include <map>
#include <random>
#include <set>

#include "page_files/fill_table.hpp"
#include "tests/page_files/made_map.hpp"

namespace strata::tests {
namespace {

using page_files::fill_table;
using page_files::page_map;

constexpr std::uint32_t pages_at_start = 40;
constexpr int hole = 0;
constexpr int original = 1;  ///< what the page service has; written pages count up from 2

/// A file, processes that use it in a random order, and the filler between them. Beside it the file as it would be if
/// no page had ever been missing. Truncations exclude writes, as Postgres's locks make them; reads, fills and kills of
/// the filler come at any moment.
class fill_model {
 public:
  fill_model(std::uint32_t seed, fill_table::options with) : random_(seed), options_(with) {
    whole_.assign(pages_at_start, original);
    sparse_.assign(pages_at_start, hole);
    table_.emplace(map_, options_);
  }

  /// The first rule that was broken, or nothing.
  std::string run(int steps) {
    for (int step = 0; step < steps && broken_.empty(); ++step) {
      switch (random_() % 8) {
        case 0:
        case 1: begin_access(); break;
        case 2:
        case 3: finish_access(); break;
        case 4: finish_fetch(); break;
        case 5: start_fetches(); break;
        case 6: table_->want_ahead(0, random_() % pages_at_start, 1 + random_() % 8); break;
        default:
          if (random_() % 10 == 0) replace_filler();
      }
      take_verdicts();
    }
    return broken_;
  }

 private:
  enum class kind { read, write, truncate };
  struct access {
    kind what;
    std::uint32_t first, count;
    bool allowed = false;
  };

  std::uint32_t below(std::uint32_t end) { return random_() % end; }
  void require(bool holds, const char* rule) {
    if (!holds && broken_.empty()) broken_ = rule;
  }
  bool any(kind what) const {
    return std::ranges::any_of(accesses_, [&](const auto& each) { return each.second.what == what; });
  }

  void begin_access() {
    if (accesses_.size() >= 6) return;
    access next{kind::read, below(static_cast<std::uint32_t>(whole_.size()) + 1), 1 + below(4)};
    const std::uint32_t die = below(10);
    if (die < 4 && !any(kind::truncate)) {
      next.what = kind::write;
    } else if (die == 9 && !any(kind::truncate) && !any(kind::write)) {
      next.what = kind::truncate;
      // Down, to the same size, and up.
      next.first = below(static_cast<std::uint32_t>(whole_.size()) + 6);
    }
    const fill_table::ticket ticket = ++last_ticket_;
    accesses_.emplace(ticket, next);
    raise(ticket);
  }

  void raise(fill_table::ticket ticket) {
    const access& of = accesses_.at(ticket);
    table_->lower_limit(0, static_cast<std::uint32_t>(sparse_.size()));
    if (of.what == kind::truncate)
      table_->shrink(0, of.first, ticket);
    else
      table_->want(0, of.first, of.count, ticket);
  }

  void take_verdicts() {
    while (const auto next = table_->next_verdict()) {
      const auto found = accesses_.find(next->of);
      require(found != accesses_.end() && !found->second.allowed, "an access is decided once");
      if (!broken_.empty()) return;
      if (next->denied)
        accesses_.erase(found);
      else
        found->second.allowed = true;
    }
  }

  void finish_access() {
    for (auto each = accesses_.begin(); each != accesses_.end(); ++each) {
      if (!each->second.allowed || below(2) == 0) continue;
      const access of = each->second;
      accesses_.erase(each);
      if (of.what == kind::truncate) {
        whole_.resize(of.first, hole);
        sparse_.resize(of.first, hole);
      }
      for (std::uint32_t page = of.first; of.what == kind::write && page < of.first + of.count; ++page) {
        ++last_value_;
        for (auto* file : {&whole_, &sparse_}) {
          if (file->size() <= page) file->resize(page + 1, hole);
          (*file)[page] = last_value_;
        }
      }
      require(whole_.size() == sparse_.size(), "the file has the size that its users gave it");
      for (std::uint32_t page = of.first; of.what == kind::read && page < of.first + of.count; ++page)
        if (page < whole_.size()) require(whole_[page] == sparse_[page], "a read finds what was written last");
      return;
    }
  }

  void start_fetches() {
    while (const auto next = table_->next_fetch()) {
      for (std::uint32_t page = next->first; page < next->first + next->count; ++page) {
        require(page < map_.limit(0), "nothing above the limit is fetched");
        require(!map_.present(0, page), "nothing present is fetched");
      }
      fetches_.push_back(*next);
    }
    std::set<std::uint32_t> claimed;
    for (const auto& each : fetches_)
      for (std::uint32_t page = each.first; page < each.first + each.count; ++page)
        require(claimed.insert(page).second, "a page is claimed once");
  }

  void write_pages(const fill_table::fetch& of) {
    const auto part = table_->writable(of.id);
    for (std::uint32_t i = 0; i < part.count; ++i) {
      const std::uint32_t page = of.first + i;
      if (i < part.steady && sparse_.size() <= page) sparse_.resize(page + 1, hole);
      if (page >= sparse_.size()) continue;
      if (!options_.without_limit) require(sparse_[page] == hole || torn_.contains(page), "a page is filled once");
      torn_.insert(page);
      sparse_[page] = original;
    }
    require(whole_.size() == sparse_.size(), "a fill does not lengthen the file");
  }

  void finish_fetch() {
    if (fetches_.empty()) return;
    const auto which = fetches_.begin() + below(static_cast<std::uint32_t>(fetches_.size()));
    const fill_table::fetch of = *which;
    fetches_.erase(which);
    if (below(10) == 0) {
      table_->failed(of.id, core::errc::timeout);
      return;
    }
    write_pages(of);
    table_->lower_limit(0, static_cast<std::uint32_t>(sparse_.size()));
    table_->filled(of.id);
    for (std::uint32_t page = of.first; page < of.first + of.count; ++page) torn_.erase(page);
  }

  /// SIGKILL, at times with pages in the file that are not in the map; the successor has the taken events.
  void replace_filler() {
    if (!fetches_.empty() && below(2) == 0) write_pages(fetches_.front());
    fetches_.clear();
    table_.emplace(map_, options_);
    for (auto& [ticket, each] : accesses_)
      if (!each.allowed) raise(ticket);
  }

  std::mt19937 random_;
  fill_table::options options_;
  page_map map_ = made_map({pages_at_start});
  std::optional<fill_table> table_;
  std::vector<int> whole_;
  std::vector<int> sparse_;
  std::map<fill_table::ticket, access> accesses_;
  std::vector<fill_table::fetch> fetches_;
  std::set<std::uint32_t> torn_;  ///< written by a filler that was killed before it could say so
  fill_table::ticket last_ticket_ = 0;
  int last_value_ = original;
  std::string broken_;
};

/// The first seed that breaks a rule, with the rule.
std::string first_violation(fill_table::options with, std::uint32_t seeds) {
  for (std::uint32_t seed = 1; seed <= seeds; ++seed)
    if (const std::string broken = fill_model(seed, with).run(600); !broken.empty())
      return "seed " + std::to_string(seed) + ": " + broken;
  return "";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(page_files_fill_model)

BOOST_AUTO_TEST_CASE(no_order_of_accesses_fills_and_kills_shows_a_wrong_page) {
  BOOST_TEST(first_violation({}, 3000) == "");
  BOOST_TEST(first_violation({.fetches_max = 2, .pages_max = 6, .pages_ahead_max = 3}, 3000) == "");
}

BOOST_AUTO_TEST_CASE(each_rule_left_out_is_noticed) {
  const auto noticed = [](fill_table::options with) {
    const std::string found = first_violation(with, 3000);
    BOOST_TEST_MESSAGE(found);
    return !found.empty();
  };
  BOOST_TEST(noticed({.without_waiting_for_claims = true}));
  BOOST_TEST(noticed({.without_limit = true}));
  BOOST_TEST(noticed({.without_drain = true}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
