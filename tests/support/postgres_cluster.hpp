#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/postgres_install.hpp"
#include "tests/support/process.hpp"
#include "tests/support/sql_session.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {

struct cluster_options {
  bool data_checksums = false;
  std::vector<std::string> initdb_arguments{};
  /// Lines for postgresql.conf, e.g. "wal_level = replica". Port, sockets and addresses are set already.
  std::vector<std::string> config{};
  postgres_install install = postgres_installs().front();
};

enum class stop_mode { smart, fast, immediate };

/// A throw-away Postgres with its own data directory, port and socket directory. Superuser `postgres`, trust
/// everywhere, C.UTF-8, fsync off. When this process is root the server runs as postgres_account(). The destructor
/// stops the server and removes the directory; a test that dies takes its server with it. Failures throw
/// std::runtime_error with the server's log.
class postgres_cluster {
 public:
  /// Runs initdb; start() starts the server.
  explicit postgres_cluster(cluster_options options = {});

  /// Takes over a data directory that exists already, e.g. an exported one: it gets the right owner and mode and the
  /// given lines for its postgresql.conf, nothing else. It stays where it is and is not removed. Its PG_VERSION chooses
  /// the installation.
  static std::unique_ptr<postgres_cluster> adopt(const std::filesystem::path& data_directory,
                                                 const std::vector<std::string>& config = {});

  ~postgres_cluster();
  postgres_cluster(const postgres_cluster&) = delete;
  postgres_cluster& operator=(const postgres_cluster&) = delete;

  /// Returns when the server answers. Refused, with its log, when it ends instead.
  void start();
  void stop(stop_mode mode = stop_mode::fast);
  void restart(stop_mode mode = stop_mode::fast);
  /// SIGKILL to the postmaster and every child at once, as a crash of the machine would end them; returns when all are
  /// gone.
  void kill_all();
  [[nodiscard]] bool running();
  /// Adds a line to postgresql.conf; later lines win. Takes effect at the next start.
  void configure(const std::string& line);

  [[nodiscard]] std::string conninfo(const std::string& database = "postgres") const;
  /// For a physical replication connection.
  [[nodiscard]] std::string replication_conninfo() const;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const postgres_install& install() const { return install_; }
  [[nodiscard]] const std::filesystem::path& data_directory() const { return data_; }
  /// A directory that the server's user may write in, removed with the cluster.
  [[nodiscard]] const std::filesystem::path& work_directory() const { return work_; }
  /// What the server has logged since it was made.
  [[nodiscard]] std::string log() const;

  /// Each over a connection of its own.
  std::vector<sql_row> query(const std::string& sql, const std::string& database = "postgres");
  std::string value(const std::string& sql, const std::string& database = "postgres");
  void execute(const std::string& sql, const std::string& database = "postgres");

  /// A program of Postgres (program_of()) with PGHOST, PGPORT, PGUSER, PGDATABASE and PGDATA set to this cluster, as
  /// the user of the server.
  finished run(const std::string& program, const std::vector<std::string>& arguments,
               std::chrono::milliseconds limit = std::chrono::minutes(5)) const;
  /// The same, not waited for.
  [[nodiscard]] std::unique_ptr<process> spawn(const std::string& program,
                                               const std::vector<std::string>& arguments) const;

 private:
  struct adopted {};
  postgres_cluster(adopted, const std::filesystem::path& data_directory);
  void make_directories();
  void initialise(const cluster_options& options);
  void wait_until_it_answers();
  [[nodiscard]] command program(const std::string& name, const std::vector<std::string>& arguments) const;

  postgres_install install_;
  temp_dir home_;
  std::optional<account> account_ = postgres_account();
  std::filesystem::path data_;
  std::filesystem::path work_;
  std::uint16_t port_;
  std::unique_ptr<process> server_;
};

}  // namespace strata::tests
