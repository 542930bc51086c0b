#include "convert/pipeline_writer.h"

#include "base/count.h"
#include "convert/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::convert {
namespace {

using Names = std::set<std::string, std::less<>>;

constexpr std::size_t kMostListed = 500;  // findings in the head of the text

// A pipeline is a copy of the chain for the clients with the same external labels.
struct ClientGroup {
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<std::size_t> clients;
};

std::string word(const OptionWord& option) {
  if (!option.value) return option.name;
  if (option.name.empty()) return pipeline_word(*option.value, true);
  // What stands in an expression is no variable.
  const bool variables = option.name != "--parse" && option.name != "--multiline";
  return option.name + " " + pipeline_word(*option.value, variables);
}

std::string push_words(const Client& client) {
  std::string out;
  for (const OptionWord& option : client.options) out += " " + word(option);
  if (!client.url.empty()) out += " " + pipeline_word(client.url, true);
  return out;
}

class PipelineWriter {
 public:
  PipelineWriter(const std::vector<JobChain>& jobs, const std::vector<Client>& clients, const Settings& settings,
                 const Options& options, Report& report)
      : jobs_(jobs), clients_(clients), settings_(settings), options_(options), report_(report) {}

  Conversion write() {
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
      if (!jobs_.empty()) report_.note({{1, 1}, {}}, "there are no clients", "name the URL of Loki behind push, or set LOKI_ADDR");
    }
    name_rules(made);
    std::string body;
    Names spools;
    const bool alone = jobs_.size() * groups.size() == 1;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      for (const ClientGroup& group : groups) body += pipeline(jobs_[i], rule_files_[i], group, alone, spools);
    }
    made.findings = report_.take();
    made.pipelines = head(made) + body;
    return made;
  }

 private:
  void name_rules(Conversion& made) {
    std::size_t filters = 0;
    for (const JobChain& job : jobs_) filters += job.chain.filters();
    Names files;
    for (const JobChain& job : jobs_) {
      auto& of_job = rule_files_.emplace_back();
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
        of_job.push_back(std::move(file));
      }
    }
  }

  // The chain of a job with the external labels of its clients.
  Chain labelled(const JobChain& job, const ClientGroup& group) {
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
    chain.finish(job.given);
    return chain;
  }

  // What stands between tail and buffer.
  [[nodiscard]] std::string steps(const Chain& chain, const std::vector<std::string>& rule_files) const {
    std::string out;
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
        if (filter < rule_files.size()) {
          out += fmt::format(" |\n  filter --rules {}",
                             pipeline_word(fmt::format("{}/{}", options_.config_folder, rule_files[filter]), false));
        }
        ++filter;
      }
    }
    return out;
  }

  std::string pipeline(const JobChain& job, const std::vector<std::string>& rule_files, const ClientGroup& group, bool alone,
                       Names& spools) {
    const Chain chain = labelled(job, group);
    std::string out =
        fmt::format("\n# line {}: {} (job {})\n", job.spot.place.line, comment_text(job.spot.path), comment_text(job.job));
    out += "tail -f";
    if (!settings_.positions.empty()) out += " --positions " + pipeline_word(settings_.positions, true);
    for (const OptionWord& option : chain.tail) out += " " + word(option);
    // What begins with - would be an option.
    for (const std::string& path : chain.paths) out += " " + pipeline_word(path.starts_with('-') ? "./" + path : path, true);
    out += steps(chain, rule_files);
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

  [[nodiscard]] std::string head(const Conversion& made) const {
    std::string out = fmt::format("# What weir convert promtail made of {}: {}, {}.\n", comment_text(options_.file_name),
                                  base::count_of(made.count(Severity::not_expressible), "thing") + " not expressible",
                                  base::count_of(made.count(Severity::note), "note"));
    out += fmt::format("# Run it: weir run{} {}\n", settings_.metrics.empty() ? "" : " --metrics " + settings_.metrics,
                       comment_text(options_.config_folder + "/node.weir"));
    if (jobs_.empty()) out += "# There is nothing to read in it.\n";
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

  const std::vector<JobChain>& jobs_;
  const std::vector<Client>& clients_;
  const Settings& settings_;
  const Options& options_;
  Report& report_;
  std::vector<std::vector<std::string>> rule_files_;  // of each job, in the order of its filters
};

}  // namespace

Conversion write_pipelines(const std::vector<JobChain>& jobs, const std::vector<Client>& clients, const Settings& settings,
                           const Options& options, Report& report) {
  return PipelineWriter(jobs, clients, settings, options, report).write();
}

}  // namespace weir::convert
