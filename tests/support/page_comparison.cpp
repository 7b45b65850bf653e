#include "tests/support/page_comparison.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "core/bytes.hpp"
#include "pg/files/control_file.hpp"
#include "pg/files/data_directory.hpp"
#include "pg/page/checksum.hpp"

namespace strata::tests {

using namespace pg::verify;
namespace {

namespace fs = std::filesystem;

core::bytes content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  const std::string text = std::move(all).str();
  return {text.begin(), text.end()};
}

using relation_files = std::map<pg::relation_fork, std::map<std::uint32_t, fs::path>>;

relation_files relation_files_of(const fs::path& data_directory, pg::major_version major) {
  relation_files found;
  const auto options = fs::directory_options::follow_directory_symlink;
  for (const auto& entry : fs::recursive_directory_iterator(data_directory, options)) {
    if (!entry.is_regular_file()) continue;
    const auto path = pg::files::classify(entry.path().lexically_relative(data_directory).string(), major);
    if (path.kind == pg::files::path_kind::relation)
      found[path.relation.relation][path.relation.segment] = entry.path();
  }
  return found;
}

std::vector<page_bytes> pages_of(const std::map<std::uint32_t, fs::path>& segments) {
  std::vector<page_bytes> pages;
  for (const auto& [segment, file] : segments) {
    const core::bytes content = content_of(file);
    for (std::size_t i = 0; (i + 1) * pg::page_size <= content.size(); ++i)
      std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(i * pg::page_size), pg::page_size,
                  pages.emplace_back().begin());
  }
  return pages;
}

constexpr std::ptrdiff_t header_size = 24;

bool has_no_bits(const page_bytes& page) {
  return std::all_of(page.begin() + header_size, page.end(), [](std::uint8_t byte) { return byte == 0; });
}

std::uint64_t lsn_of(const page_bytes& page) {
  return std::uint64_t{core::load_le<std::uint32_t>(page.data())} << 32 | core::load_le<std::uint32_t>(page.data() + 4);
}

bool has_no_items(const page_bytes& page) { return core::load_le<std::uint16_t>(page.data() + 12) == header_size; }

/// What Strata says the pages are.
class page_answers {
 public:
  virtual ~page_answers() = default;
  /// Throws pagestream_error when there is no such relation.
  virtual std::uint32_t size(const pg::relation_fork& relation) = 0;
  /// The first `count` of them.
  virtual std::vector<pagestream_client::page_reply> pages(const pg::relation_fork& relation, std::uint32_t count) = 0;
};

class served_pages : public page_answers {
 public:
  served_pages(pagestream_client& strata, core::lsn at) : strata_(strata), at_(at) {}
  std::uint32_t size(const pg::relation_fork& relation) override { return strata_.size(relation, at_); }
  std::vector<pagestream_client::page_reply> pages(const pg::relation_fork& relation, std::uint32_t count) override {
    return strata_.pages(relation, 0, count, at_);
  }

 private:
  pagestream_client& strata_;
  core::lsn at_;
};

class copied_pages : public page_answers {
 public:
  explicit copied_pages(relation_files files) : files_(std::move(files)) {}
  std::uint32_t size(const pg::relation_fork& relation) override {
    const auto found = files_.find(relation);
    if (found == files_.end()) throw pagestream_error("is missing in the copy");
    if (relation_ != relation) {
      relation_ = relation;
      pages_ = pages_of(found->second);
    }
    return static_cast<std::uint32_t>(pages_.size());
  }
  std::vector<pagestream_client::page_reply> pages(const pg::relation_fork& relation, std::uint32_t count) override {
    std::vector<pagestream_client::page_reply> replies;
    if (count == 0 || size(relation) < count) return replies;
    for (std::uint32_t block = 0; block < count; ++block) replies.push_back({.page = pages_[block], .error = {}});
    return replies;
  }

 private:
  relation_files files_;
  pg::relation_fork relation_;
  std::vector<page_bytes> pages_;
};

