#include "tests/workload/parts.hpp"

namespace strata::tests {

void exercise_spgist(sql_session& session) {
  // A radix tree: many short words fill the root and split it and the pages below. Then letters come one by one, so
  // that inner tuples grow node by node and outgrow their pages.
  run_script(session, R"(
    CREATE TABLE radix (word text COLLATE "C");
    CREATE INDEX radix_word ON radix USING spgist (word);
    INSERT INTO radix SELECT md5(i::text) FROM generate_series(1, 5000) i;
    INSERT INTO radix SELECT chr(33 + i / 40) || chr(33 + i * 7 % 90) || md5(i::text) FROM generate_series(1, 3600) i;
    INSERT INTO radix SELECT left(md5((i % 60)::text), 2) || chr(33 + i / 60 % 90) || repeat(chr(65 + i % 60), 20) || i
      FROM generate_series(1, 5000) i;
  )");
  // Long common prefixes, cut at many places by later words; their inner tuples are wide, so that the halves of a split
  // one often do not fit on one page.
  run_script(session, R"(
    CREATE TABLE prefix (word text COLLATE "C");
    CREATE INDEX prefix_word ON prefix USING spgist (word);
    INSERT INTO prefix SELECT md5((i % 24)::text) || repeat('p', 700) || md5(i::text) FROM generate_series(1, 1200) i;
    INSERT INTO prefix SELECT left(md5((i % 24)::text) || repeat('p', 700), 30 * (i / 24) + 1) || 'q' || i
      FROM generate_series(1, 500) i;
  )");
  // Whole chains go and leave dead tuples, others lose some of theirs; then the same words come back, and wider ones.
  // A redirect goes when no transaction that is as old as it runs any more.
  run_script(session, R"(
    DELETE FROM radix WHERE word LIKE 'a%' OR word LIKE '4%' OR length(word) % 3 = 0;
    VACUUM radix;
    INSERT INTO radix SELECT md5(i::text) FROM generate_series(1, 5000) i;
    SELECT txid_current();
    DELETE FROM radix WHERE word > '8' AND word < 'c';
    VACUUM radix;
    INSERT INTO radix SELECT md5(i::text) || repeat(md5(i::text), 8) FROM generate_series(1, 3000) i;
    VACUUM radix;
  )");
  // Quad and k-d trees, and the trees of nulls beside them, whose nodes are all the same.
  run_script(session, R"(
    CREATE TABLE place (spot point);
    CREATE INDEX place_quad ON place USING spgist (spot);
    CREATE INDEX place_kd ON place USING spgist (spot kd_point_ops);
    INSERT INTO place SELECT point(i * 7919 % 10007, i * 104729 % 10009) FROM generate_series(1, 6000) i;
    INSERT INTO place SELECT NULL FROM generate_series(1, 1500) i;
    DELETE FROM place WHERE spot IS NULL OR spot[0] > 4000;
    VACUUM place;
    SELECT txid_current();
    VACUUM place;
    INSERT INTO place SELECT point(i * 7919 % 10007, i * 104729 % 10009) FROM generate_series(1, 6000) i;
    INSERT INTO place SELECT NULL FROM generate_series(1, 900) i;
    DELETE FROM place WHERE spot IS NULL;
    VACUUM place;
  )");
  // Roots that are leaf pages still.
  run_script(session, R"(
    CREATE TABLE few (spot point);
    CREATE INDEX few_spot ON few USING spgist (spot);
    INSERT INTO few SELECT point(i, i) FROM generate_series(1, 40) i;
    INSERT INTO few SELECT NULL FROM generate_series(1, 20) i;
    DELETE FROM few WHERE spot IS NULL OR spot[0] > 11;
    VACUUM few;
    INSERT INTO few SELECT point(i, i) FROM generate_series(1, 40) i;
  )");
}

}  // namespace strata::tests
