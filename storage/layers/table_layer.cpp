#include "storage/layers/table_layer.hpp"

#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/iterator.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/table_properties.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "core/check.hpp"
#include "io/file.hpp"
#include "storage/layers/block_cache.hpp"

namespace strata::storage {

namespace {

constexpr const char* magic_property = "strata.layer";
constexpr const char* magic_text = "strata layer table 1";
constexpr const char* identity_property = "strata.identity";

rocksdb::Options table_options(std::size_t block_size_bytes, bool compress, bool filter,
                               const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.checksum = rocksdb::kXXH3;
  table.block_size = block_size_bytes;
  table.format_version = 5;
  table.block_cache = cache;
  table.no_block_cache = cache == nullptr;
  table.cache_index_and_filter_blocks = cache != nullptr;
  table.whole_key_filtering = false;
  if (filter) table.filter_policy.reset(rocksdb::NewRibbonFilterPolicy(10.0));

  rocksdb::Options options;
  options.compression = compress ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  options.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(core::page_key::encoded_size));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

core::error table_failure(std::string_view doing, const std::string& path, const rocksdb::Status& status) {
  const std::string text = status.ToString();
  core::errc code = core::errc::io_error;
  if (status.IsNoSpace() || text.find("File too large") != std::string::npos) code = core::errc::disk_full;
  if (status.IsCorruption() || status.IsNotSupported()) code = core::errc::corrupt;
  if (status.IsIncomplete()) code = core::errc::would_block;
  if (status.IsPathNotFound()) code = core::errc::not_found;
  return {code, std::string(doing) + " " + path + ": " + text};
}

/// Puts the identity, which is known only at the end, into the table's properties.
class identity_collector final : public rocksdb::TablePropertiesCollector {
 public:
  explicit identity_collector(std::shared_ptr<const core::bytes> identity) : identity_(std::move(identity)) {}
  rocksdb::Status AddUserKey(const rocksdb::Slice&, const rocksdb::Slice&, rocksdb::EntryType, rocksdb::SequenceNumber,
                             std::uint64_t) override {
    return {};
  }
  rocksdb::Status Finish(rocksdb::UserCollectedProperties* properties) override {
    *properties = GetReadableProperties();
    return {};
  }
  [[nodiscard]] rocksdb::UserCollectedProperties GetReadableProperties() const override {
    return {{magic_property, magic_text}, {identity_property, {identity_->begin(), identity_->end()}}};
  }
  [[nodiscard]] const char* Name() const override { return "strata.identity_collector"; }

 private:
  std::shared_ptr<const core::bytes> identity_;
};

class identity_collector_factory final : public rocksdb::TablePropertiesCollectorFactory {
 public:
  explicit identity_collector_factory(std::shared_ptr<const core::bytes> identity) : identity_(std::move(identity)) {}
  rocksdb::TablePropertiesCollector* CreateTablePropertiesCollector(Context) override {
    return new identity_collector(identity_);
  }
  [[nodiscard]] const char* Name() const override { return "strata.identity_collector_factory"; }

 private:
  std::shared_ptr<const core::bytes> identity_;
};

class table_layer_writer final : public layer_writer {
 public:
  explicit table_layer_writer(const layer_writer_options& options)
      : options_(options),
        path_(options.directory + "/" + std::to_string(options.number) + io::temporary_suffix),
        identity_(std::make_shared<core::bytes>()),
        writer_(rocksdb::EnvOptions(), with_identity(options), nullptr, /*invalidate_page_cache=*/false) {}

  ~table_layer_writer() override {
    std::error_code ignored;
    if (!finished_) std::filesystem::remove(path_, ignored);
  }

  core::result<void> start() { return checked("create layer", writer_.Open(path_)); }

  core::result<void> add(const core::page_key& key, core::lsn at, core::bytes_view value) override {
    std::array<std::uint8_t, version_key_size> raw{};
    encode_version_key(key, at, raw.data());
    return checked("write layer", writer_.Put({reinterpret_cast<const char*>(raw.data()), raw.size()},
                                              {reinterpret_cast<const char*>(value.data()), value.size()}));
  }

  [[nodiscard]] std::uint64_t size_bytes() const override {
    return const_cast<rocksdb::SstFileWriter&>(writer_).FileSize();
  }

  core::result<layer_record> finish(layer_record layer) override {
    core::check(layer.number == options_.number, "number of a layer");
    *identity_ = encode_identity({options_.tenant, options_.timeline, layer});
    rocksdb::ExternalSstFileInfo info;
    STRATA_TRY(checked("finish layer", writer_.Finish(&info)));
    layer.size_bytes = info.file_size;
    STRATA_TRY(io::publish_file(path_, options_.directory + "/" + layer_file_name(layer)));
    finished_ = true;
    return layer;
  }

 private:
  rocksdb::Options with_identity(const layer_writer_options& options) {
    rocksdb::Options table = table_options(options.block_size_bytes, options.compress, options.filter, nullptr);
    table.table_properties_collector_factories.push_back(std::make_shared<identity_collector_factory>(identity_));
    return table;
  }

  core::result<void> checked(std::string_view doing, const rocksdb::Status& status) {
    if (status.ok()) return {};
    const core::error e = table_failure(doing, path_, status);
    // RocksDB says in words only that it was the sync that failed. After that nothing about the file is certain.
    if (e.code == core::errc::io_error && e.detail.find("sync") != std::string::npos) core::broken_invariant(e.detail);
    return e;
  }

