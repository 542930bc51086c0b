#include "convert/scrape_jobs.h"

#include "base/diagnostics.h"
#include "convert/journal_target.h"
#include "convert/pipeline_stages.h"
#include "convert/pod_discovery.h"
#include "convert/relabel.h"
#include "convert/static_targets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

namespace weir::convert {
namespace {

using Names = std::set<std::string, std::less<>>;

constexpr std::size_t kMostJobs = 500;
constexpr std::size_t kMostChains = 2000;

// Kinds of targets that weir has no source for.
struct Foreign {
  std::string_view key, what, advice;
};
constexpr std::array<Foreign, 10> kForeign = {{
    {"syslog", "weir does not listen for syslog", "let rsyslog write a file, and read that: tail -f /var/log/remote/*.log"},
    {"gcplog", "weir reads no Pub/Sub", "keep an agent that does for this source"},
    {"loki_push_api", "weir takes no pushes", "let the senders push to Loki, or write files that tail reads"},
    {"windows_events", "weir does not run on Windows", "keep an agent that does for these hosts"},
    {"kafka", "weir reads no Kafka", "let a consumer write lines: CONSUMER | weir tail - | weir enrich … | weir push"},
    {"azure_event_hubs", "weir reads no Event Hubs", "keep an agent that does for this source"},
    {"gelf", "weir does not listen for GELF", "let the program write to its standard output or a file"},
    {"cloudflare", "weir does not ask Cloudflare", "keep an agent that does for this source"},
    {"heroku_drain", "weir is no drain of Heroku", "keep an agent that does for this source"},
    {"docker_sd_configs", "weir does not ask the docker daemon which containers there are",
     "read their files, without the names of the containers: tail -f --format docker /var/lib/docker/containers/*/*-json.log"},
}};
constexpr std::array<std::string_view, 16> kDiscoveries = {
    "dns_sd_configs",          "file_sd_configs",        "consul_sd_configs",    "consulagent_sd_configs",
    "digitalocean_sd_configs", "dockerswarm_sd_configs", "serverset_sd_configs", "nerve_sd_configs",
    "marathon_sd_configs",     "gce_sd_configs",         "ec2_sd_configs",       "openstack_sd_configs",
    "azure_sd_configs",        "triton_sd_configs",      "http_sd_configs",      "puppetdb_sd_configs"};

// What files give besides their labels, and the options of tail for them.
void finish_files(JobChain& made, const Settings& settings) {
  const auto has_max = [](const OptionWord& word) { return word.name == "--max-line"; };
  if (settings.max_line > 0 && std::ranges::none_of(made.chain.tail, has_max)) {
    made.chain.tail.push_back({"--max-line", std::to_string(std::clamp<std::uint64_t>(settings.max_line, kLeastLine, kMostLine))});
  }
  // Without the option tail gives the label to files of no pod, and none to those of pods.
  bool seen = made.chain.labels.contains("filename");
  for (const auto& step : made.chain.steps()) {
    if (const auto* filter = std::get_if<FilterStep>(&step)) {
      seen |= std::ranges::any_of(filter->rules, [](const RuleLine& rule) { return rule.names.contains("filename"); });
    }
  }
  if (seen) {
    made.chain.tail.push_back({"--filename", "label"});
  } else if (std::ranges::all_of(made.chain.paths, [](const std::string& path) { return path.starts_with("/var/log/pods"); })) {
    made.given.erase("filename");
  }
}

class JobReader {
 public:
  JobReader(const yaml::Node& node, const Spot& spot, const Settings& settings, std::vector<JobChain>& chains, Report& report)
      : map_(node, spot, report), settings_(settings), chains_(chains), report_(report) {}

  void read(Names& names) {
    name_ = map_.text("job_name");
    if (name_.empty()) return report_.wrong(map_.own(), "job_name is missing");
    if (!names.insert(name_).second) {
      return report_.wrong(map_.spot("job_name"), fmt::format("there are two jobs of the name '{}'", base::escape_control(name_)));
    }
    const yaml::Node* relabel = map_.take("relabel_configs");
    stages_ = map_.take("pipeline_stages");
    rules_ = read_relabel_rules(relabel == nullptr ? kNothing : *relabel, map_.spot("relabel_configs"), report_);
    if (report_.failed()) return;
    const bool foreign = list_foreign();
    how_files_are_read();
    const std::size_t before = chains_.size();
    const bool ours = read_sources();
    if (report_.failed()) return;
    if (!ours && !foreign) report_.note(map_.own(), "the job names nothing to read, so Promtail does nothing here");
    if (foreign && chains_.size() == before) leave_out();
    map_.finish();
  }

