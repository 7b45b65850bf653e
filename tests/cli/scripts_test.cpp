#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::tests {
namespace {

namespace fs = std::filesystem;

/// A checkout with the scripts, and programs in front of the PATH that only write down how they were called.
struct checkout {
  checkout() {
    fs::create_directories(root / "scripts");
    for (const char* name : {"common", "build", "install-packages", "packages", "packages-check"})
      fs::copy_file(fs::path(STRATA_SOURCE) / "scripts" / name, root / "scripts" / name);
    fs::create_directories(home / "bin");
    stand_in("cmake", "");
    stand_in("apt-get", "");
    stand_in("apt-cache", "");
    stand_in("sudo", R"(exec "$@")");
    // Nothing is installed but the package whose setup would be changed on this machine.
    stand_in("dpkg-query", R"([ "${!#}" != postgresql-common ] || printf installed)");
  }
  void stand_in(const std::string& name, const std::string& does) const {
    const fs::path path = home / "bin" / name;
    std::ofstream(path) << "#!/bin/bash\necho \"" << name << " $*\" >>'" << (home / "calls").string() << "'\n"
                        << does << "\n";
    fs::permissions(path, fs::perms::owner_all);
  }
  /// What the script called.
  std::string call(const std::vector<std::string>& words) const {
    fs::remove(home / "calls");
    command what{.arguments = {(root / words.front()).string()},
                 .environment = {{"PATH", (home / "bin").string() + ":/usr/bin:/bin"}}};
    what.arguments.insert(what.arguments.end(), words.begin() + 1, words.end());
    const finished said = run(what);
    BOOST_TEST(said.exit_code == 0, said.out << said.err);
    std::ifstream calls(home / "calls");
    return {std::istreambuf_iterator<char>(calls), {}};
  }
  void make_cache(const fs::path& sources, const fs::path& build, const std::string& more = "") const {
    fs::create_directories(root / "build" / "release");
    std::ofstream(root / "build" / "release" / "object.o") << "x";
    std::ofstream(root / "build" / "release" / "CMakeCache.txt")
        << "CMAKE_CACHEFILE_DIR:INTERNAL=" << build.string() << "\nCMAKE_HOME_DIRECTORY:INTERNAL=" << sources.string()
        << "\n"
        << more;
  }
  [[nodiscard]] bool build_is_kept() const { return fs::exists(root / "build" / "release" / "object.o"); }

  temp_dir home;
  fs::path root = home / "checkout";
};

BOOST_FIXTURE_TEST_SUITE(cli_scripts, checkout)

BOOST_AUTO_TEST_CASE(a_build_that_was_moved_or_copied_is_made_anew) {
  make_cache(root, root / "build" / "release");
  call({"scripts/build", "release"});
  BOOST_TEST(build_is_kept());

  // The checkout was moved with its build, its build was copied from another checkout, its build was renamed.
  const fs::path other = home / "other";
  fs::create_directories(other / "build" / "release");
  make_cache(home / "gone", home / "gone" / "build" / "release");
  call({"scripts/build", "release"});
  BOOST_TEST(!build_is_kept());
  make_cache(other, other / "build" / "release");
  call({"scripts/build", "release"});
  BOOST_TEST(!build_is_kept());
  make_cache(root, root / "build" / "dev");
  call({"scripts/build", "release"});
  BOOST_TEST(!build_is_kept());
  BOOST_TEST(fs::exists(other / "build" / "release"));

  // By a link it is the same place.
  fs::create_directory_symlink(root, home / "link");
  make_cache(home / "link", home / "link" / "build" / "release");
  call({"scripts/build", "release"});
  BOOST_TEST(build_is_kept());
}

BOOST_AUTO_TEST_CASE(the_program_alone_is_built_without_what_tests_need) {
  BOOST_TEST(call({"scripts/build", "release", "strata"}).find("-DSTRATA_BUILD_TESTS=OFF") != std::string::npos);
  BOOST_TEST(call({"scripts/build", "release"}).find("-DSTRATA_BUILD_TESTS=ON") != std::string::npos);
  BOOST_TEST(call({"scripts/build", "release", "unit"}).find("-DSTRATA_BUILD_TESTS=ON") != std::string::npos);
  make_cache(root, root / "build" / "release", "STRATA_BUILD_TESTS:BOOL=ON\n");
  BOOST_TEST(call({"scripts/build", "release", "strata"}).find("-DSTRATA_BUILD_TESTS=ON") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(fuzzers_linters_and_tests_are_installed_for_checks_only) {
  const std::string to_run = call({"scripts/install-packages"});
  const std::string to_check = call({"scripts/install-packages", "--check"});
  for (const char* package : {" postgresql-15", " g++", " libcaf-dev", " libhowardhinnant-date-dev"}) {
    BOOST_TEST(to_run.find(package) != std::string::npos, package);
    BOOST_TEST(to_check.find(package) != std::string::npos, package);
  }
  for (const char* package : {" clang-16", " clang-format", " libboost-test1.81-dev", " libbenchmark-dev",
                              " postgresql-server-dev-15", " ccache"}) {
    BOOST_TEST(to_run.find(package) == std::string::npos, package);
    BOOST_TEST(to_check.find(package) != std::string::npos, package);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::tests
