#include "control/filler.hpp"

#include <unistd.h>

#include <filesystem>

#include "control/failure.hpp"
#include "control/server_file.hpp"
#include "host/program.hpp"
#include "page_files/filler.hpp"

namespace strata::control {

core::result<pid_t> start_filler(const std::string& server_directory, const host::compute_record& record, core::lsn at,
                                 const page_files::guarded_directory& of) {
  const host::program filler{
      .arguments = {std::filesystem::read_symlink("/proc/self/exe"), "compute-filler", "--dir", server_directory,
                    "--name", record.name, "--at", core::to_string(at), "--group", std::to_string(of.group()), "--map",
                    std::to_string(of.map())},
      .inherited = {{of.group(), of.group()}, {of.map(), of.map()}}};
  return host::start_detached(filler, host::registry(server_directory).directory_of(record.name) + "/agent.log");
}

void run_filler(const scope& of, const filler_words& words) {
  const host::registry computes(of.directory);
  const auto record = need(computes.load(words.compute), "can't fill in pages", "strata compute list");
  page_files::filler_options options;
  options.directory = record.data_directory;
  options.group = io::unique_fd(words.group);
  options.map = io::unique_fd(words.map);
  options.guard = ::getppid();
  options.pages.tenant = record.tenant_id;
  options.pages.timeline = record.timeline_id;
  options.pages.at = need(core::parse_lsn(words.at), "can't fill in pages", "");
  options.pages.locate = [directory = of.directory]() -> core::result<core::address> {
    STRATA_ASSIGN(const auto file, read_server_file(directory));
    return core::parse_address(file.page);
  };
  need(page_files::run_filler(std::move(options)), "can't fill in pages", "");
}

}  // namespace strata::control
