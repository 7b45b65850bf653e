#include "placement/timeline_deletion.hpp"

#include <algorithm>

#include "core/check.hpp"

namespace strata::placement {

core::result<void> check_deletion(const core::timeline_id& id, std::span<const known_branch> branches) {
  std::string children;
  for (const known_branch& each : branches)
    if (each.ancestor == id && each.in != known_branch::phase::deleting)
      children += (children.empty() ? "" : ", ") + std::string(each.name);
  if (children.empty()) return {};
  const auto own = std::ranges::find(branches, id, &known_branch::id);
  core::check(own != branches.end(), "a deletion is of a branch that is there");
  return core::error{core::errc::conflict,
                     "branch " + std::string(own->name) + " has child branches: " + children + "; delete them first"};
}

timeline_deletion timeline_deletion::resumed() {
  timeline_deletion made;
  made.marked(false);
  return made;
}

void timeline_deletion::marked(bool has_writer) {
  core::check(step_ == step::mark, "a deletion is marked once");
  marked_ = true;
  writer_runs_ = has_writer;
  enter(has_writer ? step::end_writer : step::remove_files);
}

void timeline_deletion::writer_ended() {
  core::check(step_ == step::end_writer, "the writer of a deleted timeline ends after the mark");
  writer_runs_ = false;
  enter(step::remove_files);
}

void timeline_deletion::files_removed() {
  core::check(step_ == step::remove_files, "files are removed once");
  files_gone_ = true;
  enter(step::delete_record);
}

void timeline_deletion::record_deleted() {
  core::check(step_ == step::delete_record, "the record goes after the files");
  enter(step::finished);
}

void timeline_deletion::fail() {
  core::check(!ended() && step_ != step::end_writer, "a deletion fails in a step that can");
  enter(step_ == step::mark ? step::not_deleted : step::left_behind);
}

void timeline_deletion::enter(step to) {
  step_ = to;
  const std::string wrong = broken_invariant();
  core::check(wrong.empty(), wrong);
}

std::string timeline_deletion::broken_invariant() const {
  // Invariant: nothing is removed before the mark is durable, else a crash would leave a branch without its files.
  if (!marked_ && step_ != step::mark && step_ != step::not_deleted) return "nothing is removed without a mark";
  // Invariant: nothing is removed under an actor that still writes.
  if (writer_runs_ && step_ != step::end_writer) return "the writer ends before the files go";
  // Invariant: the record names the files as long as there are any, else nothing would ever remove them.
  if ((step_ == step::delete_record || step_ == step::finished) && !files_gone_) return "the record goes last";
  return {};
}

}  // namespace strata::placement
