#include "page_files/fuse_door.hpp"

#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "core/log.hpp"
#include "io/descriptor_limit.hpp"
#include "page_files/fuse_mount.hpp"
#include "page_files/fuse_operations.hpp"
#include "page_files/page_toucher.hpp"

namespace strata::page_files {
namespace {

constexpr std::uint32_t tickets_max = 256;

void write_log(fuse_log_level level, const char* format, va_list values) {
  std::array<char, 512> line{};
  // NOLINTNEXTLINE: libfuse's own format
  std::vsnprintf(line.data(), line.size(), format, values);
  std::string text = line.data();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  core::log(level <= FUSE_LOG_ERR ? core::log_level::error : core::log_level::info, text);
}

/// The kernel's own default of 128 KiB makes a scan of small requests. Root alone may change it; without it what is
/// read ahead by fuse_pages still waits in the directory.
void raise_read_ahead(const std::string& mount_point, std::uint32_t bytes) {
  const auto device = fuse_mount_device(mount_point);
  if (!device) return;
  std::ofstream out("/sys/class/bdi/" + *device + "/read_ahead_kb");
  out << bytes / 1024 << '\n';
}

}  // namespace

struct fuse_door::session {
  session(const fuse_door_options& with, io::unique_fd directory, page_map& map, page_source& source)
      : options(with),
        service(std::make_unique<fuse_service>(std::move(directory), map, source,
                                               fill_table::options{.fetches_max = with.fetches_max,
                                                                   .pages_max = with.pages_max,
                                                                   .pages_ahead_max = with.pages_max / 2,
                                                                   .tickets_max = tickets_max})),
        stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~session();

  core::result<void> begin();
  void serve();
  void join();

