#include "convert/journal_target.h"

#include "base/diagnostics.h"
#include "convert/clients.h"
#include "convert/pipeline_stages.h"
#include "convert/words.h"
#include "rules/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace weir::convert {
namespace {

using Names = std::set<std::string, std::less<>>;
using Action = RelabelRule::Action;

constexpr std::string_view kJournal = "__journal_";
constexpr std::string_view kKeyword = "__journal_priority_keyword";
constexpr std::array<std::string_view, 8> kPriorities = {"emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"};
constexpr std::size_t kSamples = 24;

std::string in_capitals(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

std::string value_of(const Labels& labels, std::string_view name) {
  const auto found = labels.find(name);
  return found == labels.end() ? std::string() : found->second;
}

class JournalConversion {
 public:
  JournalConversion(const std::vector<RelabelRule>& rules, Chain& chain, Report& report)
      : rules_(rules), chain_(chain), report_(report), said_(rules.size(), false) {}

  void run(const yaml::Node& journal, const Spot& spot) {
    MapReader map(journal, spot, report_);
    chain_.tail.push_back({"--journal", {}});
    if (const yaml::Node* path = map.take("path"); path != nullptr) {
      chain_.tail.back() = {"--journal-dir", with_variables(*path, map.spot("path"), report_)};
    }
    const std::string age = duration_word(map.text("max_age", "7h"));
    if (age.empty()) report_.wrong(map.spot("max_age"), "there must be a duration, such as 12h");
    chain_.tail.push_back({"--max-age", age});
    if (map.boolean("json", false)) {
      report_.missing(map.spot("json"), "the line of a record is the field MESSAGE, not JSON of all fields",
                      "take the fields that are needed as metadata: tail --journal-field NAME");
    }
    Labels constants;
    if (const yaml::Node* labels = map.take("labels"); labels != nullptr) {
      for (const yaml::Entry& entry : labels->entries) {
        std::string value = with_variables(entry.value, map.spot("labels").key(entry.key), report_);
        if (!value.empty()) constants[entry.key] = std::move(value);
      }
    }
    const std::string matches = map.text("matches");
    const Spot matches_spot = map.spot("matches");
    map.finish();
    if (report_.failed()) return;
    walk(constants);
    explain();
    judge();
    match(matches, matches_spot);
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      if (!said_[i]) report_.exact(rules_[i].spot);
    }
  }

 private:
  void say(std::size_t rule, std::string what, std::string advice) {
    if (said_[rule]) return;
    said_[rule] = true;
    report_.missing(rules_[rule].spot, std::move(what), std::move(advice));
  }

  void walk(const Labels& constants) {
    Names fields = {"__journal__systemd_unit", "__journal__hostname", "__journal_syslog_identifier", "__journal__transport"};
    std::vector<std::pair<std::string, std::string>> words;
    for (const RelabelRule& rule : rules_) {
      for (const std::string& source : rule.sources) {
        if (!source.starts_with(kJournal)) continue;
        if (source != kKeyword && source != "__journal_priority") fields.insert(source);
        for (const std::string& word : literal_words(rule.regex)) words.emplace_back(source, word);
      }
    }
    const auto add = [&](std::size_t i, std::string_view special, const std::string& word) {
      Labels labels = constants;
      std::size_t n = 0;
      for (const std::string& field : fields) {
        ++n;
        if (i % 3 != 0 && (i + n) % 4 == 0) continue;  // not each entry has each field
        labels[field] = fmt::format("v{}e{}", n, i);
      }
      const std::size_t priority = i % kPriorities.size();
      labels["__journal_priority"] = std::to_string(priority);
      labels[std::string(kKeyword)] = kPriorities[priority];
      if (!special.empty()) labels[std::string(special)] = word;
      metas_.push_back(std::move(labels));
    };
    for (std::size_t i = 0; i < kSamples; ++i) add(i, {}, {});
    for (std::size_t i = 0; i < words.size() && i < 100; ++i) add(kSamples + i, words[i].first, words[i].second);
    for (const Labels& meta : metas_) {
      Labels labels = meta;

      for (std::size_t i = 0; i < rules_.size(); ++i) {
        if (rules_[i].judges()) continue;
        const Labels was = labels;
        (void)apply(rules_[i], labels);
        for (const auto& [name, value] : labels) {
          const auto old = was.find(name);
          if (old == was.end() || old->second != value) writers_[name].insert(i);
        }
      }

      for (const auto& [name, value] : labels) {
        if (!name.starts_with("__")) outputs_.insert(name);
      }
      results_.push_back(std::move(labels));
    }
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      if (rules_[i].action == Action::hash_mod) say(i, "weir computes no hash of labels", "remove the rule");
    }
  }

