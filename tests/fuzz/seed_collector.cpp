#include "tests/fuzz/seed_collector.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <fstream>
#include <stdexcept>

#include "tests/fuzz/inputs.hpp"

namespace strata::tests::fuzz {

namespace {

using pg::wal::resource_manager;

/// Longer ones cost the fuzzer more than they bring.
constexpr std::size_t record_size_max = 20000;
constexpr std::size_t step_size_max = 6000;
constexpr std::size_t steps_in_seed = 8;
constexpr std::size_t records_in_seed = 4;
constexpr std::size_t stream_size = 2 * pg::wal_page_size + 512;

std::string major_text(pg::major_version major) { return std::to_string(static_cast<unsigned>(major)); }

/// "Heap/HOT_UPDATE+INIT" becomes "heap_hot_update_init".
std::string as_file_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)))
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (!name.empty() && name.back() != '_')
      name += '_';
  }
  return name;
}

const char* redo_target_of(resource_manager manager) {
  switch (manager) {
    case resource_manager::xlog: return "redo_xlog";
    case resource_manager::heap: return "redo_heap";
    case resource_manager::heap2: return "redo_heap2";
    case resource_manager::btree: return "redo_btree";
    case resource_manager::hash: return "redo_hash";
    case resource_manager::gin: return "redo_gin";
    case resource_manager::gist: return "redo_gist";
    case resource_manager::spgist: return "redo_spgist";
    case resource_manager::brin: return "redo_brin";
    case resource_manager::sequence: return "redo_sequence";
    case resource_manager::generic: return "redo_generic";
    default: return nullptr;
  }
}

std::string kind_of(const pg::redo::block_record& record, pg::major_version major) {
  std::string kind = major_text(major) + "_" + as_file_name(pg::wal::describe(record.manager, record.info, major));
  if (record.info & 0x80 && record.manager != resource_manager::btree) kind += "_80";
  kind += "_" + std::to_string(std::min<unsigned>(record.block_id, 8));
  if (record.will_init) kind += "_init";
  if (record.has_image) kind += "_image";
  return kind;
}

}  // namespace

std::shared_ptr<core::bytes> seed_set::offer(const std::string& kind, const std::function<core::bytes()>& make) {
  kind_seeds& of_kind = kinds_[kind];
  ++of_kind.offered;
  if (of_kind.taken.size() < kind_max) return of_kind.taken.emplace_back(std::make_shared<core::bytes>(make()));
  const std::size_t place = random_() % of_kind.offered;
  if (place >= kind_max) return nullptr;
  return of_kind.taken[place] = std::make_shared<core::bytes>(make());
}

std::size_t seed_set::write(const std::filesystem::path& directory, std::size_t count_max) const {
  std::filesystem::create_directories(directory);
  std::size_t written = 0;
  for (std::size_t round = 0; round < kind_max; ++round) {
    for (const auto& [kind, seeds] : kinds_) {
      if (round >= seeds.taken.size() || written == count_max) continue;
      const auto path = directory / (kind + "-" + std::to_string(round));
      std::ofstream file(path, std::ios::binary);
      file.write(reinterpret_cast<const char*>(seeds.taken[round]->data()),
                 static_cast<std::streamsize>(seeds.taken[round]->size()));
      if (!file.flush()) throw std::runtime_error("write " + path.string());
      ++written;
    }
  }
  return written;
}

void seed_collector::add_block(const pg::redo::block_record& record, const pg::verify::page_bytes& page,
                               const pg::redo::redo_context& context) {
  core::bytes stored(pg::redo::encoded_size(record));
  pg::redo::encode(record, stored.data());
  if (stored.size() > record_size_max) return;
  targets_["block_record"].offer(kind_of(record, context.major), [&] { return stored; });
  add_redo(record, stored, page, context);
}

void seed_collector::add_redo(const pg::redo::block_record& record, core::bytes_view stored,
                              const pg::verify::page_bytes& page, const pg::redo::redo_context& context) {
  const char* target = redo_target_of(record.manager);
  if (target == nullptr) return;
  if (const auto open = open_.find(&page); open != open_.end()) {
    // A page is changed by records of one manager, but for images and for the heap, whose two managers share pages.
    core::append_le(*open->second.seed, static_cast<std::uint16_t>(stored.size()));
    core::append(*open->second.seed, stored);
    if (++open->second.records == records_in_seed) open_.erase(open);
  }
  const auto seed = targets_[target].offer(kind_of(record, context.major), [&] {
    return write_redo_input({.major = context.major,
                             .hints_are_logged = context.hints_are_logged,
                             .page = {page.begin(), page.end()},
                             .records = {{stored.begin(), stored.end()}}});
  });
  if (seed) open_[&page] = {seed, 1};
}