  fuse_door_options options;
  std::unique_ptr<fuse_service> service;
  io::unique_fd stop;
  fuse_session* kernel = nullptr;
  std::atomic<bool> is_mounted = false;
  std::mutex ending;
  std::vector<std::thread> threads;
};

core::result<void> fuse_door::session::begin() {
  std::string mount_options =
      "fsname=" + fuse_mount_source() +
      ",subtype=strata,default_permissions,noatime,max_read=" + std::to_string(service->transfer_max);
  if (options.for_other_users) mount_options += ",allow_other";
  std::array<std::string, 3> words{"strata", "-o", mount_options};
  std::array<char*, 4> pointers{words[0].data(), words[1].data(), words[2].data(), nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(3, pointers.data());
  kernel = fuse_session_new(&arguments, &fuse_operations(), sizeof(fuse_lowlevel_ops), service.get());
  fuse_opt_free_args(&arguments);
  if (kernel == nullptr) return core::error{core::errc::io_error, "start a FUSE session"};
  if (fuse_session_mount(kernel, options.mount_point.c_str()) != 0)
    return core::error{core::errc::permission_denied, "mount " + options.mount_point + " (the reason is in the log)"};
  is_mounted = true;
  const int device = fuse_session_fd(kernel);
  // A program that inherited it would keep the mount alive after this process, and its users waiting.
  if (::fcntl(device, F_SETFD, FD_CLOEXEC) != 0 || ::fcntl(device, F_SETFL, ::fcntl(device, F_GETFL) | O_NONBLOCK) != 0)
    return core::from_errno("set up /dev/fuse", errno);
  for (std::uint32_t i = 0; i < options.threads; ++i) threads.emplace_back([this] { serve(); });
  // The first question is answered after the kernel's greeting.
  struct statvfs about {};
  if (::statvfs(options.mount_point.c_str(), &about) != 0)
    return core::from_errno("look at the mount " + options.mount_point, errno);
  raise_read_ahead(options.mount_point, service->transfer_max);
  return {};
}

void fuse_door::session::serve() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  const io::unique_fd poll(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  // One thread is woken for one request.
  event.events = EPOLLIN | EPOLLEXCLUSIVE;
  event.data.fd = fuse_session_fd(kernel);
  ::epoll_ctl(poll.get(), EPOLL_CTL_ADD, event.data.fd, &event);
  event.events = EPOLLIN;
  event.data.fd = stop.get();
  ::epoll_ctl(poll.get(), EPOLL_CTL_ADD, event.data.fd, &event);
  fuse_buf request{};
  while (fuse_session_exited(kernel) == 0) {
    const int bytes = fuse_session_receive_buf(kernel, &request);
    if (bytes > 0) {
      fuse_session_process_buf(kernel, &request);
      continue;
    }
    if (bytes == 0) break;  // unmounted
    if (bytes == -EINTR) continue;
    if (bytes != -EAGAIN) break;
    if (::epoll_wait(poll.get(), &event, 1, -1) > 0 && event.data.fd == stop.get()) break;
  }
  std::free(request.mem);
  // The others learn it, too.
  fuse_session_exit(kernel);
  const std::uint64_t one = 1;
  if (::write(stop.get(), &one, sizeof one) < 0) core::log_warning("stop the threads of a FUSE mount");
  is_mounted = false;
}

void fuse_door::session::join() {
  const std::uint64_t one = 1;
  if (::write(stop.get(), &one, sizeof one) < 0) core::log_warning("stop the threads of a FUSE mount");
  for (std::thread& each : threads) each.join();
  threads.clear();
}

fuse_door::session::~session() {
  join();
  // Answers what still waits.
  service.reset();
  if (kernel == nullptr) return;
  // libfuse would unmount by path what may be another mount by now; so only if it finds itself unmounted.
  pollfd device{fuse_session_fd(kernel), 0, 0};
  if (::poll(&device, 1, 0) == 1 && (device.revents & POLLERR) != 0) fuse_session_unmount(kernel);
  // It holds /dev/fuse: with the last descriptor the kernel ends all accesses.
  fuse_session_destroy(kernel);
}

fuse_door::fuse_door(std::unique_ptr<session> of) : session_(std::move(of)) {}

core::result<std::unique_ptr<fuse_door>> fuse_door::mount(const fuse_door_options& with, page_map& map,
                                                          page_source& source) {
  STRATA_TRY(fuse_available(with.for_other_users));
  if (fuse_mount_device(with.mount_point))
    return core::error{core::errc::conflict, "mount " + with.mount_point + ": something of ours is mounted there"};
  io::unique_fd directory(::open(with.directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return core::from_errno("open " + with.directory, errno);
  io::raise_descriptor_limit();  // each file that Postgres has open is a descriptor here
  fuse_set_log_func(write_log);
  std::unique_ptr<fuse_door> door(new fuse_door(std::make_unique<session>(with, std::move(directory), map, source)));
  STRATA_TRY(door->session_->begin());
  return door;
}

fuse_door::~fuse_door() {
  if (const auto done = unmount(); !done) core::log_warning(core::to_string(done.error()));
}

int fuse_door::wake_fd() const { return session_->service->pages.wake_fd(); }

void fuse_door::run() { session_->service->pages.run(); }

core::result<void> fuse_door::fetch(std::uint32_t file, std::uint32_t first, std::uint32_t count) {
  fuse_service& in = *session_->service;
  STRATA_ASSIGN(auto opened, open_by_name(session_->options.directory, in.map, file, O_RDWR));
  const std::string doing = "fetch pages of " + in.map.file(file).path;
  // Shared: the one who answers may still use it when this call has returned.
  const auto answered = std::make_shared<std::promise<int>>();
  in.pages.take({.what = fuse_pages::access::kind::fill,
                 .file = file,
                 .in = std::make_shared<const io::unique_fd>(std::move(opened)),
                 .offset = std::uint64_t{first} * pg::page_size,
                 .size = count * static_cast<std::uint32_t>(pg::page_size),
                 .answer = [answered](int failed, core::bytes_view) { answered->set_value(failed); }});
  // The door may be gone afterwards.
  if (const int failed = answered->get_future().get()) return core::from_errno(doing, failed);
  return {};
}

core::result<void> fuse_door::unmount() {
  session& of = *session_;
  const std::lock_guard lock(of.ending);
  if (!of.is_mounted.exchange(false)) return {};
  return detach_fuse_mount(of.options.mount_point);
}

bool fuse_door::is_mounted() const { return session_->is_mounted; }

std::optional<core::error> fuse_door::failure() const { return session_->service->failure(); }

fuse_door::statistics fuse_door::counts() const {
  const fuse_pages::counters now = session_->service->pages.counts();
  return {now.fetches, now.pages, now.failed, now.cancelled, now.waiting};
}

}  // namespace strata::page_files