  template <typename Value>
  [[nodiscard]] bool always(std::string_view label, const Value& value) const {
    for (std::size_t i = 0; i < results_.size(); ++i) {
      if (value_of(results_[i], label) != value(i)) return false;
    }
    return true;
  }

  // The meta label that a label is a copy of; "" for none.
  [[nodiscard]] std::string copy_of(std::string_view label) const {
    Names names;
    for (const Labels& meta : metas_) {
      for (const auto& [name, value] : meta) names.insert(name);
    }
    for (const std::string& name : names) {
      if (name.starts_with(kJournal) && always(label, [&](std::size_t i) { return value_of(metas_[i], name); })) return name;
    }
    return {};
  }

  // tail --journal-field, once.
  std::string field_metadata(std::string_view meta) {
    std::string key(meta.substr(kJournal.size()));
    while (key.starts_with('_')) key.erase(0, 1);
    if (fields_.insert(key).second) {
      chain_.tail.push_back({"--journal-field", fmt::format("{}={}", in_capitals(meta.substr(kJournal.size())), key)});
    }
    return key;
  }

  void explain() {
    for (const std::string& name : outputs_) {
      LabelFact fact;
      const std::string first = value_of(results_.front(), name);
      if (!first.empty() && always(name, [&](std::size_t) { return first; })) {
        fact = {first, true, false};
        chain_.labels[name] = fact;
        // tail gives this one itself.
        if (!(name == "job" && first == "systemd-journal")) chain_.set_constant(name, first);
        continue;
      }
      const std::string meta = copy_of(name);
      const bool given =
          (name == "unit" && meta == "__journal__systemd_unit") || (name == "node_name" && meta == "__journal__hostname");
      if (!given) {
        fact.unknown = true;
        const auto writers = writers_.find(name);
        const std::size_t rule = writers == writers_.end() || writers->second.empty() ? 0 : *writers->second.rbegin();
        if (meta == "__journal__systemd_unit" || meta == "__journal__hostname") {
          say(rule, fmt::format("weir calls this label {}, not {}", meta == "__journal__hostname" ? "node_name" : "unit", name),
              meta == "__journal__hostname"
                  ? "query by that name, or label all records of this machine: enrich --label-from-env host=HOSTNAME"
                  : "query by that name");
          fact.unknown = false;
          chain_.labels[meta == "__journal__hostname" ? "node_name" : "unit"] = LabelFact();
          continue;
        }
        if (!meta.empty() && meta != kKeyword) {
          const std::string key = field_metadata(meta);
          say(rule, fmt::format("weir makes metadata of this field, not the label {}", name),
              fmt::format("query {{…}} | {}=\"…\"", key));
        } else if (meta == kKeyword) {
          say(rule, fmt::format("weir makes the metadata detected_level of the priority, not the label {}", name),
              "query {…} | detected_level=\"error\"; its values are fatal, critical, error, warn, info and debug");
        } else if (!rules_.empty()) {
          say(rule, fmt::format("weir does not make the label '{}' of these values", base::escape_control(name)),
              "the journal gives the labels job, unit and node_name, and --journal-field metadata");
        }
      }
      chain_.labels[name] = fact;
    }
    // A label that is only known here goes by another name.
    for (const std::string& name : outputs_) {
      if (const auto found = chain_.labels.find(name); found != chain_.labels.end() && found->second.unknown)
        chain_.labels.erase(found);
    }
  }

