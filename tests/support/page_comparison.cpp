#include "tests/integration/page_comparison.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <stdexcept>

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
  return {std::istreambuf_iterator<char>(in), {}};
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

class comparison {
 public:
  comparison(pagestream_client& strata, core::lsn at, const comparison_options& options, bool checksums)
      : strata_(strata), at_(at), options_(options), checksums_(checksums) {}

  void compare(const pg::relation_fork& relation, const std::map<std::uint32_t, fs::path>& files) {
    ++report.relations;
    std::vector<page_bytes> theirs;
    for (const auto& [segment, file] : files) {
      const core::bytes content = content_of(file);
      for (std::size_t i = 0; (i + 1) * pg::page_size <= content.size(); ++i)
        std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(i * pg::page_size), pg::page_size,
                    theirs.emplace_back().begin());
    }
    const auto size = compare_size(relation, theirs);
    const auto ours = strata_.pages(relation, 0, std::min(size, static_cast<std::uint32_t>(theirs.size())), at_);
    for (pg::block_number block = 0; block < ours.size(); ++block)
      compare_page(relation, block, ours[block], theirs[block]);
  }

  comparison_report report;

 private:
  std::uint32_t compare_size(const pg::relation_fork& relation, const std::vector<page_bytes>& theirs) {
    std::uint32_t size = 0;
    try {
      size = strata_.size(relation, at_);
    } catch (const pagestream_error& e) {
      report.differ(pg::to_string(relation) + ": " + e.what());
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
      if (options_.without_visibility_map.contains(relation.database)) return;
      ++report.visibility_pages;
    }
    // WAL is up to 32 values ahead of a sequence's page; its one tuple is compared by its header only.
    if (kind == page_kind::sequence) return;
    const page_bytes mine = masked(ours, kind, block, lsn_counts::yes);
    const page_bytes other = masked(theirs, kind, block, lsn_counts::yes);
    if (mine != other) report.differ(name + ": " + describe_difference(mine, other));
  }

  pagestream_client& strata_;
  core::lsn at_;
  const comparison_options& options_;
  bool checksums_;
};

}  // namespace

void comparison_report::differ(std::string what) {
  ++difference_count;
  if (differences.size() < 30) differences.push_back(std::move(what));
}

std::string comparison_report::text() const {
  std::ostringstream text;
  text << pages << " pages of " << relations << " relation forks compared, " << visibility_pages
       << " of them visibility map pages; " << unlogged_empty_pages << " empty pages not in WAL; " << difference_count
       << " differences";
  for (const auto& difference : differences) text << "\n  " << difference;
  return text.str();
}

comparison_report compare_with_files(const fs::path& data_directory, pagestream_client& strata, core::lsn at,
                                     const comparison_options& options) {
  const auto control = pg::files::decode_control_file(content_of(data_directory / "global/pg_control"));
  if (!control) throw std::runtime_error(core::to_string(control.error()));
  comparison all(strata, at, options, control->data_checksum_version != 0);
  const relation_files files = relation_files_of(data_directory, control->major);
  for (const auto& [relation, segments] : files) {
    if (relation.fork == pg::fork::fsm) continue;  // rebuilt by VACUUM, not logged
    pg::relation_fork init = relation;
    init.fork = pg::fork::init;
    if (relation.fork != pg::fork::init && files.contains(init)) continue;  // unlogged
    all.compare(relation, segments);
  }
  return all.report;
}

}  // namespace strata::tests
