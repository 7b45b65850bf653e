#pragma once

namespace strata::bench {

/// Pages that pgbench changes again and again: how long is a chain of 1,000 or 7,000 of their records to redo, beside a
/// stock Postgres that redoes the same page (goal: half its time)? Prints a table.
void measure_hot_pages();

}  // namespace strata::bench
