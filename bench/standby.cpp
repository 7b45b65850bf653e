#include "bench/standby.hpp"

#include <fstream>
#include <stdexcept>

#include "bench/demand.hpp"

namespace strata::bench {

namespace fs = std::filesystem;

standby::standby(wal_source& source, const tar_backup& backup, wal_from from) {
  const fs::path data = directory_ / "data";
  fs::create_directory(data);
  const tests::finished unpacked = tests::run({.arguments = {"tar", "-xf", backup.file, "-C", data}});
  if (unpacked.exit_code != 0) throw std::runtime_error("unpack the backup: " + unpacked.err);
  std::ofstream(data / "standby.signal").close();
  std::vector<std::string> config{"fsync = on", "synchronous_commit = on", "shared_buffers = 1GB", "wal_keep_size = 0"};
  if (from == wal_from::its_own_files)
    fs::copy(source.cluster().data_directory() / "pg_wal", data / "pg_wal",
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  else
    config.push_back("primary_conninfo = '" + source.cluster().replication_conninfo() + "'");
  cluster_ = tests::postgres_cluster::adopt(data, config);
}

void standby::start() {
  cluster_->start();
  session_ = std::make_unique<tests::sql_session>(cluster_->conninfo());
}

core::lsn standby::replayed() { return demand(core::parse_lsn(session_->value("SELECT pg_last_wal_replay_lsn()"))); }

}  // namespace strata::bench
