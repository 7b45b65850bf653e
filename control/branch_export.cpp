#include "control/branch_export.hpp"

#include "config/quantity.hpp"
#include "control/branches.hpp"
#include "control/failure.hpp"
#include "control/output_file.hpp"

namespace strata::control {

exported_branch export_branch(const scope& of, const std::string& text, const std::string& output,
                              const std::function<void(const std::string& temporary)>& begun) {
  const auto spec = parse_spec(text);
  const server_link server(of);
  const branch_entry branch = find_branch(server, of, spec);
  const resolved_point point = resolve(server, branch, spec.at);
  of.report->tell("exporting " + describe(branch, point));
  output_file to = output.empty() ? output_file::standard_output()
                                  : need(output_file::open(output), "can't write " + output,
                                         "name a file, a FIFO or a character device with -o");
  begun(to.temporary());
  progress line(*of.report);
  const auto taken =
      server.api(server_link::silence_limit)
          .download(branch.path() + "/export", {{"lsn", core::to_string(point.at)}}, [&](core::bytes_view part) {
            auto written = to.write(part);
            line.show("written", config::size_text(to.bytes()));
            return written;
          });
  line.end();
  need(taken, "the export is not complete", "strata branch show " + branch.spec());
  need(to.finish(), "can't write " + (output.empty() ? "the archive" : output), "strata export " + text);
  return {branch.name, point.at, to.bytes()};
}

}  // namespace strata::control
