#include "actors/pageserver/tenant_record_writer.hpp"

#include <boost/test/unit_test.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/held_jobs.hpp"
#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

std::unique_ptr<storage::metadata_store> open_in(const temp_dir& directory) {
  auto opened = storage::metadata_store::open(directory.path().string());
  if (!opened) throw std::runtime_error(core::to_string(opened.error()));
  return *std::move(opened);
}

struct written_records {
  void put(const std::string& options) {
    writer.change([options](auto& record) { record.options = options; },
                  [this, options](const core::result<void>& stored) {
                    calls.push_back((stored ? "stored " : "refused ") + options);
                  });
  }
  /// The options of the only tenant; empty: there is none.
  std::string stored() const {
    const auto all = metadata->tenants();
    return all && all->size() == 1 ? all->front().options : "";
  }

  temp_dir directory;
  core::tenant_id tenant = core::make_id<core::tenant_id>();
  std::unique_ptr<storage::metadata_store> metadata = open_in(directory);
  held_jobs jobs;
  actors::pageserver::tenant_record_writer writer{*metadata, jobs.jobs(), {tenant, "shop"}};
  std::vector<std::string> calls;
};

using texts = std::vector<std::string>;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(actors_pageserver_tenant_record_writer, written_records)

BOOST_AUTO_TEST_CASE(writes_keep_the_order_of_their_requests) {
  put("1");
  put("2");
  put("3");
  BOOST_TEST(jobs.count() == 1u);
  jobs.finish_all();
  BOOST_TEST(calls == (texts{"stored 1", "stored 2", "stored 3"}), boost::test_tools::per_element());
  BOOST_TEST(stored() == "3");
}

BOOST_AUTO_TEST_CASE(a_deletion_waits_for_the_writes_before_it_and_refuses_those_after_it) {
  bool closed = false;
  put("1");
  put("2");
  jobs.work();
  writer.close([&] {
    closed = true;
    BOOST_TEST(metadata->delete_tenant(tenant).has_value());
  });
  put("3");
  BOOST_TEST(calls == (texts{"refused 3"}), boost::test_tools::per_element());
  BOOST_TEST(!closed);
  jobs.report();
  BOOST_TEST(!closed);
  jobs.finish_all();
  BOOST_TEST(closed);
  BOOST_TEST(calls == (texts{"refused 3", "stored 1", "stored 2"}), boost::test_tools::per_element());
  BOOST_TEST(stored().empty());
}

BOOST_AUTO_TEST_CASE(without_writes_a_deletion_begins_at_once_also_when_it_is_repeated) {
  int closed = 0;
  writer.close([&] { ++closed; });
  writer.close([&] { ++closed; });
  BOOST_TEST(closed == 2);
}

BOOST_AUTO_TEST_CASE(a_write_that_is_requested_by_the_answer_to_the_last_one_is_in_time) {
  bool again = true;
  writer.change([](auto& record) { record.options = "1"; },
                [&](const core::result<void>&) {
                  if (std::exchange(again, false)) put("2");
                });
  jobs.finish_all();
  BOOST_TEST(calls == (texts{"stored 2"}), boost::test_tools::per_element());
  BOOST_TEST(stored() == "2");
}

BOOST_AUTO_TEST_CASE(each_change_begins_with_what_the_one_before_it_left) {
  put("1");
  writer.change(
      [](auto& record) {
        record.expired.push_back({"ci", core::wall_time()});
      },
      [](const core::result<void>&) {});
  BOOST_TEST(writer.record().options.empty());
  jobs.finish_all();
  BOOST_TEST(stored() == "1");
  BOOST_TEST(metadata->tenants()->front().expired.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace strata::tests
