#include "convert/promtail.h"

#include "base/count.h"
#include "base/diagnostics.h"
#include "convert/chain.h"
#include "convert/clients.h"
#include "convert/file_target.h"
#include "convert/journal_target.h"
#include "convert/pipeline_stages.h"
#include "convert/pod_targets.h"
#include "convert/relabel.h"
#include "convert/report.h"
#include "convert/words.h"
#include "rules/parser.h"
#include "yaml/tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <utility>

namespace weir::convert {
namespace {

using base::Result;
using Names = std::set<std::string, std::less<>>;

constexpr std::string_view kDefaultPositions = "/var/log/positions.yaml";
constexpr std::size_t kMostListed = 500;  // findings in the head of the text
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

// One pipeline before its clients: what a job reads, and does with it.
struct JobChain {
  std::string job;
  Spot spot;
  Chain chain;
  Names given;
  std::vector<std::string> sources;  // for comments: what of the configuration it is
  std::vector<std::string> rule_files;
};

// A pipeline is a copy of the chain for the clients with the same external labels.
struct ClientGroup {
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<std::size_t> clients;
};

class Converter {
 public:
  Converter(std::string_view text, const Options& options) : text_(text), options_(options) {}

  Result<Conversion> run() {
    auto document = yaml::parse(text_, options_.file_name);
    if (!document) return std::move(document).error();
    if (document->has_more) {
      report_.note({{1, 1}, {}}, "the file has several documents, of which Promtail reads the first");
    }
    if (!document->root.is_map())
      return yaml::error_at(text_, options_.file_name, document->root.place,
                            "this is no configuration of Promtail: there must be a map with clients and scrape_configs");
    if (options_.expand_env) unescape(document->root);
    read(document->root);
    if (const auto& mistake = report_.mistake()) {
      return yaml::error_at(text_, options_.file_name, mistake->place, mistake->cause,
                            "promtail -check-syntax -config.file FILE says what Promtail reads");
    }
    return emit();
  }

 private:
  // $$ is a dollar sign where Promtail expands variables.
  static void unescape(yaml::Node& node) {
    for (std::size_t at = node.text.find("$$"); at != std::string::npos; at = node.text.find("$$", at + 1)) node.text.erase(at, 1);
    for (yaml::Node& item : node.items) unescape(item);
    for (yaml::Entry& entry : node.entries) unescape(entry.value);
  }

  void read(const yaml::Node& node) {
    MapReader root(node, {{1, 1}, {}}, report_);
    clients_ = read_clients(root, options_.config_folder, report_);
    positions(root);
    limits(root);
    server(root);
    if (const yaml::Node* target = root.take("target_config"); target != nullptr) {
      MapReader map(*target, root.spot("target_config"), report_);
      map.accept({"sync_period"}, "tail hears of new files at once");
      if (map.boolean("stdin", false))
        report_.missing(map.spot("stdin"), "a pipeline of weir run reads files", "read standard input by: tail -");
      map.finish();
    }
    if (const yaml::Node* global = root.take("global"); global != nullptr) {
      MapReader map(*global, root.spot("global"), report_);
      map.accept({"file_watch_config"}, "tail hears of new lines at once");
      map.finish();
    }
    if (const yaml::Node* wal = root.take("wal"); wal != nullptr)
      report_.exact(root.spot("wal"), "the spool keeps records on disk");
    if (const yaml::Node* tracing = root.take("tracing"); tracing != nullptr) {
      MapReader map(*tracing, root.spot("tracing"), report_);
      if (map.boolean("enabled", false)) report_.note(map.spot("enabled"), "weir sends no traces");
      map.finish();
    }
    (void)root.take("options");
    const yaml::Node* jobs = root.take("scrape_configs");
    if (jobs == nullptr && !root.has("clients") && !root.has("client") && !root.has("positions") && !root.has("server")) {
      report_.wrong({node.place, {}}, "this is no configuration of Promtail: it has no scrape_configs and no clients");
      return;
    }
    if (jobs == nullptr) {
      report_.note(root.own(), "there are no scrape_configs, so Promtail reads nothing");
    } else {
      if (!jobs->is_list()) report_.wrong(root.spot("scrape_configs"), "there must be a list of jobs");
      if (jobs->items.size() > kMostJobs) report_.wrong(root.spot("scrape_configs"), "there are too many jobs");
      Names names;
      for (std::size_t i = 0; i < jobs->items.size() && !report_.failed(); ++i) {
        Spot spot = root.spot("scrape_configs").index(i);
        spot.place = jobs->items[i].place;
        job(jobs->items[i], spot, names);
      }
    }
    root.finish();
  }

