#include "control/compute_attempt.hpp"

#include <filesystem>
#include <utility>

#include "control/agents.hpp"
#include "control/failure.hpp"
#include "control/filler.hpp"
#include "host/postgres_process.hpp"

namespace strata::control {

using host::compute_record;
namespace fs = std::filesystem;

bool is_empty(const host::registry& computes, const std::string& name, const core::error& no_record) {
  return no_record.code == core::errc::not_found && !fs::exists(computes.remains_of(name).data_directory);
}

namespace {

/// What a start that was killed has left under this name, or a psql of which it was the temporary one.
void remove_remains(const scope& of, const std::string& name) {
  const host::registry computes(of.directory);
  std::error_code failed;
  if (!fs::exists(computes.directory_of(name), failed)) return;
  const auto lock = host::start_lock::take(computes.directory_of(name));
  if (!lock) return;
  // Nobody is at work on it but we, and perhaps an agent that is about to notice that its command is gone.
  const auto found = computes.load(name);
  if (found ? found->ready && !found->temporary : agent_of(of, name) || !is_empty(computes, name, found.error()))
    return;
  const auto record = found ? *found : computes.remains_of(name);
  of.report->note("removing compute " + name + ", left by an interrupted command");
  stop_agent(of, record);
  need(host::abandon_postgres(record.data_directory), "can't stop interrupted compute " + name, "strata compute list");
  need(remove_files(of, record), "can't remove interrupted compute " + name, "strata compute list");
}

}  // namespace

std::unique_ptr<compute_attempt> compute_attempt::at_new(const scope& of, const std::string& name) {
  const held_signals hold;
  const host::registry computes(of.directory);
  remove_remains(of, name);
  auto lock = need(computes.claim(name), "can't start a compute",
                   "strata compute stop " + name + " --remove; or choose another --name");
  return std::make_unique<compute_attempt>(of, computes.remains_of(name), std::move(lock), false);
}

std::unique_ptr<compute_attempt> compute_attempt::at_stopped(const scope& of, const compute_record& record) {
  const held_signals hold;
  auto lock = need(host::start_lock::take(host::registry(of.directory).directory_of(record.name)),
                   "can't start " + record.name, "strata compute list");
  return std::make_unique<compute_attempt>(of, record, std::move(lock), true);
}

compute_attempt::compute_attempt(const scope& of, compute_record record, host::start_lock lock, bool keep)
    : of_(of),
      record_(std::move(record)),
      keep_(keep),
      lock_(std::move(lock)),
      on_signal_(discard_words(of.directory, record_.name, keep)) {}

compute_attempt::~compute_attempt() {
  if (done_ || agent_of(of_, record_.name)) return;
  [[maybe_unused]] const auto stopped = host::stop_postgres(record_.data_directory);
  [[maybe_unused]] const auto removed = keep_ ? remove_mount(record_.data_directory) : remove_files(of_, record_);
}

void compute_attempt::remember(const compute_record& record) {
  record_ = record;
  save();
}

std::uint16_t compute_attempt::choose_port() {
  port_.emplace(need(host::claimed_port::choose(), "can't start a compute", ""));
  return port_->number();
}

std::optional<std::uint16_t> compute_attempt::claim_port(std::uint16_t wanted, bool insist, const std::string& what) {
  auto claimed = host::claimed_port::claim(wanted);
  if (!claimed && !insist) return std::nullopt;
  port_.emplace(need(std::move(claimed), what, "omit --port to use a free one"));
  return wanted;
}

void compute_attempt::save() { need(host::registry(of_.directory).save(record_), "can't store the compute's record"); }

void compute_attempt::succeed() {
  record_.ready = true;
  save();
  done_ = true;
}

}  // namespace strata::control
