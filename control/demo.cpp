#include "control/demo.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "control/branch_changes.hpp"
#include "control/compute_start.hpp"
#include "control/computes.hpp"
#include "control/databases.hpp"
#include "control/failure.hpp"
#include "pg/client/sql_connection.hpp"

namespace strata::control {
namespace {

/// Rows of orders afterwards.
int run(const host::compute_record& compute, const std::string& sql) {
  constexpr const char* what = "can't fill the demo's database";
  auto session = need(pg::client::sql_connection::open(socket_uri(compute)), what);
  need(session.execute(sql), what);
  const auto rows = need(session.query("select count(*) from orders"), what);
  return std::stoi(rows.front().front().value());
}

}  // namespace

core::result<std::string> make_demo_directory() {
  const char* temporary = std::getenv("TMPDIR");
  std::string pattern =
      (temporary == nullptr || *temporary == 0 ? std::string("/tmp") : temporary) + "/strata-demo-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr || ::chmod(pattern.c_str(), 0711) != 0)
    return core::from_errno("make " + pattern, errno);
  return pattern;
}

demo make_demo(const scope& of) {
  demo made;
  create_database(of, "demo", {});
  made.main = start_compute(of, {.spec = "demo/main"});
  made.orders = run(made.main,
                    "create table orders (id int primary key, customer text, amount numeric(10, 2));"
                    "insert into orders select i, 'customer ' || i % 97, (i * 7919 % 100000) / 100.0 "
                    "from generate_series(1, 10000) i");
  create_branch(of, {.name = "dev", .from = "demo/main", .expires_after = {}});
  made.branch = start_compute(of, {.spec = "demo/dev"});
  made.branch_orders = run(made.branch, "delete from orders where id > 100");
  return made;
}

}  // namespace strata::control
