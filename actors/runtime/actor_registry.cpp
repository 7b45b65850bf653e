#include "actors/runtime/actor_registry.hpp"

#include <algorithm>

namespace strata::actors::runtime {
namespace {

std::int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

}  // namespace

actor_trace::actor_trace(const char* kind, pool_id pool, actor_label label, caf::weak_actor_ptr self)
    : kind_(kind),
      pool_(pool),
      label_(std::move(label)),
      self_(std::move(self)),
      born_(std::chrono::steady_clock::now()) {}

void actor_trace::handling() { since_.store(now_ns(), std::memory_order_relaxed); }

// Only the actor's own thread writes these, so a load and a store are enough.
void actor_trace::handled() {
  const auto spent = static_cast<std::uint64_t>(now_ns() - since_.load(std::memory_order_relaxed));
  since_.store(0, std::memory_order_relaxed);
  handled_.store(handled_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  busy_ns_.store(busy_ns_.load(std::memory_order_relaxed) + spent, std::memory_order_relaxed);
  if (spent > longest_ns_.load(std::memory_order_relaxed)) longest_ns_.store(spent, std::memory_order_relaxed);
}

void actor_trace::note_error(std::string text) {
  const std::lock_guard lock(text_mutex_);
  last_error_ = std::move(text);
}

void actor_trace::describe(std::string text) {
  const std::lock_guard lock(text_mutex_);
  description_ = std::move(text);
}

messages::actor_info actor_trace::info() const {
  messages::actor_info info;
  info.id = self_ ? self_->id() : 0;
  info.kind = kind_;
  info.name = label_.name;
  info.parent = label_.parent;
  info.pool = short_name(pool_);
  info.age = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - born_).count());
  info.handled = handled_.load(std::memory_order_relaxed);
  const auto enqueued = enqueued_.load(std::memory_order_relaxed);
  info.mailbox = enqueued > info.handled ? enqueued - info.handled : 0;
  info.busy = busy_ns_.load(std::memory_order_relaxed) / 1000;
  info.longest = longest_ns_.load(std::memory_order_relaxed) / 1000;
  const bool running = since_.load(std::memory_order_relaxed) != 0;
  if (running && info.mailbox > 0) --info.mailbox;
  const std::lock_guard lock(text_mutex_);
  info.state = !description_.empty() ? description_ : running ? "running" : "waiting";
  info.last_error = last_error_;
  return info;
}

actor_registry::shard& actor_registry::shard_of(const actor_trace& actor) {
  return shards_[(reinterpret_cast<std::uintptr_t>(&actor) >> 6) % shards_.size()];
}

void actor_registry::add(actor_trace& actor) {
  auto& shard = shard_of(actor);
  const std::lock_guard lock(shard.mutex);
  shard.actors.insert(&actor);
}

void actor_registry::remove(actor_trace& actor) {
  auto& shard = shard_of(actor);
  const std::lock_guard lock(shard.mutex);
  shard.actors.erase(&actor);
}

std::vector<messages::actor_info> actor_registry::snapshot() const {
  std::vector<messages::actor_info> actors;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto* actor : shard.actors) actors.push_back(actor->info());
  }
  std::sort(actors.begin(), actors.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return actors;
}

std::vector<caf::strong_actor_ptr> actor_registry::living() const {
  std::vector<caf::strong_actor_ptr> actors;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto* actor : shard.actors)
      if (auto strong = actor->self().lock()) actors.emplace_back(std::move(strong));
  }
  return actors;
}

}  // namespace strata::actors::runtime
