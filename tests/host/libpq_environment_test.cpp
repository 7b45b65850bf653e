#include "host/libpq_environment.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "host/program.hpp"
#include "tests/support/printing.hpp"

namespace strata::host {
namespace {

BOOST_AUTO_TEST_SUITE(host_libpq_environment)

BOOST_AUTO_TEST_CASE(a_client_goes_where_it_is_sent_whatever_it_inherits) {
  const char* const inherited[] = {"PATH=/bin",
                                   "PGHOST=src",
                                   "PGHOSTADDR=10.0.0.1",
                                   "PGPORT=1",
                                   "PGUSER=app",
                                   "PGDATABASE=shop",
                                   "PGSERVICE=prod",
                                   "PGSERVICEFILE=/x",
                                   "PGOPTIONS=-c search_path=x",
                                   "PGTARGETSESSIONATTRS=standby",
                                   "PGREQUIREPEER=root",
                                   "PGSSLMODE=require",
                                   "PGGSSENCMODE=require",
                                   "PGCHANNELBINDING=require",
                                   "PGREQUIREAUTH=md5",
                                   "PGLOADBALANCEHOSTS=random",
                                   "PGCLUSTER=15/main",
                                   "PGOFALATERLIBPQ=x",
                                   "PGPASSFILE=/pass",
                                   "PGTZ=UTC",
                                   "PG_COLOR=auto",
                                   "PSQLRC=/rc",
                                   nullptr};
  const auto made = client_environment({"/run/x", 26555, "o'brien", "postgres"}, inherited);
  const std::vector<std::string> wanted{"PATH=/bin",     "PGPASSFILE=/pass", "PGTZ=UTC",
                                        "PG_COLOR=auto", "PSQLRC=/rc",       "PGHOST=/run/x",
                                        "PGPORT=26555",  "PGUSER=o'brien",   "PGDATABASE=postgres"};
  BOOST_TEST(made == wanted, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(this_process_keeps_how_to_connect_and_forgets_where) {
  for (const char* name : {"PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGOPTIONS", "PGSSLROOTCERT", "PGPASSFILE"})
    ::setenv(name, "x", 1);
  forget_libpq_target();
  for (const char* name : {"PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGOPTIONS"})
    BOOST_TEST(std::getenv(name) == nullptr, name);
  for (const char* name : {"PGSSLROOTCERT", "PGPASSFILE"}) {
    BOOST_TEST(std::getenv(name) != nullptr, name);
    ::unsetenv(name);
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_is_started_inherits_nothing_of_libpq) {
  for (const char* name : {"PGHOST", "PGPASSWORD", "PGDATESTYLE", "PG_COLOR"}) ::setenv(name, "x", 1);
  const auto said = run({.arguments = {"/usr/bin/env"}, .environment = {{"PGDATA", "/data"}}});
  for (const char* name : {"PGHOST", "PGPASSWORD", "PGDATESTYLE", "PG_COLOR"}) ::unsetenv(name);
  BOOST_TEST_REQUIRE(said);
  for (const char* name : {"PGHOST=", "PGPASSWORD=", "PGDATESTYLE="})
    BOOST_TEST(said->output.find(name) == std::string::npos, said->output);
  for (const char* name : {"PGDATA=/data\n", "PG_COLOR=x\n"})
    BOOST_TEST(said->output.find(name) != std::string::npos, said->output);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::host
