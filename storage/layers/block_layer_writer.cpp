#include <filesystem>

#include "core/check.hpp"
#include "storage/layers/block_layer.hpp"
#include "storage/layers/block_layer_format.hpp"

namespace strata::storage {

namespace {

using namespace block_format;

/// A reader goes through a block from its beginning: blocks of small values, sizes of relations above all, end early.
constexpr std::size_t block_versions_max = 64;

class block_layer_writer final : public layer_writer {
 public:
  block_layer_writer(const layer_writer_options& options, io::new_file file)
      : options_(options), file_(std::move(file)), seed_(file_seed(options.tenant, options.timeline, options.number)) {}

  core::result<void> start() {
    core::bytes header(block_layer_magic.begin(), block_layer_magic.end());
    core::append_le(header, version);
    return file_.append(header);
  }

  core::result<void> add(const core::page_key& key, core::lsn at, core::bytes_view value) override {
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

  [[nodiscard]] std::uint64_t size_bytes() const override { return file_.size() + block_.size(); }

  core::result<layer_record> finish(layer_record layer) override {
    core::check(layer.number == options_.number, "number of a layer");
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

 private:
  core::result<block_place> write_block(core::bytes_view content) {
    packed_.clear();
    const std::uint64_t offset = file_.size();
    pack(content, seed_, offset, options_.compress, packed_);
    STRATA_TRY(file_.append(packed_));
    return block_place{offset, static_cast<std::uint32_t>(packed_.size())};
  }

  core::result<void> end_block() {
    STRATA_ASSIGN(const block_place place, write_block(block_));
    append_index_entry(index_, first_key_, first_at_, place);
    block_.clear();
    block_versions_ = 0;
    return {};
  }

  layer_writer_options options_;
  io::new_file file_;
  std::uint64_t seed_;
  entry_encoder entries_;
  core::bytes block_;
  std::size_t block_versions_ = 0;
  core::bytes packed_;
  core::bytes index_;
  core::page_key first_key_;
  core::lsn first_at_;
  core::page_key last_key_;
  std::vector<std::uint64_t> hashes_;
  std::uint64_t versions_ = 0;
};

}  // namespace

core::result<std::unique_ptr<layer_writer>> create_block_layer(const layer_writer_options& options) {
  const std::string path = options.directory + "/" + std::to_string(options.number) + io::temporary_suffix;
  STRATA_ASSIGN(io::new_file file, io::new_file::create(path));
  auto writer = std::make_unique<block_layer_writer>(options, std::move(file));
  STRATA_TRY(writer->start());
  return std::unique_ptr<layer_writer>(std::move(writer));
}

}  // namespace strata::storage