class comparison {
 public:
  comparison(page_answers& answers, const comparison_options& options, bool checksums)
      : answers_(answers), options_(options), checksums_(checksums) {}

  void compare(const pg::relation_fork& relation, const std::map<std::uint32_t, fs::path>& files) {
    ++report.relations;
    const std::vector<page_bytes> theirs = pages_of(files);
    const auto size = compare_size(relation, theirs);
    const auto ours = answers_.pages(relation, std::min(size, static_cast<std::uint32_t>(theirs.size())));
    for (pg::block_number block = 0; block < ours.size(); ++block)
      compare_page(relation, block, ours[block], theirs[block]);
  }

  comparison_report report;

 private:
  std::uint32_t compare_size(const pg::relation_fork& relation, const std::vector<page_bytes>& theirs) {
    std::uint32_t size = 0;
    // Postgres adds a visibility map before it sets a bit, and a truncation initialises its last page.
    const bool is_unused = std::all_of(theirs.begin(), theirs.end(), has_no_bits);
    try {
      size = answers_.size(relation);
    } catch (const pagestream_error& e) {
      if (!is_unused || relation.fork != pg::fork::vm)
        report.differ(pg::to_string(relation) + " of " + std::to_string(theirs.size()) + " pages: " + e.what() +
                      (theirs.empty() ? "" : "; block 0: " + describe_difference({}, theirs.front())));
      return 0;
    }
    if (size > theirs.size())
      report.differ(pg::to_string(relation) + " has " + std::to_string(size) + " pages, the file " +
                    std::to_string(theirs.size()));
    for (std::size_t block = size; block < theirs.size(); ++block) {
      ++report.unlogged_empty_pages;
      if (!all_zero(theirs[block]))
        report.differ(pg::to_string(relation) + " ends at block " + std::to_string(size) + ", but block " +
                      std::to_string(block) + " has content");
    }
    return size;
  }

  void compare_page(const pg::relation_fork& relation, pg::block_number block,
                    const pagestream_client::page_reply& reply, const page_bytes& theirs) {
    const std::string name = pg::to_string(relation) + " block " + std::to_string(block);
    ++report.pages;
    if (!reply.page) return report.differ(name + ": " + reply.error);
    const page_bytes& ours = *reply.page;
    if (checksums_ && !all_zero(ours) &&
        pg::page::page_checksum(ours, block) != core::load_le<std::uint16_t>(ours.data() + 8))
      report.differ(name + ": wrong checksum");
    page_kind kind = kind_of(theirs, relation.fork);
    if (kind == page_kind::visibility_map) {
      if (options_.copied_through_wal.contains(relation.database)) return;
      ++report.visibility_pages;
    }
    // A revmap page has its content in what it declares to be free space, which such a copy leaves out.
    if (kind == page_kind::brin && options_.copied_through_wal.contains(relation.database) && has_no_items(theirs))
      return;
    // WAL is up to 32 values ahead of a sequence's page; its one tuple is compared by its header only.
    if (kind == page_kind::sequence) return;
    const auto lsn = moved_lsn(relation, kind, ours, theirs) ? lsn_counts::no : lsn_counts::yes;
    const page_bytes mine = masked(ours, kind, block, lsn);
    const page_bytes other = masked(theirs, kind, block, lsn);
    if (mine != other) report.differ(name + ": " + describe_difference(mine, other));
  }

  /// Init forks and sorted GiST indexes are written before they are logged; with checksums hints are logged, which
  /// moves a page's LSN, but not into the copy: without full_page_writes the record has no image.
  [[nodiscard]] bool moved_lsn(const pg::relation_fork& relation, page_kind kind, const page_bytes& ours,
                               const page_bytes& theirs) const {
    if (relation.fork == pg::fork::init) return true;
    if (!options_.of_compute) return false;
    return (kind == page_kind::gist && lsn_of(theirs) == 1) || (checksums_ && lsn_of(theirs) > lsn_of(ours));
  }

