#include "smoke/report.h"

#include "base/count.h"
#include "base/diagnostics.h"
#include "base/xml.h"
#include "record/json.h"
#include "record/timestamp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace weir::smoke {

using base::count_of;
using base::Duration;
using record::json_string;

namespace {

std::string milliseconds(Duration duration) {
  const double value = static_cast<double>(duration) / static_cast<double>(base::kMillisecond);
  return value < 10'000 ? fmt::format("{:.0f} ms", value) : fmt::format("{:.1f} s", value / 1000);
}

std::string latency_words(const Latency& latency) {
  return fmt::format("p50 {}, p95 {}, p99 {}, longest {}", milliseconds(latency.p50), milliseconds(latency.p95),
                     milliseconds(latency.p99), milliseconds(latency.most));
}

std::string faults(const Verdict& verdict) {
  std::string text;
  for (const Finding& finding : verdict.findings) {
    if (!text.empty()) text += ", ";
    text += sentence(finding.fault, finding.count);
  }
  return text;
}

std::string what_was_found(const RunReport& report) {
  if (!report.verdict.good()) return faults(report.verdict);
  const std::string records = fmt::format("{} in {}", count_of(report.verdict.sent, "record"), count_of(report.streams, "stream"));
  if (!report.read_back) return fmt::format("Loki took {}; they were not read back", records);
  return fmt::format("{} arrived once, in order and unchanged", records);
}

// What a test case of JUnit stands for.
struct Check {
  std::string_view name;
  std::array<Fault, 3> faults;  // repeated where there are fewer
  bool needs_reading = true;
};
constexpr std::array<Check, 9> kChecks = {{
    {"every record arrives", {Fault::missing, Fault::refused, Fault::command}, false},
    {"in time", {Fault::late, Fault::late, Fault::late}},
    {"once", {Fault::repeated, Fault::unexpected, Fault::unexpected}},
    {"lines are unchanged", {Fault::truncated, Fault::changed, Fault::changed}},
    {"metadata is unchanged", {Fault::metadata, Fault::metadata, Fault::metadata}},
    {"times are unchanged", {Fault::time, Fault::time, Fault::time}},
    {"labels are unchanged", {Fault::labels, Fault::labels, Fault::labels}},
    {"streams keep their order", {Fault::order, Fault::order, Fault::order}},
    {"count_over_time counts what query_range shows", {Fault::count, Fault::count, Fault::count}},
}};

// They may differ without a fault of its own: by the records that are stored twice and shown once.
bool counts_differ(const Verdict& verdict) { return verdict.counted && *verdict.counted != verdict.entries; }

std::string json_list(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) out += fmt::format("{}{}", out.size() == 1 ? "" : ",", json_string(text));
  return out + "]";
}

std::string_view word_of(Way way) {
  switch (way) {
    case Way::push:
      return "push";
    case Way::command:
      return "via";
    case Way::print:
      return "emit";
  }
  return {};
}

}  // namespace

std::string to_text(const RunReport& report) {
  const Verdict& verdict = report.verdict;
  const auto escaped = [](std::string_view text) { return base::escape_control(text); };
  std::string out = fmt::format("{}: {} (run {})\n", verdict.good() ? "good" : "bad", what_was_found(report), report.run);
  for (const Finding& finding : verdict.findings) {
    out += fmt::format("  {}:\n", sentence(finding.fault, finding.count));
    for (const std::string& example : finding.examples) out += fmt::format("    {}\n", escaped(example));
    if (finding.count > finding.examples.size() && !finding.examples.empty() && finding.fault != Fault::count)
      out += fmt::format("    and {} more\n", base::grouped(finding.count - finding.examples.size()));
  }
  out += fmt::format("  sent       {}, {}", count_of(verdict.sent, "record"), record::print_size(report.written.bytes));
  if (report.way == Way::push) out += fmt::format(", in {}", count_of(report.written.requests, "push request"));
  out += fmt::format("; the run took {:.1f} s\n", static_cast<double>(report.took) / base::kSecond);
  if (report.read_back) {
    out += fmt::format("  read back  {} by query_range", base::grouped(verdict.entries));
    if (verdict.counted) out += fmt::format(", {} by count_over_time", base::grouped(*verdict.counted));
    out += '\n';
  }
  if (!verdict.latency.all.empty()) out += fmt::format("  latency    {}\n", latency_words(verdict.latency));
  for (const std::string& note : report.notes) out += fmt::format("  note       {}\n", escaped(note));
  if (!verdict.good() && !report.command_output.empty()) {
    out += "  the last lines of the command:\n";
    for (const std::string& line : report.command_output) out += fmt::format("    {}\n", escaped(line));
  }
  return out;
}

