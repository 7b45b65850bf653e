#pragma once

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/postgres_cluster.hpp"
#include "tests/support/sql_session.hpp"
#include "tests/support/strata_server.hpp"

namespace strata::tests {

inline bool exists(pid_t process) { return ::kill(process, 0) == 0; }

/// A source, and a server with three safekeepers that follows it. Neither runs yet.
struct source_and_server {
  postgres_cluster source{{.config = {"wal_level = replica", "max_prepared_transactions = 5"}}};
  strata_server strata{{.arguments = {"--safekeepers", "3"}}};
};

/// A server with three safekeepers, a source, and a branch of it that nobody has written to.
struct with_branch {
  with_branch() : with_branch([](postgres_cluster& from) { return from.conninfo(); }) {}
  /// `prepare` gives the connection string with which the source is followed.
  explicit with_branch(const std::function<std::string(postgres_cluster&)>& prepare)
      : with_branch(std::make_shared<source_and_server>()) {
    source.start();
    source.execute("create table rows (id bigint primary key, filler text)");
    source.execute("insert into rows select -i, 'before the branch' from generate_series(1, 500) i");
    strata.start();
    strata.add_source("shop", prepare(source));
    strata.wait_for_lsn("shop", lsn_from(source.value("select pg_current_wal_flush_lsn()")));
    strata.ask({"branch", "create", "dev"});
  }

  /// Those that run.
  explicit with_branch(std::shared_ptr<source_and_server> running)
      : held(std::move(running)), source(held->source), strata(held->strata) {}

  /// The compute as `compute start` gives it.
  nlohmann::json start(std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"compute", "start", "dev"};
    words.insert(words.end(), more.begin(), more.end());
    return strata.ask(std::move(words));
  }
  [[nodiscard]] nlohmann::json now(const std::string& name = "dev") const {
    for (const auto& each : strata.ask({"compute", "list"}))
      if (each.at("name") == name) return each;
    throw std::runtime_error("there is no compute " + name);
  }
  void wait_for_state(const std::string& state, const std::string& name = "dev") const {
    wait_until(
        name + " is " + state, [&] { return now(name).at("state") == state; }, std::chrono::minutes(1));
  }
  static pid_t agent_of(const nlohmann::json& compute) { return compute.at("agent_pid"); }
  static pid_t postmaster_of(const nlohmann::json& compute) {
    std::ifstream file(compute.at("data_directory").get<std::string>() + "/postmaster.pid");
    pid_t pid = 0;
    file >> pid;
    return pid;
  }
  /// As the loss of its machine.
  static void lose(const nlohmann::json& compute) {
    const pid_t postmaster = postmaster_of(compute);
    ::kill(agent_of(compute), SIGKILL);
    ::kill(postmaster, SIGKILL);
    wait_until("its processes are gone", [&] { return !exists(agent_of(compute)) && !exists(postmaster); });
  }
  static std::string value(const nlohmann::json& compute, const std::string& sql) {
    return sql_session(compute.at("uri")).value(sql);
  }
  static void execute(const nlohmann::json& compute, const std::string& sql) {
    sql_session(compute.at("uri")).execute(sql);
  }

  [[nodiscard]] pid_t safekeeper(int id) const {
    std::ifstream file(strata.directory() / "safekeepers" / std::to_string(id) / "safekeeper.json");
    return nlohmann::json::parse(file).at("pid");
  }
  void signal_safekeepers(std::initializer_list<int> ids, int number) const {
    for (const int id : ids) ::kill(safekeeper(id), number);
  }

  std::shared_ptr<source_and_server> held;
  postgres_cluster& source;
  strata_server& strata;
};

/// Inserts ids one by one in several sessions and remembers which commits were acknowledged, until its server is gone.
class writers {
 public:
  writers(const nlohmann::json& compute, int count, std::atomic<std::int64_t>& next) {
    for (int i = 0; i < count; ++i)
      threads_.emplace_back([this, uri = compute.at("uri").get<std::string>(), &next] {
        try {
          sql_session session(uri);
          for (;;) {
            const std::int64_t id = ++next;
            session.execute("begin; insert into rows values (" + std::to_string(2 * id) + ", 'a'), (" +
                            std::to_string(2 * id + 1) + ", 'b'); commit");
            const std::lock_guard lock(mutex_);
            acknowledged_.insert(id);
          }
        } catch (const std::runtime_error&) {  // the server is gone
        }
      });
  }
  ~writers() { join(); }
  [[nodiscard]] std::size_t count() {
    const std::lock_guard lock(mutex_);
    return acknowledged_.size();
  }
  /// Call when the server is gone.
  std::set<std::int64_t> join() {
    for (auto& each : threads_)
      if (each.joinable()) each.join();
    return acknowledged_;
  }

 private:
  std::mutex mutex_;
  std::set<std::int64_t> acknowledged_;
  std::vector<std::thread> threads_;
};

}  // namespace strata::tests