void seed_collector::add_record(const pg::wal::record& record, core::bytes_view bytes, pg::major_version major) {
  std::string kind = major_text(major) + "_" + as_file_name(pg::wal::describe(record.manager, record.info, major)) +
                     "_" + std::to_string(record.block_count);
  for (std::size_t i = 0; i < record.block_count; ++i) {
    const pg::wal::block_reference& block = record.blocks[i];
    if (!block.has_image) continue;
    if (i == 0) kind += block.apply_image ? "_image" : "_check";
    const auto compression = static_cast<std::uint8_t>(block.image.compression);
    targets_["page_image"].offer(major_text(major) + "_" + std::to_string(compression), [&] {
      core::bytes seed{compression};
      core::append_le(seed, block.image.hole_offset);
      core::append_le(seed, block.image.hole_length);
      core::append(seed, block.image.stored);
      return seed;
    });
  }
  if (bytes.size() <= record_size_max)
    targets_["record_parsing"].offer(kind, [&] {
      core::bytes seed{static_cast<std::uint8_t>(major)};
      core::append(seed, bytes);
      return seed;
    });
  if (bytes.size() <= step_size_max) add_step(bytes, record.start, major);
}

// Now and then something happens between two records.
void seed_collector::add_step(core::bytes_view bytes, core::lsn start, pg::major_version major) {
  append_framing_step(steps_, {framing_step::kind::record, bytes});
  if (++step_count_ % steps_in_seed != 0) return;
  const auto in_all = step_count_ / steps_in_seed;
  const char* kind = "laid_out";
  core::lsn from = start;
  std::uint32_t segment_size = 1u << 20;
  if (in_all % 4 == 1) {
    kind = "laid_out_switch";
    append_framing_step(steps_, {framing_step::kind::segment_switch, {}});
    append_framing_step(steps_, {framing_step::kind::record, bytes});
    // Near the end of a segment.
    from = core::lsn(start.value / segment_size * segment_size + segment_size - pg::wal_page_size * 4 + 64);
  } else if (in_all % 4 == 2) {
    kind = "laid_out_overwritten";
    append_framing_step(steps_, {framing_step::kind::overwritten_record, bytes});
    append_framing_step(steps_, {framing_step::kind::record, bytes});
  } else if (in_all % 4 == 3) {
    kind = "laid_out_damaged";
    core::bytes place;
    core::append_le(place, static_cast<std::uint32_t>(start.value % 8000));
    append_framing_step(steps_, {framing_step::kind::damage, place});
  }
  targets_["wal_framing"].offer(major_text(major) + "_" + kind, [&] {
    return write_framing_input({.major = major,
                                .flags = framing_input::laid_out,
                                .segment_size = segment_size,
                                .piece_seed = static_cast<std::uint32_t>(step_count_),
                                .start = from,
                                .rest = steps_});
  });
  steps_.clear();
}

void seed_collector::add_segment(core::bytes_view segment, core::lsn begin, pg::major_version major,
                                 const std::vector<core::lsn>& records) {
  const auto offer = [&](const char* kind, std::size_t at, std::uint8_t flags) {
    targets_["wal_framing"].offer(major_text(major) + "_" + kind, [&] {
      return write_framing_input({.major = major,
                                  .flags = flags,
                                  .segment_size = static_cast<std::uint32_t>(segment.size()),
                                  .piece_seed = static_cast<std::uint32_t>(at),
                                  .start = begin + at,
                                  .rest = segment.subspan(at, std::min(stream_size, segment.size() - at))});
    });
  };
  offer("segment", 0, framing_input::starts_anywhere);
  for (std::size_t at = pg::wal_page_size; at < segment.size(); at += pg::wal_page_size)
    offer("page", at, framing_input::starts_anywhere);
  for (const core::lsn record : records) offer("record", record - begin, 0);
}

void seed_collector::write(const std::filesystem::path& directory, std::size_t count_max) const {
  for (const auto& [target, seeds] : targets_)
    std::printf("%-16s %zu seeds\n", target.c_str(), seeds.write(directory / target, count_max));
}

}  // namespace strata::tests::fuzz
