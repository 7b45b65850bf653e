#include "tests/quorum/bank.hpp"

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>

#include "tests/support/sql_session.hpp"

namespace strata::tests {

bank::bank(std::function<std::string()> conninfo, int workers)
    : conninfo_(std::move(conninfo)), workers_(workers), books_(workers), next_(workers, 1) {}

bank::~bank() { stop(); }

void bank::create() const {
  sql_session session(conninfo_());
  session.execute(
      "CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL);"
      "CREATE TABLE ledger (worker int, number bigint, payer int NOT NULL, payee int NOT NULL, amount bigint NOT NULL,"
      " PRIMARY KEY (worker, number));"
      "INSERT INTO account SELECT i, 0 FROM generate_series(0, " +
      std::to_string(account_count - 1) + ") i");
}

void bank::start() {
  stopping_ = false;
  for (int worker = 0; worker < workers_; ++worker) threads_.emplace_back([this, worker] { work(worker); });
}

void bank::stop() {
  stopping_ = true;
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void bank::work(int worker) {
  std::mt19937 random(static_cast<std::uint32_t>(worker * 7919 + 17));
  std::unique_ptr<sql_session> session;
  while (!stopping_) {
    const std::uint64_t number = next_[worker]++;
    // The lower id first, so that transfers don't lock each other out.
    const int one = static_cast<int>(random() % account_count);
    const int other = static_cast<int>((one + 1 + random() % (account_count - 1)) % account_count);
    const int low = std::min(one, other), high = std::max(one, other);
    const auto amount = static_cast<std::int64_t>(random() % 1000) - 500;
    try {
      if (!session) session = std::make_unique<sql_session>(conninfo_());
      session->execute("BEGIN;UPDATE account SET balance = balance - " + std::to_string(amount) +
                       " WHERE id = " + std::to_string(low) + ";UPDATE account SET balance = balance + " +
                       std::to_string(amount) + " WHERE id = " + std::to_string(high) + ";INSERT INTO ledger VALUES (" +
                       std::to_string(worker) + "," + std::to_string(number) + "," + std::to_string(low) + "," +
                       std::to_string(high) + "," + std::to_string(amount) + ");COMMIT");
      books_[worker].push_back(number);
      ++acknowledged_;
    } catch (const std::exception&) {
      ++uncertain_;
      session.reset();
      // A server that is being started refuses at once: asking in a tight loop would only slow it down.
      if (!stopping_) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

std::vector<std::string> bank::audit() const {
  sql_session session(conninfo_());
  std::vector<std::string> wrong;
  const std::string sum = session.value("SELECT sum(balance) FROM account");
  if (sum != "0") wrong.push_back("the balances sum up to " + sum);
  for (const auto& row :
       session.query("SELECT a.id, a.balance, coalesce(sum(CASE WHEN l.payee = a.id THEN l.amount ELSE "
                     "-l.amount END), 0) FROM account a LEFT JOIN ledger l ON a.id IN (l.payer, "
                     "l.payee) GROUP BY a.id HAVING a.balance <> coalesce(sum(CASE WHEN l.payee = "
                     "a.id THEN l.amount ELSE -l.amount END), 0)"))
    wrong.push_back("account " + *row[0] + " has " + *row[1] + ", the ledger says " + *row[2]);
  for (int worker = 0; worker < workers_; ++worker) {
    std::set<std::uint64_t> there;
    for (const auto& row : session.query("SELECT number FROM ledger WHERE worker = " + std::to_string(worker)))
      there.insert(std::stoull(*row[0]));
    for (const std::uint64_t number : books_[worker])
      if (!there.contains(number))
        wrong.push_back("transfer " + std::to_string(number) + " of worker " + std::to_string(worker) +
                        " was acknowledged and is lost");
    for (const std::uint64_t number : there)
      if (number >= next_[worker]) wrong.push_back("transfer " + std::to_string(number) + " was never made");
  }
  return wrong;
}

}  // namespace strata::tests
