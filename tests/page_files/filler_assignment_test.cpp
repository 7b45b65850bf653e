#include "page_files/filler_assignment.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <string_view>

namespace strata::page_files {
namespace {

ino_t inode_of(int fd) {
  struct stat found {};
  BOOST_TEST_REQUIRE(::fstat(fd, &found) == 0);
  return found.st_ino;
}

struct with_socket {
  with_socket() {
    int ends[2];
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    guard = io::unique_fd(ends[0]);
    filler = io::unique_fd(ends[1]);
  }
  io::unique_fd guard, filler;
  io::unique_fd map{::memfd_create("map", MFD_CLOEXEC)}, group{::memfd_create("group", MFD_CLOEXEC)};
};

BOOST_FIXTURE_TEST_SUITE(page_files_filler_assignment, with_socket)

BOOST_AUTO_TEST_CASE(a_filler_gets_the_lsn_and_the_files) {
  BOOST_TEST(send_assignment(guard.get(), core::lsn(0x1234'5678'9abc), map.get(), group.get()).has_value());
  const auto got = receive_assignment(filler.get());
  BOOST_TEST_REQUIRE(got.has_value());
  BOOST_TEST_REQUIRE(got->has_value());
  BOOST_TEST(((*got)->at == core::lsn(0x1234'5678'9abc)));
  BOOST_TEST(inode_of((*got)->map.get()) == inode_of(map.get()));
  BOOST_TEST(inode_of((*got)->group.get()) == inode_of(group.get()));
  // A program that it would execute gets neither.
  BOOST_TEST((::fcntl((*got)->map.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_mounted_has_no_group) {
  BOOST_TEST(send_assignment(guard.get(), core::lsn(1), map.get(), -1).has_value());
  const auto got = receive_assignment(filler.get());
  BOOST_TEST_REQUIRE((got.has_value() && got->has_value()));
  BOOST_TEST(inode_of((*got)->map.get()) == inode_of(map.get()));
  BOOST_TEST(!(*got)->group);
}

BOOST_AUTO_TEST_CASE(nothing_is_got_when_the_guard_ends) {
  guard.reset();
  const auto got = receive_assignment(filler.get());
  BOOST_TEST_REQUIRE(got.has_value());
  BOOST_TEST(!got->has_value());
}

BOOST_AUTO_TEST_CASE(a_filler_that_has_ended_is_an_error_and_no_signal) {
  filler.reset();
  BOOST_TEST(!send_assignment(guard.get(), core::lsn(1), map.get(), group.get()).has_value());
}

BOOST_AUTO_TEST_CASE(what_is_no_assignment_is_refused) {
  for (const std::string_view text : {"x", "sixteen bytes  .", "longer than an assignment can be"}) {
    BOOST_TEST(::send(guard.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    const auto got = receive_assignment(filler.get());
    BOOST_TEST_REQUIRE(!got.has_value());
    BOOST_TEST((got.error().code == core::errc::corrupt));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::page_files
