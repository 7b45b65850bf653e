#include "control/output_file.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

#include "tests/support/printing.hpp"
#include "tests/support/temp_dir.hpp"

namespace strata::control {
namespace {

namespace fs = std::filesystem;

struct output_directory {
  [[nodiscard]] static std::string text_of(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] static core::result<void> write(const fs::path& path, const std::string& text) {
    STRATA_ASSIGN(auto file, output_file::open(path.string()));
    STRATA_TRY(file.write({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
    return file.finish();
  }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(home.path()), fs::directory_iterator()));
  }
  tests::temp_dir home;
};

BOOST_FIXTURE_TEST_SUITE(control_output_file, output_directory)

BOOST_AUTO_TEST_CASE(a_file_appears_under_its_name_when_it_is_complete) {
  const fs::path path = home / "base.tar";
  {
    auto file = output_file::open(path.string());
    BOOST_TEST_REQUIRE(file);
    const std::uint8_t some[] = {1, 2, 3};
    BOOST_TEST_REQUIRE(file->write(some));
    BOOST_TEST(!fs::exists(path));
  }
  BOOST_TEST(files() == 0u);
  BOOST_TEST_REQUIRE(write(path, "whole"));
  BOOST_TEST(text_of(path) == "whole");
  BOOST_TEST((fs::status(path).permissions() == fs::perms(0600)));
  BOOST_TEST(files() == 1u);
}

BOOST_AUTO_TEST_CASE(a_file_is_replaced_by_a_whole_one_that_is_as_open_to_others) {
  const fs::path path = home / "base.tar";
  const fs::path stranger = home / "base.tar.part";
  std::ofstream(stranger) << "somebody's";
  std::ofstream(path) << "old";
  fs::permissions(path, fs::perms(0644));
  {
    auto file = output_file::open(path.string());
    BOOST_TEST_REQUIRE(file);
    const std::uint8_t some[] = {1};
    BOOST_TEST_REQUIRE(file->write(some));
  }
  BOOST_TEST(text_of(path) == "old");
  BOOST_TEST_REQUIRE(write(path, "new"));
  BOOST_TEST(text_of(path) == "new");
  BOOST_TEST((fs::status(path).permissions() == fs::perms(0644)));
  BOOST_TEST(text_of(stranger) == "somebody's");
  BOOST_TEST(files() == 2u);
}

BOOST_AUTO_TEST_CASE(a_link_stays_and_what_it_leads_to_is_written) {
  std::ofstream(home / "target") << "old";
  fs::create_symlink("target", home / "link");
  BOOST_TEST_REQUIRE(write(home / "link", "new"));
  BOOST_TEST(fs::is_symlink(home / "link"));
  BOOST_TEST(!fs::is_symlink(home / "target"));
  BOOST_TEST(text_of(home / "target") == "new");

  fs::create_symlink("nothing", home / "dangling");
  const auto refused = write(home / "dangling", "new");
  BOOST_TEST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().code == core::errc::invalid_argument);
  BOOST_TEST(fs::is_symlink(home / "dangling"));
  BOOST_TEST(!fs::exists(home / "nothing"));
}

BOOST_AUTO_TEST_CASE(a_device_is_written_to_and_stays_one) {
  const auto full = write("/dev/full", "lost");
  BOOST_TEST_REQUIRE(!full.has_value());
  BOOST_TEST(full.error().code == core::errc::disk_full);
  BOOST_TEST(write("/dev/null", "gone"));
  fs::create_symlink("/dev/full", home / "link");
  BOOST_TEST(!write(home / "link", "lost").has_value());
  BOOST_TEST(fs::is_symlink(home / "link"));
  BOOST_TEST(fs::is_character_file("/dev/full"));
  BOOST_TEST(fs::is_character_file("/dev/null"));
}

BOOST_AUTO_TEST_CASE(a_fifo_is_written_to_and_stays_one) {
  const fs::path path = home / "fifo";
  BOOST_TEST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  BOOST_TEST_REQUIRE(write(path, "through"));
  char text[16] = {};
  BOOST_TEST(::read(reader, text, sizeof text) == 7);
  BOOST_TEST(std::string(text) == "through");
  ::close(reader);
  BOOST_TEST(fs::is_fifo(path));
}

BOOST_AUTO_TEST_CASE(what_is_no_place_for_an_archive_is_refused_and_stays) {
  fs::create_directory(home / "folder");
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (home / "socket").string().copy(address.sun_path, sizeof address.sun_path - 1);
  BOOST_TEST_REQUIRE(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  for (const char* name : {"folder", "socket"}) {
    const auto refused = write(home / name, "x");
    BOOST_TEST_REQUIRE(!refused.has_value(), name);
    BOOST_TEST((refused.error().code == core::errc::invalid_argument), refused.error().detail);
  }
  BOOST_TEST(fs::is_directory(home / "folder"));
  BOOST_TEST(fs::is_socket(home / "socket"));
  ::close(socket);
  const auto missing = write(home / "no" / "folder", "x");
  BOOST_TEST_REQUIRE(!missing.has_value());
  BOOST_TEST(missing.error().code == core::errc::not_found);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::control
