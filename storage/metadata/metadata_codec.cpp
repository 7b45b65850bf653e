#include "storage/metadata/metadata_codec.hpp"

#include <algorithm>

#include "core/check.hpp"
#include "pg/wal/version.hpp"

namespace strata::storage::metadata_codec {

namespace {

constexpr std::uint8_t value_version = 1;
/// Of a tenant of which branches have expired.
constexpr std::uint8_t version_with_expired = 2;

void append_text(core::bytes& to, const std::string& text) {
  core::append_le(to, static_cast<std::uint32_t>(text.size()));
  to.insert(to.end(), text.begin(), text.end());
}
std::string read_text(core::byte_reader& from) {
  const auto size = from.le<std::uint32_t>();
  const core::bytes_view text = from.take(size);
  return {text.begin(), text.end()};
}
template <class Id>
void append_id(core::bytes& to, const Id& id) {
  to.insert(to.end(), id.value.begin(), id.value.end());
}
template <class Id>
Id read_id(core::byte_reader& from) {
  Id id;
  const core::bytes_view raw = from.take(id_size);
  std::copy(raw.begin(), raw.end(), id.value.begin());
  return id;
}
void append_lsn(core::bytes& to, core::lsn position) { core::append_le(to, position.value); }
core::lsn read_lsn(core::byte_reader& from) { return core::lsn(from.le<std::uint64_t>()); }

void append_varint(core::bytes& to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) to.push_back(static_cast<std::uint8_t>(value | 0x80));
  to.push_back(static_cast<std::uint8_t>(value));
}
std::uint64_t read_varint(core::byte_reader& from) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto byte = from.le<std::uint8_t>();
    value |= std::uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
  from.skip(from.left() + 1);
  return 0;
}
std::uint64_t zigzag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t unzigzag(std::uint64_t value) { return static_cast<std::int64_t>(value >> 1 ^ (~(value & 1) + 1)); }

core::page_key read_page_key(core::byte_reader& from) {
  const core::bytes_view raw = from.take(core::page_key::encoded_size);
  return raw.empty() ? core::page_key{} : core::page_key::decode(raw.data());
}
void append_page_key(core::bytes& to, const core::page_key& key) {
  to.resize(to.size() + core::page_key::encoded_size);
  key.encode(to.data() + to.size() - core::page_key::encoded_size);
}

core::error damaged(std::string_view what, std::string_view key) {
  std::string text = "metadata: record of a " + std::string(what) + " is damaged, key ";
  for (char c : key) {
    constexpr const char* digits = "0123456789abcdef";
    text += digits[static_cast<std::uint8_t>(c) >> 4];
    text += digits[static_cast<std::uint8_t>(c) & 15];
  }
  return {core::errc::corrupt, text};
}

core::result<void> check_version(core::byte_reader& from, std::string_view what, std::string_view key) {
  const auto version = from.le<std::uint8_t>();
  if (!from.ok()) return damaged(what, key);
  if (version != value_version)
    return core::error{core::errc::unsupported,
                       "metadata: record of a " + std::string(what) + " has version " + std::to_string(version)};
  return {};
}

template <class Id>
Id id_at(std::string_view key, std::size_t offset) {
  Id id;
  std::copy_n(key.begin() + static_cast<std::ptrdiff_t>(offset), id_size, id.value.begin());
  return id;
}

enum flag : std::uint16_t {
  has_ancestor = 1,
  has_checksums = 2,
  logs_hints = 4,
  has_source = 8,
  has_custom_managers = 16,
  has_safekeepers = 32,
  has_wal_keepers = 64,
  tells_of_source = 128,
  is_protected = 256,
  has_expiry = 512,
  has_logical_wal = 1024,
  all_flags = 2047
};

/// Fields of a source besides its address.
enum source_flag : std::uint8_t {
  named_slot = 1,
  has_received = 2,
  is_refused = 4,
  old_slot = 8,
  is_ended = 16,
  all_source_flags = 31
};