  void positions(MapReader& root) {
    positions_ = kDefaultPositions;
    if (const yaml::Node* node = root.take("positions"); node != nullptr) {
      MapReader map(*node, root.spot("positions"), report_);
      if (const yaml::Node* file = map.take("filename"); file != nullptr) {
        positions_ = with_variables(*file, map.spot("filename"), report_);
        report_.exact(map.spot("filename"), "tail --positions goes on there where weir has no position yet");
      }
      map.accept({"sync_period", "ignore_invalid_yaml"}, "the spool keeps the positions with the records");
      map.finish();
    }
  }

  void limits(MapReader& root) {
    const yaml::Node* node = root.take("limits_config");
    if (node == nullptr) return;
    MapReader map(*node, root.spot("limits_config"), report_);
    const bool on = map.boolean("readline_rate_enabled", false);
    const std::string rate = map.text("readline_rate", "10000"), burst = map.text("readline_burst", "10000");
    const bool drops = map.boolean("readline_rate_drop", true);
    if (on && !drops) {
      report_.missing(map.spot("readline_rate_enabled"), "weir does not make its readers wait for a rate",
                      "leave it out: push sends no faster than Loki takes it");
    } else if (on) {
      const double each = std::strtod(rate.c_str(), nullptr);
      const double most = std::strtod(burst.c_str(), nullptr);
      if (!(each >= 1 && each < 1e12 && most >= 1 && most < 1e12)) {
        report_.wrong(map.spot("readline_rate"), "there must be a rate of at least one line a second");
      } else {
        RuleLine rule;
        rule.line = map.spot("readline_rate_enabled").place.line;
        rule.path = map.spot("readline_rate_enabled").path;
        rule.phase = 3;
        rule.text = fmt::format("limit {:.0f}/s burst {:.0f}", each, std::max(each, most));
        report_.note(map.spot("readline_rate_enabled"), "each pipeline has this limit for itself; Promtail has one for all jobs");
        last_rules_.push_back(std::move(rule));
      }
    }
    if (const auto size = map.optional_text("max_line_size")) {
      const auto bytes = size_of(*size);
      if (!bytes) report_.wrong(map.spot("max_line_size"), "there must be a size, such as 256kb");
      const bool cuts = map.boolean("max_line_size_truncate", false);
      if (bytes && *bytes > 0 && cuts) {
        max_line_ = *bytes;
        report_.note(map.spot("max_line_size"),
                     "tail splits a longer line into pieces, and loses nothing of it; Promtail cuts it off");
      } else if (bytes && *bytes > 0) {
        RuleLine rule;
        rule.line = map.spot("max_line_size").place.line;
        rule.path = map.spot("max_line_size").path;
        rule.reads_line = true;
        rule.text = fmt::format("drop | label_format f_length=`{{{{ len __line__ }}}}` | f_length > {}", *bytes);
        report_.note(
            map.spot("max_line_size"),
            "tail splits lines of more than 256 KiB into pieces before that; what is left of one may be short enough to pass");
        last_rules_.push_back(std::move(rule));
      }
    }
    (void)map.take("max_line_size_truncate");
    if (const std::string most = map.text("max_streams", "0"); most != "0") {
      report_.missing(map.spot("max_streams"), "weir does not count streams",
                      "limit the values of a label: enrich --max-values LABEL=N");
    }
    map.finish();
  }

