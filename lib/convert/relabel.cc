#include "convert/relabel.h"

#include "base/diagnostics.h"
#include "names/label_name.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

namespace weir::convert {
namespace {

using Action = RelabelRule::Action;

constexpr std::size_t kMostRules = 500;

constexpr std::array<std::pair<std::string_view, Action>, 11> kActions = {{{"replace", Action::replace},
                                                                           {"keep", Action::keep},
                                                                           {"drop", Action::drop},
                                                                           {"keepequal", Action::keep_equal},
                                                                           {"dropequal", Action::drop_equal},
                                                                           {"hashmod", Action::hash_mod},
                                                                           {"labelmap", Action::label_map},
                                                                           {"labeldrop", Action::label_drop},
                                                                           {"labelkeep", Action::label_keep},
                                                                           {"lowercase", Action::lower_case},
                                                                           {"uppercase", Action::upper_case}}};

std::string in_case(std::string text, bool upper) {
  for (char& c : text)
    c = static_cast<char>(upper ? std::toupper(static_cast<unsigned char>(c)) : std::tolower(static_cast<unsigned char>(c)));
  return text;
}

void set(Labels& labels, std::string_view name, std::string value) {
  if (value.empty()) {
    if (const auto found = labels.find(name); found != labels.end()) labels.erase(found);
  } else {
    labels.insert_or_assign(std::string(name), std::move(value));
  }
}

std::string_view value_of(const Labels& labels, std::string_view name) {
  const auto found = labels.find(name);
  return found == labels.end() ? std::string_view() : std::string_view(found->second);
}

std::optional<std::vector<std::string_view>> match(const gotext::Regex& regex, std::string_view text) {
  std::vector<std::string_view> groups(static_cast<std::size_t>(regex.group_count()) + 1);
  if (!regex.find(text, groups)) return std::nullopt;
  return groups;
}

RelabelRule read_rule(const yaml::Node& node, const Spot& spot, Report& report) {
  RelabelRule rule;
  rule.spot = spot;
  MapReader map(node, spot, report);
  if (const yaml::Node* sources = map.take("source_labels"); sources != nullptr) {
    rule.sources = texts_of(*sources, map.spot("source_labels"), report);
  }
  if (const auto* found = node.find("separator"); found != nullptr) rule.separator = map.text("separator");
  if (const auto* found = node.find("regex"); found != nullptr) rule.regex = map.text("regex");
  if (const auto* found = node.find("replacement"); found != nullptr) rule.replacement = map.text("replacement");
  rule.target = map.text("target_label");
  const std::string action = in_case(map.text("action", "replace"), false);
  const auto known = std::ranges::find(kActions, action, &std::pair<std::string_view, Action>::first);
  if (known == kActions.end()) {
    report.wrong(map.spot("action"), fmt::format("unknown relabel action '{}'", base::escape_control(action)));
  } else {
    rule.action = known->second;
  }
  (void)map.take("modulus");
  map.finish();
  auto compiled = gotext::Regex::compile(rule.regex, gotext::Regex::Mode::anchored_all);
  if (!compiled) {
    report.wrong(map.spot("regex"), compiled.error().message);
    compiled = gotext::Regex::compile("(.*)", gotext::Regex::Mode::anchored_all);
  }
  if (compiled) rule.compiled = std::make_shared<const gotext::Regex>(*std::move(compiled));
  const bool needs_target = rule.action == Action::replace || rule.action == Action::keep_equal ||
                            rule.action == Action::drop_equal || rule.action == Action::hash_mod ||
                            rule.action == Action::lower_case || rule.action == Action::upper_case;
  if (needs_target && rule.target.empty()) report.wrong(spot, "a relabel rule of this action needs target_label");
  return rule;
}

}  // namespace

bool RelabelRule::judges() const {
  return action == Action::keep || action == Action::drop || action == Action::keep_equal || action == Action::drop_equal;
}

std::vector<RelabelRule> read_relabel_rules(const yaml::Node& list, const Spot& spot, Report& report) {
  std::vector<RelabelRule> rules;
  if (!list.is_list() && !list.is_null()) report.wrong(spot, "there must be a list of relabel rules");
  if (list.items.size() > kMostRules) report.wrong(spot, "there are too many relabel rules");
  for (std::size_t i = 0; i < list.items.size() && !report.failed(); ++i) {
    Spot own = spot.index(i);
    own.place = list.items[i].place;
    rules.push_back(read_rule(list.items[i], own, report));
  }
  return rules;
}

std::string source_value(const RelabelRule& rule, const Labels& labels) {
  std::string joined;
  for (std::size_t i = 0; i < rule.sources.size(); ++i) {
    if (i > 0) joined += rule.separator;
    joined += value_of(labels, rule.sources[i]);
  }
  return joined;
}

std::string expand_groups(std::string_view replacement, const gotext::Regex& regex, const std::vector<std::string_view>& groups) {
  std::string out;
  const auto add = [&](std::string_view name) {
    std::size_t number = 0;
    if (!name.empty() && std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; }) && name.size() < 4) {
      for (const char c : name) number = number * 10 + static_cast<std::size_t>(c - '0');
      if (number < groups.size()) out += groups[number];
      return;
    }
    const auto& names = regex.group_names();
    for (std::size_t i = 1; i < names.size() && i < groups.size(); ++i) {
      if (names[i] == name && groups[i].data() != nullptr) {
        out += groups[i];
        return;
      }
    }
  };
  for (std::size_t i = 0; i < replacement.size(); ++i) {
    if (replacement[i] != '$') {
      out += replacement[i];
      continue;
    }
    const std::string_view rest = replacement.substr(i + 1);
    if (rest.starts_with('$')) {
      out += '$';
      ++i;
      continue;
    }
    const bool braced = rest.starts_with('{');
    const std::size_t begin = braced ? 1 : 0;
    std::size_t end = begin;
    while (end < rest.size() && names::is_name_byte(rest[end])) ++end;
    if (end == begin || (braced && (end >= rest.size() || rest[end] != '}'))) {
      out += '$';  // no name: as it stands
      continue;
    }
    add(rest.substr(begin, end - begin));
    i += end + (braced ? 1 : 0);
  }
  return out;
}