  layer_writer_options options_;
  std::string path_;
  std::shared_ptr<core::bytes> identity_;
  rocksdb::SstFileWriter writer_;
  bool finished_ = false;
};

class table_layer_reader final : public layer_reader {
 public:
  table_layer_reader(std::string path, const rocksdb::Options& options) : path_(std::move(path)), reader_(options) {}

  core::result<void> start(const layer_identity& expected) {
    if (const auto status = reader_.Open(path_); !status.ok()) {
      core::error e = table_failure("open layer", path_, status);
      if (e.code == core::errc::io_error) e.code = core::errc::corrupt;
      return e;
    }
    const auto properties = reader_.GetTableProperties();
    const auto& found = properties->user_collected_properties;
    const auto magic = found.find(magic_property);
    const auto identity = found.find(identity_property);
    if (magic == found.end() || identity == found.end())
      return core::error{core::errc::corrupt, "open layer " + path_ + ": not a layer of Strata"};
    if (magic->second != magic_text)
      return core::error{core::errc::unsupported, "open layer " + path_ + ": unknown version: " + magic->second};
    return check_identity({reinterpret_cast<const std::uint8_t*>(identity->second.data()), identity->second.size()},
                          expected, path_);
  }

  [[nodiscard]] std::unique_ptr<layer_cursor> cursor(const layer_read_options& options) const override;
  [[nodiscard]] const std::string& path() const { return path_; }
  std::unique_ptr<rocksdb::Iterator> iterate(const rocksdb::ReadOptions& options) const {
    return std::unique_ptr<rocksdb::Iterator>(reader_.NewIterator(options));
  }

 private:
  std::string path_;
  mutable rocksdb::SstFileReader reader_;
};

class table_layer_cursor final : public layer_cursor {
 public:
  table_layer_cursor(const table_layer_reader& layer, const layer_read_options& options)
      : layer_(layer), options_(options) {}

  bool find(const core::page_key& key, core::lsn at) override {
    // Within one prefix RocksDB asks the filter first and stops at the end of the key.
    return move_to(points_, false, key, at) && key_ == key;
  }
  bool seek(const core::page_key& key, core::lsn at) override { return move_to(scans_, true, key, at); }
  bool next() override {
    current_->Next();
    return take();
  }
  [[nodiscard]] const core::error* failure() const override { return failure_ ? &*failure_ : nullptr; }

 private:
  bool move_to(std::unique_ptr<rocksdb::Iterator>& with, bool scan, const core::page_key& key, core::lsn at) {
    failure_.reset();
    if (!with) {
      rocksdb::ReadOptions options;
      options.fill_cache = options_.fill_cache;
      if (options_.memory_only) options.read_tier = rocksdb::kBlockCacheTier;
      options.total_order_seek = scan;
      options.prefix_same_as_start = !scan;
      with = layer_.iterate(options);
    }
    current_ = with.get();
    std::array<std::uint8_t, version_key_size> target{};
    encode_version_key(key, at, target.data());
    current_->Seek({reinterpret_cast<const char*>(target.data()), target.size()});
    return take();
  }

  bool take() {
    if (!current_->Valid()) {
      if (const auto status = current_->status(); !status.ok())
        failure_ = table_failure("read layer", layer_.path(), status);
      return false;
    }
    const rocksdb::Slice raw = current_->key();
    if (raw.size() != version_key_size) {
      failure_ = core::error{core::errc::corrupt, "read layer " + layer_.path() + ": a key has a wrong size"};
      return false;
    }
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(raw.data());
    key_ = core::page_key::decode(bytes);
    at_ = core::lsn(~core::load_be<std::uint64_t>(bytes + core::page_key::encoded_size));
    value_ = {reinterpret_cast<const std::uint8_t*>(current_->value().data()), current_->value().size()};
    return true;
  }

  const table_layer_reader& layer_;
  layer_read_options options_;
  std::unique_ptr<rocksdb::Iterator> points_;
  std::unique_ptr<rocksdb::Iterator> scans_;
  rocksdb::Iterator* current_ = nullptr;
  std::optional<core::error> failure_;
};

std::unique_ptr<layer_cursor> table_layer_reader::cursor(const layer_read_options& options) const {
  return std::make_unique<table_layer_cursor>(*this, options);
}

}  // namespace

core::result<std::unique_ptr<layer_writer>> create_table_layer(const layer_writer_options& options) {
  auto writer = std::make_unique<table_layer_writer>(options);
  STRATA_TRY(writer->start());
  return std::unique_ptr<layer_writer>(std::move(writer));
}

core::result<std::shared_ptr<const layer_reader>> open_table_layer(const std::string& path,
                                                                   const layer_identity& expected, block_cache& cache) {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error) return core::from_errno("open layer " + path, error.value());
  if (expected.layer.size_bytes != 0 && size != expected.layer.size_bytes)
    return core::error{core::errc::corrupt, "open layer " + path + ": its size is " + std::to_string(size) +
                                                " instead of " + std::to_string(expected.layer.size_bytes) + " bytes"};
  // Block size, compression and filter are written in the file; these matter only for writing. The filter policy must
  // be there to be recognised.
  auto reader = std::make_shared<table_layer_reader>(path, table_options(16u << 10, false, true, cache.get()));
  STRATA_TRY(reader->start(expected));
  return std::shared_ptr<const layer_reader>(std::move(reader));
}

}  // namespace strata::storage
