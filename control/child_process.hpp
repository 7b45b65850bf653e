#pragma once

#include <functional>

namespace strata::control {

/// The whole work of a child that was forked (host/forked_process.hpp). Returns its exit code; a failure is written to
/// standard error, as the same command would write it.
int run_child(const std::function<void()>& work);

}  // namespace strata::control
