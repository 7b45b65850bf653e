#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "bench/page_load.hpp"
#include "core/ids.hpp"
#include "core/lsn.hpp"
#include "page_files/page_source.hpp"
#include "tests/support/postgres_cluster.hpp"
#include "tests/support/strata_server.hpp"

namespace strata::bench {

/// The pages of a table, at the page service of a server.
struct page_home {
  page_target target;
  core::tenant_id tenant;
  core::timeline_id timeline;
  core::lsn at;
};

/// Of a table in database `postgres` of branch main of source `bench`.
page_home find_pages(tests::postgres_cluster& source, const tests::strata_server& strata, const std::string& table);

/// Reads with the page client of computes, `in_flight` ranges at a time, until `until` pages have come. Latencies are
/// those of ranges.
load_result read_ranges(const page_home& home, const std::function<page_files::page_range()>& next, int in_flight,
                        std::uint64_t until);

}  // namespace strata::bench
