#pragma once

/// The exceptions to core/blocking.hpp.
namespace strata::core {

/// While this object lives its thread may block, whatever a no_blocking around it says. For a wait whose length is
/// bounded, where handing the work to another thread would cost more than the wait.
class blocking_allowed {
 public:
  blocking_allowed();
  ~blocking_allowed();
  blocking_allowed(const blocking_allowed&) = delete;
  blocking_allowed& operator=(const blocking_allowed&) = delete;

 private:
  const char* outer_;
};

}  // namespace strata::core
