#include "pg/verify/crash_traces.hpp"

#include <variant>

#include "pg/records/storage.hpp"

namespace strata::pg::verify {

namespace {

using wal::resource_manager;

constexpr std::uint8_t checkpoint_shutdown = 0x00;

relation_fork main_of(relation_fork relation) {
  relation.fork = fork::main;
  return relation;
}

}  // namespace

void crash_traces::add(const wal::record& record) {
  // Recovery ends with a shutdown checkpoint, as an orderly stop does. If WAL begins with one nothing was lost.
  if (stopped_.valid()) restart(stopped_);
  const bool stops = record.manager == resource_manager::xlog && record.operation() == checkpoint_shutdown;
  stopped_ = began_ && stops ? record.start : core::lsn{};
  began_ = true;
  if (restarted() && !created_.empty())
    for (std::size_t i = 0; i < record.block_count; ++i)
      if (const auto found = created_.find(main_of(record.blocks[i].relation)); found != created_.end())
        found->second.touched = found->second.touched || found->second.restart.valid();
  if (record.manager != resource_manager::storage) return;
  const auto change = records::decode_storage(record);
  if (!change) return;
  if (const auto* create = std::get_if<records::relation_create>(&*change))
    created_.try_emplace(main_of(create->relation));
}

void crash_traces::restart(core::lsn at) {
  ++restarts_;
  if (!first_restart_.valid()) first_restart_ = at;
  for (auto& [relation, of] : created_)
    if (!of.restart.valid()) of.restart = at;
}

void crash_traces::hint_moved_lsn(const relation_fork& relation, block_number block, core::lsn from, core::lsn to) {
  moved& of = moved_[{relation, block}];
  // After another hint the page may still be in its state before both.
  if (of.to != from) of.from = from;
  of.to = to;
  of.restarts = restarts_;
}

bool crash_traces::lost_hint(const relation_fork& relation, block_number block, core::lsn ours,
                             core::lsn theirs) const {
  const auto found = moved_.find({relation, block});
  if (found == moved_.end()) return false;
  const moved& of = found->second;
  return of.restarts < restarts_ && of.to == ours && of.from <= theirs && theirs < ours;
}

bool crash_traces::abandoned(const relation_fork& relation, core::lsn page) const {
  const auto found = created_.find(main_of(relation));
  return found != created_.end() && found->second.restart.valid() && !found->second.touched &&
         page > found->second.restart;
}

bool crash_traces::left_behind(const relation_fork& relation, core::lsn page) const {
  return restarted() && !created_.contains(main_of(relation)) && page > first_restart_;
}

}  // namespace strata::pg::verify