bool tells(const std::optional<source_record>& of) {
  return of && (of->slot_named || of->slot_existed || of->received || of->refusal || of->ended);
}
void append_source(core::bytes& to, const source_record& of) {
  to.push_back(static_cast<std::uint8_t>((of.slot_named ? named_slot : 0) | (of.slot_existed ? old_slot : 0) |
                                         (of.received ? has_received : 0) | (of.refusal ? is_refused : 0) |
                                         (of.ended ? is_ended : 0)));
  if (of.received) {
    append_lsn(to, of.received->begin);
    append_lsn(to, of.received->middle);
    append_lsn(to, of.received->end);
    core::append_le(to, of.received->older);
    core::append_le(to, of.received->newer);
    core::append_le(to, of.received->source_timeline);
  }
  if (of.refusal) {
    append_text(to, of.refusal->why);
    append_lsn(to, of.refusal->at);
    core::append_le<std::int64_t>(to, of.refusal->since.time_since_epoch().count());
  }
}
/// False if the bytes are not those of a source.
bool read_source(core::byte_reader& from, std::optional<source_record>& into) {
  const auto flags = from.le<std::uint8_t>();
  if (!into || flags == 0 || flags > all_source_flags) return false;
  into->slot_named = (flags & named_slot) != 0;
  into->slot_existed = (flags & old_slot) != 0;
  into->ended = (flags & is_ended) != 0;
  if ((flags & has_received) != 0) {
    wal_trace trace{.begin = read_lsn(from), .middle = read_lsn(from), .end = read_lsn(from)};
    trace.older = from.le<std::uint64_t>();
    trace.newer = from.le<std::uint64_t>();
    trace.source_timeline = from.le<std::uint32_t>();
    if (!plausible(trace)) return false;
    into->received = trace;
  }
  if ((flags & is_refused) != 0) {
    source_refusal refusal{.why = read_text(from), .at = read_lsn(from)};
    refusal.since = core::wall_time(std::chrono::microseconds(from.le<std::int64_t>()));
    into->refusal = std::move(refusal);
  }
  return true;
}

void append_custom_managers(core::bytes& to, const std::vector<custom_manager>& managers) {
  to.push_back(static_cast<std::uint8_t>(managers.size()));
  for (const custom_manager& each : managers) {
    to.push_back(each.id);
    append_lsn(to, each.since);
  }
}
/// False if they are not those of a timeline.
bool read_custom_managers(core::byte_reader& from, std::vector<custom_manager>& into) {
  const auto count = from.le<std::uint8_t>();
  for (unsigned left = count; left > 0 && from.ok(); --left) {
    custom_manager each{.id = from.le<std::uint8_t>()};
    each.since = read_lsn(from);
    if (each.id < pg::wal::first_custom_manager || (!into.empty() && each.id <= into.back().id)) return false;
    into.push_back(each);
  }
  return count > 0;
}

void append_members(core::bytes& to, const std::vector<consensus::member>& members) {
  to.push_back(static_cast<std::uint8_t>(members.size()));
  for (const consensus::member& each : members) {
    core::append_le(to, each.id.value);
    append_text(to, each.host);
    core::append_le(to, each.port);
  }
}
std::vector<consensus::member> read_members(core::byte_reader& from) {
  std::vector<consensus::member> members;
  for (unsigned left = from.le<std::uint8_t>(); left > 0 && from.ok(); --left) {
    consensus::member each{.id = {from.le<std::uint64_t>()}, .host = read_text(from)};
    each.port = from.le<std::uint16_t>();
    members.push_back(std::move(each));
  }
  return members;
}
void append_safekeepers(core::bytes& to, const consensus::configuration& of) {
  core::append_le(to, of.generation);
  append_members(to, of.members);
  append_members(to, of.new_members.value_or(std::vector<consensus::member>{}));
}
/// False if they can't keep the WAL of a timeline.
bool read_safekeepers(core::byte_reader& from, std::optional<consensus::configuration>& into) {
  consensus::configuration of{.generation = from.le<std::uint32_t>(), .members = read_members(from)};
  if (auto new_members = read_members(from); !new_members.empty()) of.new_members = std::move(new_members);
  if (!from.ok() || of.generation == 0 || !consensus::check(of)) return false;
  into = std::move(of);
  return true;
}

void append_wal_keepers(core::bytes& to, const std::vector<wal_keeper>& keepers) {
  core::append_le(to, static_cast<std::uint16_t>(keepers.size()));
  for (const wal_keeper& each : keepers) {
    core::append_le(to, each.id.value);
    append_id(to, each.instance);
    to.push_back(each.created ? 1 : 0);
  }
}
/// False if they are not those of a timeline.
bool read_wal_keepers(core::byte_reader& from, std::vector<wal_keeper>& into) {
  const auto count = from.le<std::uint16_t>();
  for (unsigned left = count; left > 0 && from.ok(); --left) {
    wal_keeper each{.id = {from.le<std::uint64_t>()}, .instance = read_id<core::instance_id>(from)};
    const auto created = from.le<std::uint8_t>();
    if (created > 1 || (!into.empty() && each.id <= into.back().id)) return false;
    each.created = created == 1;
    into.push_back(each);
  }
  return count > 0;
}
/// For records older than these: proposers then created the timeline on every member that they reached.
std::vector<wal_keeper> all_created(const consensus::configuration& members) {
  std::vector<wal_keeper> keepers;
  for (const consensus::member& each : members.all()) keepers.push_back({.id = each.id, .created = true});
  return keepers;
}

}  // namespace

