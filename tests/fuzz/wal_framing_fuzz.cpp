// Framing of a WAL stream. However the bytes are cut into pieces, the decoder finds the same records and the same
// fault; in a stream that is laid out from records it finds these.

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "pg/wal/stream_decoder.hpp"
#include "tests/fuzz/inputs.hpp"
#include "tests/fuzz/support.hpp"
#include "tests/support/wal_builder.hpp"

namespace strata::tests::fuzz {

namespace {

constexpr std::uint64_t system_id = 4711;

struct found_record {
  core::lsn start;
  core::lsn end;
  core::bytes bytes;
  bool operator==(const found_record&) const = default;
};

struct found {
  std::vector<found_record> records;
  std::string fault;  ///< empty: the stream was read to its end
};

/// Sizes of the pieces in which a stream arrives.
class pieces {
 public:
  explicit pieces(std::uint32_t seed) : random_(seed) {}
  static pieces whole() { return {}; }
  std::size_t next(std::size_t left) {
    if (!random_) return left;
    const std::size_t size_max = (*random_)() % 4 == 0 ? 16 : 12000;
    return std::min(left, 1 + (*random_)() % size_max);
  }

 private:
  pieces() = default;
  std::optional<std::minstd_rand> random_;
};

found decode(core::bytes_view stream, const pg::wal::stream_decoder_options& options, pieces sizes) {
  pg::wal::stream_decoder decoder(options);
  found result;
  std::size_t fed = 0;
  while (fed < stream.size()) {
    // A piece dies before the next one is fed, so that AddressSanitizer sees what was kept of it.
    const exact_copy piece(stream.subspan(fed, sizes.next(stream.size() - fed)));
    decoder.feed(piece.view());
    fed += piece.view().size();
    while (true) {
      const auto next = decoder.next();
      if (!next) {
        if (next.error().code != core::errc::invalid_argument) demand_refusal(next.error());
        result.fault = next.error().detail;
        return result;
      }
      if (!*next) break;
      const pg::wal::framed_record& record = **next;
      demand(record.start < record.end && record.start >= options.start, "a record lies in the stream");
      demand(decoder.record_end() == record.end, "the decoder stands behind the record");
      result.records.push_back({record.start, record.end, {record.bytes.begin(), record.bytes.end()}});
    }
    demand(decoder.position() == options.start + fed, "all bytes fed are used");
  }
  return result;
}

/// A stream made of the steps of an input, and the records in it.
class layout {
 public:
  explicit layout(const framing_input& input)
      : segment_size_(input.segment_size),
        builder_({.start = start_of(input),
                  .major = input.major,
                  .segment_size = input.segment_size,
                  .system_id = system_id}) {
    core::byte_reader steps(input.rest);
    while (steps.left() > 0 && builder_.stream().size() < stream_size_max) add(take_framing_step(steps));
    for (const std::size_t at : damages_)
      if (at < builder_.stream().size()) builder_.stream()[at] ^= 1u << at % 8;
  }

  [[nodiscard]] core::lsn start() const { return builder_.start(); }
  [[nodiscard]] core::bytes_view stream() { return builder_.stream(); }
  [[nodiscard]] bool intact() const { return damages_.empty(); }
  [[nodiscard]] const std::vector<found_record>& records() const { return records_; }

 private:
  static constexpr std::size_t stream_size_max = 1u << 20;
  static constexpr std::size_t short_header = 24, long_header = 40;

  /// Aligned, in a segment that is not the first, and on a page, not in its header.
  static core::lsn start_of(const framing_input& input) {
    std::uint64_t at = input.start.value % (std::uint64_t{1} << 48) / 8 * 8;
    if (at < input.segment_size) at += input.segment_size;
    const std::uint64_t in_page = at % pg::wal_page_size;
    const std::uint64_t header =
        at - in_page == at / input.segment_size * input.segment_size ? long_header : short_header;
    return core::lsn(in_page < header ? at - in_page : at);
  }

