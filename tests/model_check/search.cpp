#include "tests/model_check/search.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <span>

namespace strata::tests::model_check {

namespace {

/// Fingerprints in one array with open addressing. Two states with the same 128 bits would be taken for one: with 10^9
/// states the chance that this happened at all is below 10^-20.
class seen_states {
 public:
  seen_states() : slots_(1u << 16) {}

  bool insert(XXH128_hash_t fingerprint) {
    if (fingerprint.low64 == 0) fingerprint.low64 = 1;  // 0 marks a free slot
    if ((count_ + 1) * 4 > slots_.size() * 3) grow();
    XXH128_hash_t& place = slot_of(slots_, fingerprint);
    if (place.low64 != 0) return false;
    place = fingerprint;
    ++count_;
    return true;
  }

 private:
  using table = std::vector<XXH128_hash_t>;

  static XXH128_hash_t& slot_of(table& in, const XXH128_hash_t& fingerprint) {
    std::size_t at = fingerprint.high64 & (in.size() - 1);
    while (in[at].low64 != 0 && (in[at].low64 != fingerprint.low64 || in[at].high64 != fingerprint.high64))
      at = (at + 1) & (in.size() - 1);
    return in[at];
  }
  void grow() {
    table larger(slots_.size() * 2);
    for (const XXH128_hash_t& each : slots_)
      if (each.low64 != 0) slot_of(larger, each) = each;
    slots_ = std::move(larger);
  }

  table slots_;
  std::uint64_t count_ = 0;
};

/// States of one depth, without the unused words.
class layer {
 public:
  explicit layer(std::size_t words) : words_(words) {}
  void add(const state& of) {
    packed_.insert(packed_.end(), of.begin(), of.begin() + static_cast<std::ptrdiff_t>(words_));
  }
  [[nodiscard]] std::size_t size() const { return packed_.size() / words_; }
  [[nodiscard]] state operator[](std::size_t index) const {
    state made{};
    std::copy_n(packed_.begin() + static_cast<std::ptrdiff_t>(index * words_), words_, made.begin());
    return made;
  }

 private:
  std::size_t words_;
  std::vector<std::uint32_t> packed_;
};

/// How a state was first reached: states are numbered as they are found.
struct origin {
  std::uint32_t from = 0;
  std::uint16_t step = 0;  ///< which of the next states of `from`
};

class breadth_first {
 public:
  breadth_first(cluster& in, const search_options& options) : in_(in), options_(options) {}

  search_result run() {
    layer now(in_.words());
    const state first = in_.first();
    add(first, {}, now);
    std::uint64_t first_of_layer = 0;
    result_.complete = true;
    while (now.size() != 0 && result_.complete) {
      layer next(in_.words());
      for (std::size_t i = 0; i < now.size() && result_.complete; ++i) {
        const auto from = static_cast<std::uint32_t>(first_of_layer + i);
        if (!expand(now[i], from, next)) return finish();
        if (from % 4096 == 0 && seconds() > options_.seconds_max) result_.complete = false;
      }
      first_of_layer += now.size();
      if (next.size() != 0) ++result_.depth;
      if (options_.progress) {
        std::printf("depth %3u: %11zu states, %12llu in all, %6.1f s\n", result_.depth, next.size(),
                    static_cast<unsigned long long>(origins_.size()), seconds());
        std::fflush(stdout);
      }
      now = std::move(next);
    }
    return finish();
  }

 private:
  bool expand(const state& from, std::uint32_t number, layer& next) {
    std::uint16_t step = 0;
    action by;
    state to = from;
    try {
      in_.for_each_next(from, [&](const action& taken, const state& reached) {
        by = taken;
        to = reached;
        ++result_.steps;
        add(reached, {number, step++}, next);
      });
    } catch (const violation& broken) {
      // It is either the state that was visited last or the step behind it; of that one only the message tells.
      result_.broken = broken.what();
      result_.trace = way_to(number);
      if (checking_) result_.trace += "  " + in_.describe(by) + "\n" + in_.describe(to);
      result_.complete = false;
      return false;
    }
    if (origins_.size() > options_.states_max) result_.complete = false;
    return true;
  }

  void add(const state& of, const origin& from, layer& to) {
    if (!seen_.insert(in_.fingerprint(of))) return;
    checking_ = true;
    in_.check(of);
    checking_ = false;
    origins_.push_back(from);
    to.add(of);
  }

  std::string way_to(std::uint32_t number) {
    std::vector<std::uint16_t> steps;
    for (; number != 0; number = origins_[number].from) steps.push_back(origins_[number].step);
    std::reverse(steps.begin(), steps.end());
    std::string text;
    state at = in_.first();
    for (const std::uint16_t taken : steps) {
      std::uint16_t step = 0;
      state next = at;
      try {
        in_.for_each_next(at, [&](const action& by, const state& reached) {
          if (step++ != taken) return;
          text += "  " + in_.describe(by) + "\n";
          next = reached;
        });
      } catch (const violation&) {  // by a step behind the one that is looked for
      }
      at = next;
    }
    return text + in_.describe(at);
  }

  search_result finish() {
    result_.states = origins_.size();
    result_.seconds = seconds();
    return result_;
  }
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  }

  cluster& in_;
  search_options options_;
  search_result result_;
  seen_states seen_;
  std::vector<origin> origins_;
  bool checking_ = false;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace

search_result search(cluster& in, const search_options& options) { return breadth_first(in, options).run(); }

}  // namespace strata::tests::model_check
