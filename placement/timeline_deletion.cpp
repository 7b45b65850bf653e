#include "placement/timeline_deletion.hpp"

#include <algorithm>

#include "core/check.hpp"

namespace strata::placement {

namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& each : names) text += (text.empty() ? "" : ", ") + each;
  return text;
}

}  // namespace

std::vector<std::string> children_of(const core::timeline_id& id, std::span<const known_branch> branches) {
  std::vector<std::string> names;
  for (const known_branch& each : branches)
    if (each.ancestor == id && each.in != known_branch::phase::deleting) names.emplace_back(each.name);
  return names;
}

core::result<void> check_name(const core::timeline_id& id, const std::string& expected,
                              std::span<const known_branch> branches) {
  const auto own = std::ranges::find(branches, id, &known_branch::id);
  core::check(own != branches.end(), "a name is checked of a branch that is there");
  if (expected.empty() || own->name == expected) return {};
  return core::error{core::errc::conflict,
                     "branch " + expected + " was reset meanwhile; this one is now named " + std::string(own->name)};
}

core::result<void> check_deletion(const core::timeline_id& id, std::span<const known_branch> branches) {
  const auto own = std::ranges::find(branches, id, &known_branch::id);
  core::check(own != branches.end(), "a deletion is of a branch that is there");
  const std::string name(own->name);
  if (own->in == known_branch::phase::replacing)
    return core::error{core::errc::busy, "branch " + name + " is being reset"};
  if (own->deletion_protected)
    return core::error{core::errc::conflict, "branch " + name + " is protected from deletion"};
  const auto children = children_of(id, branches);
  if (children.empty()) return {};
  return core::error{core::errc::conflict,
                     "branch " + name + " has child branches: " + joined(children) + "; delete them first"};
}

core::result<void> check_removal(std::span<const known_branch> branches) {
  std::vector<std::string> names;
  for (const known_branch& each : branches)
    if (each.deletion_protected && each.in != known_branch::phase::deleting) names.emplace_back(each.name);
  if (names.empty()) return {};
  return core::error{core::errc::conflict, "branches are protected from deletion: " + joined(names)};
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
