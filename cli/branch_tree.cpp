#include "cli/branch_tree.hpp"

#include <algorithm>
#include <map>

#include "config/quantity.hpp"
#include "config/time_text.hpp"

namespace strata::cli {

using namespace control;

namespace {

struct drawn {
  std::string branch;  ///< with its lines
  std::size_t width = 0;
  std::string from;
  const branch_entry* entry = nullptr;
};

class drawing {
 public:
  drawing(const std::vector<branch_entry>& branches, bool lines) : lines_(lines) {
    for (const auto& each : branches) children_[each.text("ancestor_timeline_id")].push_back(&each);
    for (auto& [parent, siblings] : children_)
      std::sort(siblings.begin(), siblings.end(), [](const auto* a, const auto* b) {
        const auto at = [](const branch_entry& of) {
          const auto parsed = core::parse_lsn(of.text("ancestor_lsn"));
          return parsed ? parsed->value : 0;
        };
        return std::pair(at(*a), a->name) < std::pair(at(*b), b->name);
      });
    draw("", "", 0);
  }
  [[nodiscard]] const std::vector<drawn>& rows() const { return rows_; }

 private:
  void draw(const std::string& parent, const std::string& indent, std::size_t depth) {
    const auto found = children_.find(parent);
    if (found == children_.end()) return;
    for (const branch_entry* each : found->second) {
      const bool last = each == found->second.back();
      const std::string arm = depth == 0 ? "" : lines_ ? (last ? "└─ " : "├─ ") : (last ? "`- " : "|- ");
      rows_.push_back({indent + arm + each->name, depth * 3 + each->name.size(),
                       depth == 0 ? "" : "from " + each->text("ancestor_lsn"), each});
      const std::string below = depth == 0 ? "" : last ? "   " : lines_ ? "│  " : "|  ";
      draw(each->id, indent + below, depth + 1);
    }
  }

  bool lines_;
  std::map<std::string, std::vector<const branch_entry*>> children_;
  std::vector<drawn> rows_;
};

}  // namespace

std::vector<std::string> draw_tree(const std::vector<branch_entry>& branches, bool lines, core::wall_time now) {
  const drawing tree(branches, lines);
  std::size_t name_width = 0;
  std::size_t from_width = 0;
  std::size_t head_width = 0;
  for (const auto& row : tree.rows()) {
    name_width = std::max(name_width, row.width);
    from_width = std::max(from_width, row.from.size());
    head_width = std::max(head_width, row.entry->text("last_record_lsn").size());
  }
  std::vector<std::string> made;
  for (const auto& row : tree.rows()) {
    const std::string head = row.entry->text("last_record_lsn");
    std::string line = row.branch + std::string(name_width - row.width + 2, ' ');
    if (from_width > 0) line += row.from + std::string(from_width - row.from.size() + 2, ' ');
    line += head + std::string(head_width - head.size() + 2, ' ');
    line += config::size_text(row.entry->info.value("current_physical_size", std::uint64_t{0}));
    if (const auto created = config::parse_iso_time(row.entry->text("created_at"), config::default_zone::utc))
      line += "  created " + config::age_text(*created, now);
    if (!row.entry->active()) line += "  " + row.entry->state_text();
    made.push_back(line);
  }
  return made;
}

}  // namespace strata::cli