  void judge() {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      const RelabelRule& rule = rules_[i];
      if (!rule.judges()) continue;
      const bool keeps = rule.action == Action::keep;
      if (rule.sources.size() != 1 || rule.action == Action::keep_equal || rule.action == Action::drop_equal) {
        say(i, "weir decides by one field of an entry", "write a rule by hand: weir-rules(5)");
        continue;
      }
      const std::string& source = rule.sources.front();
      std::string regex = rule.regex;
      std::string name;
      bool is_label = false;
      if (source == "__journal__systemd_unit") {
        name = "unit", is_label = true;
      } else if (source == "__journal__hostname") {
        name = "node_name", is_label = true;
      } else if (source == kKeyword) {
        // As numbers, which the field has.
        std::string numbers;
        for (std::size_t n = 0; n < kPriorities.size(); ++n) {
          if (rule.compiled->matches(kPriorities[n])) numbers += fmt::format("{}{}", numbers.empty() ? "" : "|", n);
        }
        regex = numbers;
        name = field_metadata("__journal_priority");
      } else if (source.starts_with(kJournal)) {
        name = field_metadata(source);
      } else {
        say(i, "weir decides by fields of an entry", "write a rule by hand: weir-rules(5)");
        continue;
      }
      if (!is_label) report_.note(rule.spot, fmt::format("the records get the metadata {}, by which the rule decides", name));
      add_rule(rule.spot, name, is_label, keeps ? "!~" : "=~", regex);
    }
  }

  void add_rule(const Spot& spot, const std::string& name, bool is_label, std::string_view op, const std::string& regex) {
    RuleLine line;
    line.line = spot.place.line;
    line.path = spot.path;
    line.names.insert(name);
    line.text = is_label ? fmt::format("drop {{{}{}{}}}", name, op, logql_string(regex))
                         : fmt::format("drop | {}{}{}", name, op, logql_string("^(?s:" + regex + ")$"));
    if (auto good = rules::parse(line.text, ""); !good) {
      return report_.missing(spot, fmt::format("weir reads no rule like this: {}", good.error().message),
                             "write one by hand: weir-rules(5)");
    }
    chain_.add_rule(std::move(line));
  }

  // FIELD=VALUE, of which those of one field are alternatives.
  void match(const std::string& matches, const Spot& spot) {
    std::map<std::string, std::vector<std::string>> by_field;
    std::size_t at = 0;
    while (at < matches.size()) {
      while (at < matches.size() && matches[at] == ' ') ++at;
      const std::size_t end = std::min(matches.find(' ', at), matches.size());
      if (end == at) break;
      const std::string one = matches.substr(at, end - at);
      const std::size_t equals = one.find('=');
      if (equals == std::string::npos || one.find('=', equals + 1) != std::string::npos) {
        return report_.wrong(spot, "a match is FIELD=VALUE");
      }
      by_field[one.substr(0, equals)].push_back(one.substr(equals + 1));
      at = end;
    }
    for (const auto& [field, values] : by_field) {
      std::string regex;
      for (const std::string& value : values) {
        if (!regex.empty()) regex += '|';
        for (const char c : value) {
          if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_' && static_cast<unsigned char>(c) < 0x80)
            regex += '\\';
          regex += c;
        }
        // journalctl -u takes more than this field; the rule is exact.
        if (field == "_SYSTEMD_UNIT") chain_.tail.push_back({"--unit", value});
      }
      if (field == "_SYSTEMD_UNIT" || field == "_HOSTNAME") {
        add_rule(spot, field == "_HOSTNAME" ? "node_name" : "unit", true, "!~", regex);
        continue;
      }
      std::string meta(kJournal);
      for (const char c : field) meta += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      const std::string key = field_metadata(meta);
      report_.note(spot, fmt::format("the records get the metadata {}, by which a rule decides", key));
      add_rule(spot, key, false, "!~", regex);
    }
  }

  const std::vector<RelabelRule>& rules_;
  Chain& chain_;
  Report& report_;
  std::vector<bool> said_;
  std::vector<Labels> metas_, results_;
  std::map<std::string, std::set<std::size_t>, std::less<>> writers_;
  Names outputs_, fields_;
};

}  // namespace

std::set<std::string, std::less<>> convert_journal(const yaml::Node& journal, const Spot& spot,
                                                   const std::vector<RelabelRule>& rules, Chain& chain, Report& report) {
  JournalConversion(rules, chain, report).run(journal, spot);
  return {"job", "unit", "node_name"};
}

}  // namespace weir::convert
