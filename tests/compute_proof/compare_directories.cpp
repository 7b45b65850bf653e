// compare_directories DATA_DIRECTORY COPY [DATABASE_OID...]: every page of a compute's data directory against a plain
// copy of its branch at the same LSN. The databases are those that were created with STRATEGY = WAL_LOG. Ends with 1 if
// there are differences.

#include <cstdio>
#include <exception>
#include <string>

#include "tests/support/page_comparison.hpp"

int main(int count, char** words) {
  using namespace strata::tests;
  if (count < 3) {
    std::fprintf(stderr, "Usage: compare_directories DATA_DIRECTORY COPY [DATABASE_OID...]\n");
    return 2;
  }
  try {
    comparison_options options{.of_compute = true};
    for (int i = 3; i < count; ++i)
      options.copied_through_wal.insert(static_cast<strata::pg::oid>(std::stoul(words[i])));
    const comparison_report report = compare_directories(words[1], words[2], options);
    std::printf("%s\n", report.text().c_str());
    return report.difference_count == 0 ? 0 : 1;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "error: %s and %s were not compared: %s\n", words[1], words[2], e.what());
    return 1;
  }
}