std::string tenant_key(const core::tenant_id& id) { return {id.value.begin(), id.value.end()}; }

std::string timeline_key(const core::tenant_id& tenant, const core::timeline_id& id) {
  std::string key = tenant_key(tenant);
  key.append(id.value.begin(), id.value.end());
  return key;
}

std::string numbered_key(const core::tenant_id& tenant, const core::timeline_id& id, std::uint64_t number) {
  std::string key = timeline_key(tenant, id);
  std::uint8_t raw[8];
  core::store_be(raw, number);
  key.append(std::begin(raw), std::end(raw));
  return key;
}

std::uint64_t number_of(std::string_view numbered_key) {
  return core::load_be<std::uint64_t>(reinterpret_cast<const std::uint8_t*>(numbered_key.data()) + timeline_key_size);
}

core::tenant_id tenant_of(std::string_view key) { return id_at<core::tenant_id>(key, 0); }
core::timeline_id timeline_of(std::string_view key) { return id_at<core::timeline_id>(key, id_size); }

core::bytes encode(const tenant_record& tenant) {
  core::bytes to{tenant.expired.empty() ? value_version : version_with_expired};
  append_text(to, tenant.name);
  core::append_le(to, tenant.generation.value);
  append_text(to, tenant.options);
  if (tenant.expired.empty()) return to;
  to.push_back(static_cast<std::uint8_t>(tenant.expired.size()));
  for (const auto& [name, at] : tenant.expired) {
    append_text(to, name);
    core::append_le<std::int64_t>(to, at.time_since_epoch().count());
  }
  return to;
}

core::result<tenant_record> decode_tenant(std::string_view key, core::bytes_view value) {
  core::byte_reader from(value);
  const bool has_expired = !value.empty() && value.front() == version_with_expired;
  if (has_expired)
    from.skip(1);
  else
    STRATA_TRY(check_version(from, "tenant", key));
  if (key.size() != id_size) return damaged("tenant", key);
  tenant_record tenant{.id = id_at<core::tenant_id>(key, 0)};
  tenant.name = read_text(from);
  tenant.generation = core::generation(from.le<std::uint32_t>());
  tenant.options = read_text(from);
  if (has_expired) {
    const auto count = from.le<std::uint8_t>();
    if (count == 0 || count > expired_branches_max) return damaged("tenant", key);
    for (unsigned left = count; left > 0 && from.ok(); --left) {
      std::string name = read_text(from);
      tenant.expired.push_back({std::move(name), core::wall_time(std::chrono::microseconds(from.le<std::int64_t>()))});
    }
  }
  if (!from.finished() || !tenant.generation.valid()) return damaged("tenant", key);
  return tenant;
}

core::bytes encode(const timeline_record& of) {
  core::bytes to{value_version};
  append_text(to, of.name);
  to.push_back(static_cast<std::uint8_t>(of.state));
  core::append_le(to, static_cast<std::uint16_t>(
                          (of.ancestor ? has_ancestor : 0) | (of.data_checksums ? has_checksums : 0) |
                          (of.wal_log_hints ? logs_hints : 0) | (of.source ? has_source : 0) |
                          (of.custom_managers.empty() ? 0 : has_custom_managers) |
                          (of.safekeepers ? has_safekeepers : 0) | (of.wal_keepers.empty() ? 0 : has_wal_keepers) |
                          (tells(of.source) ? tells_of_source : 0) | (of.deletion_protected ? is_protected : 0) |
                          (of.expires ? has_expiry : 0) | (of.logical_wal ? has_logical_wal : 0)));
  append_id(to, of.ancestor.value_or(core::timeline_id{}));
  append_lsn(to, own_wal_begin(of));
  to.push_back(static_cast<std::uint8_t>(of.major));
  core::append_le(to, of.system_id);
  core::append_le(to, of.wal_segment_size);
  append_lsn(to, of.disk_consistent_lsn);
  append_lsn(to, of.previous_record_lsn);
  append_lsn(to, of.readable_from);
  append_lsn(to, of.gc_cutoff);
  core::append_le<std::int64_t>(to, of.created.time_since_epoch().count());
  append_text(to, of.source ? of.source->conninfo : "");
  append_text(to, of.source ? of.source->slot : "");
  if (!of.custom_managers.empty()) append_custom_managers(to, of.custom_managers);
  if (of.safekeepers) append_safekeepers(to, *of.safekeepers);
  if (!of.wal_keepers.empty()) append_wal_keepers(to, of.wal_keepers);
  if (tells(of.source)) append_source(to, *of.source);
  if (of.expires) core::append_le<std::int64_t>(to, of.expires->time_since_epoch().count());
  return to;
}