bool apply(const RelabelRule& rule, Labels& labels) {
  const std::string value = source_value(rule, labels);
  switch (rule.action) {
    case Action::keep:
      return rule.compiled->matches(value);
    case Action::drop:
      return !rule.compiled->matches(value);
    case Action::keep_equal:
      return value_of(labels, rule.target) == value;
    case Action::drop_equal:
      return value_of(labels, rule.target) != value;
    case Action::replace: {
      const auto groups = match(*rule.compiled, value);
      if (!groups) return true;
      const std::string target = expand_groups(rule.target, *rule.compiled, *groups);
      if (target.empty()) return true;
      set(labels, target, expand_groups(rule.replacement, *rule.compiled, *groups));
      return true;
    }
    case Action::lower_case:
      set(labels, rule.target, in_case(value, false));
      return true;
    case Action::upper_case:
      set(labels, rule.target, in_case(value, true));
      return true;
    case Action::label_map: {
      std::vector<std::pair<std::string, std::string>> made;
      for (const auto& [name, of] : labels) {
        if (const auto groups = match(*rule.compiled, name))
          made.emplace_back(expand_groups(rule.replacement, *rule.compiled, *groups), of);
      }
      for (auto& [name, of] : made) {
        if (!name.empty()) set(labels, name, std::move(of));
      }
      return true;
    }
    case Action::label_drop:
      std::erase_if(labels, [&](const auto& one) { return rule.compiled->matches(one.first); });
      return true;
    case Action::label_keep:
      std::erase_if(labels, [&](const auto& one) { return !rule.compiled->matches(one.first); });
      return true;
    case Action::hash_mod:
      return true;
  }
  return true;
}

std::vector<std::string> literal_words(std::string_view regex) {
  std::vector<std::string> words;
  std::string word;
  const auto end = [&] {
    if (!word.empty() && std::ranges::find(words, word) == words.end()) words.push_back(word);
    word.clear();
  };
  for (std::size_t i = 0; i < regex.size(); ++i) {
    const char c = regex[i];
    if (c == '\\' && i + 1 < regex.size() && (std::ispunct(static_cast<unsigned char>(regex[i + 1])) != 0)) {
      word += regex[++i];
    } else if (c == '\\') {
      ++i;
      end();
    } else if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '/') {
      word += c;
    } else if (c == '.' && i + 1 < regex.size() && regex[i + 1] != '*' && regex[i + 1] != '+' && regex[i + 1] != '?') {
      word += c;  // app.kubernetes.io without its backslashes
    } else {
      end();
    }
  }
  end();
  return words;
}

std::vector<std::string> as_globs(std::string_view regex) {
  if (regex.starts_with('^')) regex.remove_prefix(1);
  if (regex.ends_with('$')) regex.remove_suffix(1);
  for (const std::string_view open : {"(?:", "("}) {
    if (regex.starts_with(open) && regex.ends_with(')') && regex.find_first_of("()", open.size()) == regex.size() - 1) {
      regex = regex.substr(open.size(), regex.size() - open.size() - 1);
      break;
    }
  }
  std::vector<std::string> globs;
  while (true) {
    const std::size_t bar = regex.find('|');
    std::string_view one = regex.substr(0, bar);
    std::string glob;
    bool star = false;
    if (one.ends_with(".*")) {
      star = true;
      one.remove_suffix(2);
    }
    for (const char c : one) {
      if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-') return {};
      glob += c;
    }
    if (glob.empty()) return {};
    globs.push_back(star ? glob + "*" : glob);
    if (bar == std::string_view::npos) return globs;
    regex.remove_prefix(bar + 1);
  }
}

}  // namespace weir::convert
