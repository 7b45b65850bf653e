#pragma once

#include <string>

namespace strata::control {

class failure;

/// What a workflow reports while it runs; its result is returned, and its failure is thrown. The caller of a workflow
/// implements what it shows: the defaults drop everything.
class reporter {
 public:
  reporter() = default;
  virtual ~reporter() = default;
  reporter(const reporter&) = delete;
  reporter& operator=(const reporter&) = delete;

  /// A fact that a person needs even when a program reads the result.
  virtual void warn(const std::string& /*text*/) {}
  /// What was chosen, or done along the way.
  virtual void note(const std::string& /*text*/) {}
  /// What happens now.
  virtual void tell(const std::string& /*text*/) {}
  /// A part that failed while the rest goes on.
  virtual void failed(const failure& /*why*/) {}
  /// What a long operation does; called often. Ends with progress_ended().
  virtual void show_progress(const std::string& /*stage*/, const std::string& /*detail*/) {}
  virtual void progress_ended() {}
};

/// Drops everything.
reporter& no_reporter();

/// Progress that ends with this object, or with end().
class progress {
 public:
  explicit progress(reporter& to) : to_(to) {}
  ~progress() { end(); }
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

  void show(const std::string& stage, const std::string& detail) { to_.show_progress(stage, detail); }
  void end() { to_.progress_ended(); }

 private:
  reporter& to_;
};

}  // namespace strata::control
