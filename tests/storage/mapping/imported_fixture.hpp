#pragma once

#include <boost/test/unit_test.hpp>

#include "pg/page/checksum.hpp"
#include "storage/mapping/data_directory.hpp"
#include "tests/storage/mapping/hand_made_backup.hpp"

namespace strata::tests {

/// A hand-made backup as a timeline, and data directories of it.
struct imported_fixture : timeline_home {
  explicit imported_fixture(hand_made_backup of = {}) : backup(std::move(of)) {
    const auto cluster = import_into(*this, backup);
    BOOST_REQUIRE(cluster);
    storage::timeline_record now = store->record();
    now.data_checksums = cluster->data_checksums;
    now.major = cluster->major;
    reopen(now);
    at = store->last_record_lsn();
  }
  core::result<core::bytes> written(storage::mapping::data_directory_kind kind, bool gzip = false) {
    STRATA_ASSIGN(const auto writer,
                  storage::mapping::data_directory_writer::open(store, {.at = at, .kind = kind, .gzip = gzip}));
    core::bytes archive;
    core::bytes chunk;
    while (true) {
      STRATA_ASSIGN(const bool more, writer->next(chunk));
      if (!more) return archive;
      BOOST_TEST(chunk.size() <= 1u << 20);
      core::append(archive, chunk);
    }
  }
  std::map<std::string, core::bytes> files(storage::mapping::data_directory_kind kind) {
    const auto archive = written(kind);
    BOOST_REQUIRE(archive);
    return unpack(*archive);
  }
  hand_made_backup backup;
  core::lsn at;
};

inline core::bytes with_checksum(core::bytes page, pg::block_number block) {
  pg::page::set_page_checksum(page, block);
  return page;
}

}  // namespace strata::tests
