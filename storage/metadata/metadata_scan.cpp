#include "storage/metadata/metadata_scan.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "storage/metadata/metadata_codec.hpp"

namespace strata::storage {

namespace {

namespace codec = metadata_codec;

/// The key of the highest number of a timeline's layers.
constexpr std::uint64_t highest_number_key = 0;

class scanner {
 public:
  scanner(tenant_scan& into, const core::tenant_id& tenant) : into_(into), tenant_(tenant) {}

  core::result<void> take(metadata_family family, std::string_view key, core::bytes_view value) {
    if (family == metadata_family::seals) {
      STRATA_ASSIGN(into_.stored, decode_seal(value));
      into_.found.edits = into_.stored->now.edits;
      return {};
    }
    into_.found.add(family, key, value);
    switch (family) {
      case metadata_family::tenants: return take_tenant(key, value);
      case metadata_family::timelines: return take_timeline(key, value);
      case metadata_family::layers: return take_layer(key, value);
      case metadata_family::commit_times: return drop(codec::decode_commit_times(key, value));
      case metadata_family::wal_deletions: return drop(codec::decode_wal_deletion(key, value));
      case metadata_family::side_files: return take_side_file(key, value);
      case metadata_family::seals: break;
    }
    return {};
  }

 private:
  template <class T>
  static core::result<void> drop(core::result<T> decoded) {
    if (!decoded) return std::move(decoded).error();
    return {};
  }
  core::result<void> take_tenant(std::string_view key, core::bytes_view value) {
    into_.record = metadata_copy{.tenant = tenant_, .record = core::bytes(value.begin(), value.end())};
    return drop(codec::decode_tenant(key, value));
  }
  core::result<void> take_timeline(std::string_view key, core::bytes_view value) {
    STRATA_TRY(drop(codec::decode_timeline(key, value)));
    into_.timelines.push_back(
        {.tenant = tenant_, .timeline = codec::timeline_of(key), .record = core::bytes(value.begin(), value.end())});
    return {};
  }
  core::result<void> take_layer(std::string_view key, core::bytes_view value) {
    if (key.size() != codec::numbered_key_size)
      return core::error{core::errc::corrupt,
                         "metadata: the key of a layer has " + std::to_string(key.size()) + " bytes"};
    // Timelines come before, in the same order.
    while (next_ < into_.timelines.size() && *into_.timelines[next_].timeline < codec::timeline_of(key)) ++next_;
    metadata_copy* const of =
        next_ < into_.timelines.size() && into_.timelines[next_].timeline == codec::timeline_of(key)
            ? &into_.timelines[next_]
            : nullptr;
    if (codec::number_of(key) == highest_number_key) {
      STRATA_ASSIGN(const std::uint64_t highest, codec::decode_number(value));
      if (of != nullptr) of->last_layer_number = highest;
      return {};
    }
    STRATA_TRY(drop(codec::decode_layer(key, value)));
    if (of != nullptr) of->layers.emplace_back(codec::number_of(key), core::bytes(value.begin(), value.end()));
    return {};
  }

  core::result<void> take_side_file(std::string_view key, core::bytes_view value) {
    STRATA_TRY(drop(codec::decode_side_file(key, value)));
    const auto of = std::ranges::lower_bound(into_.timelines, codec::timeline_of(key), {},
                                             [](const metadata_copy& each) { return *each.timeline; });
    if (of != into_.timelines.end() && of->timeline == codec::timeline_of(key))
      of->side_files.emplace_back(codec::number_of(key), core::bytes(value.begin(), value.end()));
    return {};
  }

