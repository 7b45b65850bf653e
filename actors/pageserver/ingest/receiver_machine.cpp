#include "actors/pageserver/ingest/receiver_machine.hpp"

#include "core/check.hpp"

namespace strata::actors::pageserver {

bool receiver_machine::job_runs() const {
  return now_ == state::connecting || now_ == state::importing || now_ == state::opening ||
         now_ == state::waiting_for_disk;
}

void receiver_machine::connect() {
  core::check(may_connect(), "a receiver connects when it is idle and every batch was answered");
  now_ = state::connecting;
}

void receiver_machine::connected() {
  core::check(now_ == state::connecting, "a receiver is connected after it has connected");
  now_ = state::listening;
}

void receiver_machine::disconnected() {
  core::check(now_ == state::connecting || !job_runs(), "a receiver keeps its connection while a job runs");
  if (now_ != state::refused) now_ = state::idle;
}

void receiver_machine::refuse() {
  disconnected();
  now_ = state::refused;
}

bool receiver_machine::resume() {
  if (now_ != state::refused) return false;
  now_ = state::idle;
  return true;
}

void receiver_machine::begin_job(state job) {
  core::check(listens(), "a receiver that listens begins a job");
  now_ = job;
}

void receiver_machine::job_done() {
  core::check(job_runs() && now_ != state::connecting, "a job of a receiver has ended");
  now_ = state::listening;
}

void receiver_machine::handed_over() {
  core::check(may_hand_over(), "a receiver hands over a batch only with credit");
  ++in_flight_;
}

void receiver_machine::wait_for_credit() {
  core::check(listens() && in_flight_ > 0, "a receiver waits for the answer to a batch");
  now_ = state::waiting_for_credit;
}

bool receiver_machine::answered() {
  core::check(in_flight_ > 0, "an answered batch was handed over");
  --in_flight_;
  if (now_ != state::waiting_for_credit) return false;
  now_ = state::listening;
  return true;
}

}  // namespace strata::actors::pageserver
