#include "ruler/report.h"

#include "base/count.h"
#include "base/diagnostics.h"
#include "gotext/quantity.h"
#include "record/json.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::ruler {
namespace {

using base::escape_control;
using record::json_string;
using record::to_rfc3339;

constexpr std::string_view kIndent = "    ";

void add_annotations(std::vector<std::string>& lines, const Pairs& annotations) {
  for (const auto& [name, text] : annotations) {
    std::string_view rest = text;
    std::string head = fmt::format("{}  {}: ", kIndent, escape_control(name));
    while (true) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      lines.push_back(head + escape_control(rest.substr(0, end)));
      if (end + 1 >= rest.size()) break;
      rest.remove_prefix(end + 1);
      head = std::string(kIndent.size() + 4, ' ');
    }
  }
}

void add_alert(std::vector<std::string>& lines, const RuleReport& report, const AlertReport& one) {
  const Alert& alert = one.alert;
  std::string line = fmt::format("  {:<8} {}", word_of(alert.state), escape_control(report.rule->name));
  if (alert.state == AlertState::firing) {
    line += fmt::format(" since {}", to_rfc3339(*alert.fired_at));
    if (*alert.fired_at != alert.active_at) line += fmt::format(", active since {}", to_rfc3339(alert.active_at));
    if (alert.kept_since) line += fmt::format(", kept by keep_firing_for since {}", to_rfc3339(*alert.kept_since));
  } else {
    line += fmt::format(" since {}, fires at {}", to_rfc3339(alert.active_at), to_rfc3339(alert.active_at + report.rule->hold));
  }
  lines.push_back(std::move(line));
  lines.push_back(
      fmt::format("{}{} {}", kIndent, escape_control(print_labels(alert.labels->labels())), gotext::print_float_g(alert.value)));
  add_annotations(lines, one.annotations);
}

void add_nothing(std::vector<std::string>& lines, const RuleReport& report) {
  if (!report.nothing.empty()) lines.push_back(fmt::format("{}{}", kIndent, escape_control(report.nothing)));
}

void add_quiet(std::vector<std::string>& lines, const RuleReport& report) {
  std::string line = fmt::format("  {:<8} {}", word_of(AlertState::inactive), escape_control(report.rule->name));
  if (report.last) {
    line += fmt::format("; fired from {} to {}", to_rfc3339(report.last->fired_at.value_or(report.last->active_at)),
                        to_rfc3339(report.last->resolved_at.value_or(0)));
  }
  lines.push_back(std::move(line));
  add_nothing(lines, report);
}

void add_recorded(std::vector<std::string>& lines, const RuleReport& report) {
  lines.push_back(
      fmt::format("  {:<8} {}{}", "recorded", escape_control(report.rule->name), report.samples.empty() ? ": no series" : ""));
  for (const Sample& sample : report.samples) {
    lines.push_back(fmt::format("{}{} {}", kIndent, escape_control(print_labels(sample.labels->labels())),
                                gotext::print_float_g(sample.value)));
  }
  add_nothing(lines, report);
}

std::string json_of(const Pairs& pairs) {
  std::string out = "{";
  for (const auto& [name, value] : pairs) {
    out += fmt::format("{}{}:{}", out.size() == 1 ? "" : ",", json_string(name), json_string(value));
  }
  return out + '}';
}

std::string head_of(const RuleReport& report, std::string_view state) {
  return fmt::format(R"({{"file":{},"group":{},"rule":{},"type":"{}","state":"{}")", json_string(report.file->name),
                     json_string(report.group->name), json_string(report.rule->name),
                     report.rule->kind == Rule::Kind::alert ? "alert" : "record", state);
}

std::string json_time(std::string_view name, std::optional<base::Timestamp> time) {
  return time ? fmt::format(R"(,"{}":"{}")", name, to_rfc3339(*time)) : std::string();
}

std::string json_value(double value) { return fmt::format(R"(,"value":"{}")", gotext::print_float_f(value)); }

}  // namespace

std::vector<std::string> to_lines(std::span<const RuleReport> reports) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0, end = 0; begin < reports.size(); begin = end) {
    const Group* const group = reports[begin].group;
    while (end < reports.size() && reports[end].group == group) ++end;
    if (!lines.empty()) lines.emplace_back();
    lines.push_back(fmt::format("{}, every {}", escape_control(group->name), record::print_duration(reports[begin].interval)));
    const auto of_group = reports.subspan(begin, end - begin);
    for (const AlertState state : {AlertState::firing, AlertState::pending}) {
      for (const RuleReport& report : of_group) {
        for (const AlertReport& one : report.alerts) {
          if (one.alert.state == state) add_alert(lines, report, one);
        }
      }
    }
    for (const RuleReport& report : of_group) {
      if (report.error) {
        lines.push_back(
            fmt::format("  {:<8} {}: {}", "error", escape_control(report.rule->name), escape_control(report.error->message)));
        if (!report.error->hint.empty()) lines.push_back(fmt::format("{}{}", kIndent, escape_control(report.error->hint)));
      } else if (report.rule->kind == Rule::Kind::record) {
        add_recorded(lines, report);
      } else if (report.alerts.empty()) {
        add_quiet(lines, report);
      }
    }
  }
  return lines;
}

std::vector<std::string> to_json_lines(std::span<const RuleReport> reports) {
  std::vector<std::string> lines;
  for (const RuleReport& report : reports) {
    if (report.error)
      lines.push_back(head_of(report, "error") + fmt::format(R"(,"error":{}}})", json_string(report.error->message)));
    for (const Sample& sample : report.samples) {
      lines.push_back(head_of(report, "ok") + fmt::format(R"(,"labels":{})", sample.labels->json()) + json_value(sample.value) +
                      '}');
    }
    for (const AlertReport& one : report.alerts) {
      const Alert& alert = one.alert;
      lines.push_back(head_of(report, word_of(alert.state)) +
                      fmt::format(R"(,"labels":{},"annotations":{})", alert.labels->json(), json_of(one.annotations)) +
                      json_value(alert.value) + json_time("active_at", alert.active_at) + json_time("fired_at", alert.fired_at) +
                      json_time("kept_since", alert.kept_since) + '}');
    }
    if (report.error || !report.samples.empty() || !report.alerts.empty()) continue;
    std::string line = head_of(report, report.rule->kind == Rule::Kind::record ? "ok" : "inactive");
    if (!report.nothing.empty()) line += fmt::format(R"(,"hint":{})", json_string(report.nothing));
    if (report.last) {
      line += fmt::format(R"(,"labels":{})", report.last->labels->json()) + json_time("fired_at", report.last->fired_at) +
              json_time("resolved_at", report.last->resolved_at);
    }
    lines.push_back(line + '}');
  }
  return lines;
}

std::string summary_of(std::span<const RuleReport> reports) {
  std::size_t states[3] = {}, failed = 0, series = 0;
  bool records = false;
  for (const RuleReport& report : reports) {
    if (report.error) {
      ++failed;
    } else if (report.rule->kind == Rule::Kind::record) {
      records = true;
      series += report.samples.size();
    } else if (report.alerts.empty()) {
      ++states[static_cast<std::size_t>(AlertState::inactive)];
    } else {
      for (const AlertReport& one : report.alerts) ++states[static_cast<std::size_t>(one.alert.state)];
    }
  }
  std::string text = fmt::format("{} firing, {} pending, {} inactive", states[2], states[1], states[0]);
  if (records) text += fmt::format("; {} recorded", base::count_of(series, "series", "series"));
  if (failed > 0) text += fmt::format("; {} failed", failed);
  return text;
}

}  // namespace weir::ruler
