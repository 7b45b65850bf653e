#include "pg/client/server_error.hpp"

#include <algorithm>
#include <cctype>

namespace strata::pg::client {
namespace {

struct lesson {
  std::string_view sqlstate;  ///< a prefix of it
  std::string_view phrase;    ///< must occur in the message; empty: any message
  core::errc code;
  std::string_view advice;
};

// The first match is used. Phrases only distinguish errors of the same SQLSTATE; messages in another language get the
// general lesson of their SQLSTATE.
constexpr lesson lessons[] = {
    {"28P01", "", core::errc::permission_denied, "wrong password or user; check the connection string"},
    {"28000", "pg_hba.conf", core::errc::permission_denied,
     "the source's pg_hba.conf rejects the connection; add a line like \"host replication <user> <address> "
     "scram-sha-256\" "
     "and reload it (select pg_reload_conf())"},
    {"28", "", core::errc::permission_denied, "the source refuses this user; check user and pg_hba.conf"},
    // Of a file below its data directory: the path begins like this in every language.
    {"42501", "\"./", core::errc::io_error,
     "the source may not read one of its own files; correct the file's owner and mode there"},
    {"42501", "", core::errc::permission_denied,
     "the user has no right to replicate; run on the source: alter role <user> replication"},
    {"53300", "max_wal_senders", core::errc::busy,
     "the source has no free walsender; raise max_wal_senders in its postgresql.conf "
     "(wal_level = minimal does not allow any) and restart it"},
    {"53300", "", core::errc::busy, "the source has too many connections; close some or raise max_connections"},
    {"53400", "", core::errc::busy,
     "the source has no free replication slot; drop one that is not used (select pg_drop_replication_slot(...)) or "
     "raise "
     "max_replication_slots and restart it"},
    {"42704", "is not on this safekeeper", core::errc::not_found, ""},
    {"42704", "", core::errc::not_found,
     "the replication slot is gone from the source; create it again and import it again"},
    {"42710", "", core::errc::conflict, "the name is taken on the source"},
    {"55006", "", core::errc::busy,
     "the replication slot is in use by another connection; only one can read from it at a time"},
    {"55000", "wal_level", core::errc::invalid_argument,
     "the source's wal_level is too low; set wal_level = replica (or logical) and restart it"},
    {"55000", "max_replication_slots", core::errc::invalid_argument,
     "the source allows no replication slots; set max_replication_slots above 0 and restart it"},
    {"55000", "nvalidated", core::errc::out_of_range,
     "the source invalidated the replication slot because it lagged too far (max_slot_wal_keep_size); drop it and "
     "import it again"},
    {"55000", "recovery", core::errc::invalid_argument,
     "the source is in recovery; connect to its primary, or promote it first"},
    {"58P01", "already been removed", core::errc::out_of_range,
     "the source no longer has the WAL that is needed to continue; import it again (a new base backup), and keep the "
     "replication "
     "slot or raise wal_keep_size so that it does not happen again"},
    {"58P01", "", core::errc::out_of_range, "the source does not have a requested file"},
    {"XX000", "is ahead of the WAL flush position", core::errc::out_of_range,
     "the source's WAL ends before the position to continue from; it is not the same server (restored from "
     "a "
     "backup?): import it again"},
    {"", "is not in this server's history", core::errc::out_of_range,
     "the source is on another timeline (it was promoted or restored); import it again"},
    {"57P03", "", core::errc::unavailable, "the source is starting up, shutting down or in recovery; try again soon"},
    {"57P", "", core::errc::unavailable, "the source ended the connection; try again"},
    {"08", "", core::errc::unavailable, "the connection was lost; try again"},
    {"3D", "", core::errc::invalid_argument, "the database in the connection string does not exist"},
    {"0A000", "logical replication slot", core::errc::conflict,
     "the name is that of a logical slot, which another program uses; choose another one with --slot"},
    {"0A", "", core::errc::unsupported, "the source does not support this"},
    {"42", "", core::errc::invalid_argument, "the source did not accept the command"},
    {"22003", "is no longer on this safekeeper", core::errc::out_of_range, ""},
    {"22", "", core::errc::invalid_argument, "the source did not accept the command"},
};

// Without a server's answer; libpq's own text is only a hint.
constexpr lesson local_lessons[] = {
    {"", "no password supplied", core::errc::permission_denied,
     "the source requires a password; put one into the connection string or a password file"},
    {"", "authentication", core::errc::permission_denied, "there is no common authentication method"},
    {"", "could not translate host name", core::errc::unavailable,
     "the host name is not known; check the connection string"},
    {"", "Connection refused", core::errc::unavailable,
     "nothing answers there; is the source running, and does its listen_addresses include this address?"},
    {"", "No such file or directory", core::errc::unavailable,
     "there is no server on that socket; check host and port in the connection string"},
    {"", "invalid integer value", core::errc::invalid_argument, "a number in the connection string is not a number"},
    {"", "invalid port", core::errc::invalid_argument, "the port in the connection string is not a number"},
    {"", " value: ", core::errc::invalid_argument, "the connection string has an option with an invalid value"},
    {"", "server closed the connection", core::errc::unavailable,
     "the source closed the connection unexpectedly; did it crash or was it stopped?"},
    {"", "certificate", core::errc::permission_denied, "the certificate was not accepted"},
};

std::string compose(std::string_view doing, std::string_view advice, const server_complaint& complaint) {
  std::string text(doing);
  text.append(": ").append(advice.empty() ? complaint.message : advice);
  if (!advice.empty() && !complaint.message.empty()) text.append(" [").append(complaint.message).append("]");
  if (!complaint.detail.empty()) text.append(" (").append(complaint.detail).append(")");
  if (advice.empty() && !complaint.hint.empty()) text.append(" hint: ").append(complaint.hint);
  return text;
}

bool fits(const lesson& of, const server_complaint& complaint) {
  return complaint.sqlstate.starts_with(of.sqlstate) && complaint.message.find(of.phrase) != std::string::npos;
}

bool sqlstate_like(std::string_view text) {
  return text.size() == 5 && std::all_of(text.begin(), text.end(),
                                         [](unsigned char c) { return std::isdigit(c) != 0 || std::isupper(c) != 0; });
}

}  // namespace

core::error explain(std::string_view doing, const server_complaint& complaint) {
  if (complaint.sqlstate.empty()) {
    for (const lesson& known : local_lessons)
      if (fits(known, complaint)) return {known.code, compose(doing, known.advice, complaint)};
    return {core::errc::unavailable, compose(doing, "", complaint)};
  }
  for (const lesson& known : lessons)
    if (fits(known, complaint)) return {known.code, compose(doing, known.advice, complaint)};
  return {core::errc::io_error, compose(doing, "", complaint)};
}

server_complaint parse_connection_failure(std::string_view text) {
  server_complaint into;
  // The text may cover several attempts (one per address); the last one counts.
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with("LOCATION:")) continue;
    if (line.starts_with("DETAIL:") || line.starts_with("HINT:")) {
      std::string& part = line.starts_with("HINT:") ? into.hint : into.detail;
      line.remove_prefix(line.find(':') + 1);
      part = line.substr(std::min(line.find_first_not_of(' '), line.size()));
      continue;
    }
    if (line.starts_with('\t')) {
      into.hint = line.substr(1);
      continue;
    }
    // "<where> failed: FATAL:  28P01: <message>"
    into = {};
    into.message = line;
    for (std::size_t at = line.find(":  "); at != std::string_view::npos; at = line.find(":  ", at + 1)) {
      const std::string_view rest = line.substr(at + 3);
      if (rest.size() < 7 || !sqlstate_like(rest.substr(0, 5)) || rest.substr(5, 2) != ": ") continue;
      into.sqlstate = rest.substr(0, 5);
      into.message = rest.substr(7);
      break;
    }
  }
  return into;
}

}  // namespace strata::pg::client
