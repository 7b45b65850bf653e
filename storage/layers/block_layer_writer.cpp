#include "core/check.hpp"
#include "storage/layers/layer_file.hpp"

namespace strata::storage {

using namespace block_format;

namespace {

/// A reader scans a block from its beginning: blocks of small values, relation sizes above all, end early.
constexpr std::size_t block_versions_max = 64;

}  // namespace

layer_writer::layer_writer(const layer_writer_options& options, io::new_file file)
    : options_(options),
      file_(std::move(file)),
      seed_(file_seed(options.tenant, options.timeline, options.number, options.generation)) {}

core::result<std::unique_ptr<layer_writer>> layer_writer::create(const layer_writer_options& options) {
  const std::string path = options.directory + "/" + std::to_string(options.number) + io::temporary_suffix;
  STRATA_ASSIGN(io::new_file file, io::new_file::create(path, *options.disk));
  core::bytes header(magic.begin(), magic.end());
  core::append_le(header, version);
  STRATA_TRY(file.append(header));
  return std::unique_ptr<layer_writer>(new layer_writer(options, std::move(file)));
}

core::result<void> layer_writer::add(const core::page_key& key, core::lsn at, core::bytes_view value) {
  if (!block_.empty() &&
      (block_.size() + value.size() > options_.block_size_bytes || block_versions_ == block_versions_max))
    STRATA_TRY(end_block());
  ++block_versions_;
  if (block_.empty()) {
    first_key_ = key;
    first_at_ = at;
    entries_.restart();
  }
  if (options_.filter && (versions_ == 0 || key != last_key_)) hashes_.push_back(filter_hash(key));
  last_key_ = key;
  entries_.append(block_, key, at, value);
  ++versions_;
  return {};
}

core::result<layer_record> layer_writer::finish(layer_record layer) {
  core::check(layer.number == options_.number, "number of a layer");
  layer.generation = options_.generation;
  if (!block_.empty()) STRATA_TRY(end_block());
  footer end{.identity = encode_identity({options_.tenant, options_.timeline, layer}), .versions = versions_};
  STRATA_ASSIGN(end.index, write_block(index_));
  if (options_.filter) {
    STRATA_ASSIGN(end.filter, write_block(build_filter(hashes_)));
  }
  STRATA_TRY(file_.append(encode(end)));
  layer.size_bytes = file_.size();
  STRATA_TRY(file_.commit(options_.directory + "/" + layer_file_name(layer)));
  return layer;
}

core::result<block_place> layer_writer::write_block(core::bytes_view content) {
  packed_.clear();
  const std::uint64_t offset = file_.size();
  pack(content, seed_, offset, options_.compress, packed_);
  STRATA_TRY(file_.append(packed_));
  return block_place{offset, static_cast<std::uint32_t>(packed_.size())};
}

core::result<void> layer_writer::end_block() {
  STRATA_ASSIGN(const block_place place, write_block(block_));
  append_index_entry(index_, first_key_, first_at_, place);
  block_.clear();
  block_versions_ = 0;
  return {};
}

}  // namespace strata::storage
