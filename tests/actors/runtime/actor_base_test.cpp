#include <array>
#include <boost/test/unit_test.hpp>
#include <caf/event_based_actor.hpp>
#include <stdexcept>

#include "actors/runtime/actor_base.hpp"
#include "tests/support/deterministic_system.hpp"
#include "tests/support/printing.hpp"

namespace strata::tests {

struct add {
  int left, right;
};
struct sum {
  int value;
};
struct throw_something {};
struct forget_to_answer {};
struct answer_later {};
struct answer_now {};
struct compute_elsewhere {
  int value;
};
struct ask_null_handle {};
using calculator_actor =
    messages::actor_interface<messages::answers<add, sum>, messages::answers<throw_something, sum>,
                              messages::answers<forget_to_answer, sum>, messages::answers<answer_later, sum>,
                              messages::accepts<answer_now>, messages::answers<compute_elsewhere, sum>,
                              messages::answers<ask_null_handle, sum>>;

}  // namespace strata::tests

STRATA_LOCAL_MESSAGE(strata::tests::add)
STRATA_LOCAL_MESSAGE(strata::tests::sum)
STRATA_LOCAL_MESSAGE(strata::tests::throw_something)
STRATA_LOCAL_MESSAGE(strata::tests::forget_to_answer)
STRATA_LOCAL_MESSAGE(strata::tests::answer_later)
STRATA_LOCAL_MESSAGE(strata::tests::answer_now)
STRATA_LOCAL_MESSAGE(strata::tests::compute_elsewhere)
STRATA_LOCAL_MESSAGE(strata::tests::ask_null_handle)

namespace strata::tests {
namespace {

using actors::runtime::pool_id;
using actors::runtime::reply;

class calculator final : public actors::runtime::actor_base<calculator_actor> {
 public:
  static constexpr const char* kind = "test.calculator";
  static constexpr pool_id pool = pool_id::page;
  calculator(const actors::runtime::actor_setup& setup, std::shared_ptr<int> alive)
      : actor_base(setup), alive_(std::move(alive)) {}

 private:
  friend actor_base;
  core::result<sum> on(const add& request) {
    if (request.left < 0) return core::error{core::errc::out_of_range, "add: negative"};
    return sum{request.left + request.right};
  }
  core::result<sum> on(const throw_something&) { throw std::logic_error("oops"); }
  void on(const forget_to_answer&, reply<sum>) {}
  void on(const answer_later&, reply<sum> owed) { owed_ = owed; }
  void on(const answer_now&) { owed_.deliver({42}); }
  void on(const compute_elsewhere& request, reply<sum> owed) {
    offload(
        pool_id::io, "compute",
        [value = request.value]() -> core::result<int> {
          if (value == 0) throw std::runtime_error("zero");
          if (value < 0) return core::error{core::errc::disk_full, "compute: no room"};
          return value * 2;
        },
        [owed](core::result<int> doubled) {
          if (!doubled) return owed.fail(doubled.error());
          owed.deliver({*doubled});
        });
  }

  void on(const ask_null_handle&, reply<sum> owed) {
    ask(calculator_actor(), add{1, 2}, [owed](core::result<sum> answer) {
      if (!answer) return owed.fail(answer.error());
      owed.deliver(*answer);
    });
  }

