#include "tests/simulation/world.hpp"

#include <algorithm>
#include <cstdio>
#include <sstream>

namespace strata::tests::simulation {

void statistics::add(const statistics& other) {
  events += other.events;
  simulated += other.simulated;
  elections += other.elections;
  commits += other.commits;
  bytes_committed += other.bytes_committed;
  machine_crashes += other.machine_crashes;
  process_crashes += other.process_crashes;
  crashes_inside_calls += other.crashes_inside_calls;
  sectors_lost += other.sectors_lost;
  names_lost += other.names_lost;
  failures_of_full_disks += other.failures_of_full_disks;
  slow_disks += other.slow_disks;
  connections_lost += other.connections_lost;
  partitions += other.partitions;
  proposer_crashes += other.proposer_crashes;
  superseded += other.superseded;
  refused_messages += other.refused_messages;
  damaged_appends += other.damaged_appends;
  member_changes += other.member_changes;
  abandoned_changes += other.abandoned_changes;
  pulls += other.pulls;
  removals += other.removals;
}

std::string to_string(const statistics& of) {
  std::ostringstream text;
  text << of.simulated / second << " s simulated, " << of.events << " events, " << of.elections << " elections, "
       << of.commits << " commits of " << of.bytes_committed << " bytes; faults: " << of.machine_crashes
       << " machines and " << of.process_crashes << " processes crashed (" << of.crashes_inside_calls
       << " inside a call of the disk), " << of.sectors_lost << " sectors and " << of.names_lost << " names lost, "
       << of.failures_of_full_disks << " failures of full disks, " << of.slow_disks << " slow disks, "
       << of.connections_lost << " connections lost, " << of.partitions << " partitions, " << of.proposer_crashes
       << " proposers crashed, " << of.superseded << " superseded, " << of.refused_messages << " messages refused, "
       << of.damaged_appends << " damaged appends; " << of.member_changes << " changes of members ("
       << of.abandoned_changes << " abandoned), " << of.pulls << " timelines pulled, " << of.removals
       << " segments removed";
  return text.str();
}

void world::after(micros delay, std::function<void()> what) {
  queue_.push_back({now_ + delay, order_++, std::move(what)});
  std::push_heap(queue_.begin(), queue_.end());
}

bool world::step() {
  if (queue_.empty()) return false;
  std::pop_heap(queue_.begin(), queue_.end());
  const auto next = std::move(queue_.back());
  queue_.pop_back();
  now_ = next.at;
  ++seen.events;
  next.what();
  seen.simulated = now_;
  return true;
}

void world::trace(const char* what, std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  const auto mix = [this](std::uint64_t value) { hash_ = (hash_ ^ value) * 1099511628211u; };
  for (const char* letter = what; *letter != 0; ++letter) mix(static_cast<unsigned char>(*letter));
  for (const auto value : {static_cast<std::uint64_t>(now_), a, b, c}) mix(value ^ value >> 29);
  if (talkative)
    std::printf("%10.3f ms  %-24s %llu %llX %llX\n", static_cast<double>(now_) / 1000, what,
                static_cast<unsigned long long>(a), static_cast<unsigned long long>(b),
                static_cast<unsigned long long>(c));
}

}  // namespace strata::tests::simulation