  void server(MapReader& root) {
    const yaml::Node* node = root.take("server");
    if (node == nullptr) return;
    MapReader map(*node, root.spot("server"), report_);
    const std::string port = map.text("http_listen_port", "80"), address = map.text("http_listen_address");
    const bool off = map.boolean("disable", false) || port == "0";
    if (!off) {
      const bool is_number =
          !port.empty() && port.size() <= 5 && std::ranges::all_of(port, [](unsigned char c) { return std::isdigit(c) != 0; });
      if ((!is_number || std::stoi(port) > 65535) && variables_of(port).empty())
        report_.wrong(map.spot("http_listen_port"), "there must be a port from 0 to 65535");
      metrics_ = comment_text(fmt::format("{}:{}", address.empty() ? "0.0.0.0" : address, port));
      report_.exact(root.spot("server"), fmt::format("weir run --metrics {} serves metrics and health checks", metrics_));
    }
    for (const yaml::Entry& entry : node->entries) {
      const bool serves = entry.key.starts_with("http_tls_config") || entry.key.starts_with("tls_");
      if (serves) {
        (void)map.take(entry.key);
        report_.note(map.spot(entry.key), "weir serves metrics without TLS", "keep them on the loopback, or behind a proxy");
      } else if (entry.key.starts_with("http_") || entry.key.starts_with("grpc_") || entry.key.starts_with("log_") ||
                 entry.key.starts_with("graceful_") || entry.key.starts_with("register_") || entry.key.starts_with("report_grpc") ||
                 entry.key.starts_with("trace_") || entry.key.starts_with("throughput_") || entry.key == "cluster_validation" ||
                 entry.key == "proxy_protocol_enabled") {
        (void)map.take(entry.key);
      }
    }
    for (const char* const key : {"external_url", "health_check_target", "profiling_enabled", "enable_runtime_reload"})
      (void)map.take(key);
    map.finish();
  }

  void job(const yaml::Node& node, const Spot& spot, Names& names) {
    MapReader map(node, spot, report_);
    const std::string name = map.text("job_name");
    if (name.empty()) return report_.wrong(spot, "job_name is missing");
    if (!names.insert(name).second)
      return report_.wrong(map.spot("job_name"), fmt::format("there are two jobs of the name '{}'", base::escape_control(name)));
    static const yaml::Node kNothing;
    const yaml::Node* relabel = map.take("relabel_configs");
    const yaml::Node* stages = map.take("pipeline_stages");
    const Spot relabel_spot = map.spot("relabel_configs"), stages_spot = map.spot("pipeline_stages");
    const auto rules = read_relabel_rules(relabel == nullptr ? kNothing : *relabel, relabel_spot, report_);
    if (report_.failed()) return;
    bool any = false, foreign = false;
    for (const Foreign& one : kForeign) {
      if (!map.has(one.key)) continue;
      report_.missing(map.spot(one.key), std::string(one.what), std::string(one.advice));
      any = foreign = true;
    }
    for (const std::string_view key : kDiscoveries) {
      if (!map.has(key)) continue;
      report_.missing(map.spot(key), "weir finds files by globs, and pods by the API server", "name the files as PATH of tail");
      any = foreign = true;
    }
    if (const auto encoding = map.optional_text("encoding"); encoding && !encoding->empty()) {
      std::string lower = *encoding;
      std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      if (lower != "utf-8" && lower != "utf8") {
        report_.missing(map.spot("encoding"), fmt::format("tail reads UTF-8, not {}", base::escape_control(*encoding)),
                        "let the program write UTF-8");
      }
    }
    if (const yaml::Node* compressed = map.take("decompression"); compressed != nullptr) {
      MapReader how(*compressed, map.spot("decompression"), report_);
      const bool on = how.boolean("enabled", false);
      const std::string format = how.text("format");
      (void)how.take("initial_delay");
      if (on && format != "gz") report_.missing(how.spot("format"), "tail reads files that end in .gz", "compress them with gzip");
      if (on && format == "gz") report_.note(how.spot("enabled"), "tail reads files whose names end in .gz, when PATH names them");
      how.finish();
    }
    const std::size_t before = chains_.size();
    if (const yaml::Node* journal = map.take("journal"); journal != nullptr) {
      any = true;
      JobChain made = begin(name, map.spot("journal"));
      made.given = convert_journal(*journal, map.spot("journal"), rules, made.chain, report_);
      if (report_.failed()) return;
      finish(std::move(made), stages, stages_spot, false);
    }
    if (const yaml::Node* configs = map.take("kubernetes_sd_configs"); configs != nullptr) {
      any = true;
      pods(*configs, map.spot("kubernetes_sd_configs"), name, rules, stages, stages_spot);
    }
    if (const yaml::Node* configs = map.take("static_configs"); configs != nullptr) {
      any = true;
      files(*configs, map.spot("static_configs"), name, rules, stages, stages_spot);
    }
    if (!any) report_.note(spot, "the job names nothing to read, so Promtail does nothing here");
    // What nobody reads does nothing.
    if (foreign && chains_.size() == before) {
      for (const RelabelRule& rule : rules) report_.note(rule.spot, "this belongs to what weir does not read");
      if (stages != nullptr) {
        Chain nowhere;
        nowhere.open_labels = true;
        convert_stages(*stages, stages_spot, {name, spot.place.line, true}, nowhere, report_);
      }
    }
    map.finish();
  }

