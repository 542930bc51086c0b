#include "ruler/alert_template.h"

#include "base/suggestion.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace weir::ruler {
namespace {

using base::Code;
using base::Result;
using gotemplate::Value;

// Prometheus puts these in front of each template.
constexpr std::string_view kVariables =
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";
constexpr std::array<std::string_view, 4> kFields = {"ExternalLabels", "ExternalURL", "Labels", "Value"};  // sorted

Value map_of(std::shared_ptr<Value::Map> map, bool of_texts) {
  Value value;
  value.kind = Value::Kind::map;
  value.map = std::move(map);
  value.labels = of_texts;  // what is not there is ""
  return value;
}

class Data : public gotemplate::TemplateData {
 public:
  explicit Data(const AlertData& data) : data_(data) {
    auto labels = std::make_shared<Value::Map>(), external = std::make_shared<Value::Map>(), all = std::make_shared<Value::Map>();
    for (const record::Label& label : data.labels->labels()) labels->emplace_back(std::string(label.name), Value::of(label.value));
    if (data.external_labels != nullptr) {
      for (const auto& [name, value] : *data.external_labels) external->emplace_back(name, Value::of(std::string_view(value)));
    }
    all->emplace_back(kFields[0], map_of(std::move(external), true));
    all->emplace_back(kFields[1], Value::of(data.external_url));
    all->emplace_back(kFields[2], map_of(std::move(labels), true));
    all->emplace_back(kFields[3], Value::of(data.value));
    dot_ = map_of(std::move(all), false);
  }

  bool find(std::string_view /*name*/, std::string_view& /*value*/) override { return false; }
  void each(const std::function<void(std::string_view, std::string_view)>& /*visit*/) override {}
  [[nodiscard]] std::string_view line() override { return data_.external_url; }
  [[nodiscard]] base::Timestamp timestamp() override { return data_.time; }
  [[nodiscard]] const Value* dot() override { return &dot_; }
  [[nodiscard]] std::string_view dot_type() override {
    return "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }";
  }

 private:
  const AlertData& data_;
  Value dot_;
};

constexpr std::array<std::string_view, 13> kKeywords = {"if",    "else",     "end",   "range", "with", "define", "template",
                                                        "block", "continue", "break", "true",  "nil",  "false"};
constexpr std::array<std::string_view, 4> kVariableNames = {"labels", "value", "externalLabels", "externalURL"};

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// Calls visit(word, the byte in front of it) for the words of the actions, outside of texts in quotes.
template <typename Visit>
void each_word(std::string_view text, Visit visit) {
  bool inside = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!inside) {
      inside = text.substr(i).starts_with("{{");
    } else if (quote != 0) {
      if (c == quote) quote = 0;
      if (c == '\\' && quote == '"') ++i;
    } else if (c == '"' || c == '`') {
      quote = c;
    } else if (text.substr(i).starts_with("}}")) {
      inside = false;
    } else if (is_word(c)) {
      const std::size_t begin = i;
      while (i + 1 < text.size() && is_word(text[i + 1])) ++i;
      visit(text.substr(begin, i + 1 - begin), text[begin - 1]);
    }
  }
}

// What to do about a template that cannot be compiled: about the first name in it that is none.
std::string advice_for(std::string_view text) {
  std::string advice;
  each_word(text, [&](std::string_view word, char before) {
    if (!advice.empty() || before == '.' || (word.front() >= '0' && word.front() <= '9')) return;
    if (before == '$') {
      const bool known = std::ranges::find(kVariableNames, word) != kVariableNames.end();
      const bool declared = text.find(fmt::format("${} :=", word)) != std::string_view::npos ||
                            text.find(fmt::format("${},", word)) != std::string_view::npos;
      if (!known && !declared) advice = "the variables are $labels, $value, $externalLabels and $externalURL";
      return;
    }
    if (std::ranges::find(kKeywords, word) != kKeywords.end() || find_alert_function(word) != nullptr) return;
    if (is_left_out(word)) {
      advice = word == "query" ? "weir has no server that 'query' could ask: say it in the expression"
                               : fmt::format("'{}' is for the results of 'query', and weir has no server to ask", word);
      return;
    }
    if (word == "tmpl") {
      advice = "Prometheus has 'tmpl' in its consoles, not in rules: {{ template \"name\" . }} does the same";
      return;
    }
    static const std::vector<std::string> kKnown = {
        "args",    "humanize", "humanize1024", "humanizeDuration", "humanizePercentage", "humanizeTimestamp", "title",  "toUpper",
        "toLower", "match",    "reReplaceAll", "stripPort",        "stripDomain",        "parseDuration",     "printf", "toTime"};
    advice = base::suggestion(word, kKnown, "functions are those of Prometheus: humanize, humanizePercentage, toUpper, printf, …");
  });
  return advice;
}

}  // namespace

Result<AlertTemplate> AlertTemplate::compile(std::string_view text, std::string_view alert) {
  AlertTemplate made;
  made.text_ = text;
  if (text.find("{{") == std::string_view::npos) return made;
  made.name_ = fmt::format("__alert_{}", alert);
  auto compiled = gotemplate::Template::compile(std::string(kVariables) + made.text_, made.name_, find_alert_function);
  if (!compiled) {
    base::Error error = std::move(compiled).error();
    error.code = Code::config;
    error.hint = advice_for(text);
    return error;
  }
  made.compiled_ = *std::move(compiled);
  return made;
}

std::string AlertTemplate::expand(const AlertData& data) const {
  if (!compiled_) return text_;
  Data dot(data);
  gotemplate::Budget budget;
  std::string out, error;
  if (compiled_->execute(dot, budget, out, error)) return out;
  return fmt::format("<error expanding template: error executing template {}: {}>", name_, error);
}

}  // namespace weir::ruler