 private:
  // Whether the job reads what weir does not.
  bool list_foreign() {
    bool any = false;
    for (const Foreign& one : kForeign) {
      if (!map_.has(one.key)) continue;
      report_.missing(map_.spot(one.key), std::string(one.what), std::string(one.advice));
      any = true;
    }
    for (const std::string_view key : kDiscoveries) {
      if (!map_.has(key)) continue;
      report_.missing(map_.spot(key), "weir finds files by globs, and pods by the API server", "name the files as PATH of tail");
      any = true;
    }
    return any;
  }

  void how_files_are_read() {
    if (const auto encoding = map_.optional_text("encoding"); encoding && !encoding->empty()) {
      std::string lower = *encoding;
      std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      if (lower != "utf-8" && lower != "utf8") {
        report_.missing(map_.spot("encoding"), fmt::format("tail reads UTF-8, not {}", base::escape_control(*encoding)),
                        "let the program write UTF-8");
      }
    }
    if (const yaml::Node* compressed = map_.take("decompression"); compressed != nullptr) {
      MapReader how(*compressed, map_.spot("decompression"), report_);
      const bool on = how.boolean("enabled", false);
      const std::string format = how.text("format");
      (void)how.take("initial_delay");
      if (on && format != "gz") report_.missing(how.spot("format"), "tail reads files that end in .gz", "compress them with gzip");
      if (on && format == "gz") report_.note(how.spot("enabled"), "tail reads files whose names end in .gz, when PATH names them");
      how.finish();
    }
  }

  // Whether the job names any that weir reads.
  bool read_sources() {
    bool any = false;
    if (const yaml::Node* journal = map_.take("journal"); journal != nullptr) {
      any = true;
      JobChain made{.job = name_, .spot = map_.spot("journal")};
      made.given = convert_journal(*journal, made.spot, rules_, made.chain, report_);
      if (report_.failed()) return any;
      add(std::move(made), false);
    }
    if (const yaml::Node* configs = map_.take("kubernetes_sd_configs"); configs != nullptr) {
      any = true;
      for (JobChain& made : convert_pod_discovery(*configs, map_.spot("kubernetes_sd_configs"), name_, rules_, report_))
        add(std::move(made), true);
    }
    if (const yaml::Node* configs = map_.take("static_configs"); configs != nullptr) {
      any = true;
      for (JobChain& made : convert_static_targets(*configs, map_.spot("static_configs"), name_, rules_, report_))
        add(std::move(made), true);
    }
    return any;
  }

  // The stages of the job, and what is for each job, behind what the chain reads.
  void add(JobChain made, bool from_files) {
    if (chains_.size() >= kMostChains) return report_.wrong(made.spot, "there are too many targets");
    if (from_files) {
      made.chain.labels["filename"] = {std::nullopt, true, false};
      made.given.insert("filename");
    }
    convert_stages(stages_ == nullptr ? kNothing : *stages_, map_.spot("pipeline_stages"),
                   {name_, made.spot.place.line, from_files}, made.chain, report_);
    for (const OptionWord& word : made.chain.tail) {
      if (word.name == "--format" && (word.value == "cri" || word.value == "docker")) made.given.insert("stream");
    }
    for (const RuleLine& rule : settings_.rules) made.chain.add_rule(rule);
    if (from_files) finish_files(made, settings_);
    chains_.push_back(std::move(made));
  }

  // What nobody reads does nothing.
  void leave_out() {
    for (const RelabelRule& rule : rules_) report_.note(rule.spot, "this belongs to what weir does not read");
    if (stages_ == nullptr) return;
    Chain nowhere;
    nowhere.open_labels = true;
    convert_stages(*stages_, map_.spot("pipeline_stages"), {name_, map_.own().place.line, true}, nowhere, report_);
  }

  static inline const yaml::Node kNothing;
  MapReader map_;
  const Settings& settings_;
  std::vector<JobChain>& chains_;
  Report& report_;
  std::string name_;
  std::vector<RelabelRule> rules_;
  const yaml::Node* stages_ = nullptr;  // null: none
};

}  // namespace

std::vector<JobChain> convert_jobs(const yaml::Node& list, const Spot& spot, const Settings& settings, Report& report) {
  std::vector<JobChain> chains;
  if (!list.is_list()) report.wrong(spot, "there must be a list of jobs");
  if (list.items.size() > kMostJobs) report.wrong(spot, "there are too many jobs");
  Names names;
  for (std::size_t i = 0; i < list.items.size() && !report.failed(); ++i) {
    Spot own = spot.index(i);
    own.place = list.items[i].place;
    JobReader(list.items[i], own, settings, chains, report).read(names);
  }
  return chains;
}

}  // namespace weir::convert
