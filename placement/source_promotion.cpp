#include "placement/source_promotion.hpp"

#include <utility>

#include "core/check.hpp"

namespace strata::placement {

void source_promotion::source_answered(core::lsn head) {
  core::check(step_ == step::ask_source, "the end of a source's WAL is asked for once");
  goal_ = head;
  enter(step::catch_up);
}

void source_promotion::caught_up() {
  core::check(step_ == step::catch_up, "a source is caught up with once it has answered");
  caught_up_ = true;
  enter(step::end_receiver);
}

void source_promotion::source_lost(core::error why) {
  core::check(waits_for_source(), "a source is lost while it is waited for");
  if (force_) {
    missing_ = std::move(why.detail);
    return enter(step::end_receiver);
  }
  error_ = std::move(why);
  enter(step::failed);
}

void source_promotion::receiver_ended() {
  core::check(step_ == step::end_receiver, "a receiver ends before the flush");
  receiver_ended_ = true;
  enter(step::flush);
}

void source_promotion::flushed(core::lsn last, core::lsn durable) {
  core::check(step_ == step::flush, "a flush follows the end of the receiver");
  boundary_ = last;
  durable_ = durable;
  if (durable_ < boundary_)
    return fail({core::errc::unavailable, "the branch is durable up to " + core::to_string(durable_) +
                                              ", before its end " + core::to_string(boundary_)});
  enter(step::store_record);
}

void source_promotion::record_stored() {
  core::check(step_ == step::store_record, "a promotion is stored once");
  enter(step::create_wal);
}

void source_promotion::wal_created() {
  core::check(step_ == step::create_wal, "safekeepers follow the record that names them");
  enter(step::promoted);
}

void source_promotion::fail(core::error why) {
  core::check(step_ == step::flush || step_ == step::store_record,
              "the source may be followed again until it is stored");
  error_ = std::move(why);
  enter(step::failed);
}

void source_promotion::enter(step to) {
  step_ = to;
  const std::string wrong = broken_invariant();
  core::check(wrong.empty(), wrong);
}

std::string source_promotion::broken_invariant() const {
  const bool is_stored = step_ == step::create_wal || step_ == step::promoted;
  // Invariant: two writers never meet. WAL of the source after the boundary would be another history.
  if ((is_stored || step_ == step::store_record) && !receiver_ended_)
    return "the receiver ends before the record says so";
  // Invariant: nobody but the source has the WAL that is not on disk here, and it is not asked again.
  if ((is_stored || step_ == step::store_record) && durable_ < boundary_) return "the branch is durable up to its end";
  if (is_stored && !caught_up_ && !force_) return "WAL is left at the source only when that was forced";
  return "";
}

}  // namespace strata::placement