  tenant_scan& into_;
  core::tenant_id tenant_;
  std::size_t next_ = 0;
};

/// A copy of a later edit than the metadata has proves that the metadata is older: copies are written after it.
void compare_copies(checked_tenant& checked, const copy_files& copies) {
  const std::uint64_t edits = checked.scan.found.edits;
  const auto compare = [&](metadata_copy wanted) {
    const auto copy = copies.read(wanted.tenant, wanted.timeline);
    if (copy && copy->edits > edits)
      checked.damage = core::error{core::errc::corrupt, "the metadata ends with edit " + std::to_string(edits) + ", " +
                                                            copies.path_of(wanted.tenant, wanted.timeline) +
                                                            " is of edit " + std::to_string(copy->edits)};
    if (copy && copy->says_the_same(wanted)) return;
    wanted.edits = edits;
    checked.outdated.push_back(std::move(wanted));
  };
  if (checked.scan.record) compare(*checked.scan.record);
  for (const metadata_copy& each : checked.scan.timelines) compare(each);
}

}  // namespace

std::string tenant_scan::name() const {
  if (!record) return "";
  const auto decoded = codec::decode_tenant(codec::tenant_key(record->tenant), record->record);
  return decoded ? decoded->name : "";
}

std::string checked_tenant::name() const {
  const std::string known = scan.name();
  return !known.empty() || !filed ? known : filed->name;
}

tenant_scan scan_tenant(metadata_database& database, const core::tenant_id& tenant) {
  tenant_scan scan;
  scanner taking(scan, tenant);
  const std::string prefix = codec::tenant_key(tenant);
  const auto read = [&](metadata_family family) {
    // Damage of one family does not affect the others: the name may still be found.
    core::result<void> taken;
    auto visited = database.visit_prefix(family, prefix, [&](std::string_view key, core::bytes_view value) {
      taken = taking.take(family, key, value);
      return taken.has_value();
    });
    if (visited && taken) return;
    if (!scan.failure) scan.failure = visited ? std::move(taken).error() : std::move(visited).error();
  };
  read(metadata_family::seals);
  for (const metadata_family family : record_families) read(family);
  return scan;
}

std::vector<core::tenant_id> tenants_in(metadata_database& database) {
  std::set<core::tenant_id> found;
  const auto look = [&](metadata_family family) {
    std::string from;
    for (bool more = true; more;) {
      more = false;
      // Unreadable records belong to tenants that have seals, or were never acknowledged.
      (void)database.visit(family, from, [&](std::string_view key, core::bytes_view) {
        if (key.size() < codec::id_size) return true;
        found.insert(codec::tenant_of(key));
        from = std::string(key.substr(0, codec::id_size)) + std::string(codec::numbered_key_size, '\xff');
        more = true;
        return false;
      });
    }
  };
  look(metadata_family::seals);
  for (const metadata_family family : record_families) look(family);
  return {found.begin(), found.end()};
}

core::result<checked_tenants> check_tenants(metadata_database& database, const seal_files& seals,
                                            const copy_files& copies) {
  STRATA_ASSIGN(const auto filed, seals.load());
  std::set<core::tenant_id> known;
  for (const auto& [tenant, seal] : filed) known.insert(tenant);
  for (const core::tenant_id& tenant : tenants_in(database)) known.insert(tenant);
  checked_tenants all;
  for (const core::tenant_id& tenant : known) {
    checked_tenant& checked = all[tenant];
    checked.scan = scan_tenant(database, tenant);
    const auto seal = filed.find(tenant);
    if (seal != filed.end() && seal->second) checked.filed = *seal->second;
    if (seal != filed.end() && !seal->second) {
      checked.damage = seal->second.error();
    } else if (checked.scan.failure) {
      checked.damage = checked.scan.failure;
    } else {
      checked.verdict = judge(checked.scan.found, checked.scan.stored, checked.filed);
      if (checked.verdict.is == seal_verdict::kind::damaged)
        checked.damage = core::error{core::errc::corrupt, checked.verdict.why + ": " + seals.path_of(tenant)};
      else if (checked.verdict.is != seal_verdict::kind::gone)
        compare_copies(checked, copies);
    }
    if (checked.damage) {
      checked.verdict = {seal_verdict::kind::damaged, checked.damage->detail};
      checked.damage = std::move(*checked.damage).within("the metadata of the tenant is damaged");
      checked.damage->code = core::errc::corrupt;  // whatever the error of the read was
    }
  }
  return all;
}

}  // namespace strata::storage
