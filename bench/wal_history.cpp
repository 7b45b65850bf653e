#include "bench/wal_history.hpp"

#include <stdexcept>

#include "bench/demand.hpp"
#include "bench/stock_recovery.hpp"

namespace strata::bench {

namespace fs = std::filesystem;
namespace verify = pg::verify;

namespace {

std::vector<std::string> with_all_wal_kept(std::vector<std::string> config) {
  config.insert(config.end(),
                {"checkpoint_timeout = 1d", "max_wal_size = 100GB", "wal_keep_size = 100GB", "shared_buffers = 1GB"});
  return config;
}

void copy_tree(const fs::path& from, const fs::path& to) {
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
}

}  // namespace

wal_history::wal_history(std::vector<std::string> config, const std::function<void(tests::postgres_cluster&)>& load)
    : config_(with_all_wal_kept(std::move(config))), cluster_({.config = config_}) {
  copy_tree(cluster_.data_directory(), home_ / "before");
  before_ = demand(verify::open_wal_directory(home_ / "before"));
  cluster_.start();
  load(cluster_);
  cluster_.stop();
  after_ = demand(verify::open_wal_directory(cluster_.data_directory()));
}

std::unique_ptr<verify::wal_verifier> wal_history::verifier(verify::report& into) const {
  verify::verifier_options options;
  options.context = {.major = before_.major, .hints_are_logged = before_.control->hints_are_logged()};
  options.has_base = true;
  auto made = std::make_unique<verify::wal_verifier>(options, into);
  demand(verify::for_each_page(before_.data_directory, before_.major, [&](const auto&... page) -> core::result<void> {
    made->add_base_page(page...);
    return {};
  }));
  return made;
}

verify::replayed wal_history::replay(verify::wal_verifier& with) const {
  auto done = demand(verify::replay(after_, begin(), {}, with));
  if (done.end <= after_.control->checkpoint_location) throw std::runtime_error("WAL ends early: " + done.why_ended);
  return done;
}

double wal_history::stock_redo_seconds() {
  const fs::path copy = home_ / "recovery";
  copy_tree(home_ / "before", copy);
  copy_tree(cluster_.data_directory() / "pg_wal", home_ / "wal");
  fs::remove_all(copy / "pg_wal");
  fs::rename(home_ / "wal", copy / "pg_wal");
  const double seconds = recover(copy, config_).elapsed_seconds;
  fs::remove_all(copy);
  return seconds;
}

}  // namespace strata::bench
