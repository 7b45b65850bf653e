// One target for each resource manager, made of this source: STRATA_FUZZ_MANAGER is its name in resource_manager. The
// input is a page and records (inputs.hpp). Whatever they are, redo gives a page with a sane header or refuses.

#include <algorithm>
#include <optional>
#include <random>

#include "pg/page/page.hpp"
#include "pg/redo/redo.hpp"
#include "tests/fuzz/inputs.hpp"
#include "tests/fuzz/support.hpp"

/// libFuzzer's own mutations.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

namespace strata::tests::fuzz {

namespace {

using pg::page::slotted_page;
using pg::redo::block_record;
using pg::wal::resource_manager;

constexpr resource_manager manager = resource_manager::STRATA_FUZZ_MANAGER;

bool has_sane_header(const slotted_page& page) {
  try {
    page.require_sane_header();
    return true;
  } catch (const pg::page::malformed&) {
    return false;
  }
}

/// So that a value nobody set differs between two runs. Not instrumented: it would take longer than redo.
[[gnu::noinline]] __attribute__((no_sanitize("address", "coverage"))) void fill_stack(int with) {
  std::uint8_t below[16 * 1024];
  std::memset(below, with, sizeof below);
  asm volatile("" : : "r"(below) : "memory");
}

/// The text names the record, and gives a reason that is one of the code's own: no number in it comes from a page.
void demand_fixed_reason(const core::error& refused, const block_record& record, core::lsn end) {
  demand_refusal(refused);
  const std::string start = "redo " + pg::wal::describe(record.manager, record.info) + " that ends at " +
                            core::to_string(end) + " on block " + std::to_string(record.block()) + ": ";
  demand(refused.detail.starts_with(start), "an error names its record", refused.detail);
  if (record.has_image) return;
  demand(refused.detail.find_first_of("0123456789", start.size()) == std::string::npos, "an error's reason is fixed",
         refused.detail);
}

/// False when nothing more can be applied to this page.
bool apply_one(core::bytes_view stored, const redo_input& input, exact_copy& page) {
  const exact_copy record_bytes(stored);
  const auto record = pg::redo::decode_block_record(record_bytes.view());
  if (!record) {
    demand_refusal(record.error());
    return true;
  }
  const slotted_page view(page.span());
  const core::bytes before(page.view().begin(), page.view().end());
  exact_copy other_page(before, 1);
  // Records come in order, unless the page's LSN is at the end of all.
  const core::lsn end = view.lsn() + 8;
  // Whatever LSN a page without content bears, no change has reached it.
  const bool newer = view.lsn() >= end && !view.is_new();
  const pg::redo::redo_context context{.major = input.major, .hints_are_logged = input.hints_are_logged};

  fill_stack(0x55);
  const auto applied = pg::redo::apply(*record, end, context, page.span());
  fill_stack(0xAA);
  const auto other = pg::redo::apply(*record, end, context, other_page.span());
  demand(applied.has_value() == other.has_value(), "the outcome is always the same");
  if (!applied) {
    demand(applied.error().detail == other.error().detail, "the error is always the same", applied.error().detail);
    demand_fixed_reason(applied.error(), *record, end);
    return false;
  }
  demand(equal(page.view(), other_page.view()), "the page is always the same");
  if (record->has_image) return true;

  const bool unchanged = equal(before, page.view());
  if (newer && !record->will_init) {
    demand(unchanged, "a newer page is left alone");
    return true;
  }
  demand(unchanged || view.lsn() == end || !record->will_init, "a page made anew has the record's LSN");
  demand(unchanged || has_sane_header(view), "header of a page that was changed");
  return true;
}

void mutate(core::bytes& bytes, std::size_t size_max) {
  const std::size_t size = bytes.size();
  bytes.resize(std::max(size, size_max));
  bytes.resize(LLVMFuzzerMutate(bytes.data(), size, bytes.size()));
}

}  // namespace

}  // namespace strata::tests::fuzz

using namespace strata;
using namespace strata::tests::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const redo_input input = read_redo_input({data, size});
  exact_copy page(input.page);
  for (core::bytes record : input.records) {
    if (record.empty()) continue;
    record[0] = static_cast<std::uint8_t>(manager);
    if (!apply_one(record, input, page)) break;
  }
  return 0;
}

// A page is eighty times as long as a record, so that plain mutations would hardly ever hit what says what to do.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t size_max,
                                               unsigned seed) {
  constexpr std::size_t growth_max = 64;
  std::minstd_rand random(seed);
  redo_input input = read_redo_input({data, size});
  if (input.records.empty() || random() % 8 == 0) return LLVMFuzzerMutate(data, size, size_max);
  core::bytes& record = input.records[random() % input.records.size()];
  switch (random() % 8) {
    case 0: input.records.push_back(record); break;
    case 1: std::swap(record, input.records.front()); break;
    case 2: {
      // Header and line pointers, which redo looks at first.
      core::bytes start(input.page.begin(), input.page.begin() + 24 + static_cast<std::ptrdiff_t>(random() % 64));
      mutate(start, start.size());
      std::memcpy(input.page.data(), start.data(), start.size());
      break;
    }
    case 3: input.page[input.page.size() - 1 - random() % 64] = static_cast<std::uint8_t>(random()); break;
    default: mutate(record, record.size() + growth_max); break;
  }
  const core::bytes written = write_redo_input(input);
  if (written.size() > size_max) return LLVMFuzzerMutate(data, size, size_max);
  std::memcpy(data, written.data(), written.size());
  return written.size();
}

/// The page of one input under the records of another.
extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data, std::size_t size,
                                                 const std::uint8_t* other_data, std::size_t other_size,
                                                 std::uint8_t* out, std::size_t out_max, unsigned seed) {
  redo_input input = read_redo_input({data, size});
  const redo_input other = read_redo_input({other_data, other_size});
  if (seed % 2 == 0) input.records.clear();
  input.records.insert(input.records.end(), other.records.begin(), other.records.end());
  const core::bytes written = write_redo_input(input);
  if (written.size() > out_max) return 0;
  std::memcpy(out, written.data(), written.size());
  return written.size();
}
