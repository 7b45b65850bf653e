#include "bench/wal_source.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>
#include <thread>

#include "bench/demand.hpp"
#include "pg/types.hpp"
#include "pg/wal/stream_decoder.hpp"

namespace strata::bench {

namespace {

constexpr std::size_t piece_size_bytes = 128u << 10;

std::string segment_name(std::uint64_t number) {
  std::array<char, 25> name{};
  std::snprintf(name.data(), name.size(), "%08X%08X%08X", 1u, static_cast<unsigned>(number / 256),
                static_cast<unsigned>(number % 256));
  return name.data();
}

core::lsn lsn_behind(const std::string& text, const std::string& label) {
  const std::size_t at = text.find(label);
  if (at == std::string::npos) throw std::runtime_error("pg_basebackup says nothing of the " + label + ": " + text);
  const std::size_t begin = at + label.size();
  return demand(core::parse_lsn(text.substr(begin, text.find_first_of(" \n", begin) - begin)));
}

void expect_success(const tests::finished& outcome, const std::string& what) {
  if (outcome.exit_code != 0) throw std::runtime_error(what + ": " + outcome.out + outcome.err);
}

}  // namespace

wal_source::wal_source(int pgbench_scale)
    : cluster_({.config = {"wal_level = replica", "max_wal_senders = 8", "wal_keep_size = 20GB",
                           "synchronous_commit = off", "shared_buffers = 512MB", "autovacuum_naptime = 10s"}}) {
  cluster_.start();
  expect_success(cluster_.run("pgbench", {"-i", "-q", "-s", std::to_string(pgbench_scale), "postgres"}), "pgbench -i");
  cluster_.execute("CREATE TABLE bulk (id bigint PRIMARY KEY, at timestamptz, number int, what text)");
  cluster_.execute("CREATE INDEX bulk_number ON bulk (number)");
}

tar_backup wal_source::take_backup() {
  const std::filesystem::path directory = cluster_.work_directory() / "backup";
  const tests::finished made = cluster_.run("pg_basebackup", {"-D", directory, "-Ft", "-X", "fetch",
                                                              "--checkpoint=fast", "--no-manifest", "--no-sync", "-v"});
  expect_success(made, "pg_basebackup");
  return {directory / "base.tar", lsn_behind(made.err, "write-ahead log start point: "),
          lsn_behind(made.err, "write-ahead log end point: ")};
}

wal_range wal_source::run_pgbench(std::chrono::seconds duration) {
  const core::lsn begin = flushed();
  expect_success(
      cluster_.run("pgbench", {"-n", "-c", "4", "-j", "1", "-T", std::to_string(duration.count()), "postgres"}),
      "pgbench");
  return {begin, flushed()};
}

wal_range wal_source::run_bulk_insert(std::uint64_t bytes) {
  wal_range range{flushed(), flushed()};
  tests::sql_session session(cluster_.conninfo());
  const std::string file = (cluster_.work_directory() / "bulk.copy").string();
  constexpr int rows = 200000;
  for (int first = 0; range.end - range.begin < bytes; first += 2 * rows, range.end = flushed()) {
    const std::string last = std::to_string(first + rows - 1);
    session.execute(
        "INSERT INTO bulk SELECT i, now(), (i::bigint * 7919 % 1000003)::int, 'row ' || md5(i::text) || i FROM "
        "generate_series(" +
        std::to_string(first) + ", " + last + ") i");
    session.execute("COPY (SELECT id + " + std::to_string(rows) + ", at, number, what FROM bulk WHERE id BETWEEN " +
                    std::to_string(first) + " AND " + last + ") TO '" + file + "'");
    session.execute("COPY bulk FROM '" + file + "'");
  }
  return range;
}

core::lsn wal_source::flushed() {
  // An insert position is the end of a record; the WAL writer brings the files there within a second.
  tests::sql_session session(cluster_.conninfo());
  const auto position = [&](const std::string& function) {
    return demand(core::parse_lsn(session.value("SELECT " + function + "()")));
  };
  const core::lsn inserted = pg::wal::before_header(position("pg_current_wal_insert_lsn"));
  while (position("pg_current_wal_flush_lsn") < inserted) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return inserted;
}

void wal_source::read_wal(const wal_range& range,
                          const std::function<void(core::lsn, core::bytes_view)>& reader) const {
  core::bytes piece(piece_size_bytes);
  int fd = -1;
  std::uint64_t open_segment = ~std::uint64_t{0};
  for (core::lsn at = range.begin; at < range.end;) {
    const std::uint64_t segment = at.value / pg::default_wal_segment_size;
    if (segment != open_segment) {
      if (fd >= 0) ::close(fd);
      fd = ::open((cluster_.data_directory() / "pg_wal" / segment_name(segment)).c_str(), O_RDONLY | O_CLOEXEC);
      if (fd < 0) throw std::runtime_error("open segment " + segment_name(segment));
      open_segment = segment;
    }
    const std::uint64_t offset = at.value % pg::default_wal_segment_size;
    const std::uint64_t wanted = std::min({piece.size(), range.end - at, pg::default_wal_segment_size - offset});
    const ssize_t got = ::pread(fd, piece.data(), wanted, static_cast<off_t>(offset));
    if (got <= 0) throw std::runtime_error("read segment " + segment_name(segment));
    reader(at, core::bytes_view(piece).first(static_cast<std::size_t>(got)));
    at = at + static_cast<std::uint64_t>(got);
  }
  if (fd >= 0) ::close(fd);
}

}  // namespace strata::bench
