#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "host/registry.hpp"

namespace strata::control {

/// What would act on other servers if the compute were armed (docs/decisions/0033).
struct held_back {
  std::vector<std::string> subscriptions;    ///< "shop.orders_in": database, name
  std::vector<std::string> foreign_servers;  ///< the same
  std::vector<std::string> jobs;             ///< databases in which pg_cron has jobs
  bool connections = false;                  ///< Postgres's processes can open no connection to other servers
};

/// Asks the compute's Postgres, in each of its databases, for at most `limit`; a database that can't be asked in that
/// time is left out. Asks nothing where the files of the catalogs prove that there is nothing.
held_back look_at_held_back(const host::compute_record& record, std::chrono::milliseconds limit);

/// For programs.
nlohmann::json to_json(const held_back& of);
/// "subscriptions shop.orders_in; foreign servers shop.erp, shop.billing"; empty if nothing is held back.
std::string to_text(const held_back& of);

}  // namespace strata::control
