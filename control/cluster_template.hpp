#pragma once

#include <string>

#include "control/scope.hpp"

namespace strata::control {

struct cluster_request {
  int major = 0;
  std::string encoding = "UTF8";
  std::string locale = "C.UTF-8";
};

struct cluster_template {
  std::string data_directory;
  bool is_new = false;  ///< initdb ran for it
};

/// The data directory of an empty cluster, below `templates/` of the server's directory: of the last call for the same
/// request if it is whole and the Postgres is the same, else initdb makes it. It appears under its name when it is
/// complete, and calls in parallel wait for each other. Failures name the option to change.
cluster_template prepare_cluster_template(const scope& of, const std::string& bin_directory,
                                          const cluster_request& request);

}  // namespace strata::control
