#include "tests/storage_simulation/simulated_server.hpp"

#include <algorithm>
#include <array>
#include <iostream>
#include <sstream>

#include "storage/layers/layer_file.hpp"
#include "storage/metadata/metadata_codec.hpp"
#include "storage/metadata/metadata_copy.hpp"

namespace strata::tests::storage_simulation {

using namespace storage;

namespace {

constexpr const char* metadata_directory = "/data/metadata";
constexpr const char* tenants_directory = "/data/tenants";
/// Of RocksDB, and of one that is being made.
constexpr const char* database_directory = "/data/metadata/metadata";
constexpr std::size_t branches_max = 4;
constexpr core::lsn first_lsn{1000};
constexpr std::uint64_t roomy = std::uint64_t{1} << 40;
/// Edits that add to the metadata are refused with so little, those that free space are not.
constexpr std::uint64_t nearly_full = std::uint64_t{20} << 20;

void require(bool holds, const std::string& what) {
  if (!holds) throw violation(what);
}

}  // namespace

options options_of(std::uint64_t seed) {
  std::mt19937_64 random(seed ^ 0x2545F4914F6CDD1Du);
  const auto below = [&](unsigned limit) { return static_cast<unsigned>(random() % limit); };
  options made;
  made.seed = seed;
  made.steps = 20 + below(40);
  made.crash = below(5) == 0 ? 0 : 30 + below(170);
  made.calls_to_crash = below(3) == 0 ? 12 : 80;
  made.disk_full = below(2) == 0 ? 0 : 20 + below(80);
  made.flip = below(3) == 0;
  return made;
}

void statistics::add(const statistics& more) {
  runs += more.runs;
  crashes += more.crashes;
  openings_crashed += more.openings_crashed;
  refused += more.refused;
  flips_found += more.flips_found;
  flips_unused += more.flips_unused;
  flushes += more.flushes;
  compactions += more.compactions;
  images += more.images;
  collected += more.collected;
  branches += more.branches;
  deleted += more.deleted;
  values_read += more.values_read;
}

std::string to_string(const statistics& of) {
  std::ostringstream text;
  text << of.crashes << " crashes, " << of.openings_crashed << " in the opening after one, " << of.refused
       << " refusals of a full disk, " << of.flips_found << " flipped bits found, " << of.flips_unused << " unused; "
       << of.flushes << " flushes, " << of.compactions << " compactions, " << of.images << " image layers, "
       << of.collected << " layers collected, " << of.branches << " branches, " << of.deleted << " deleted, "
       << of.values_read << " values compared";
  return text.str();
}

simulated_server::simulated_server(const options& of, bool talkative)
    : options_(of), talkative_(talkative), history_(of.seed), random_(of.seed ^ 0x9E3779B97F4A7C15u) {
  history_.relations = 2;
  history_.blocks_max = 5;
  history_.clog_pages = 2;
  history_.records_max = 4;
  disk_.keeps_order = [](const std::string& directory) { return directory.starts_with(database_directory); };
  disk_.decide = [this](simulated_disk::call what, const std::string& path) { return decide(what, path); };
}

simulated_server::~simulated_server() {
  stopped_ = true;
  close();
}

void simulated_server::say(const std::string& what) const {
  if (talkative_) std::cout << what << std::endl;
}

void simulated_server::run() {
  ++seen_.runs;
  require(disk_.make_directory("/data").has_value(), "the simulated disk is empty");
  disk_.sync_directory("/");
  if (pick(4) == 0) calls_until_crash_ = pick(150);
  unsigned step_number = 0;
  const auto guarded = [&](const auto& work) {
    try {
      work();
    } catch (const simulated_crash& stop) {
      say(stop.what());
      recover();
    }
  };
  guarded([&] { open(); });
  while (step_number < options_.steps)
    guarded([&] {
      for (; step_number < options_.steps;) {
        ++step_number;
        if (calls_until_crash_ < 0 && chance(options_.crash)) calls_until_crash_ = pick(options_.calls_to_crash);
        if (full_steps_ == 0 && chance(options_.disk_full)) full_steps_ = 1 + static_cast<int>(pick(8));
        disk_.free = full_steps_ > 0 ? nearly_full : roomy;
        step();
        // A destructor does not pass it on.
        if (stopped_) throw simulated_crash("the machine stops between two calls");
        if (full_steps_ > 0) --full_steps_;
      }
    });
  calls_until_crash_ = -1;
  full_steps_ = 0;
  disk_.free = roomy;
  for (const auto& each : branches_) check_branch(*each);
  if (options_.flip) return flip_a_bit();
  close();
  disk_.crash(random_);
  open();
  for (const auto& each : branches_) check_branch(*each);
}

void simulated_server::step() {
  if (tenant_options_.now.empty()) return change_tenant();
  if (branches_.empty()) return create_branch(nullptr);
  const unsigned choice = pick(100);
  if (choice < 40) return write(any_branch());
  if (choice < 60) return flush(any_branch());
  if (choice < 70) return compact(any_branch());
  if (choice < 77) return collect(any_branch());
  if (choice < 82) return create_branch(&any_branch());
  if (choice < 85) return delete_branch(any_branch());
  if (choice < 90) return change_record(any_branch());
  if (choice < 92) return change_tenant();
  if (choice < 95) return restart();
  check_branch(any_branch());
}

simulated_server::branch& simulated_server::any_branch() {
  return *branches_[pick(static_cast<unsigned>(branches_.size()))];
}

std::vector<core::lsn> simulated_server::branch_points(const branch& of) const {
  std::vector<core::lsn> points;
  for (const auto& each : branches_)
    if (each->parent == &of) points.push_back(each->record.ancestor_lsn);
  return points;
}

std::string simulated_server::directory_of(const core::timeline_id& id) const {
  return std::string(tenants_directory) + "/" + core::to_string(tenant_) + "/timelines/" + core::to_string(id);
}

bool simulated_server::accepts(const core::error& why) const {
  return why.code == core::errc::disk_full && full_steps_ > 0;
}

bool simulated_server::done(const core::result<void>& outcome, const char* what) {
  if (outcome) return true;
  require(accepts(outcome.error()), std::string(what) + " failed: " + core::to_string(outcome.error()));
  ++seen_.refused;
  say(std::string(what) + " refused: " + core::to_string(outcome.error()));
  return false;
}

// ---- steps

void simulated_server::write(branch& to) {
  auto batch = history_.next(to.oracle, to.store->last_record_lsn());
  to.commits.insert(to.commits.end(), batch.commit_times().begin(), batch.commit_times().end());
  say("write to " + to.record.name + " up to " + std::to_string(batch.last_record_end().value));
  to.store->append(std::move(batch));
  if (pick(3) == 0) to.store->freeze();
}

void simulated_server::flush(branch& of) {
  of.store->freeze();
  while (of.store->frozen_count() > 0) {
    of.flushed.next = *of.store->memory_spans().back().end - 1;
    say("flush " + of.record.name + " up to " + std::to_string(of.flushed.next->value));
    const auto flushed = of.store->flush_oldest();
    if (!flushed) {
      of.flushed.next.reset();
      done(flushed.error(), "flush");
      return;
    }
    require(*flushed == *of.flushed.next, "a flush tells of another LSN than the frozen layer's end");
    of.flushed.done();
    ++seen_.flushes;
  }
}

void simulated_server::compact(branch& of) {
  say("compact " + of.record.name);
  const auto outcome = of.store->compact(pick(2) == 0, [] { return false; });
  if (!outcome) {
    done(outcome.error(), "compact");
    return;
  }
  seen_.compactions += outcome->layers_in > 0 ? 1 : 0;
  seen_.images += outcome->images_out;
}

void simulated_server::collect(branch& of) {
  const std::uint64_t keep = pick(12000);
  const core::lsn last = of.store->disk_consistent_lsn();
  timeline_store::retention keeping{.cutoff = last.value > keep ? last - keep : core::lsn(),
                                    .branch_points = branch_points(of)};
  keeping.cutoff = std::max(keeping.cutoff, of.record.readable_from);
  of.collected.next = std::max(of.collected.now, std::min(keeping.cutoff, last));
  say("collect " + of.record.name + " below " + std::to_string(of.collected.next->value));
  const auto outcome = of.store->collect(keeping);
  if (!outcome) {
    require(false, "collect failed: " + core::to_string(outcome.error()));
    return;
  }
  require(outcome->cutoff == *of.collected.next, "a collection tells of another cutoff");
  of.collected.done();
  seen_.collected += outcome->removed;
}

void simulated_server::create_branch(branch* parent) {
  if (branches_.size() >= branches_max || full_steps_ > 0) return;
  auto made = std::make_unique<branch>();
  timeline_record& record = made->record;
  core::lsn start = first_lsn;
  if (parent != nullptr) {
    flush(*parent);
    const core::lsn first = std::max(parent->store->gc_cutoff(), parent->record.readable_from);
    start = core::lsn(first.value + (parent->store->disk_consistent_lsn() - first) * pick(5) / 4);
    if (start > parent->store->disk_consistent_lsn() || !parent->store->check_readable(start)) return;
    record.ancestor = parent->id;
    record.ancestor_lsn = start;
    made->oracle.ancestor = &parent->oracle;
    made->oracle.ancestor_lsn = start;
    made->parent = parent;
  }
  made->id.value = {9, static_cast<std::uint8_t>(++ids_)};
  record.tenant = tenant_;
  record.id = made->id;
  record.name = "branch" + std::to_string(ids_);
  record.disk_consistent_lsn = record.readable_from = start;
  record.wal_keepers = {{.id = consensus::node_id{1}, .instance = {{1}}, .created = true}};
  made->flushed.now = start;
  made->exists.next = true;
  say("create " + record.name + " at " + std::to_string(start.value));
  ++seen_.branches;
  branch& added = *branches_.emplace_back(std::move(made));
  require(metadata_->put_timeline(added.record).has_value(), "put_timeline fails");
  added.exists.done();
  open_timelines();
}

void simulated_server::delete_branch(branch& of) {
  if (!branch_points(of).empty()) return;
  say("delete " + of.record.name);
  of.exists.next = false;
  of.store.reset();
  deleted_.insert(of.id);
  const auto gone = metadata_->delete_timeline(tenant_, of.id);
  require(gone.has_value(), "delete_timeline fails");
  of.exists.done();
  ++seen_.deleted;
  const std::string directory = directory_of(of.id);
  std::erase_if(branches_, [&](const auto& each) { return each.get() == &of; });
  require(disk_.remove_directory(directory).has_value(), "the directory is removed");
}

void simulated_server::change_record(branch& of) {
  if (full_steps_ > 0) return;
  of.hints.next = !of.hints.now;
  say("change " + of.record.name);
  require(of.store->update({.wal_log_hints = of.hints.next}).has_value(), "update fails");
  of.hints.done();
}

void simulated_server::change_tenant() {
  tenant_options_.next = "{\"n\":" + std::to_string(pick(1000)) + "}";
  say("change the tenant");
  if (done(metadata_->put_tenant({tenant_, "shop", core::generation(1), *tenant_options_.next}), "put_tenant"))
    tenant_options_.done();
  else
    tenant_options_.next.reset();
}

void simulated_server::restart() {
  const bool power_fails = pick(2) == 0;
  say(power_fails ? "restart after a loss of power" : "restart");
  full_steps_ = 0;
  disk_.free = roomy;
  close();
  if (power_fails) disk_.crash(random_);
  check_copies();
  open();
}

// ---- the machine

simulated_disk::fault simulated_server::decide(simulated_disk::call what, const std::string& path) {
  using call = simulated_disk::call;
  using fault = simulated_disk::fault;
  if (stopped_) return fault::crash;
  if (talkative_) std::cout << "    call " << static_cast<int>(what) << " " << path << std::endl;
  if (calls_until_crash_ >= 0 && calls_until_crash_-- == 0) {
    stopped_ = true;
    return fault::crash;
  }
  const bool lies = (options_.broken == sabotage::lost_syncs && what == call::sync) ||
                    (options_.broken == sabotage::lost_name_syncs && what == call::sync_directory);
  if (lies && chance(200)) return fault::lie;
  const bool needs_room = what == call::create || what == call::write || what == call::rename;
  const bool refused = full_steps_ > 0 && needs_room && path.starts_with(tenants_directory) && chance(300);
  if (refused) disk_.sectors_written_when_full = pick(20);
  copy_refused_ = copy_refused_ || (refused && path.find(".copy") != std::string::npos);
  return refused ? fault::disk_full : fault::none;
}

void simulated_server::close() {
  for (auto each = branches_.rbegin(); each != branches_.rend(); ++each) (*each)->store.reset();
  layers_.reset();
  metadata_.reset();
}

void simulated_server::recover() {
  ++seen_.crashes;
  full_steps_ = 0;
  disk_.free = roomy;
  for (;;) {
    stopped_ = true;
    close();
    stopped_ = false;
    disk_.crash(random_);
    check_copies();
    calls_until_crash_ = pick(3) == 0 ? static_cast<std::int64_t>(pick(60)) : -1;
    try {
      open();
      break;
    } catch (const simulated_crash& stop) {
      say("again: " + std::string(stop.what()));
      ++seen_.openings_crashed;
    }
  }
  for (const auto& each : branches_) check_branch(*each);
}

void simulated_server::open() {
  say("open");
  auto opened = metadata_store::open(metadata_directory, tenants_directory, disk_);
  require(opened.has_value(), "the metadata does not open: " + (opened ? "" : core::to_string(opened.error())));
  metadata_ = *std::move(opened);
  copy_refused_ = false;
  layers_ = std::make_unique<layer_cache>(1u << 20, 16, disk_);
  check_records();
  open_timelines();
}

void simulated_server::open_timelines() {
  config::tenant_options limits;
  limits.checkpoint_distance_bytes = 64u << 10;
  limits.compaction_target_bytes = 32u << 10;
  limits.compaction_threshold = 2;
  limits.image_creation_threshold = 2;
  for (const auto& each : branches_) {
    if (each->store) continue;
    const auto record = metadata_->timeline(tenant_, each->id);
    require(record.has_value(), "the record of " + each->record.name + " cannot be read");
    auto opened = timeline_store::open({.metadata = metadata_.get(),
                                        .layers = layers_.get(),
                                        .clock = &clock_,
                                        .directory = directory_of(each->id),
                                        .options = limits},
                                       *record, each->parent == nullptr ? nullptr : each->parent->store);
    require(opened.has_value(),
            each->record.name + " does not open: " + (opened ? "" : core::to_string(opened.error())));
    each->store = *std::move(opened);
    each->oracle.forget_above(each->flushed.now);
    std::erase_if(each->commits, [&](const commit_time& at) { return at.end > each->flushed.now; });
  }
}

void simulated_server::flip_a_bit() {
  close();
  disk_.crash(random_);
  std::vector<std::string> files = disk_.files();
  std::erase_if(files, [&](const std::string& path) { return disk_.content(path).empty(); });
  const std::string path = files[pick(static_cast<unsigned>(files.size()))];
  const auto size = static_cast<unsigned>(disk_.content(path).size());
  const unsigned offset = pick(size);
  say("flip a bit of byte " + std::to_string(offset) + " of " + path);
  disk_.flip(path, offset, static_cast<std::uint8_t>(1u << pick(8)));
  auto opened = metadata_store::open(metadata_directory, tenants_directory, disk_);
  if (!opened) {
    say("not opened: " + core::to_string(opened.error()));
    ++seen_.flips_found;
    return;
  }
  metadata_ = *std::move(opened);
  layers_ = std::make_unique<layer_cache>(1u << 20, 16, disk_);
  if (!metadata_->damaged().empty()) {
    say("damaged: " + core::to_string(metadata_->damaged().front().why));
    require(path.starts_with(metadata_directory), "the tenant is damaged, but its metadata is whole");
    require(metadata_->damaged().front().id == tenant_, "another tenant is damaged");
    require(!metadata_->timelines(tenant_).has_value(), "damaged metadata is served");
    ++seen_.flips_found;
    return;
  }
  check_records();
  open_timelines();
  bool layer = false;
  for (const auto& each : branches_)
    for (const layer_record& record : each->store->layers())
      layer = layer || path == directory_of(each->id) + "/" + layer_file_name(record);
  if (layer) {
    check_flipped_layer(path);
    ++seen_.flips_found;
  } else {
    ++seen_.flips_unused;
  }
  for (const auto& each : branches_) check_reads(*each, each->store->last_record_lsn(), layer);
}

/// Every byte of a layer counts, so reading all of it finds the one that is wrong.
void simulated_server::check_flipped_layer(const std::string& path) {
  for (const auto& each : branches_)
    for (const layer_record& record : each->store->layers()) {
      if (path != directory_of(each->id) + "/" + layer_file_name(record)) continue;
      const block_cache blocks(1u << 20);
      const auto reader = layer_reader::open(path, {tenant_, each->id, record}, blocks, disk_);
      std::optional<core::error> why;
      if (!reader) {
        why = reader.error();
      } else {
        auto all = (*reader)->cursor({});
        for (bool found = all.seek(core::page_key::min(), core::lsn::max()); found;) found = all.next();
        if (all.failure() == nullptr) all.find(core::page_key::min(), core::lsn::max());  // the filter
        if (all.failure() != nullptr) why = *all.failure();
      }
      require(why.has_value(), "the flipped bit of " + path + " is not noticed");
      require(why->detail.find(path) != std::string::npos, "damage is told without its place: " + why->detail);
    }
}

// ---- what must hold

void simulated_server::check_records() {
  if (!metadata_->damaged().empty())
    throw violation("a tenant is damaged, but nothing was: " + core::to_string(metadata_->damaged().front().why));
  const auto tenants = metadata_->tenants();
  require(tenants && tenants->size() <= 1, "the tenants cannot be read");
  const std::string found = tenants->empty() ? "" : tenants->front().options;
  require(tenant_options_.allows(found), "the tenant's options are \"" + found + "\"");
  tenant_options_.settle(found);

  const auto timelines = metadata_->timelines(tenant_);
  require(timelines.has_value(), "the timelines cannot be read");
  std::size_t known = 0;
  for (const auto& each : branches_) {
    const auto at = std::find_if(timelines->begin(), timelines->end(),
                                 [&](const timeline_record& record) { return record.id == each->id; });
    const bool exists = at != timelines->end();
    const std::string name = each->record.name;
    require(each->exists.allows(exists), name + (exists ? " is there again" : " is gone"));
    each->exists.settle(exists);
    if (!exists) continue;
    ++known;
    deleted_.erase(each->id);
    require(each->flushed.allows(at->disk_consistent_lsn),
            name + " goes up to " + std::to_string(at->disk_consistent_lsn.value) + ", acknowledged was " +
                std::to_string(each->flushed.now.value));
    require(each->collected.allows(at->gc_cutoff), name + " has another cutoff");
    require(each->hints.allows(at->wal_log_hints), name + " has lost a change of its record");
    each->flushed.settle(at->disk_consistent_lsn);
    each->collected.settle(at->gc_cutoff);
    each->hints.settle(at->wal_log_hints);
    timeline_record rest = *at;
    rest.disk_consistent_lsn = each->record.disk_consistent_lsn;
    rest.previous_record_lsn = each->record.previous_record_lsn;
    rest.gc_cutoff = each->record.gc_cutoff;
    rest.wal_log_hints = each->record.wal_log_hints;
    require(metadata_codec::encode(rest) == metadata_codec::encode(each->record), name + " has another record");
  }
  require(known == timelines->size(), "there is a timeline that nobody has made");
  std::erase_if(branches_, [](const auto& each) { return !each->exists.now; });

  const auto pending = metadata_->pending_operations();
  require(pending.has_value(), "the pending operations cannot be read");
  std::set<core::timeline_id> to_delete;
  for (const wal_deletion& each : pending->to_delete) to_delete.insert(each.timeline);
  require(to_delete == deleted_, "the deletions of WAL that are left are not those of the deleted branches");
}

void simulated_server::check_copies() {
  const copy_files copies(tenants_directory, disk_);
  for (const auto& each : branches_) {
    if (!each->exists.now || each->exists.next) continue;
    const std::string name = "the copy of " + each->record.name;
    const auto copy = copies.read(tenant_, each->id);
    if (!copy && copy.error().code == core::errc::not_found && copy_refused_) continue;
    require(copy.has_value(), name + " cannot be read: " + (copy ? "" : core::to_string(copy.error())));
    const auto record = metadata_codec::decode_timeline(metadata_codec::timeline_key(tenant_, each->id), copy->record);
    require(record.has_value(), name + " has no record");
    require(each->flushed.allows(record->disk_consistent_lsn) && each->collected.allows(record->gc_cutoff) &&
                each->hints.allows(record->wal_log_hints),
            name + " is not of the last edit");
  }
}

void simulated_server::check_branch(branch& of) {
  const std::string& name = of.record.name;
  require(of.store->check_layers({}).has_value(), name + " cannot check its layers");
  require(
      of.store->damaged_layers().empty(),
      name + " has a damaged layer: " + (of.store->damaged_layers().empty() ? "" : of.store->damaged_layers().front()));
  require(of.store->disk_consistent_lsn() == of.flushed.now, name + " has another disk_consistent_lsn");
  const core::lsn last = of.store->last_record_lsn();
  const core::lsn first = std::max(of.store->gc_cutoff(), of.record.readable_from);
  check_commits(of);
  check_reads(of, last, false);
  if (first < last) check_reads(of, first, false);
  if (first < last) check_reads(of, core::lsn(first.value + random_() % (last - first)), false);
}

void simulated_server::check_reads(branch& of, core::lsn at, bool may_fail) {
  const std::string where = of.record.name + " at " + std::to_string(at.value);
  std::vector<core::page_key> keys;
  for (std::uint32_t i = 0; i < history_.relations; ++i) {
    const auto relation = random_history::relation(i);
    for (std::uint32_t block = 0; block < random_history::size_of(of.oracle, relation, at); ++block)
      keys.push_back(relation_page_key(relation, block));
  }
  for (std::uint32_t i = 0; i < history_.clog_pages; ++i) {
    const auto key = slru_page_key(pg::slru_kind::clog, i);
    if (of.oracle.find(key, at) != nullptr) keys.push_back(key);
  }
  core::bytes pages(keys.size() * pg::page_size);
  std::vector<page_read> reads;
  for (std::size_t i = 0; i < keys.size(); ++i)
    reads.push_back({keys[i], core::bytes_span(pages).subspan(i * pg::page_size, pg::page_size), {}});
  of.store->read_pages(reads, at, read_mode::may_block);
  for (const page_read& read : reads) {
    if (may_fail && read.failure && read.failure->code == core::errc::corrupt) continue;
    require(!read.failure, "page " + core::to_string(read.key) + " of " + where +
                               " cannot be read: " + (read.failure ? core::to_string(*read.failure) : ""));
    const core::bytes* wanted = of.oracle.find(read.key, at);
    require(std::equal(wanted->begin(), wanted->end(), read.page.begin(), read.page.end()),
            "page " + core::to_string(read.key) + " of " + where + " is another one");
    ++seen_.values_read;
  }
  for (const key_kind kind :
       {key_kind::two_phase, key_kind::replication_origin, key_kind::relation_catalog, key_kind::slru_catalog}) {
    std::map<core::page_key, core::bytes> wanted;
    of.oracle.scan(kind_range(kind), at, wanted);
    std::erase_if(wanted, [](const auto& each) { return each.second.empty(); });
    std::map<core::page_key, core::bytes> found;
    const auto scanned = of.store->scan(kind_range(kind), at, [&](const core::page_key& key, core::bytes_view value) {
      found.emplace(key, core::bytes(value.begin(), value.end()));
      return true;
    });
    if (may_fail && !scanned && scanned.error().code == core::errc::corrupt) continue;
    require(scanned.has_value(), where + " cannot be scanned: " + (scanned ? "" : core::to_string(scanned.error())));
    require(found == wanted, "the values of " + where + " are others");
    seen_.values_read += found.size();
  }
}

/// Those on disk that collection had to keep.
void simulated_server::check_commits(branch& of) {
  std::vector<core::lsn> wanted;
  for (const commit_time& each : of.commits)
    if (each.end > of.collected.now && each.end <= of.flushed.now) wanted.push_back(each.end);
  std::vector<core::lsn> found;
  const auto visited = metadata_->visit_commit_times(tenant_, of.id, of.collected.now + 1, of.flushed.now + 1,
                                                     [&](const commit_time& each) {
                                                       found.push_back(each.end);
                                                       return true;
                                                     });
  require(visited.has_value(), "the commit times of " + of.record.name + " cannot be read");
  require(found == wanted, "the commit times of " + of.record.name + " are others");
}

}  // namespace strata::tests::storage_simulation