  std::shared_ptr<int> alive_;
  reply<sum> owed_;
};

struct fixture : deterministic_system {
  calculator_actor subject = actors::runtime::spawn<calculator>(system(), {"pocket", 7}, std::make_shared<int>(0));
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_runtime_actor_base, fixture)

BOOST_AUTO_TEST_CASE(answers_and_errors_arrive_as_they_were_given) {
  BOOST_TEST(get(subject, add{1, 2}).value().value == 3);
  const auto refused = get(subject, add{-1, 2});
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().code == core::errc::out_of_range);
  BOOST_TEST(refused.error().detail == "add: negative");
}

BOOST_AUTO_TEST_CASE(an_exception_becomes_an_error_and_the_actor_lives_on) {
  const auto failed = get(subject, throw_something{});
  BOOST_REQUIRE(!failed);
  BOOST_TEST(failed.error().detail.find("oops") != std::string::npos);
  BOOST_TEST(get(subject, add{1, 2}).value().value == 3);
}

BOOST_AUTO_TEST_CASE(a_dropped_promise_is_answered_with_an_error) {
  const auto dropped = get(subject, forget_to_answer{});
  BOOST_REQUIRE(!dropped);
  BOOST_TEST(dropped.error().code == core::errc::io_error);
}

BOOST_AUTO_TEST_CASE(a_promise_can_be_kept_and_answered_later) {
  auto answer = ask(subject, answer_later{});
  run();
  BOOST_TEST(!answer.answered());
  tell(subject, answer_now{});
  BOOST_REQUIRE(answer.answered());
  BOOST_TEST(answer.outcome().value().value == 42);
}

BOOST_AUTO_TEST_CASE(open_promises_are_answered_when_the_actor_ends) {
  auto answer = ask(subject, answer_later{});
  run();
  stop(subject);
  BOOST_REQUIRE(answer.answered());
  BOOST_REQUIRE(!answer.outcome());
  BOOST_TEST(answer.outcome().error().code == core::errc::unavailable);
  const auto later = get(subject, add{1, 1});
  BOOST_REQUIRE(!later);
  BOOST_TEST(later.error().code == core::errc::unavailable);
}

BOOST_AUTO_TEST_CASE(a_null_handle_answers_like_an_actor_that_has_ended) {
  auto ended = actors::runtime::spawn<calculator>(system(), {"ended", 0}, std::make_shared<int>(0));
  stop(ended);
  const auto gone = get(ended, add{1, 2});
  BOOST_REQUIRE(!gone);
  const calculator_actor null;
  const std::array answers{get(subject, ask_null_handle{}), get(null, add{1, 2}),
                           messages::ask_and_wait(system(), null, add{1, 2}, std::chrono::milliseconds(10))};
  for (const auto& answer : answers) {
    BOOST_REQUIRE(!answer);
    BOOST_TEST(answer.error().code == core::errc::unavailable);
    BOOST_TEST(answer.error().detail == gone.error().detail);
  }
}

BOOST_AUTO_TEST_CASE(work_done_elsewhere_comes_back_with_its_value_or_its_error) {
  BOOST_TEST(get(subject, compute_elsewhere{4}).value().value == 8);
  const auto full = get(subject, compute_elsewhere{-1});
  BOOST_TEST(full.error().code == core::errc::disk_full);
  const auto thrown = get(subject, compute_elsewhere{0});
  BOOST_TEST(thrown.error().detail.find("zero") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_object_is_destroyed_when_its_actor_ends_although_handles_remain) {
  auto alive_here = std::make_shared<int>(0);
  auto other = actors::runtime::spawn<calculator>(system(), {"other", 0}, alive_here);
  run();
  BOOST_TEST(alive_here.use_count() == 2);
  stop(other);
  BOOST_TEST(alive_here.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(the_registry_tells_kind_name_parent_counts_and_the_last_error) {
  BOOST_TEST(get(subject, add{1, 2}));
  BOOST_TEST(!get(subject, throw_something{}).has_value());
  const auto actors = env().registry().snapshot();
  BOOST_REQUIRE(actors.size() == 1u);
  BOOST_TEST(actors[0].kind == "test.calculator");
  BOOST_TEST(actors[0].name == "pocket");
  BOOST_TEST(actors[0].parent == 7u);
  BOOST_TEST(actors[0].pool == "page");
  BOOST_TEST(actors[0].state == "waiting");
  BOOST_TEST(actors[0].handled == 2u);
  BOOST_TEST(actors[0].mailbox == 0u);
  BOOST_TEST(actors[0].last_error.find("oops") != std::string::npos);
  stop(subject);
  BOOST_TEST(env().registry().snapshot().empty());
}

BOOST_AUTO_TEST_CASE(a_message_outside_the_interface_is_refused) {
  std::optional<core::error> refusal;
  const auto stranger = [&](caf::event_based_actor* self, const caf::actor& whom) {
    self->request(whom, caf::infinite, std::string("hello"))
        .then([](const sum&) {}, [&](caf::error& error) { refusal = actors::runtime::to_core(error); });
  };
  system().spawn(stranger, caf::actor_cast<caf::actor>(subject));
  run();
  BOOST_REQUIRE(refusal.has_value());
  BOOST_TEST(refusal->code == core::errc::unsupported);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