core::result<timeline_record> decode_timeline(std::string_view key, core::bytes_view value) {
  core::byte_reader from(value);
  STRATA_TRY(check_version(from, "timeline", key));
  if (key.size() != timeline_key_size) return damaged("timeline", key);
  timeline_record of{.tenant = id_at<core::tenant_id>(key, 0), .id = id_at<core::timeline_id>(key, id_size)};
  of.name = read_text(from);
  const auto state = from.le<std::uint8_t>();
  const auto flags = from.le<std::uint16_t>();
  const auto ancestor = read_id<core::timeline_id>(from);
  if ((flags & has_ancestor) != 0) of.ancestor = ancestor;
  of.data_checksums = (flags & has_checksums) != 0;
  of.wal_log_hints = (flags & logs_hints) != 0;
  (of.ancestor ? of.ancestor_lsn : of.quorum_start) = read_lsn(from);
  const auto major = from.le<std::uint8_t>();
  of.system_id = from.le<std::uint64_t>();
  of.wal_segment_size = from.le<std::uint32_t>();
  of.disk_consistent_lsn = read_lsn(from);
  of.previous_record_lsn = read_lsn(from);
  of.readable_from = read_lsn(from);
  of.gc_cutoff = read_lsn(from);
  of.created = core::wall_time(std::chrono::microseconds(from.le<std::int64_t>()));
  source_record source;
  source.conninfo = read_text(from);
  source.slot = read_text(from);
  if ((flags & has_source) != 0) of.source = std::move(source);
  if ((flags & has_custom_managers) != 0 && !read_custom_managers(from, of.custom_managers))
    return damaged("timeline", key);
  if ((flags & has_safekeepers) != 0 && !read_safekeepers(from, of.safekeepers)) return damaged("timeline", key);
  if ((flags & has_wal_keepers) != 0 && !read_wal_keepers(from, of.wal_keepers)) return damaged("timeline", key);
  if ((flags & has_wal_keepers) == 0 && of.safekeepers) of.wal_keepers = all_created(*of.safekeepers);
  if ((flags & tells_of_source) != 0 && !read_source(from, of.source)) return damaged("timeline", key);
  of.deletion_protected = (flags & is_protected) != 0;
  of.logical_wal = (flags & has_logical_wal) != 0;
  if ((flags & has_expiry) != 0) of.expires = core::wall_time(std::chrono::microseconds(from.le<std::int64_t>()));
  if (!from.finished() || state < 1 || state > 3 || flags > all_flags || major < 14 || major > 18)
    return damaged("timeline", key);
  if (of.quorum_start.valid() && !of.safekeepers) return damaged("timeline", key);
  of.state = static_cast<timeline_state>(state);
  of.major = static_cast<pg::major_version>(major);
  return of;
}

core::bytes encode(const layer_record& layer) {
  core::check(layer.residency != layer_residency::fetching, "a layer is stored as local or remote");
  core::check(layer.generation.valid(), "a layer has a generation");
  core::bytes to{value_version, static_cast<std::uint8_t>(layer.kind), layer.level,
                 static_cast<std::uint8_t>(layer.residency)};
  core::append_le(to, layer.generation.value);
  append_page_key(to, layer.keys.begin);
  append_page_key(to, layer.keys.end);
  append_lsn(to, layer.begin);
  append_lsn(to, layer.end);
  core::append_le(to, layer.size_bytes);
  return to;
}

core::result<layer_record> decode_layer(std::string_view key, core::bytes_view value) {
  core::byte_reader from(value);
  STRATA_TRY(check_version(from, "layer", key));
  if (key.size() != numbered_key_size) return damaged("layer", key);
  layer_record layer{.number = number_of(key)};
  const auto kind = from.le<std::uint8_t>();
  layer.level = from.le<std::uint8_t>();
  const auto residency = from.le<std::uint8_t>();
  layer.generation = core::generation(from.le<std::uint32_t>());
  layer.keys.begin = read_page_key(from);
  layer.keys.end = read_page_key(from);
  layer.begin = read_lsn(from);
  layer.end = read_lsn(from);
  layer.size_bytes = from.le<std::uint64_t>();
  if (!from.finished() || kind < 1 || kind > 2 || layer.level > 1 || residency < 1 || residency > 2 ||
      !layer.generation.valid() || layer.keys.end < layer.keys.begin || layer.end <= layer.begin)
    return damaged("layer", key);
  layer.kind = static_cast<layer_kind>(kind);
  layer.residency = static_cast<layer_residency>(residency);
  return layer;
}