  JobChain begin(const std::string& job, const Spot& spot) {
    JobChain made;
    made.job = job;
    made.spot = spot;
    return made;
  }

  void finish(JobChain made, const yaml::Node* stages, const Spot& stages_spot, bool from_files) {
    if (chains_.size() >= kMostChains) return report_.wrong(made.spot, "there are too many targets");
    if (from_files) {
      made.chain.labels["filename"] = {std::nullopt, true, false};
      made.given.insert("filename");
    }
    static const yaml::Node kNothing;
    convert_stages(stages == nullptr ? kNothing : *stages, stages_spot, {made.job, made.spot.place.line, from_files}, made.chain,
                   report_);
    for (const OptionWord& word : made.chain.tail) {
      if (word.name == "--format" && (word.value == "cri" || word.value == "docker")) made.given.insert("stream");
    }
    for (const RuleLine& rule : last_rules_) made.chain.add_rule(rule);
    const auto has_max = [](const OptionWord& word) { return word.name == "--max-line"; };
    if (max_line_ > 0 && from_files && std::ranges::none_of(made.chain.tail, has_max))
      made.chain.tail.push_back({"--max-line", std::to_string(std::clamp<std::uint64_t>(max_line_, kLeastLine, kMostLine))});
    if (from_files) {
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
    chains_.push_back(std::move(made));
  }

  void pods(const yaml::Node& configs, const Spot& spot, const std::string& name, const std::vector<RelabelRule>& rules,
            const yaml::Node* stages, const Spot& stages_spot) {
    for (std::size_t i = 0; i < configs.items.size() && !report_.failed(); ++i) {
      Spot own = spot.index(i);
      own.place = configs.items[i].place;
      MapReader map(configs.items[i], own, report_);
      const std::string role = map.text("role");
      if (role != "pod") {
        report_.missing(map.spot("role"), fmt::format("weir finds pods, no targets of the role '{}'", base::escape_control(role)),
                        "logs are those of pods: role pod");
        continue;
      }
      JobChain made = begin(name, own);
      PodJob job{rules, own, kube_access(map, report_)};
      if (const yaml::Node* namespaces = map.take("namespaces"); namespaces != nullptr) {
        MapReader which(*namespaces, map.spot("namespaces"), report_);
        if (const yaml::Node* list = which.take("names"); list != nullptr) {
          for (const std::string& one : texts_of(*list, which.spot("names"), report_))
            made.chain.tail.push_back({"--namespace", one});
        }
        if (which.boolean("own_namespace", false)) {
          report_.missing(which.spot("own_namespace"), "weir does not know its own namespace", "name it: tail --namespace NAME");
        }
        which.finish();
      }
      if (const yaml::Node* selectors = map.take("selectors"); selectors != nullptr) {
        for (const yaml::Node& selector : selectors->items) {
          MapReader one(selector, map.spot("selectors"), report_);
          (void)one.take("role");
          const std::string label = one.text("label"), field = one.text("field");
          if (!label.empty())
            report_.missing(map.spot("selectors"), "weir selects no pods by a selector of labels",
                            "leave pods out: enrich --exclude-pod-label NAME=VALUE");
          if (!field.empty() && !field.starts_with("spec.nodeName="))
            report_.missing(map.spot("selectors"), fmt::format("weir selects no pods by the field {}", base::escape_control(field)),
                            "it reads the pods of its node");
          one.finish();
        }
      }
      if (const yaml::Node* attach = map.take("attach_metadata"); attach != nullptr)
        report_.note(map.spot("attach_metadata"), "weir asks for pods only, not for their nodes and namespaces");
      map.finish();
      made.given = convert_pods(job, made.chain, report_);
      if (made.chain.paths.empty()) made.chain.paths.emplace_back("/var/log/pods");
      report_.exact(own, "the records also get the pod's uid as metadata pod_uid");
      finish(std::move(made), stages, stages_spot, true);
    }
  }

  void files(const yaml::Node& configs, const Spot& spot, const std::string& name, const std::vector<RelabelRule>& rules,
             const yaml::Node* stages, const Spot& stages_spot) {
    if (!configs.is_list()) return report_.wrong(spot, "there must be a list of targets");
    struct Group {
      Labels labels;
      std::string exclude;
      std::vector<std::string> paths;
      Spot spot, exclude_spot;
    };
    std::vector<Group> groups;
    for (std::size_t i = 0; i < configs.items.size() && !report_.failed(); ++i) {
      Spot own = spot.index(i);
      own.place = configs.items[i].place;
      MapReader map(configs.items[i], own, report_);
      (void)map.take("targets");
      Labels labels = {{"__address__", "localhost"}};
      const yaml::Node* list = map.take("labels");
      if (list != nullptr) {
        for (const yaml::Entry& entry : list->entries) {
          Spot at_label = map.spot("labels").key(entry.key);
          at_label.place = entry.place;
          std::string value = with_variables(entry.value, at_label, report_);
          if (!value.empty()) labels[entry.key] = std::move(value);
        }
      }
      map.finish();
      const Spot exclude_spot = list == nullptr ? own : map.spot("labels");
      bool kept = true;
      for (const RelabelRule& rule : rules) {
        if (rule.action == RelabelRule::Action::hash_mod)
          report_.missing(rule.spot, "weir computes no hash of labels", "remove the rule");
        if (!(kept = apply(rule, labels))) break;
      }
      if (!kept) {
        report_.note(own, "the relabel rules drop this target, so Promtail reads nothing here");
        continue;
      }
      const auto path = labels.find("__path__");
      if (path == labels.end()) {
        report_.note(own, "the target has no __path__, so Promtail reads nothing here");
        continue;
      }
      if (labels.contains("__host__"))
        report_.note(own, "Promtail reads this on the host of the label __host__ only; the pipeline reads it wherever it runs");
      Group group;
      group.paths.push_back(path->second);
      if (const auto exclude = labels.find("__path_exclude__"); exclude != labels.end()) group.exclude = exclude->second;
      std::erase_if(labels, [](const auto& one) { return one.first.starts_with("__"); });
      group.labels = labels;
      group.spot = own;
      group.exclude_spot = exclude_spot;
      const auto same = [&](const Group& one) { return one.labels == group.labels && one.exclude == group.exclude; };
      if (const auto found = std::ranges::find_if(groups, same); found != groups.end()) {
        found->paths.push_back(std::move(group.paths.front()));
      } else {
        groups.push_back(std::move(group));
      }
      report_.exact(own);
    }
    for (const RelabelRule& rule : rules) report_.exact(rule.spot);
    for (Group& group : groups) {
      JobChain made = begin(name, group.spot);
      for (const std::string& glob : group.paths) {
        const TailPaths paths = tail_paths(glob);
        if (paths.bounded)
          report_.note(group.spot, fmt::format("** stands for up to {} levels of folders", kMostLevels),
                       "name deeper ones as PATH");
        for (const std::string& path : paths.paths) {
          if (std::ranges::find(made.chain.paths, path) == made.chain.paths.end()) made.chain.paths.push_back(path);
          if (may_name_pods(path)) made.given.insert({"namespace", "pod", "container", "stream"});
        }
      }
      for (const auto& [label, value] : group.labels) made.chain.set_constant(label, value);
      if (!group.exclude.empty()) {
        RuleLine rule;
        rule.line = group.exclude_spot.place.line;
        rule.path = group.exclude_spot.path;
        rule.names.insert("filename");
        rule.text = fmt::format("drop {{filename=~{}}}", logql_string(glob_regex(group.exclude)));
        if (auto good = rules::parse(rule.text, ""); good) {
          made.chain.add_rule(std::move(rule));
        } else {
          report_.missing(group.exclude_spot,
                          fmt::format("weir cannot leave out {}: {}", base::escape_control(group.exclude), good.error().message),
                          "write a rule: drop {filename=~\"…\"}");
        }
      }
      finish(std::move(made), stages, stages_spot, true);
    }
  }

  // -- what it becomes --

  [[nodiscard]] static std::string word(const OptionWord& option) {
    if (!option.value) return option.name;
    if (option.name.empty()) return pipeline_word(*option.value, true);
    // What stands in an expression is no variable.
    const bool variables = option.name != "--parse" && option.name != "--multiline";
    return option.name + " " + pipeline_word(*option.value, variables);
  }

  Result<Conversion> emit() {
    Conversion made;
    std::vector<ClientGroup> groups;
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      const auto found = std::ranges::find(groups, clients_[i].labels, &ClientGroup::labels);
      if (found != groups.end()) {
        found->clients.push_back(i);
      } else {
        groups.push_back({clients_[i].labels, {i}});
      }
    }
    if (groups.empty()) {
      groups.emplace_back();
      if (!chains_.empty())
        report_.note({{1, 1}, {}}, "there are no clients", "name the URL of Loki behind push, or set LOKI_ADDR");
    }
    name_rules(made);
    std::string body;
    Names spools;
    for (const JobChain& job : chains_) {
      for (std::size_t g = 0; g < groups.size(); ++g) body += pipeline(job, groups[g], chains_.size() * groups.size() == 1, spools);
    }
    made.findings = report_.take();
    made.pipelines = head(made) + body;
    return made;
  }

