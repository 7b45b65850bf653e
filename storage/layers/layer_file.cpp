#include "storage/layers/layer_file.hpp"

#include <algorithm>

#include "io/file.hpp"
#include "storage/layers/block_layer.hpp"
#include "storage/layers/table_layer.hpp"

namespace strata::storage {

namespace {

void append_key(core::bytes& to, const core::page_key& key) {
  to.resize(to.size() + core::page_key::encoded_size);
  key.encode(to.data() + to.size() - core::page_key::encoded_size);
}

}  // namespace

core::bytes encode_identity(const layer_identity& of) {
  core::bytes to;
  to.reserve(encoded_identity_size);
  core::append(to, of.tenant.value);
  core::append(to, of.timeline.value);
  core::append_le(to, of.layer.number);
  to.push_back(static_cast<std::uint8_t>(of.layer.kind));
  append_key(to, of.layer.keys.begin);
  append_key(to, of.layer.keys.end);
  core::append_le(to, of.layer.begin.value);
  core::append_le(to, of.layer.end.value);
  return to;
}

core::result<void> check_identity(core::bytes_view found, const layer_identity& expected, const std::string& path) {
  const core::bytes wanted = encode_identity(expected);
  if (std::equal(found.begin(), found.end(), wanted.begin(), wanted.end())) return {};
  const bool other_timeline =
      found.size() != wanted.size() || !std::equal(found.begin(), found.begin() + 32, wanted.begin());
  return core::error{core::errc::corrupt, "layer " + path + " is another layer than its name says: " +
                                              (other_timeline ? "of another timeline" : "other number or range")};
}

core::result<std::unique_ptr<layer_writer>> layer_writer::create(const layer_writer_options& options) {
  return options.format == layer_format::block ? create_block_layer(options) : create_table_layer(options);
}

core::result<std::shared_ptr<const layer_reader>> layer_reader::open(const std::string& path,
                                                                     const layer_identity& expected,
                                                                     block_cache& cache) {
  STRATA_ASSIGN(io::unique_fd file, io::open_for_reading(path));
  std::array<std::uint8_t, block_layer_magic.size()> start{};
  STRATA_TRY(io::read_at(file, 0, start, path));
  if (start == block_layer_magic) return open_block_layer(std::move(file), path, expected, cache);
  return open_table_layer(path, expected, cache);
}

}  // namespace strata::storage