  void add(const framing_step& step) {
    switch (step.what) {
      case framing_step::kind::record: return add_record(step.bytes);
      case framing_step::kind::segment_switch: return add_switch();
      case framing_step::kind::overwritten_record: return add_overwritten(step.bytes);
      case framing_step::kind::damage:
        if (step.bytes.size() >= 4) damages_.push_back(core::load_le<std::uint32_t>(step.bytes.data()));
        return;
    }
  }

  void add_record(core::bytes_view bytes) {
    if (bytes.size() < pg::wal::record_header_size) return;
    core::bytes record(bytes.begin(), bytes.end());
    // The one record that means something to the decoder.
    const bool is_switch = record[17] == 0 && (record[16] & 0xF0) == 0x40;
    if (is_switch) return add_switch();
    core::store_le(record.data() + 8, builder_.previous().value);
    seal_record(record);
    const auto placed = builder_.append_encoded(record);
    records_.push_back({placed.start, placed.end, std::move(record)});
  }

  void add_switch() {
    const std::uint64_t left = segment_size_ - builder_.position().value % segment_size_;
    // One that reaches into the next segment would fill all of that.
    if (left == segment_size_ || left > stream_size_max / 4 || left < pg::wal::record_header_size) return;
    remember(builder_.append_switch());
  }

  void add_overwritten(core::bytes_view bytes) {
    const std::size_t left = pg::wal_page_size - builder_.position().value % pg::wal_page_size;
    const unsigned further_pages = bytes.size() % 3;
    wal_record record{.manager = pg::wal::resource_manager::generic};
    record.main_data.assign(bytes.begin(), bytes.end());
    record.main_data.resize(left + (further_pages + 1) * pg::wal_page_size, 0x5A);
    remember(builder_.append_overwritten(record, further_pages));
  }

  void remember(const wal_builder::placed& placed) {
    // The builder made its bytes; their place is what is compared.
    records_.push_back({placed.start, placed.end, {}});
  }

  std::uint32_t segment_size_;
  wal_builder builder_;
  std::vector<found_record> records_;
  std::vector<std::size_t> damages_;
};

void demand_same(const found& a, const found& b) {
  demand(a.fault == b.fault, "the fault does not depend on the pieces", a.fault + " / " + b.fault);
  demand(a.records == b.records, "the records do not depend on the pieces");
}

found decode_both_ways(core::bytes_view stream, const pg::wal::stream_decoder_options& options, std::uint32_t seed) {
  const found whole = decode(stream, options, pieces::whole());
  demand_same(whole, decode(stream, options, pieces(seed)));
  return whole;
}

void find_what_was_laid_out(const framing_input& input) {
  layout laid_out(input);
  const bool on_page = laid_out.start().value % pg::wal_page_size == 0;
  const found got = decode_both_ways(laid_out.stream(),
                                     {.start = laid_out.start(),
                                      .major = input.major,
                                      .segment_size = input.segment_size,
                                      .system_id = input.flags & framing_input::checks_system_id ? system_id : 0,
                                      .starts_at_record = !(on_page && input.flags & framing_input::starts_anywhere)},
                                     input.piece_seed);
  if (!laid_out.intact()) return;
  demand(got.fault.empty(), "a stream without damage has no fault", got.fault);
  demand(got.records.size() == laid_out.records().size(), "every record is found");
  for (std::size_t i = 0; i < got.records.size(); ++i) {
    const found_record& expected = laid_out.records()[i];
    demand(got.records[i].start == expected.start && got.records[i].end == expected.end, "place of a record");
    demand(expected.bytes.empty() || got.records[i].bytes == expected.bytes, "bytes of a record");
  }
}

}  // namespace

}  // namespace strata::tests::fuzz

using namespace strata;
using namespace strata::tests::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const framing_input input = read_framing_input({data, size});
  if (input.flags & framing_input::laid_out) {
    find_what_was_laid_out(input);
    return 0;
  }
  decode_both_ways(input.rest,
                   {.start = input.start,
                    .major = input.major,
                    .segment_size = input.segment_size,
                    .starts_at_record = !(input.flags & framing_input::starts_anywhere)},
                   input.piece_seed);
  return 0;
}
