#include "bench/stock_recovery.hpp"

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include "bench/demand.hpp"
#include "pg/page/page.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/wal_builder.hpp"

namespace strata::bench {

namespace fs = std::filesystem;
namespace verify = pg::verify;
using pg::wal::resource_manager;

namespace {

/// Enough for seconds of redo: the server's clock counts hundredths.
constexpr std::size_t records_wanted = 1'500'000;
constexpr std::uint8_t full_page_image = 0xB0;
constexpr std::uint8_t no_operation = 0x20;
/// A relation of template1 that does not exist: redo makes its file.
constexpr pg::relation_fork some_relation{1663, 1, 900000, pg::fork::main};

/// Nobody's transaction status changes, but recovery ends with a look at the page of the next xid.
void make_status_pages(tests::wal_builder& wal, const std::vector<page_chain>& chains) {
  constexpr pg::transaction_id xids_of_a_page = 32768;
  pg::transaction_id newest = 0;
  for (const page_chain& each : chains)
    for (const stored_record& record : each.records)
      newest = std::max(newest, demand(pg::redo::decode_block_record(record.bytes)).xid);
  for (std::uint32_t page = 1; page <= (newest + 1) / xids_of_a_page; ++page) {
    core::bytes number;
    core::append_le(number, page);
    wal.append({.manager = resource_manager::clog, .main_data = number});
  }
}

tests::wal_record image_of_base(const page_chain& of) {
  pg::verify::page_bytes copy = of.base;
  const pg::page::slotted_page page(copy);
  const auto hole = static_cast<std::uint16_t>(page.upper() - page.lower());
  return {.manager = resource_manager::xlog,
          .info = full_page_image,
          .blocks = {{.relation = some_relation, .image = tests::image_of(of.base, page.lower(), hole)}}};
}

tests::wal_record record_of(const stored_record& stored) {
  const pg::redo::block_record cut = demand(pg::redo::decode_block_record(stored.bytes));
  return {.manager = cut.manager,
          .info = cut.info,
          .xid = cut.xid,
          .blocks = {{.relation = some_relation,
                      .will_init = cut.will_init,
                      .data = core::bytes(cut.data.begin(), cut.data.end())}},
          .main_data = core::bytes(cut.main_data.begin(), cut.main_data.end())};
}

tests::wal_record nothing_as_long_as(const tests::wal_record& of) {
  constexpr std::size_t block_header = 20;
  return {.manager = resource_manager::xlog,
          .info = no_operation,
          .xid = of.xid,
          .main_data = core::bytes(block_header + of.blocks[0].data.size() + of.main_data.size())};
}

/// The WAL of `base` with `stream` behind its last record.
void write_segments(const verify::wal_directory& base, core::lsn end, const core::bytes& stream, const fs::path& into) {
  const std::uint64_t size = base.segment_size;
  const std::uint64_t last = (end.value + stream.size()) / size;
  std::size_t done = 0;
  for (std::uint64_t number = end.value / size; number <= last; ++number) {
    char name[25];
    std::snprintf(name, sizeof name, "00000001%08X%08X", static_cast<unsigned>(number / 256),
                  static_cast<unsigned>(number % 256));
    std::size_t kept = number == end.value / size ? end.value % size : 0;
    std::fstream file(into / name, kept > 0 ? std::ios::in | std::ios::out | std::ios::binary
                                            : std::ios::out | std::ios::binary | std::ios::trunc);
    file.seekp(static_cast<std::streamoff>(kept));
    const std::size_t piece = std::min<std::size_t>(size - kept, stream.size() - done);
    file.write(reinterpret_cast<const char*>(stream.data() + done), static_cast<std::streamsize>(piece));
    const std::string rest(size - kept - piece, '\0');
    file.write(rest.data(), static_cast<std::streamsize>(rest.size()));
    done += piece;
    if (!file.flush()) throw std::runtime_error(std::string("write segment ") + name);
  }
}

/// CPU seconds of a stock Postgres on a copy of `base` for WAL that `write` appends.
template <class Write>
double recovery_of(const verify::wal_directory& base, const Write& write) {
  const core::lsn checkpoint = base.control->checkpoint_location;
  verify::report nothing(base.major, {});
  verify::wal_verifier ignored({.context = {.major = base.major}}, nothing);
  const core::lsn end = demand(verify::replay(base, checkpoint, {}, ignored)).end;
  tests::wal_builder wal({.start = end,
                          .major = base.major,
                          .segment_size = base.segment_size,
                          .system_id = base.system_id,
                          .previous = checkpoint});
  write(wal);
  const tests::temp_dir home;
  const fs::path copy = home / "data";
  fs::copy(base.data_directory, copy, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  write_segments(base, end, wal.stream(), copy / "pg_wal");
  return recover(copy, {"autovacuum = off", "hot_standby = off"}).cpu_seconds;
}

}  // namespace

redo_usage recover(const fs::path& data_directory, std::vector<std::string> config) {
  std::ofstream(data_directory / "recovery.signal").close();
  config.insert(config.end(), {"restore_command = 'false'", "full_page_writes = off"});
  const auto server = tests::postgres_cluster::adopt(data_directory, config);
  server->start();
  while (server->value("SELECT pg_is_in_recovery()") == "t") {
  }
  server->stop();
  const std::string log = server->log();
  const auto line = log.find("redo done at");
  const auto seconds_behind = [&](const std::string& mark) {
    const auto at = line == std::string::npos ? line : log.find(mark, line);
    if (at == std::string::npos)
      throw std::runtime_error("the recovering server does not say how long redo took:\n" + log);
    return std::stod(log.substr(at + mark.size()));
  };
  return {seconds_behind("user: ") + seconds_behind("system: "), seconds_behind("elapsed: ")};
}

stock_redo_cost stock_redo_of(const std::vector<page_chain>& chains, const verify::wal_directory& base) {
  std::size_t length = 0;
  for (const page_chain& each : chains) length += each.records.size();
  const std::size_t rounds = records_wanted / length + 1;
  const auto repeat = [&](const auto& write_chain) {
    return recovery_of(base,
                       [&](tests::wal_builder& wal) {
                         make_status_pages(wal, chains);
                         for (std::size_t round = 0; round < rounds; ++round)
                           for (const page_chain& each : chains) write_chain(wal, each);
                       }) *
           1e6 / static_cast<double>(rounds * chains.size());
  };
  const double all = repeat([](tests::wal_builder& wal, const page_chain& of) {
    wal.append(image_of_base(of));
    for (const stored_record& each : of.records) wal.append(record_of(each));
  });
  const double reading = repeat([](tests::wal_builder& wal, const page_chain& of) {
    for (const stored_record& each : of.records) wal.append(nothing_as_long_as(record_of(each)));
  });
  return {.reading = reading, .redo = all - reading};
}

}  // namespace strata::bench
