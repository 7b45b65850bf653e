#pragma once

#include <xxhash.h>

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "consensus/membership_change.hpp"
#include "tests/model_check/cells.hpp"
#include "tests/model_check/interner.hpp"

namespace strata::tests::model_check {

struct cluster_options {
  unsigned proposers = 2;
  unsigned acceptors = 3;
  unsigned terms = 2;
  unsigned positions = 2;
  /// Acceptors {1..first} keep the WAL at first; then the set is to become {last..acceptors}. 0: it never changes.
  unsigned change_first = 0;
  unsigned change_last = 0;
  bool acceptor_crashes = true;
  bool proposer_crashes = true;
  bool reconnects = true;        ///< of an elected proposer with an acceptor it is connected to
  bool news = false;             ///< acceptors tell each other what is committed
  bool bumps = false;            ///< somebody raises the term of an acceptor
  bool flushes_apart = false;    ///< false: what is appended is flushed and answered in the same step
  bool connects_singly = false;  ///< false: a proposer that begins is connected to everybody in one step
  bool replies_lost = true;      ///< false: they all arrive
  bool horizons = true;          ///< false: proposers tell no truncate_lsn
  unsigned appends_kept = 1;     ///< under way from one proposer to one acceptor
  std::uint64_t window = 1u << 20;
};

inline constexpr unsigned proposers_max = 3;
inline constexpr unsigned acceptors_max = 5;

/// What was ever promised, by anyone.
struct promises {
  std::uint32_t terms_won = 0;  ///< bit by term
  labels committed;
  labels committed_in;                                ///< the lowest term in which that was said, ascending
  std::uint8_t change = 0;                            ///< 0: not begun, 1: both sets, 2: done, 3: abandoned
  std::optional<consensus::change_goal> change_goal;  ///< of the change under way, once it is set
  bool committed_after_change = false;                ///< or after it was abandoned
  auto operator<=>(const promises&) const = default;
};

/// A state of the whole cluster: numbers of its parts.
///   proposers | acceptors | messages under way, for each proposer and acceptor | promises
using state = std::array<std::uint32_t, proposers_max + acceptors_max + proposers_max * acceptors_max + 1>;

struct action {
  enum class kind : std::uint8_t {
    connect,
    to_acceptor,
    flush,
    crash_acceptor,
    crash_proposer,
    write,
    heartbeat,
    news,
    bump,
    begin_change,
    set_goal,
    raise_term,
    finish_change,
    abandon_change,
    switch_members
  } what = kind::connect;
  std::uint8_t proposer = 0;  ///< for news: the acceptor that tells
  std::uint8_t acceptor = 0;
  std::uint8_t crashed_after = 0;  ///< effects
  bool answered = false;           ///< the reply arrives; otherwise there is none, or it is lost
  std::uint32_t message = 0;       ///< of set_goal: the acceptors that report, bit by acceptor
};

/// Something that must be possible; a search of everything that does not come across it has found a fault, too.
enum class goal : std::uint8_t {
  every_term_is_won,
  all_is_committed,
  committed_everywhere,
  recovered,
  superseded,
  cut,
  changed,  ///< and something is committed by the new members
  count
};

/// Every state's next states, by the real machines.
class cluster {
 public:
  explicit cluster(const cluster_options& options);

  [[nodiscard]] state first() const;
  /// Throws violation. The order is always the same.
  using visitor = std::function<void(const action&, const state&)>;
  void for_each_next(const state& from, const visitor& visit);
  /// Throws violation.
  void check(const state& of);
  /// The same for states that differ in nothing but which proposer and which acceptor it is that has what.
  [[nodiscard]] XXH128_hash_t fingerprint(const state& of) const;
  [[nodiscard]] std::size_t words() const { return promises_at() + 1; }

  [[nodiscard]] bool reached(goal which) const { return goals_[static_cast<std::size_t>(which)]; }
  [[nodiscard]] std::string describe(const action& of) const;
  [[nodiscard]] std::string describe(const state& of) const;
  [[nodiscard]] std::string sizes() const;

