// Writes the first inputs of the targets, made from WAL that real servers wrote.
//
//   make_fuzz_seeds DIRECTORY COUNT [MAJOR...]             servers of these majors run the workload of tests/workload
//   make_fuzz_seeds DIRECTORY COUNT --between BEFORE AFTER  a data directory before and after: both stopped cleanly
//
// DIRECTORY gets a folder for each target with at most COUNT files. Without a MAJOR: all that are installed.

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "pg/verify/cluster_files.hpp"
#include "pg/wal/stream_decoder.hpp"
#include "tests/fuzz/seed_collector.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/workload/wal_workload.hpp"

namespace {

namespace core = strata::core;
namespace pg = strata::pg;
namespace pv = strata::pg::verify;
namespace st = strata::tests;
namespace fs = std::filesystem;

template <class T>
T must(core::result<T> got) {
  if (!got) throw std::runtime_error(core::to_string(got.error()));
  if constexpr (!std::is_void_v<T>) return *std::move(got);
}

core::bytes content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// WAL between two states of a data directory.
class wal_between {
 public:
  wal_between(const fs::path& before, st::fuzz::seed_collector& into) : into_(into) {
    const pv::wal_directory directory = must(pv::open_wal_directory(before));
    if (!directory.shut_down()) throw std::runtime_error(before.string() + " was not stopped cleanly");
    context_ = {.major = directory.major, .hints_are_logged = directory.control->hints_are_logged()};
    start_ = directory.control->checkpoint_copy.redo;
    report_ = std::make_unique<pv::report>(directory.major, [](const pv::mismatch&) {});
    verifier_ =
        std::make_unique<pv::wal_verifier>(pv::verifier_options{.context = context_, .has_base = true}, *report_);
    must(pv::for_each_page(before, context_.major, [&](const auto&... page) -> core::result<void> {
      verifier_->add_base_page(page...);
      return {};
    }));
  }

  void collect(const fs::path& after) {
    const pv::wal_directory directory = must(pv::open_wal_directory(after));
    verifier_->observe([&](const pg::redo::block_record& record, const pv::page_bytes& page, core::lsn,
                           const pg::redo::redo_context& context) { into_.add_block(record, page, context); });
    must(pv::replay(directory, start_, {}, *verifier_));
    add_records(directory);
  }

 private:
  void add_records(const pv::wal_directory& directory) {
    const std::uint64_t segment_size = directory.segment_size;
    pg::wal::stream_decoder decoder({.start = start_, .major = context_.major, .segment_size = directory.segment_size});
    const auto record = std::make_unique<pg::wal::record>();
    for (std::uint64_t number = start_.value / segment_size;; ++number) {
      const core::lsn begin(number * segment_size);
      const fs::path file = segment_file(directory, number);
      if (!fs::exists(file)) return;
      const core::bytes content = content_of(file);
      std::vector<core::lsn> starts;
      decoder.feed(core::bytes_view(content).subspan(decoder.position() - begin));
      while (true) {
        const auto framed = decoder.next();
        if (!framed) return into_.add_segment(content, begin, context_.major, starts);  // where WAL ends
        if (!*framed) break;
        const pg::wal::framed_record& found = **framed;
        must(pg::wal::parse_record(found.bytes, found.start, found.end, context_.major, *record));
        into_.add_record(*record, found.bytes, context_.major);
        if (found.start >= begin) starts.push_back(found.start);
      }
      into_.add_segment(content, begin, context_.major, starts);
    }
  }

  static fs::path segment_file(const pv::wal_directory& directory, std::uint64_t number) {
    const std::uint64_t in_4_gb = (std::uint64_t{1} << 32) / directory.segment_size;
    char name[25];
    std::snprintf(name, sizeof name, "00000001%08X%08X", static_cast<unsigned>(number / in_4_gb),
                  static_cast<unsigned>(number % in_4_gb));
    return directory.path / name;
  }

  st::fuzz::seed_collector& into_;
  pg::redo::redo_context context_;
  core::lsn start_;
  std::unique_ptr<pv::report> report_;
  std::unique_ptr<pv::wal_verifier> verifier_;
};

/// For the sessions that begin from now on. Majors and builds differ in what they can.
void compress_images(st::postgres_cluster& cluster, const std::string& how) {
  try {
    cluster.execute("ALTER ROLE postgres SET wal_compression = '" + how + "'");
  } catch (const std::exception&) {
    cluster.execute("ALTER ROLE postgres SET wal_compression = 'on'");
  }
}

void run_server(const st::postgres_install& install, st::fuzz::seed_collector& into) {
  std::vector<std::string> config{"checkpoint_timeout = 1d", "max_wal_size = 20GB", "wal_keep_size = 20GB",
                                  "shared_buffers = 64MB",   "max_wal_senders = 4", "wal_level = logical",
                                  "full_page_writes = on"};
  config.insert(config.end(), st::wal_workload_config.begin(), st::wal_workload_config.end());
  st::postgres_cluster cluster({.data_checksums = true, .config = std::move(config), .install = install});
  wal_between wal(cluster.data_directory(), into);
  cluster.start();
  struct {
    const char* part;
    const char* compression;
  } const parts[] = {{"heap", "pglz"},   {"btree", "lz4"}, {"hash", "zstd"},   {"gin", "off"},     {"gist", "pglz"},
                     {"spgist", "zstd"}, {"brin", "lz4"},  {"generic", "off"}, {"cluster", "pglz"}};
  for (const auto& [part, compression] : parts) {
    compress_images(cluster, compression);
    st::run_wal_workload(cluster, part);
    // From here on first changes are logged with the page, as in a server that works.
    cluster.execute("CHECKPOINT");
  }
  cluster.stop();
  wal.collect(cluster.data_directory());
}

void make_seeds(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) throw std::runtime_error("usage: make_fuzz_seeds DIRECTORY COUNT [MAJOR...]");
  st::fuzz::seed_collector seeds;
  if (arguments.size() == 5 && arguments[2] == "--between") {
    wal_between wal(arguments[3], seeds);
    wal.collect(arguments[4]);
  } else {
    std::vector<int> majors;
    for (std::size_t i = 2; i < arguments.size(); ++i) majors.push_back(std::stoi(arguments[i]));
    if (majors.empty()) majors.assign(std::begin(st::all_majors), std::end(st::all_majors));
    for (const int major : majors) {
      const st::postgres_install* install = st::install_of(major);
      if (install == nullptr) continue;
      std::printf("the workload runs on Postgres %s\n", install->version.c_str());
      std::fflush(stdout);
      run_server(*install, seeds);
    }
  }
  seeds.write(arguments[0], std::stoul(arguments[1]));
}

}  // namespace

int main(int count, char** arguments) {
  try {
    make_seeds({arguments + 1, arguments + count});
    return 0;
  } catch (const std::exception& failed) {
    std::fprintf(stderr, "make_fuzz_seeds: %s\n", failed.what());
    return 1;
  }
}
