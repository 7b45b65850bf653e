#include "storage/side_files/side_file_store.hpp"

#include <algorithm>
#include <utility>

#include "core/blocking.hpp"
#include "core/log.hpp"
#include "io/file.hpp"
#include "storage/side_files/side_file_content.hpp"
#include "storage/side_files/side_file_rules.hpp"

namespace strata::storage {

core::result<std::shared_ptr<side_file_store>> side_file_store::open(const context& context,
                                                                     std::shared_ptr<side_file_store> ancestor) {
  STRATA_ASSIGN(auto records, context.metadata->side_files(context.tenant, context.timeline));
  for (const side_file_record& each : records)
    if (each.generation > context.generation)
      return core::error{core::errc::corrupt,
                         "side file " + side_file_name(each) + " has a later generation than the tenant"};
  return std::shared_ptr<side_file_store>(new side_file_store(context, std::move(ancestor), std::move(records)));
}

side_file_store::side_file_store(context of, std::shared_ptr<side_file_store> ancestor,
                                 std::vector<side_file_record> records)
    : context_(std::move(of)), ancestor_(std::move(ancestor)), records_(std::move(records)) {
  for (const side_file_record& each : records_) term_ = std::max(term_, each.term);
  if (!ancestor_) return;
  const std::lock_guard guard(ancestor_->mutex_);
  ancestor_->branch_points_.insert(context_.ancestor_lsn);
}

side_file_store::~side_file_store() {
  if (!ancestor_) return;
  const std::lock_guard guard(ancestor_->mutex_);
  auto& points = ancestor_->branch_points_;
  if (const auto own = points.find(context_.ancestor_lsn); own != points.end()) points.erase(own);
}

void side_file_store::fence(std::uint64_t term) {
  const std::lock_guard guard(mutex_);
  term_ = std::max(term_, term);
}

std::string side_file_store::path_of(const side_file_record& of) const {
  return context_.directory + "/" + side_file_name(of);
}

core::result<std::vector<side_file_record>> side_file_store::plan(const std::vector<change>& changes, core::lsn at,
                                                                  std::uint64_t term,
                                                                  std::vector<const change*>& new_contents) const {
  const std::lock_guard guard(mutex_);
  if (term < term_)
    return core::error{core::errc::conflict, "side files are not taken from the writer of term " +
                                                 std::to_string(term) + ": the branch has one of term " +
                                                 std::to_string(term_)};
  // Invariant: what a branch has inherited does not change. A version may be as old as its last branch point.
  if (!branch_points_.empty()) at = std::max(at, *branch_points_.rbegin() + 8);
  std::set<std::string> names;
  for (const side_file_record& each : records_) names.insert(each.name);
  std::uint64_t next = records_.empty() ? 1 : records_.back().number + 1;
  std::vector<side_file_record> made;
  for (const change& each : changes) {
    STRATA_ASSIGN(const side_file_kind kind, side_file_kind_of(each.name));
    if (each.content.size() > limits_of(kind).size_max)
      return core::error{core::errc::invalid_argument, each.name + " has " + std::to_string(each.content.size()) +
                                                           " bytes; at most " +
                                                           std::to_string(limits_of(kind).size_max) + " are kept"};
    names.insert(each.name);
    if (names.size() > side_file_names_max)
      return core::error{core::errc::busy, "a timeline keeps at most " + std::to_string(side_file_names_max) +
                                               " different side files; nothing was stored"};
    const std::uint64_t checksum = side_file_checksum(each.content);
    const side_file_record* newest = side_file_at(records_, each.name, core::lsn::max(), false);
    if (newest != nullptr && newest->size == each.content.size() && newest->checksum == checksum) {
      if (newest->proven || !each.proven) continue;
      made.push_back(*newest);
      made.back().proven = true;
      new_contents.push_back(nullptr);
      continue;
    }
    made.push_back({.number = next++,
                    .generation = context_.generation,
                    .name = each.name,
                    .at = newest != nullptr ? std::max(at, newest->at) : at,
                    .term = term,
                    .stored = context_.clock->now(),
                    .proven = each.proven,
                    .size = each.content.size(),
                    .checksum = checksum});
    new_contents.push_back(&each);
  }
  return made;
}

core::result<void> side_file_store::write(const side_file_record& record, core::bytes_view content) {
  // Not its parent: when the timeline is deleted it must not come back.
  STRATA_TRY(io::ensure_directory(*context_.disk, context_.directory));
  context_.disk->sync_directory(io::parent_of(context_.directory));
  const std::string path = path_of(record);
  STRATA_ASSIGN(io::new_file made, io::new_file::create(path + io::temporary_suffix, *context_.disk));
  STRATA_TRY(made.append(encode_side_file(context_.tenant, context_.timeline, record, content)));
  return made.commit(path);
}

core::result<void> side_file_store::put(const std::vector<change>& changes, core::lsn at, std::uint64_t term) {
  core::may_block("store side files");
  if (!at.valid()) return core::error{core::errc::invalid_argument, "side files hold from an LSN on"};
  const std::lock_guard writing(writing_);
  std::vector<const change*> new_contents;
  STRATA_ASSIGN(const auto made, plan(changes, at, term, new_contents));
  fence(term);
  if (made.empty()) return {};
  for (std::size_t i = 0; i < made.size(); ++i)
    if (new_contents[i] != nullptr) STRATA_TRY(write(made[i], new_contents[i]->content));
  timeline_edit edit;
  edit.put_side_files = made;
  // A crash before this leaves files that nothing names; the next version of the number replaces them.
  STRATA_TRY(context_.metadata->apply(context_.tenant, context_.timeline, edit));
  apply(made, {});
  // Bounds the versions. What can't be removed now a collection removes.
  if (const auto removed = remove_unneeded(); !removed)
    core::log_warning("old side files stay: " + core::to_string(removed.error()));
  return {};
}

core::result<std::size_t> side_file_store::remove_unneeded() {
  const auto points = kept_points();
  timeline_edit edit;
  {
    const std::lock_guard guard(mutex_);
    edit.remove_side_files = removable_side_files(records_, cutoff_, points);
  }
  if (edit.remove_side_files.empty()) return std::size_t{0};
  STRATA_TRY(context_.metadata->apply(context_.tenant, context_.timeline, edit));
  apply({}, edit.remove_side_files);
  return edit.remove_side_files.size();
}

std::vector<core::lsn> side_file_store::kept_points() const {
  const std::lock_guard guard(mutex_);
  std::vector<core::lsn> points = kept_;
  points.insert(points.end(), branch_points_.begin(), branch_points_.end());
  return points;
}

void side_file_store::apply(const std::vector<side_file_record>& put, const std::vector<std::uint64_t>& removed) {
  std::vector<std::string> files;
  {
    const std::lock_guard guard(mutex_);
    for (const side_file_record& each : put) {
      const auto known = std::ranges::find(records_, each.number, &side_file_record::number);
      if (known != records_.end())
        *known = each;
      else
        records_.push_back(each);
    }
    for (const std::uint64_t number : removed) {
      const auto known = std::ranges::find(records_, number, &side_file_record::number);
      if (known == records_.end()) continue;
      files.push_back(path_of(*known));
      records_.erase(known);
    }
  }
  for (const std::string& each : files) io::remove_quietly(*context_.disk, each);
}

void side_file_store::find(core::lsn at, bool proven_only, std::map<std::string, place>& found) const {
  if (ancestor_) ancestor_->find(std::min(at, context_.ancestor_lsn), proven_only, found);
  const std::lock_guard guard(mutex_);
  for (const side_file_record& each : records_)
    if (each.at <= at && (each.proven || !proven_only)) found[each.name] = {this, each};
}

bool side_file_store::has(const side_file_record& of) const {
  const std::lock_guard guard(mutex_);
  return std::ranges::find(records_, of.number, &side_file_record::number) != records_.end();
}

std::vector<side_file> side_file_store::read(core::lsn at, bool proven_only) const {
  core::may_block("read side files");
  for (;;) {
    std::map<std::string, place> found;
    find(at, proven_only, found);
    std::vector<side_file> files;
    bool replaced = false;
    for (const auto& [name, of] : found) {
      const context& in = of.store->context_;
      auto content = read_side_file(*in.disk, of.store->path_of(of.record), in.tenant, in.timeline, of.record);
      // One that was not needed any more is no damage: there is a newer one.
      replaced = replaced || (!content && !of.store->has(of.record));
      if (!content && !replaced) core::log_error(core::to_string(content.error()));
      files.push_back({of.record, in.timeline, std::move(content)});
    }
    if (!replaced) return files;
  }
}

std::vector<side_file_record> side_file_store::versions() const {
  const std::lock_guard guard(mutex_);
  return records_;
}

core::result<std::size_t> side_file_store::collect(core::lsn cutoff, const std::vector<core::lsn>& kept) {
  core::may_block("collect side files");
  const std::lock_guard writing(writing_);
  {
    const std::lock_guard guard(mutex_);
    kept_ = kept;
    cutoff_ = std::max(cutoff_, cutoff);
  }
  return remove_unneeded();
}

}  // namespace strata::storage
