#include "tests/simulation/options.hpp"

#include <random>
#include <sstream>

namespace strata::tests::simulation {

options options_of(std::uint64_t seed) {
  std::mt19937_64 random(seed ^ 0x517CC1B727220A95u);
  const auto below = [&](std::uint64_t limit) { return random() % limit; };
  // 0 in half of all seeds, else 1 to `limit`.
  const auto maybe = [&](std::uint64_t limit) {
    const bool on = below(2) == 0;
    const auto value = 1 + below(limit);
    return on ? value : 0;
  };
  options made;
  made.seed = seed;
  made.acceptors = below(10) < 7 ? 3 : 5;
  made.spares = static_cast<std::uint32_t>(below(3));
  made.proposers = static_cast<std::uint32_t>(1 + below(3));
  made.duration = 4'000'000 + static_cast<std::int64_t>(below(8'000'000));
  made.latency_max = 500 + static_cast<std::int64_t>(below(4) == 0 ? below(80'000) : below(6'000));
  made.message_lost = maybe(15);
  made.half_open = below(1000);
  made.partition = maybe(40);
  made.machine_crash = maybe(60);
  made.process_crash = maybe(30);
  made.crash_inside = maybe(60);
  made.disk_full = maybe(30);
  made.disk_slow = maybe(40);
  made.proposer_crash = maybe(25);
  made.member_change = made.spares > 0 ? maybe(150) : 0;
  if (below(10) == 0) {
    made.spares = 3;
    made.member_change = 500;
  }
  made.damaged_append = below(6) == 0 ? 3 : 0;
  made.segment_switch = below(12) == 0 ? 4 : 0;
  made.part_of_record = maybe(300);
  made.split_sync = maybe(500);
  made.write_early = maybe(1000);
  made.news = below(2) == 0;
  made.removal = below(3) == 0;
  made.write_interval = 10'000 + static_cast<std::int64_t>(below(90'000));
  made.record_size_max = static_cast<std::uint32_t>(below(4) == 0 ? 20'000 : 60 + below(900));
  made.batch_max = static_cast<std::uint32_t>(1 + below(12));
  made.window_bytes = below(3) == 0 ? 16u << 20 : 3000 + below(40'000);
  if (below(5) == 0) {
    // Elections amid half-recovered logs: winners come and go faster than they can feed those that lag.
    made.proposers = 3;
    made.window_bytes = 200 + below(2000);
    made.write_early = 1000;
    made.rotating = true;
    made.partition = 100 + below(200);
    made.proposer_crash = 50 + below(200);
    made.latency_max = 500 + static_cast<std::int64_t>(below(10'000));
    made.record_size_max = 300 + static_cast<std::uint32_t>(below(3000));
    made.member_change = 0;
  }
  made.pulled_only = below(2) == 0;
  made.before_segment_end = 8192 * below(12) + 8 * below(900);
  if (made.before_segment_end % 8192 > 8192 - 48) made.before_segment_end -= 48;
  return made;
}

std::string to_string(const options& of) {
  std::ostringstream text;
  text << "seed=" << of.seed << " acceptors=" << of.acceptors << " spares=" << of.spares
       << " proposers=" << of.proposers << " duration=" << of.duration << " latency_max=" << of.latency_max
       << " message_lost=" << of.message_lost << " half_open=" << of.half_open << " partition=" << of.partition
       << " rotating=" << of.rotating << " machine_crash=" << of.machine_crash << " process_crash=" << of.process_crash
       << " crash_inside=" << of.crash_inside << " disk_full=" << of.disk_full << " disk_slow=" << of.disk_slow
       << " proposer_crash=" << of.proposer_crash << " member_change=" << of.member_change
       << " damaged_append=" << of.damaged_append << " segment_switch=" << of.segment_switch
       << " part_of_record=" << of.part_of_record << " split_sync=" << of.split_sync
       << " write_early=" << of.write_early << " news=" << of.news << " removal=" << of.removal
       << " write_interval=" << of.write_interval << " record_size_max=" << of.record_size_max
       << " batch_max=" << of.batch_max << " window_bytes=" << of.window_bytes << " pulled_only=" << of.pulled_only
       << " before_segment_end=" << of.before_segment_end;
  return text.str();
}

}  // namespace strata::tests::simulation
