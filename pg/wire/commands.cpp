#include "pg/wire/commands.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace strata::pg::wire {
namespace {

std::vector<std::string> words_of(std::string_view query) {
  std::vector<std::string> words(1);
  for (const char c : query) {
    if (c == ' ' || c == '\t' || c == '\n' || c == ';')
      words.emplace_back();
    else
      words.back() += c;
  }
  std::erase(words, "");
  return words;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return text;
}

core::error usage(std::string_view form) { return {core::errc::invalid_argument, "usage: " + std::string(form)}; }

core::result<command> parse_pagestream(const std::vector<std::string>& words, pagestream_version version) {
  if (words.size() != 3) return usage(words[0] + " TENANT TIMELINE");
  open_pagestream parsed{version, {}, {}};
  STRATA_ASSIGN(parsed.tenant, core::parse_id<core::tenant_id>(words[1]));
  STRATA_ASSIGN(parsed.timeline, core::parse_id<core::timeline_id>(words[2]));
  return command(parsed);
}

core::result<command> parse_backup(const std::vector<std::string>& words, bool full) {
  const auto wrong = [&] {
    return full ? usage("fullbackup TENANT TIMELINE [LSN [PREVIOUS_LSN]]")
                : usage("basebackup TENANT TIMELINE [LSN|latest] [--gzip] [--replica]");
  };
  if (words.size() < 3) return wrong();
  send_backup parsed;
  parsed.full = full;
  STRATA_ASSIGN(parsed.tenant, core::parse_id<core::tenant_id>(words[1]));
  STRATA_ASSIGN(parsed.timeline, core::parse_id<core::timeline_id>(words[2]));
  std::size_t positional = 0;
  for (std::size_t i = 3; i < words.size(); ++i) {
    const std::string word = lower(words[i]);
    if (!full && word == "--gzip") {
      parsed.gzip = true;
    } else if (!full && word == "--replica") {
      // The archive is the same: it would leave out replication slots, and there are none here.
    } else if (positional == 0) {
      ++positional;
      if (full || word != "latest") {
        STRATA_ASSIGN(parsed.at, core::parse_lsn(words[i]));
      }
    } else if (full && positional == 1) {
      ++positional;  // older clients send the previous record's LSN, which is known here
      STRATA_TRY(core::parse_lsn(words[i]));
    } else {
      return wrong();
    }
  }
  return command(parsed);
}

core::result<command> parse_lease(const std::vector<std::string>& words) {
  if (words.size() != 5 || lower(words[1]) != "lsn") return usage("lease lsn TENANT TIMELINE LSN");
  lease parsed;
  STRATA_ASSIGN(parsed.tenant, core::parse_id<core::tenant_id>(words[2]));
  STRATA_ASSIGN(parsed.timeline, core::parse_id<core::timeline_id>(words[3]));
  STRATA_ASSIGN(parsed.at, core::parse_lsn(words[4]));
  return command(parsed);
}

}  // namespace

core::result<command> parse_command(std::string_view query) {
  const auto words = words_of(query);
  const std::string name = words.empty() ? "" : lower(words[0]);
  if (name == "pagestream_v2") return parse_pagestream(words, pagestream_version::v2);
  if (name == "pagestream_v3") return parse_pagestream(words, pagestream_version::v3);
  if (name == "pagestream_v4") return parse_pagestream(words, pagestream_version::v4);
  if (name == "basebackup") return parse_backup(words, false);
  if (name == "fullbackup") return parse_backup(words, true);
  if (name == "lease") return parse_lease(words);
  if (name == "set") return command(set_variable{});
  return core::error{core::errc::unsupported, "unknown command \"" + name.substr(0, 40) +
                                                  "\"; this port supports pagestream_v2, pagestream_v3, pagestream_v4, "
                                                  "basebackup, fullbackup and lease lsn, for "
                                                  "SQL start a compute with: strata compute start BRANCH"};
}

}  // namespace strata::pg::wire