  page_answers& answers_;
  const comparison_options& options_;
  bool checksums_;
};

/// Those whose pages are in WAL and compared.
relation_files logged(relation_files files) {
  std::erase_if(files, [](const auto& each) { return each.first.fork == pg::fork::fsm; });  // rebuilt by VACUUM
  const relation_files all = files;
  std::erase_if(files, [&](const auto& each) {
    pg::relation_fork init = each.first;
    init.fork = pg::fork::init;
    return init != each.first && all.contains(init);  // unlogged
  });
  return files;
}

pg::files::control_file control_file_of(const fs::path& data_directory) {
  const auto control = pg::files::decode_control_file(content_of(data_directory / "global/pg_control"));
  if (!control) throw std::runtime_error(core::to_string(control.error()));
  return *control;
}

std::map<std::string, fs::path> status_files_of(const fs::path& data_directory, pg::major_version major) {
  std::map<std::string, fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(data_directory)) {
    const std::string name = entry.path().lexically_relative(data_directory).string();
    const auto kind = pg::files::classify(name, major).kind;
    if (entry.is_regular_file() && (kind == pg::files::path_kind::slru || kind == pg::files::path_kind::relation_map))
      found.emplace(name, entry.path());
  }
  return found;
}

/// A status file ends with pages that nobody has used, in one as in the other.
void compare_status_files(const fs::path& data_directory, const fs::path& copy, pg::major_version major,
                          comparison_report& report) {
  auto theirs = status_files_of(data_directory, major);
  auto ours = status_files_of(copy, major);
  theirs.insert(ours.begin(), ours.end());
  for (const auto& [name, file] : theirs) {
    core::bytes one = content_of(data_directory / name);
    core::bytes other = content_of(copy / name);
    one.resize(std::max(one.size(), other.size()));
    other.resize(one.size());
    ++report.status_files;
    if (one == other) continue;
    const auto at = std::mismatch(one.begin(), one.end(), other.begin()).first - one.begin();
    report.differ(name + " differs from byte " + std::to_string(at) + " on");
  }
}

}  // namespace

void comparison_report::differ(std::string what) {
  ++difference_count;
  if (differences.size() < 30) differences.push_back(std::move(what));
}

std::string comparison_report::text() const {
  std::ostringstream text;
  text << pages << " pages of " << relations << " relation forks compared, " << visibility_pages
       << " of them visibility map pages; " << unlogged_empty_pages << " empty pages not in WAL; ";
  if (status_files != 0) text << status_files << " status files and maps; ";
  text << difference_count << " differences";
  for (const auto& difference : differences) text << "\n  " << difference;
  return text.str();
}

comparison_report compare_with_files(const fs::path& data_directory, pagestream_client& strata, core::lsn at,
                                     const comparison_options& options) {
  const auto control = control_file_of(data_directory);
  served_pages answers(strata, at);
  comparison all(answers, options, control.data_checksum_version != 0);
  for (const auto& [relation, segments] : logged(relation_files_of(data_directory, control.major)))
    all.compare(relation, segments);
  return all.report;
}

comparison_report compare_directories(const fs::path& data_directory, const fs::path& copy,
                                      const comparison_options& options) {
  const auto control = control_file_of(copy);
  const relation_files theirs = logged(relation_files_of(data_directory, control.major));
  const relation_files ours = logged(relation_files_of(copy, control.major));
  copied_pages answers(ours);
  comparison all(answers, options, control.data_checksum_version != 0);
  for (const auto& [relation, segments] : theirs) all.compare(relation, segments);
  for (const auto& [relation, segments] : ours)
    if (!theirs.contains(relation)) all.report.differ(pg::to_string(relation) + " is only in the copy");
  compare_status_files(data_directory, copy, control.major, all.report);
  return all.report;
}

}  // namespace strata::tests
