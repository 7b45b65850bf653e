#include "storage/mapping/relation_archiver.hpp"

#include <algorithm>
#include <utility>

#include "core/check.hpp"
#include "pg/files/data_directory.hpp"
#include "pg/files/tar.hpp"
#include "pg/page/checksum.hpp"
#include "storage/key_space.hpp"

namespace strata::storage::mapping {

void relation_archiver::begin(const pg::relation_fork& source, const pg::relation_fork& as, std::uint32_t blocks) {
  core::check(!begun_, "the previous fork is finished before the next one begins");
  source_ = source;
  as_ = as;
  blocks_ = blocks;
  next_ = 0;
  begun_ = true;
  made_map_.reset();
  if (source.fork == pg::fork::main) survey_.emplace(blocks);
}

void relation_archiver::begin_free_space_map(const pg::relation_fork& map, std::optional<std::uint32_t> stored_blocks) {
  core::check(survey_.has_value(), "the free space map comes after its main fork");
  pg::files::free_space_survey survey = *std::exchange(survey_, std::nullopt);
  if (!survey.of_table()) {
    if (stored_blocks) begin(map, map, *stored_blocks);
    return;
  }
  pg::files::free_space_map made = survey.take_map();
  if (made.empty()) return;
  begin(map, map, made.pages());
  made_map_ = std::move(made);
}

core::result<bool> relation_archiver::write(core::bytes& to) {
  if (!begun_) return false;
  const std::uint32_t in_file = next_ % pg::blocks_per_relation_segment;
  if (in_file == 0) begin_file(to);
  // Pages are a multiple of the blocks of an archive: files need no padding.
  const std::uint32_t count = std::min({step, blocks_ - next_, pg::blocks_per_relation_segment - in_file});
  STRATA_TRY(read_pages(count));
  core::append(to, core::bytes_view(content_).first(std::size_t{count} * pg::page_size));
  next_ += count;
  begun_ = next_ < blocks_;
  return true;
}

void relation_archiver::begin_file(core::bytes& to) const {
  const std::uint64_t size = std::uint64_t{std::min(blocks_ - next_, pg::blocks_per_relation_segment)} * pg::page_size;
  const pg::files::relation_file file{as_, next_ / pg::blocks_per_relation_segment};
  pg::files::append_tar_header(to, {.name = pg::files::relation_path(file, context_.major),
                                    .type = pg::files::tar_type::file,
                                    .size = size,
                                    .mode = pg::files::tar_file_mode,
                                    .link_target = {},
                                    .modified = context_.modified});
}

core::result<void> relation_archiver::read_pages(std::uint32_t count) {
  const auto page = [this](std::uint32_t i) {
    return core::bytes_span(content_).subspan(i * pg::page_size, pg::page_size);
  };
  if (made_map_)
    for (std::uint32_t i = 0; i < count; ++i) made_map_->write_page(next_ + i, page(i));
  else
    STRATA_TRY(read_stored_pages(count));
  for (std::uint32_t i = 0; i < count; ++i) {
    if (source_.fork == pg::fork::main) survey_->add(page(i));
    if (context_.checksums) pg::page::set_page_checksum(page(i), next_ + i);
  }
  return {};
}

core::result<void> relation_archiver::read_stored_pages(std::uint32_t count) {
  reads_.clear();
  for (std::uint32_t i = 0; i < count; ++i)
    reads_.push_back({relation_page_key(source_, next_ + i),
                      core::bytes_span(content_).subspan(i * pg::page_size, pg::page_size),
                      {}});
  context_.store->read_pages(reads_, context_.at, read_mode::may_block);
  for (std::uint32_t i = 0; i < count; ++i)
    if (reads_[i].failure)
      return (*std::move(reads_[i].failure))
          .within("archive block " + std::to_string(next_ + i) + " of " + pg::to_string(source_));
  return {};
}

}  // namespace strata::storage::mapping
