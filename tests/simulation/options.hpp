#pragma once

#include <cstdint>
#include <string>

namespace strata::tests::simulation {

/// A promise that the parts around the product break, to see that the simulation notices.
enum class sabotage : std::uint8_t {
  none,
  disks_lie,      ///< a sync sometimes does nothing
  hasty_members,  ///< a change of members is finished without waiting for anybody
};

/// What a seed makes of a run. Each kind of fault is on in about half of the runs, so that every kind also meets few
/// others. Permille of a period's chances unless said otherwise; times in microseconds.
struct options {
  std::uint64_t seed = 0;
  sabotage broken = sabotage::none;
  std::uint32_t acceptors = 3;  ///< members at the beginning
  std::uint32_t spares = 0;     ///< safekeepers that are no member yet
  std::uint32_t proposers = 1;  ///< that compete
  std::int64_t duration = 0;    ///< before everything heals
  std::int64_t latency_max = 0;
  std::uint64_t message_lost = 0;    ///< per message; the connection is lost with it
  std::uint64_t half_open = 0;       ///< of lost connections: one side is not told
  std::uint64_t partition = 0;       ///< per 100 ms
  bool rotating = false;             ///< partitions leave the same few acceptors to all proposers, and others soon
  std::uint64_t machine_crash = 0;   ///< per 100 ms, of one acceptor
  std::uint64_t process_crash = 0;   ///< the same, but what was written stays
  std::uint64_t crash_inside = 0;    ///< per 100 ms: within one of the next calls of the disk
  std::uint64_t disk_full = 0;       ///< per 100 ms
  std::uint64_t disk_slow = 0;       ///< per 100 ms
  std::uint64_t proposer_crash = 0;  ///< per 100 ms
  std::uint64_t member_change = 0;   ///< per 300 ms
  std::uint64_t damaged_append = 0;  ///< per append with WAL: a bit is wrong
  std::uint64_t segment_switch = 0;  ///< per write
  std::uint64_t part_of_record = 0;  ///< per write: the WAL is announced in two parts
  std::uint64_t split_sync = 0;      ///< per batch: written first, made durable with the next
  std::uint64_t write_early = 0;     ///< of winners: write before the start is committed
  bool news = false;                 ///< acceptors tell each other where they are
  bool removal = false;              ///< WAL is backed up and removed
  std::int64_t write_interval = 0;
  std::uint32_t record_size_max = 0;
  std::uint32_t batch_max = 1;  ///< messages that an acceptor handles together
  std::uint64_t window_bytes = 0;
  bool pulled_only = false;              ///< spares get the timeline from a peer, not from a proposer's greeting
  std::uint64_t before_segment_end = 0;  ///< the timeline begins so far before the end of its first segment
};

options options_of(std::uint64_t seed);
std::string to_string(const options& of);

}  // namespace strata::tests::simulation
