#include "storage/layers/layer_file.hpp"

#include <algorithm>

namespace strata::storage {

namespace {

void append_key(core::bytes& to, const core::page_key& key) {
  to.resize(to.size() + core::page_key::encoded_size);
  key.encode(to.data() + to.size() - core::page_key::encoded_size);
}

}  // namespace

core::bytes encode_identity(const layer_identity& of) {
  core::bytes to;
  to.reserve(block_format::encoded_identity_size);
  core::append(to, of.tenant.value);
  core::append(to, of.timeline.value);
  core::append_le(to, of.layer.number);
  core::append_le(to, of.layer.generation.value);
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
  return core::error{core::errc::corrupt,
                     "layer " + path + " is not the layer in its name: " +
                         (other_timeline ? "of another timeline" : "other number, generation or range")};
}

}  // namespace strata::storage
