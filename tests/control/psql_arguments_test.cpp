#include "control/psql_arguments.hpp"

#include <boost/test/unit_test.hpp>

namespace strata::control {
namespace {

using words = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(control_psql_arguments)

BOOST_AUTO_TEST_CASE(database_role_and_commands_are_free_to_choose) {
  for (const words& each : std::vector<words>{{},
                                              {"-U", "postgres", "-d", "shop", "-c", "drop table t"},
                                              {"-Atc", "select 1"},
                                              {"-dshop", "-Uapp"},
                                              {"shop", "app"},
                                              {"--dbname=shop", "--username", "app", "--no-psqlrc"},
                                              {"--dbname", "dbname=shop user=app application_name=x"},
                                              {"postgresql:///shop?application_name=x"},
                                              {"-c", "-h src"},
                                              {"-v", "h=src", "-P", "pager=off", "--set=port=1"},
                                              {"--html", "--help"},
                                              {"-F", "-h", "-o", "-p"},
                                              {"--", "shop"}})
    BOOST_TEST(!read_psql_arguments(each).leads_elsewhere, each.size() << ": " << (each.empty() ? "" : each.front()));
}

BOOST_AUTO_TEST_CASE(a_word_that_names_another_server_is_refused_however_it_is_written) {
  const std::vector<std::pair<words, std::string>> all{
      {{"-h", "src"}, "-h"},
      {{"-hsrc"}, "-hsrc"},
      {{"-Ath", "src"}, "-Ath"},
      {{"-p5432"}, "-p5432"},
      {{"--host=src"}, "--host=src"},
      {{"--host", "src"}, "--host"},
      {{"--hos", "src"}, "--hos"},
      {{"--po=1"}, "--po=1"},
      {{"shop", "-h", "src"}, "-h"},
      {{"-c", "select 1", "--port", "1"}, "--port"},
      {{"host=src dbname=shop"}, "a connection string with host"},
      {{"-d", "hostaddr=127.0.0.1"}, "a connection string with hostaddr"},
      {{"-dport=5432"}, "a connection string with port"},
      {{"--dbname=service=prod"}, "a connection string with service"},
      {{"postgresql://src/shop"}, "a connection string with host"},
      {{"postgres://app@:5432/shop"}, "a connection string with port"},
      {{"--", "postgresql:///shop?host=src"}, "a connection string with host"},
      {{"no=such option"}, "a connection string"},
  };
  for (const auto& [each, refused] : all) {
    const auto read = read_psql_arguments(each);
    BOOST_TEST_REQUIRE(read.leads_elsewhere.has_value(), each.front());
    BOOST_TEST(*read.leads_elsewhere == refused);
    BOOST_TEST(!read.why.empty());
  }
}

BOOST_AUTO_TEST_CASE(commands_and_files_are_told_from_a_person_who_types) {
  for (const words& each :
       std::vector<words>{{"-c", "x"}, {"-Atcx"}, {"--comm=x"}, {"-f", "x"}, {"--file", "x"}, {"-l"}})
    BOOST_TEST(read_psql_arguments(each).is_script, each.front());
  for (const words& each : std::vector<words>{{}, {"shop"}, {"-U", "-c"}, {"-X", "--csv"}})
    BOOST_TEST(!read_psql_arguments(each).is_script);
}

BOOST_AUTO_TEST_CASE(the_prompt_names_branch_and_source_and_leaves_the_port_to_psql) {
  BOOST_TEST(psql_prompt("dev", "shop") == "dev@shop:%> %/%R%x%# ");
  // Nothing of a name is an escape.
  BOOST_TEST(psql_prompt("50%off", "%`rm`") == "50%%off@%%`rm`:%> %/%R%x%# ");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::control