std::string to_line(const Outcome& outcome, base::Timestamp now) {
  const std::string time = record::to_rfc3339(now / base::kSecond * base::kSecond);
  if (!outcome) return fmt::format("{} no verdict: {}\n", time, base::escape_control(outcome.error().message));
  const Verdict& verdict = outcome->verdict;
  std::string out = fmt::format("{} {}: {}", time, verdict.good() ? "good" : "bad", what_was_found(*outcome));
  if (!verdict.latency.all.empty())
    out += fmt::format("; latency p50 {}, p99 {}", milliseconds(verdict.latency.p50), milliseconds(verdict.latency.p99));
  out += fmt::format(" (run {})", outcome->run);
  if (!verdict.findings.empty() && !verdict.findings.front().examples.empty())
    out += fmt::format("; the first: {}", base::escape_control(verdict.findings.front().examples.front()));
  return out + '\n';
}

std::string to_json(const Outcome& outcome, base::Timestamp now) {
  if (!outcome) {
    return fmt::format("{{\"good\":false,\"time\":\"{}\",\"error\":{},\"hint\":{}}}\n", record::to_rfc3339(now),
                       json_string(outcome.error().message), json_string(outcome.error().hint));
  }
  const RunReport& report = *outcome;
  const Verdict& verdict = report.verdict;
  const auto ms = [](Duration duration) { return static_cast<double>(duration) / static_cast<double>(base::kMillisecond); };
  std::string out = fmt::format(
      R"({{"good":{},"run":"{}","way":"{}","time":"{}","took_ms":{:.1f},"streams":{},"sent":{},"bytes":{},"requests":{},)"
      R"("repeated_requests":{},)",
      verdict.good(), report.run, word_of(report.way), record::to_rfc3339(report.begin), ms(report.took), report.streams,
      verdict.sent, report.written.bytes, report.written.requests, report.written.repeats);
  if (report.read_back) {
    out += fmt::format(R"("arrived":{},"query_range":{},"count_over_time":{},)", verdict.arrived, verdict.entries,
                       verdict.counted ? fmt::to_string(*verdict.counted) : "null");
  }
  if (!verdict.latency.all.empty()) {
    out += fmt::format(R"("latency_ms":{{"p50":{:.1f},"p95":{:.1f},"p99":{:.1f},"max":{:.1f}}},)", ms(verdict.latency.p50),
                       ms(verdict.latency.p95), ms(verdict.latency.p99), ms(verdict.latency.most));
  }
  out += "\"findings\":[";
  for (std::size_t i = 0; i < verdict.findings.size(); ++i) {
    const Finding& finding = verdict.findings[i];
    out += fmt::format(R"({}{{"fault":"{}","count":{},"text":{},"examples":{}}})", i == 0 ? "" : ",", name_of(finding.fault),
                       finding.count, json_string(sentence(finding.fault, finding.count)), json_list(finding.examples));
  }
  out += fmt::format("],\"notes\":{}", json_list(report.notes));
  if (report.way == Way::command) out += fmt::format(",\"command_output\":{}", json_list(report.command_output));
  return out + "}\n";
}

std::string to_junit(const Outcome& outcome) {
  if (!outcome) {
    return fmt::format(
        "{}<testsuites>\n  <testsuite name=\"weir smoke\" tests=\"1\" failures=\"0\" errors=\"1\">\n"
        "    <testcase classname=\"weir.smoke\" name=\"a verdict\">\n      <error message=\"{}\">{}</error>\n    </testcase>\n"
        "  </testsuite>\n</testsuites>\n",
        base::kXmlHead, base::escape_xml(outcome.error().message), base::escape_xml(outcome.error().hint));
  }
  const RunReport& report = *outcome;
  std::string cases;
  int count = 0, failures = 0;
  for (const Check& check : kChecks) {
    if (check.needs_reading && !report.read_back) continue;
    ++count;
    std::string message, body;
    for (const Finding& finding : report.verdict.findings) {
      if (std::find(check.faults.begin(), check.faults.end(), finding.fault) == check.faults.end()) continue;
      if (!message.empty()) message += ", ";
      message += sentence(finding.fault, finding.count);
      for (const std::string& example : finding.examples) (body += base::escape_xml(example)) += '\n';
    }
    if (check.faults[0] == Fault::count && message.empty() && counts_differ(report.verdict)) {
      message = fmt::format("count_over_time counts {}, query_range shows {}", base::grouped(*report.verdict.counted),
                            base::grouped(report.verdict.entries));
    }
    cases += fmt::format("    <testcase classname=\"weir.smoke\" name=\"{}\"", check.name);
    if (message.empty()) {
      cases += "/>\n";
      continue;
    }
    ++failures;
    cases += fmt::format(">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n", base::escape_xml(message), body);
  }
  std::string output;
  if (!report.command_output.empty()) {
    output = "    <system-err>";
    for (const std::string& line : report.command_output) (output += base::escape_xml(line)) += '\n';
    output += "</system-err>\n";
  }
  return fmt::format(
      "{}<testsuites>\n  <testsuite name=\"weir smoke\" tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"{:.3f}\" "
      "timestamp=\"{}\">\n"
      "{}    <system-out>{}</system-out>\n{}  </testsuite>\n</testsuites>\n",
      base::kXmlHead, count, failures, static_cast<double>(report.took) / base::kSecond,
      record::to_rfc3339(report.begin / base::kSecond * base::kSecond), cases, base::escape_xml(to_line(outcome, report.begin)),
      output);
}

}  // namespace weir::smoke