 private:
  using number = std::uint32_t;
  struct acceptor_step {
    number after = 0;
    std::optional<number> reply;
    std::uint8_t crashed_after = 0;
  };
  struct proposer_step {
    number after = 0;
    std::vector<std::pair<std::uint8_t, number>> sent;  ///< to which acceptor
    std::vector<std::uint8_t> dropped;
    bool began_again = false;
    bool superseded = false;
    std::optional<labels> won;
    std::optional<labels> committed;
  };
  struct connection {
    number acceptor_after = 0;
    std::optional<proposer_step> step;  ///< none: refused
  };
  // References into the first stay; the second is faster.
  template <class Value>
  using memory = std::unordered_map<std::uint64_t, Value>;
  template <class Value>
  using flat_memory = boost::unordered_flat_map<std::uint64_t, Value>;

  [[nodiscard]] std::size_t link(unsigned proposer, unsigned acceptor) const {
    return options_.proposers + options_.acceptors + proposer * options_.acceptors + acceptor;
  }
  [[nodiscard]] std::size_t acceptor_at(unsigned acceptor) const { return options_.proposers + acceptor; }
  [[nodiscard]] std::size_t promises_at() const {
    return options_.proposers + options_.acceptors + options_.proposers * options_.acceptors;
  }
  [[nodiscard]] consensus::configuration members_at(unsigned change) const;
  [[nodiscard]] unsigned representative(unsigned acceptor) const;

  number proposer_number(const proposer_cell& of);
  number with(number set, number message);
  std::vector<acceptor_step> numbered(const std::vector<acceptor_outcome>& outcomes);
  proposer_step numbered(const proposer_outcome& outcome);
  const std::vector<acceptor_step>& delivered(number acceptor, number message);
  const std::vector<acceptor_step>& happened(number acceptor, const consensus::acceptor_input& event, number key);
  const acceptor_step& flushed(number acceptor);
  const acceptor_step& restarted(number acceptor);
  const proposer_step& stepped(number proposer, const consensus::proposer_input& input, number key);
  const proposer_step& heard(number proposer, unsigned acceptor, number reply);
  const connection& connected(number proposer, unsigned acceptor, number to);
  bool connect(state& in, unsigned proposer, unsigned acceptor);
  [[nodiscard]] bool leads(number proposer, consensus::term in) const;

  void proposer_steps(const state& from, unsigned proposer, const visitor& visit);
  void acceptor_steps(const state& from, unsigned acceptor, const visitor& visit);
  /// The step with its reply lost, and with its reply heard by the proposer.
  void go(const state& from, action by, unsigned acceptor, const acceptor_step& step, std::optional<unsigned> proposer,
          const visitor& visit);
  void member_steps(const state& from, const visitor& visit);
  void follow_change(const state& from, const visitor& visit);
  state with(const state& from, const promises& changed);
  /// Of the acceptors whose bit is set.
  [[nodiscard]] std::vector<consensus::member_log> reports_of(const state& in, std::uint32_t acceptors) const;
  /// False: beyond the terms that are explored.
  bool apply(state& to, unsigned proposer, const proposer_step& step);
  void apply(state& to, unsigned acceptor, const acceptor_step& step);
  void forget_messages(state& in, unsigned proposer) const;
  void keep_promises(state& in, const proposer_step& step, const consensus::configuration& members);
  void keep_promises(const state& in, unsigned acceptor, number after);
  void forget_dead_messages(state& in, unsigned proposer, unsigned acceptor);
  number without_dead(number set, number acceptor, consensus::term sender, bool voted);

  cluster_options options_;
  interner<acceptor_cell> acceptors_;
  interner<proposer_cell> proposers_;
  interner<proposer_wire> messages_;
  interner<consensus::acceptor_message> replies_;
  interner<std::vector<number>> sets_;
  interner<promises> promises_;
  // What a proposer's number stands for in a fingerprint: the rest of it, and how it sees each acceptor.
  interner<std::string> cores_;
  interner<consensus::proposer::peer> peers_;
  std::vector<std::array<number, acceptors_max + 1>> proposer_parts_;
  std::map<std::array<number, acceptors_max + 1>, number> whole_proposers_;
  std::map<std::array<number, acceptors_max + 1>, number> like_proposers_;
  std::vector<number> like_;

  flat_memory<number> sets_with_;
  memory<std::vector<acceptor_step>> delivered_;
  memory<std::vector<acceptor_step>> happened_;
  memory<acceptor_step> flushed_;
  memory<acceptor_step> restarted_;
  memory<proposer_step> stepped_;
  memory<connection> connected_;
  flat_memory<number> without_dead_;
  flat_memory<bool> agree_;
  std::array<bool, static_cast<std::size_t>(goal::count)> goals_{};
};

}  // namespace strata::tests::model_check
