#include "actors/pageserver/ingest/cluster_importer.hpp"

#include "actors/runtime/actor_base.hpp"
#include "placement/cluster_import.hpp"

namespace strata::actors::pageserver {
namespace {

using placement::cluster_import;
using runtime::pool_id;

class cluster_importer final : public runtime::actor_base<cluster_importer_actor> {
 public:
  static constexpr const char* kind = "pageserver.cluster_importer";
  static constexpr runtime::pool_id pool = runtime::pool_id::management;

  cluster_importer(const runtime::actor_setup& setup, cluster_importer_options options)
      : actor_base(setup), options_(std::move(options)) {}

  void on_stop() {
    *cancelled_ = true;
    if (!working_) quit();
  }

  void on(const import_cluster&, runtime::reply<cluster_imported> owed) {
    owed_ = owed;
    carry_out();
  }

 private:
  void carry_out() {
    working_ = !import_.ended();
    switch (import_.now()) {
      case cluster_import::step::store_records: return store_records();
      case cluster_import::step::import_files: return import_files();
      case cluster_import::step::remove: return remove();
      case cluster_import::step::imported: owed_.deliver({*options_.bytes}); return quit();
      case cluster_import::step::failed: owed_.fail(import_.error()); return quit();
    }
  }

  void store_records() {
    offload(
        pool_id::io, "store tenant " + options_.tenant.name,
        [files = options_.files, tenant = options_.tenant, root = options_.root]() -> core::result<void> {
          // The timeline first: a timeline without a tenant does no harm.
          STRATA_TRY(files->metadata().put_timeline(root));
          return files->metadata().put_tenant(tenant);
        },
        [this](const core::result<void>& stored) { next(stored, [&] { import_.records_stored(); }); });
  }

  void import_files() {
    describe("importing");
    offload(
        pool_id::background, "import " + options_.from.path,
        [files = options_.files, root = options_.root, from = options_.from, bytes = options_.bytes,
         cancelled = cancelled_,
         as = tenant_attachment{options_.tenant.generation, options_.options}]() -> core::result<void> {
          STRATA_ASSIGN(const auto store, files->open(root, nullptr, as));
          STRATA_TRY(
              storage::mapping::import_stopped_cluster(store, from,
                                                       {.system_id = root.system_id,
                                                        .cancelled = [cancelled] { return cancelled->load(); },
                                                        .progress = [bytes](std::uint64_t done) { *bytes = done; }}));
          return {};
        },
        [this](const core::result<void>& imported) { next(imported, [&] { import_.files_imported(); }); });
  }

  void remove() {
    offload(
        pool_id::io, "remove tenant " + options_.tenant.name,
        [files = options_.files, id = options_.tenant.id] { return files->remove_tenant(id); },
        [this](const core::result<void>& removed) {
          if (!removed) note_error("remove a failed import", removed.error());
          import_.removed();
          carry_out();
        });
  }

  template <class Input>
  void next(const core::result<void>& outcome, Input input) {
    if (outcome)
      input();
    else
      import_.fail(outcome.error());
    carry_out();
  }

  cluster_importer_options options_;
  cluster_import import_;
  std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  runtime::reply<cluster_imported> owed_;
  bool working_ = false;
};

}  // namespace

cluster_importer_actor spawn_cluster_importer(caf::actor_system& system, cluster_importer_options options) {
  auto label = options.label;
  return runtime::spawn<cluster_importer>(system, std::move(label), std::move(options));
}

}  // namespace strata::actors::pageserver
