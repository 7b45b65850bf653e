#include "bench/compute/sides.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <stdexcept>
#include <thread>
#include <utility>

#include "bench/stopwatch.hpp"
#include "io/unique_fd.hpp"

namespace strata::bench {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

constexpr auto export_limit = 60min;
constexpr auto fill_limit = 30min;

void for_each_file(const fs::path& directory, const std::function<void(int)>& visit) {
  for (const auto& entry : fs::recursive_directory_iterator(directory, fs::directory_options::skip_permission_denied)) {
    if (!entry.is_regular_file()) continue;
    const io::unique_fd file(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
    // A running Postgres removes files.
    if (file) visit(file.get());
  }
}

}  // namespace

plain_postgres::plain_postgres(const tests::strata_server& strata, const std::vector<std::string>& config) {
  const fs::path directory = home_ / "data";
  fs::create_directory(directory);
  tests::command unpack = strata.program({});
  unpack.arguments = {"bash",   "-o", "pipefail", "-c", R"("$0" export main | tar -x -C "$1")", unpack.arguments.at(0),
                      directory};
  const auto done = tests::run(unpack, export_limit);
  if (done.exit_code != 0) throw std::runtime_error("strata export: " + done.err);
  // The archive's one asks for passwords.
  std::ofstream(directory / "pg_hba.conf") << "local all all trust\nhost all all 127.0.0.1/32 trust\n";
  cluster_ = tests::postgres_cluster::adopt(directory, config);
  cluster_->start();
  conninfo_ = "host='" + cluster_->value("show unix_socket_directories") +
              "' port=" + std::to_string(cluster_->port()) + " user=postgres dbname=postgres";
}

made_branch::made_branch(const tests::strata_server& strata, std::string name)
    : strata_(strata), name_(std::move(name)) {
  strata.ask({"branch", "create", name_});
}

made_branch::~made_branch() {
  try {
    strata_.cli({"branch", "delete", name_, "--yes", "--force"});
  } catch (const std::exception&) {  // it goes with the server's directory
  }
}

started_compute::started_compute(const tests::strata_server& strata, const std::string& branch, const std::string& name,
                                 std::vector<std::string> words, const std::vector<std::string>& config)
    : strata_(strata), name_(name) {
  words.insert(words.begin(), {"compute", "start", branch, "--name", name});
  for (const auto& line : config) words.insert(words.end(), {"--set", line});
  const json started = strata.ask(words);
  conninfo_ = started.at("uri");
  data_directory_ = started.at("data_directory").get<std::string>();
}

started_compute::~started_compute() {
  try {
    strata_.cli({"compute", "stop", name_, "--remove"});
  } catch (const std::exception&) {  // the server's destructor ends what still runs
  }
}

json started_compute::description() const { return compute_named(strata_, name_); }

double started_compute::missing_megabytes() const {
  const json now = description();
  return now.contains("page_counts") ? now.at("page_counts").at("missing").get<double>() * 8192 / 1e6 : 0;
}

double started_compute::wait_until_complete() const {
  const wall_stopwatch waited;
  while (!description().at("page_counts").at("complete").get<bool>()) {
    if (waited.seconds() > std::chrono::duration<double>(fill_limit).count())
      throw std::runtime_error(name_ + " did not become complete");
    std::this_thread::sleep_for(250ms);
  }
  return waited.seconds();
}

json compute_named(const tests::strata_server& strata, const std::string& name) {
  for (const auto& each : strata.ask({"compute", "list"}))
    if (each.at("name") == name) return each;
  throw std::runtime_error("there is no compute " + name);
}

void read_all(const fs::path& directory) {
  std::vector<char> part(1u << 20);
  for_each_file(directory, [&](int file) {
    while (::read(file, part.data(), part.size()) > 0) {
    }
  });
}

void evict(const fs::path& directory) {
  for_each_file(directory, [](int file) { ::fdatasync(file); });
  for_each_file(directory, [](int file) { ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED); });
}

std::string different_settings(const std::string& conninfo, const std::string& other) {
  const std::string all =
      "select name, setting from pg_settings where name !~ "
      "'_file$|_directory$|_directories$|^port$|^listen_addresses$'";
  std::map<std::string, std::string> of_one;
  for (const auto& row : tests::sql_session(conninfo).query(all))
    of_one[row.at(0).value_or("")] = row.at(1).value_or("");
  std::string names;
  for (const auto& row : tests::sql_session(other).query(all)) {
    const std::string name = row.at(0).value_or(""), value = row.at(1).value_or("");
    if (const std::string& here = of_one[name]; here != value)
      names += (names.empty() ? "" : ", ") + name + " (" + here + ", " + value + ")";
  }
  return names.empty() ? "none" : names;
}

}  // namespace strata::bench