  void name_rules(Conversion& made) {
    std::size_t filters = 0;
    for (const JobChain& job : chains_) filters += job.chain.filters();
    Names files;
    for (JobChain& job : chains_) {
      for (const auto& step : job.chain.steps()) {
        const auto* filter = std::get_if<FilterStep>(&step);
        if (filter == nullptr) continue;
        std::string file = filters == 1 ? "rules" : "rules-" + file_word(job.job);
        for (std::size_t n = 2; !files.insert(file).second; ++n) file = fmt::format("rules-{}-{}", file_word(job.job), n);
        RuleText text;
        text.file = file;
        text.text = fmt::format("# Rules of {}, of the job {}. See weir-rules(5).\n", comment_text(options_.file_name),
                                comment_text(job.job));
        for (const RuleLine& rule : filter->rules)
          text.text += fmt::format("\n# line {}: {}\n{}\n", rule.line, comment_text(rule.path), rule.text);
        made.rules.push_back(std::move(text));
        job.rule_files.push_back(file);
      }
    }
  }

  std::string pipeline(const JobChain& job, const ClientGroup& group, bool alone, Names& spools) {
    Chain chain = job.chain;
    for (const auto& [name, value] : group.labels) {
      const auto fact = chain.labels.find(name);
      if (fact != chain.labels.end() && fact->second.sure && !fact->second.unknown) continue;  // those of the records count more
      if (fact != chain.labels.end() && !fact->second.unknown) {
        report_.note(clients_[group.clients.front()].spot,
                     fmt::format("the external label {} replaces one that records have; Promtail keeps theirs", name));
      }
      chain.set_constant(name, value);
    }
    Names given = job.given;
    chain.finish(given);

    std::string out =
        fmt::format("\n# line {}: {} (job {})\n", job.spot.place.line, comment_text(job.spot.path), comment_text(job.job));
    out += "tail -f";
    if (!positions_.empty()) out += " --positions " + pipeline_word(positions_, true);
    for (const OptionWord& option : chain.tail) out += " " + word(option);
    // What begins with - would be an option.
    for (const std::string& path : chain.paths) out += " " + pipeline_word(path.starts_with('-') ? "./" + path : path, true);
    std::size_t filter = 0;
    bool first = true;
    for (const auto& step : chain.steps()) {
      if (const auto* enrich = std::get_if<EnrichStep>(&step)) {
        auto words = chain.words(*enrich);
        if (words.empty() && !first) continue;
        // Loki itself adds service_name.
        words.insert(words.begin(), {"--no-service-name", {}});
        out += " |\n  enrich";
        for (const OptionWord& option : words) out += " " + word(option);
        first = false;
      } else {
        // A chain copied for clients has the filters of the job.
        if (filter < job.rule_files.size()) {
          out += fmt::format(" |\n  filter --rules {}",
                             pipeline_word(fmt::format("{}/{}", options_.config_folder, job.rule_files[filter]), false));
        }
        ++filter;
      }
    }
    std::string spool = alone ? "spool" : "spool-" + file_word(job.job);
    for (std::size_t n = 2; !spools.insert(spool).second; ++n) spool = fmt::format("spool-{}-{}", file_word(job.job), n);
    const std::string file = pipeline_word(fmt::format("{}/{}.db", options_.state_folder, spool), false);
    out += fmt::format(" |\n  buffer {} |\n  push", file);
    if (group.clients.empty()) return out + "\n";
    out += push_words(clients_[group.clients.front()]);
    // Other clients read the spool at their own pace.
    Names consumers = {"main"};
    for (std::size_t i = 1; i < group.clients.size(); ++i) {
      const Client& client = clients_[group.clients[i]];
      std::string name = client.name.empty() ? fmt::format("client-{}", group.clients[i] + 1) : file_word(client.name);
      for (std::size_t n = 2; !consumers.insert(name).second; ++n) name = fmt::format("client-{}-{}", group.clients[i] + 1, n);
      out += fmt::format("\n# line {}: {}\npush --spool {} --as {}{}", client.spot.place.line, comment_text(client.spot.path), file,
                         pipeline_word(name, false), push_words(client));
    }
    return out + "\n";
  }

