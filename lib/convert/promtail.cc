#include "convert/promtail.h"

#include "convert/clients.h"
#include "convert/pipeline_writer.h"
#include "convert/report.h"
#include "convert/scrape_jobs.h"
#include "convert/settings.h"
#include "yaml/tree.h"

#include <utility>

namespace weir::convert {
namespace {

using base::Result;

// $$ is a dollar sign where Promtail expands variables.
void unescape(yaml::Node& node) {
  for (std::size_t at = node.text.find("$$"); at != std::string::npos; at = node.text.find("$$", at + 1)) node.text.erase(at, 1);
  for (yaml::Node& item : node.items) unescape(item);
  for (yaml::Entry& entry : node.entries) unescape(entry.value);
}

struct Configuration {
  std::vector<Client> clients;
  Settings settings;
  std::vector<JobChain> jobs;
};

Configuration read(const yaml::Node& node, const Options& options, Report& report) {
  Configuration made;
  MapReader root(node, {{1, 1}, {}}, report);
  made.clients = read_clients(root, options.config_folder, report);
  made.settings = read_settings(root, report);
  const yaml::Node* jobs = root.take("scrape_configs");
  if (jobs == nullptr && !root.has("clients") && !root.has("client") && !root.has("positions") && !root.has("server")) {
    report.wrong({node.place, {}}, "this is no configuration of Promtail: it has no scrape_configs and no clients");
    return made;
  }
  if (jobs == nullptr) {
    report.note(root.own(), "there are no scrape_configs, so Promtail reads nothing");
  } else {
    made.jobs = convert_jobs(*jobs, root.spot("scrape_configs"), made.settings, report);
  }
  root.finish();
  return made;
}

}  // namespace

Result<Conversion> convert_promtail(std::string_view text, const Options& options) {
  auto document = yaml::parse(text, options.file_name);
  if (!document) return std::move(document).error();
  Report report;
  if (document->has_more) report.note({{1, 1}, {}}, "the file has several documents, of which Promtail reads the first");
  if (!document->root.is_map())
    return yaml::error_at(text, options.file_name, document->root.place,
                          "this is no configuration of Promtail: there must be a map with clients and scrape_configs");
  if (options.expand_env) unescape(document->root);
  const Configuration configuration = read(document->root, options, report);
  if (const auto& mistake = report.mistake()) {
    return yaml::error_at(text, options.file_name, mistake->place, mistake->cause,
                          "promtail -check-syntax -config.file FILE says what Promtail reads");
  }
  return write_pipelines(configuration.jobs, configuration.clients, configuration.settings, options, report);
}

}  // namespace weir::convert
