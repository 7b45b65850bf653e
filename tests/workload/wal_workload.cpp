#include "tests/workload/wal_workload.hpp"

#include <algorithm>

#include "tests/workload/parts.hpp"

namespace strata::tests {

void run_script(sql_session& session, const std::string& script) {
  for (std::size_t begin = 0; begin < script.size();) {
    const std::size_t end = std::min(script.find(';', begin), script.size());
    const std::string statement = script.substr(begin, end - begin);
    if (statement.find_first_not_of(" \n") != std::string::npos) session.execute(statement);
    begin = end + 1;
  }
}

void run_wal_workload(postgres_cluster& cluster, const std::string& part) {
  const auto wanted = [&](const char* name) { return part.empty() || part == name; };
  {
    sql_session one(cluster.conninfo());
    sql_session two(cluster.conninfo());
    if (wanted("heap")) exercise_heap(one, two, cluster.work_directory().string());
    if (wanted("btree")) exercise_btree(one);
    if (wanted("hash")) exercise_hash(one);
    if (wanted("gin")) exercise_gin(one);
    if (wanted("gist")) exercise_gist(one);
    if (wanted("spgist")) exercise_spgist(one);
    if (wanted("brin")) exercise_brin(one);
    if (wanted("generic")) exercise_generic(one);
    if (wanted("cluster")) exercise_cluster(cluster, one, two);
  }
  if (wanted("cluster")) change_settings(cluster);
}

}  // namespace strata::tests