  static std::string push_words(const Client& client) {
    std::string out;
    for (const OptionWord& option : client.options) out += " " + word(option);
    if (!client.url.empty()) out += " " + pipeline_word(client.url, true);
    return out;
  }

  [[nodiscard]] std::string head(const Conversion& made) const {
    std::string out = fmt::format("# What weir convert promtail made of {}: {}, {}.\n", comment_text(options_.file_name),
                                  base::count_of(made.count(Severity::not_expressible), "thing") + " not expressible",
                                  base::count_of(made.count(Severity::note), "note"));
    out += fmt::format("# Run it: weir run{} {}\n", metrics_.empty() ? "" : " --metrics " + metrics_,
                       comment_text(options_.config_folder + "/node.weir"));
    if (chains_.empty()) out += "# There is nothing to read in it.\n";
    std::size_t listed = 0;
    for (const Finding& finding : made.findings) {
      if (finding.severity == Severity::exact) continue;
      if (++listed > kMostListed) {
        out += "# and more, which weir convert says when it runs\n";
        break;
      }
      out += fmt::format("# line {}: {}: {}: {}", finding.line, word_of(finding.severity), comment_text(finding.path),
                         comment_text(finding.what));
      if (!finding.advice.empty()) out += "; " + comment_text(finding.advice);
      out += "\n";
    }
    return out;
  }

  std::string_view text_;
  const Options& options_;
  Report report_;
  std::vector<Client> clients_;
  std::string positions_, metrics_;
  std::vector<RuleLine> last_rules_;
  std::uint64_t max_line_ = 0;
  std::vector<JobChain> chains_;
};

}  // namespace

Result<Conversion> convert_promtail(std::string_view text, const Options& options) { return Converter(text, options).run(); }

}  // namespace weir::convert
