#include "tests/support/wal_clients.hpp"

#include <httplib.h>

#include <fstream>
#include <stdexcept>

#include "tests/support/strata_server.hpp"

namespace strata::tests {
namespace {

using nlohmann::json;

core::bytes startup_for(const wal_identity& of) {
  core::bytes words;
  const auto text = [&](const std::string& word) {
    words.insert(words.end(), word.begin(), word.end());
    words.push_back(0);
  };
  for (const std::string& word : {std::string("user"), std::string("test"), std::string("replication"),
                                  std::string("true"), std::string("options"), of.options()})
    text(word);
  words.push_back(0);
  core::bytes message;
  core::append_be(message, static_cast<std::uint32_t>(words.size() + 8));
  core::append_be(message, std::uint32_t{196608});
  core::append(message, words);
  return message;
}

httplib::Result request(std::uint16_t port, const std::string& method, const std::string& path, const json& body) {
  httplib::Client client("127.0.0.1", port);
  client.set_read_timeout(std::chrono::seconds(60));
  httplib::Request asked;
  asked.method = method;
  asked.path = path;
  if (!body.is_null()) {
    asked.body = body.dump();
    asked.set_header("Content-Type", "application/json");
  }
  auto answered = client.send(asked);
  if (!answered) throw std::runtime_error(method + " " + path + ": no answer");
  return answered;
}

/// Of an ErrorResponse: its message.
std::string message_of(const core::bytes& body) {
  for (std::size_t at = 0; at < body.size() && body[at] != 0;) {
    const auto end = std::find(body.begin() + static_cast<std::ptrdiff_t>(at), body.end(), std::uint8_t{0});
    const std::string text(body.begin() + static_cast<std::ptrdiff_t>(at) + 1, end);
    if (body[at] == 'M') return text;
    at = static_cast<std::size_t>(end - body.begin()) + 1;
  }
  return "?";
}

}  // namespace

safekeeper_process::safekeeper_process(std::uint64_t id, std::filesystem::path directory,
                                       std::vector<std::string> arguments)
    : id_(id),
      directory_(directory.empty() ? home_ / "safekeeper" : std::move(directory)),
      arguments_(std::move(arguments)) {}

safekeeper_process::~safekeeper_process() = default;

std::string safekeeper_process::log() const {
  std::ifstream file(home_ / "log");
  return {std::istreambuf_iterator<char>(file), {}};
}

void safekeeper_process::start() {
  std::filesystem::path file = directory_ / "safekeeper.json";
  std::vector<std::string> words{strata_binary().string(), "safekeeper", "run", "--id", std::to_string(id_), "--data",
                                 directory_.string()};
  words.insert(words.end(), arguments_.begin(), arguments_.end());
  process_ = std::make_unique<process>(command{.arguments = words, .log = home_ / "log"});
  try {
    wait_until("the safekeeper is ready", [&] {
      if (!process_->running()) throw std::runtime_error("it has ended");
      std::ifstream in(file);
      const json found = json::parse(in, nullptr, false);
      if (!found.is_object() || found.value("pid", 0) != process_->pid()) return false;
      const auto port = [&](const char* name) {
        const std::string address = found.at(name);
        return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
      };
      wal_port_ = port("wal");
      http_port_ = port("http");
      return true;
    });
  } catch (const std::exception& e) {
    throw std::runtime_error(std::string(e.what()) + "\n" + log());
  }
}

int safekeeper_process::stop() {
  process_->signal(SIGTERM);
  const int code = process_->wait().exit_code;
  process_.reset();
  return code;
}

void safekeeper_process::kill() {
  process_->signal(SIGKILL);
  process_->wait();
  process_.reset();
}

json safekeeper_process::api(const std::string& method, const std::string& path, const json& body) const {
  const auto answered = request(http_port_, method, path, body);
  if (answered->status / 100 != 2)
    throw std::runtime_error(method + " " + path + ": " + std::to_string(answered->status) + " " + answered->body);
  return json::parse(answered->body);
}
int safekeeper_process::status_of(const std::string& method, const std::string& path, const json& body) const {
  return request(http_port_, method, path, body)->status;
}
std::string safekeeper_process::text(const std::string& path) const {
  return request(http_port_, "GET", path, nullptr)->body;
}

wal_client::wal_client(std::uint16_t port, const wal_identity& of) : connection_(port) {
  connection_.send(startup_for(of));
  const auto told = until_ready();
  if (told.empty() || told.back().tag != 'Z') throw std::runtime_error("the WAL service did not welcome us");
}

std::optional<wal_client::message> wal_client::next() {
  std::uint8_t header[5];
  if (!connection_.receive(header, sizeof header)) return std::nullopt;
  message got{static_cast<char>(header[0]), core::bytes(core::load_be<std::uint32_t>(header + 1) - 4)};
  if (!connection_.receive(got.body.data(), got.body.size())) return std::nullopt;
  return got;
}

std::vector<wal_client::message> wal_client::until_ready() {
  std::vector<message> got;
  while (auto each = next()) {
    got.push_back(*std::move(each));
    if (got.back().tag == 'Z') break;
  }
  return got;
}

void wal_client::send_copy_data(core::bytes_view payload) {
  core::bytes frame{'d'};
  core::append_be(frame, static_cast<std::uint32_t>(payload.size() + 4));
  core::append(frame, payload);
  connection_.send(frame);
}

test_proposer::test_proposer(std::uint16_t port, const wal_identity& of) : of_(of), client_(port, of) {
  client_.query("START_WAL_PUSH (proto_version '3', allow_timeline_creation 'true')");
  const auto told = client_.next();
  if (!told || told->tag != 'W') throw std::runtime_error("no CopyBothResponse");
}

void test_proposer::say(const consensus::proposer_message& message, core::bytes_view wal) {
  core::bytes payload;
  protocol::encode(message, payload);
  core::append(payload, wal);
  client_.send_copy_data(payload);
}

protocol::received_reply test_proposer::hear() {
  const auto got = client_.next();
  if (!got) throw std::runtime_error("the safekeeper closed the connection");
  if (got->tag == 'E') throw std::runtime_error(message_of(got->body));
  if (got->tag != 'd') throw std::runtime_error(std::string("a message of type ") + got->tag);
  auto reply = protocol::decode_from_acceptor(got->body);
  if (!reply) throw std::runtime_error(core::to_string(reply.error()));
  return *std::move(reply);
}

bool test_proposer::lead(const consensus::configuration& members, consensus::term in, core::lsn start) {
  say(consensus::greeting{of_.tenant, of_.timeline, members, {150020, test_system_id, 16u << 20}});
  generation_ = hear_one<consensus::greeting_reply>().members.generation;
  in_ = in;
  say(consensus::vote_request{generation_, in});
  const auto vote = hear_one<consensus::vote_reply>();
  if (!vote.given) return false;
  const bool empty = vote.history.empty();
  const auto history = empty ? consensus::term_history({{in, start}}) : vote.history.with({in, vote.flush_lsn});
  say(consensus::elected{generation_, in, empty ? start : vote.flush_lsn, history});
  return true;
}

void test_proposer::push(core::lsn begin, core::bytes_view wal, core::lsn commit, std::size_t piece) {
  const core::lsn end = begin + wal.size();
  while (!wal.empty()) {
    const core::bytes_view part = wal.first(std::min(piece, wal.size()));
    say(consensus::append{generation_, in_, begin, begin + part.size(), commit, {}}, part);
    begin = begin + part.size();
    wal = wal.subspan(part.size());
  }
  while (hear_one<consensus::append_reply>().flush_lsn < end) continue;
}

core::bytes stream_wal(std::uint16_t port, const wal_identity& of, core::lsn from, std::size_t size,
                       const std::string& command) {
  wal_client client(port, of);
  client.query("START_REPLICATION PHYSICAL " + core::to_string(from) + command);
  core::bytes wal;
  while (wal.size() < size) {
    const auto got = client.next();
    if (!got) throw std::runtime_error("the stream ended");
    if (got->tag == 'E') throw std::runtime_error(message_of(got->body));
    if (got->tag != 'd' || got->body.empty() || got->body[0] != 'w') continue;
    if (core::load_be<std::uint64_t>(got->body.data() + 1) != from.value + wal.size())
      throw std::runtime_error("the stream has a gap");
    core::append(wal, core::bytes_view(got->body).subspan(25));
  }
  return wal;
}

}  // namespace strata::tests