core::bytes encode(const side_file_record& file) {
  core::check(file.generation.valid(), "a side file has a generation");
  core::bytes to{value_version, static_cast<std::uint8_t>(file.proven ? 1 : 0)};
  core::append_le(to, file.generation.value);
  append_text(to, file.name);
  append_lsn(to, file.at);
  core::append_le(to, file.term);
  core::append_le<std::int64_t>(to, file.stored.time_since_epoch().count());
  core::append_le(to, file.size);
  core::append_le(to, file.checksum);
  return to;
}

core::result<side_file_record> decode_side_file(std::string_view key, core::bytes_view value) {
  core::byte_reader from(value);
  STRATA_TRY(check_version(from, "side file", key));
  if (key.size() != numbered_key_size) return damaged("side file", key);
  side_file_record file{.number = number_of(key)};
  const auto proven = from.le<std::uint8_t>();
  file.generation = core::generation(from.le<std::uint32_t>());
  file.name = read_text(from);
  file.at = read_lsn(from);
  file.term = from.le<std::uint64_t>();
  file.stored = core::wall_time(std::chrono::microseconds(from.le<std::int64_t>()));
  file.size = from.le<std::uint64_t>();
  file.checksum = from.le<std::uint64_t>();
  if (!from.finished() || file.number == 0 || proven > 1 || !file.generation.valid() || file.name.empty())
    return damaged("side file", key);
  file.proven = proven == 1;
  return file;
}

core::bytes encode(const wal_deletion& deletion) {
  core::bytes to{value_version};
  core::append_le(to, static_cast<std::uint16_t>(deletion.from.size()));
  for (const consensus::node_id each : deletion.from) core::append_le(to, each.value);
  return to;
}

core::result<wal_deletion> decode_wal_deletion(std::string_view key, core::bytes_view value) {
  core::byte_reader from(value);
  STRATA_TRY(check_version(from, "deletion of WAL", key));
  if (key.size() != timeline_key_size) return damaged("deletion of WAL", key);
  wal_deletion deletion{.tenant = id_at<core::tenant_id>(key, 0), .timeline = id_at<core::timeline_id>(key, id_size)};
  for (unsigned left = from.le<std::uint16_t>(); left > 0 && from.ok(); --left)
    deletion.from.push_back({from.le<std::uint64_t>()});
  if (!from.finished() || deletion.from.empty()) return damaged("deletion of WAL", key);
  return deletion;
}

core::bytes encode_number(std::uint64_t number) {
  core::bytes to{value_version};
  core::append_le(to, number);
  return to;
}

core::result<std::uint64_t> decode_number(core::bytes_view value) {
  core::byte_reader from(value);
  STRATA_TRY(check_version(from, "counter", {}));
  const auto number = from.le<std::uint64_t>();
  if (!from.finished()) return damaged("counter", {});
  return number;
}

core::bytes encode(std::span<const commit_time> chunk) {
  core::bytes to{value_version};
  append_varint(to, chunk.size());
  commit_time before{0, chunk.front().end};
  for (const commit_time& commit : chunk) {
    append_varint(to, zigzag(commit.time - before.time));
    append_varint(to, commit.end - before.end);
    before = commit;
  }
  return to;
}

core::result<std::vector<commit_time>> decode_commit_times(std::string_view key, core::bytes_view value) {
  core::byte_reader from(value);
  STRATA_TRY(check_version(from, "chunk of commit times", key));
  if (key.size() != numbered_key_size) return damaged("chunk of commit times", key);
  const std::uint64_t count = read_varint(from);
  if (!from.ok() || count == 0 || count > commit_times_per_chunk) return damaged("chunk of commit times", key);
  std::vector<commit_time> chunk(count);
  commit_time before{0, core::lsn(number_of(key))};
  for (commit_time& commit : chunk) {
    commit.time = static_cast<pg::timestamp>(static_cast<std::uint64_t>(before.time) +
                                             static_cast<std::uint64_t>(unzigzag(read_varint(from))));
    commit.end = before.end + read_varint(from);
    if (commit.end < before.end) return damaged("chunk of commit times", key);
    before = commit;
  }
  if (!from.finished()) return damaged("chunk of commit times", key);
  return chunk;
}

}  // namespace strata::storage::metadata_codec
