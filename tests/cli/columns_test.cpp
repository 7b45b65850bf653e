#include "cli/columns.hpp"

#include <boost/test/unit_test.hpp>
#include <numeric>

namespace strata::cli {
namespace {

using sizes = std::vector<std::size_t>;

sizes fitted(sizes widths, std::size_t available) {
  fit_columns(widths, available);
  return widths;
}

BOOST_AUTO_TEST_SUITE(cli_columns)

BOOST_AUTO_TEST_CASE(a_row_that_fits_is_left_alone) {
  BOOST_TEST((fitted({4, 20, 10}, 38) == sizes{4, 20, 10}));
  BOOST_TEST((fitted({4, 20, 10}, 0) == sizes{4, 20, 10}));
  BOOST_TEST((fitted({200}, 0) == sizes{200}));
  sizes none;
  BOOST_TEST(!fit_columns(none, 10));
}

BOOST_AUTO_TEST_CASE(the_widest_columns_give_way_first) {
  BOOST_TEST((fitted({4, 20, 10}, 37) == sizes{4, 19, 10}));
  BOOST_TEST((fitted({4, 90, 10}, 80) == sizes{4, 62, 10}));
  for (std::size_t available = 30; available < 200; ++available) {
    const sizes widths = fitted({9, 70, 40, 5}, available);
    const std::size_t total = std::accumulate(widths.begin(), widths.end(), column_gap * 3);
    BOOST_TEST(total <= std::max<std::size_t>(available, 3 * column_min + 5 + 3 * column_gap));
    BOOST_TEST(widths[3] == 5u);
  }
}

BOOST_AUTO_TEST_CASE(no_column_is_narrowed_to_nothing) {
  BOOST_TEST((fitted({100, 100, 3}, 10) == sizes{column_min, column_min, 3}));
}

BOOST_AUTO_TEST_CASE(a_cut_cell_says_so_and_counts_characters) {
  BOOST_TEST(cut_cell("postgresql://x", 14, true) == "postgresql://x");
  BOOST_TEST(cut_cell("postgresql://x", 10, false) == "postgresq~");
  BOOST_TEST(cut_cell("postgresql://x", 10, true) == "postgresq…");
  BOOST_TEST(cut_cell("üöäüöäüöä", 9, false) == "üöäüöäüöä");
  BOOST_TEST(cut_cell("üöäüöäüöä", 4, false) == "üöä~");
  BOOST_TEST(text_width(cut_cell("üöäüöäüöä", 5, true)) == 5u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace strata::cli
