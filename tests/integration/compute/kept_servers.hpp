#pragma once

#include "tests/integration/compute/branch_fixture.hpp"

namespace strata::tests {

/// with_branch for suites of many cases: source and server are those of the case before, without anything that it left.
/// They are started anew only where that can't be cleaned away.
struct with_kept_servers : with_branch {
  with_kept_servers() : with_branch(servers()) {}
  ~with_kept_servers() {
    // Nobody waits for what a failed case has stopped.
    if (strata.running()) ::kill(strata.pid(), SIGCONT);
  }
  with_kept_servers(const with_kept_servers&) = delete;
  with_kept_servers& operator=(const with_kept_servers&) = delete;

 private:
  static std::shared_ptr<source_and_server> servers() {
    static std::shared_ptr<source_and_server> kept;
    if (kept && !is_clean(with_branch(kept))) kept.reset();
    if (!kept) kept = with_branch().held;
    return kept;
  }
  /// As a new one: the branch dev, and no computes.
  static bool is_clean(const with_branch& of) {
    try {
      if (!of.strata.running()) of.strata.start();
      of.signal_safekeepers({1, 2, 3}, SIGCONT);
      for (const auto& each : of.strata.ask({"compute", "list"}))
        of.strata.ask({"compute", "stop", each.at("name"), "--remove", "--limit", "1s"});
      // Children first: each round deletes at least one.
      for (auto left = of.strata.ask({"branch", "list"}); left.size() > 1; left = of.strata.ask({"branch", "list"}))
        if (!delete_one(of, left)) return false;
      of.strata.ask({"branch", "create", "dev"});
      return of.source.value("select count(*) from rows") == "500";
    } catch (const std::exception&) {
      return false;
    }
  }
  static bool delete_one(const with_branch& of, const nlohmann::json& branches) {
    for (const auto& each : branches)
      if (each.contains("ancestor_timeline_id") &&
          of.strata.cli({"branch", "delete", each.at("name"), "--yes", "--force"}).exit_code == 0)
        return true;
    return false;
  }
};

}  // namespace strata::tests
