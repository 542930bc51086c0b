#include "ruler/unit_file.h"

#include "logql/parser.h"
#include "record/timestamp.h"
#include "ruler/map_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace weir::ruler {
namespace {

using base::Result;
using record::Label;
using record::LabelSet;
using record::LabelSetRef;
using yaml::Node;
using yaml::Place;

constexpr std::size_t kMostLines = 1'000'000;  // of one file
constexpr std::size_t kMostBytes = 1 << 20;    // of a line that is repeated

LabelSetRef set_of(const Pairs& pairs, std::string_view alert = {}) {
  std::vector<Label> labels;
  for (const auto& [name, value] : pairs) labels.push_back({name, value});
  if (!alert.empty()) labels.push_back({"alertname", alert});
  return LabelSet::intern(labels);
}

class Reader {
 public:
  explicit Reader(const FileText& file) : file_(file) { out_.name = file.name; }

  Result<UnitFile> read(const Node& root) {
    MapReader map(file_, root, "a file of unit tests",
                  {"rule_files", "evaluation_interval", "group_eval_order", "tests", "fuzzy_compare"});
    out_.rule_files = map.texts("rule_files");
    out_.rule_files_place = map.place("rule_files");
    if (const base::Duration interval = map.duration("evaluation_interval"); interval > 0) out_.interval = interval;
    out_.fuzzy = map.flag("fuzzy_compare");
    // LogQL rules do not read what other rules record, so that the order changes nothing.
    std::set<std::string> groups;
    for (const std::string& group : map.texts("group_eval_order")) {
      if (!groups.insert(group).second)
        map.fail(map.place("group_eval_order"), fmt::format("the group '{}' stands there twice", group));
    }
    for (const Node& node : map.list("tests")) {
      if (map.failed()) break;
      if (auto good = test(node); !good) map.fail(std::move(good).error());
    }
    if (map.failed()) return std::move(map).error();
    if (out_.tests.empty()) return file_.error(root.place, "the file has no tests", "add `tests:` and below it a list of them");
    return std::move(out_);
  }

 private:
  Result<void> test(const Node& node) {
    if (node.is_map()) {
      for (const yaml::Entry& entry : node.entries) {
        if (entry.key == "input_series") {
          return file_.error(entry.place, "LogQL rules read log lines, not series", "give the lines below `input_streams:`");
        }
        if (entry.key == "promql_expr_test")
          return file_.error(entry.place, "the rules are LogQL, not PromQL", "use `logql_expr_test:`");
      }
    }
    MapReader map(file_, node, "a test",
                  {"name", "interval", "start_timestamp", "external_labels", "external_url", "input_streams", "alert_rule_test",
                   "logql_expr_test", "recording_rule_test"});
    UnitTest test;
    test.name = map.text("name");
    test.place = node.place;
    test.external_labels = map.pairs("external_labels");
    test.external_url = map.text("external_url");
    interval_ = map.duration("interval");
    if (interval_ <= 0) interval_ = out_.interval;
    if (const std::string text = map.text("start_timestamp"); !text.empty()) {
      const auto time = start_of(text);
      if (!time)
        map.fail(map.place("start_timestamp"), "'start_timestamp' is no time from 1970 to 2100",
                 "write 2026-11-30T00:00:00Z, or seconds since 1970");
      test.start = time.value_or(0);
    }
    const auto read_each = [&](std::string_view key, auto read_one) {
      for (const Node& item : map.list(key)) {
        if (map.failed()) return;
        if (auto good = read_one(item); !good) map.fail(std::move(good).error());
      }
    };
    read_each("input_streams", [&](const Node& item) { return stream(item, test); });
    read_each("alert_rule_test", [&](const Node& item) { return alert_test(item, test); });
    read_each("logql_expr_test", [&](const Node& item) { return sample_test(item, "expr", test.expressions); });
    read_each("recording_rule_test", [&](const Node& item) { return sample_test(item, "record", test.recordings); });
    if (map.failed()) return std::move(map).error();
    if (test.alerts.empty() && test.expressions.empty() && test.recordings.empty()) {
      return file_.error(node.place, "the test expects nothing",
                         "add `alert_rule_test:`, `logql_expr_test:` or `recording_rule_test:`");
    }
    out_.tests.push_back(std::move(test));
    return {};
  }

  static std::optional<base::Timestamp> start_of(const std::string& text) {
    constexpr base::Timestamp kMost = 4'102'444'800 * base::kSecond;  // the year 2100
    if (const auto time = record::parse_rfc3339(text)) return *time >= 0 && *time <= kMost ? time : std::nullopt;
    std::int64_t seconds = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, seconds);
    if (read.ec != std::errc() || read.ptr != end || seconds < 0 || seconds > kMost / base::kSecond) return std::nullopt;
    return seconds * base::kSecond;
  }

  // `{a="b"}`, and in front of it the name of a metric where that is allowed.
  Result<LabelSetRef> labels_of(const Node& node, std::string_view key, bool named) const {
    const std::string hint = fmt::format("write '{}{{namespace=\"shop\"}}', in single quotes", named ? "NAME" : "");
    if (!node.is_scalar()) return file_.error(node.place, fmt::format("'{}' must be a text", key), hint);
    const std::size_t brace = std::min(node.text.find('{'), node.text.size());
    const std::string name = node.text.substr(0, brace);
    const std::string selector = node.text.substr(brace);
    if (!named && !name.empty()) return file_.error(node.place, fmt::format("'{}' must be labels in braces", key), hint);
    std::vector<Label> labels;
    auto parsed = logql::parse(selector, {.selector_optional = true});
    if (!parsed) return file_.error(node.place, fmt::format("'{}' is no set of labels: {}", key, parsed.error().message), hint);
    const auto* const log = std::get_if<logql::LogExpr>(&parsed->node);
    if (log == nullptr || !log->stages.empty()) return file_.error(node.place, fmt::format("'{}' must be labels alone", key), hint);
    for (const logql::MatcherExpr& matcher : log->matchers) {
      if (matcher.op != logql::MatchOp::equal)
        return file_.error(node.place, fmt::format("'{}' must say label=\"value\"", key), hint);
      labels.push_back({matcher.name, matcher.value});
    }
    if (!name.empty()) labels.push_back({"__name__", name});
    return LabelSet::intern(labels);
  }

  Result<void> stream(const Node& node, UnitTest& test) {
    MapReader map(file_, node, "an input stream", {"stream", "metadata", "lines"});
    InputStream stream;
    const Pairs metadata = map.pairs("metadata");
    if (map.find("stream") == nullptr)
      map.fail(node.place, "the input stream has no 'stream'", "add `stream: '{namespace=\"shop\"}'`");
    if (map.failed()) return std::move(map).error();
    auto labels = labels_of(*map.find("stream"), "stream", false);
    if (!labels) return std::move(labels).error();
    if (labels.value()->size() == 0)
      return file_.error(map.place("stream"), "a stream needs a label", "write '{namespace=\"shop\"}'");
    stream.labels = *std::move(labels);
    base::Duration next = 0;
    for (const Node& item : map.list("lines")) {
      if (auto good = lines(item, metadata, next, stream); !good) return good;
    }
    if (map.failed()) return std::move(map).error();
    test.streams.push_back(std::move(stream));
    return {};
  }

  // `next`: where it begins unless it says so; then one interval behind its last line.
  Result<void> lines(const Node& node, const Pairs& metadata, base::Duration& next, InputStream& stream) {
    InputLine made{.at = next, .every = interval_, .times = 1, .line = node.text, .metadata = metadata};
    if (!node.is_scalar()) {
      if (auto read = line(node, made); !read) return read;
    }
    if (auto good = count_lines(node, made.times); !good) return good;
    const auto repeats = static_cast<base::Duration>(std::max<std::uint64_t>(made.times, 1) - 1);
    if (repeats > 0 && made.every > kMostDuration / repeats)
      return file_.error(node.place, "the lines reach over more than 100 years");
    next = made.at + repeats * made.every + interval_;
    if (next > kMostDuration) return file_.error(node.place, "the lines reach over more than 100 years");
    stream.lines.push_back(std::move(made));
    return {};
  }

  Result<void> line(const Node& node, InputLine& made) const {
    MapReader map(file_, node, "a line", {"line", "bytes", "at", "every", "times", "metadata"});
    made.line = map.text("line");
    if (map.find("line") == nullptr) map.fail(node.place, "the entry has no 'line'", "add `line: TEXT`");
    if (map.find("at") != nullptr) made.at = map.duration("at");
    if (map.find("every") != nullptr) made.every = map.duration("every");
    if (map.find("times") != nullptr) made.times = map.count("times");
    if (made.every <= 0) map.fail(map.place("every"), "'every' must be longer than nothing");
    if (const std::uint64_t bytes = map.count("bytes"); bytes > 0) {
      if (bytes > kMostBytes || made.line.empty()) {
        map.fail(map.place("bytes"), fmt::format("'bytes' repeats a text up to that size, at most {}", kMostBytes));
      } else {
        const std::string once = made.line;
        while (made.line.size() < bytes) made.line += once;
        made.line.resize(bytes);
      }
    }
    Pairs own = map.pairs("metadata");
    for (const auto& one : made.metadata) {
      const auto same = [&](const auto& have) { return have.first == one.first; };
      if (std::ranges::none_of(own, same)) own.push_back(one);
    }
    made.metadata = std::move(own);
    if (map.failed()) return std::move(map).error();
    return {};
  }

  Result<void> count_lines(const Node& node, std::uint64_t more) {
    if (more > kMostLines - lines_) return file_.error(node.place, fmt::format("the tests have more than {} lines", kMostLines));
    lines_ += more;
    return {};
  }

  Result<void> alert_test(const Node& node, UnitTest& test) {
    MapReader map(file_, node, "a test of an alert", {"eval_time", "alertname", "exp_alerts"});
    AlertTest made;
    made.place = node.place;
    made.at = map.duration("eval_time");
    made.alert = map.text("alertname");
    if (made.alert.empty()) map.fail(node.place, "the test has no 'alertname'", "add `alertname: NAME`");
    for (const Node& item : map.list("exp_alerts")) {
      if (map.failed()) break;
      MapReader alert(file_, item, "an expected alert", {"exp_labels", "exp_annotations"});
      ExpectedAlert expected;
      expected.labels = set_of(alert.pairs("exp_labels"), made.alert);
      if (item.find("exp_annotations") != nullptr) expected.annotations = alert.pairs("exp_annotations");
      if (alert.failed()) map.fail(std::move(alert).error());
      made.expected.push_back(std::move(expected));
    }
    if (map.failed()) return std::move(map).error();
    test.alerts.push_back(std::move(made));
    return {};
  }

  Result<void> sample_test(const Node& node, std::string_view subject, std::vector<SampleTest>& tests) {
    MapReader map(file_, node, "a test of an expression or recording rule", {subject, "eval_time", "exp_samples"});
    SampleTest made;
    made.place = node.place;
    made.at = map.duration("eval_time");
    made.subject = map.text(subject);
    if (made.subject.empty()) map.fail(node.place, fmt::format("the test has no '{}'", subject));
    for (const Node& item : map.list("exp_samples")) {
      if (map.failed()) break;
      MapReader sample(file_, item, "an expected sample", {"labels", "value"});
      ExpectedSample expected;
      const auto value = sample.number("value");
      if (!value) sample.fail(item.place, "the sample has no 'value'", "add `value: NUMBER`");
      expected.value = value.value_or(0);
      expected.labels = LabelSet::empty();
      if (const Node* const text = sample.find("labels"); text != nullptr) {
        auto labels = labels_of(*text, "labels", true);
        if (labels) {
          expected.labels = *std::move(labels);
        } else {
          sample.fail(std::move(labels).error());
        }
      }
      if (sample.failed()) map.fail(std::move(sample).error());
      made.expected.push_back(std::move(expected));
    }
    if (map.failed()) return std::move(map).error();
    tests.push_back(std::move(made));
    return {};
  }

  const FileText& file_;
  UnitFile out_;
  base::Duration interval_ = base::kMinute;
  std::size_t lines_ = 0;
};

}  // namespace

Result<UnitFile> read_unit_file(std::string_view text, std::string_view name) {
  auto document = yaml::parse(text, name, yaml::Content::open);
  if (!document) return std::move(document).error();
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const FileText file{text, name};
  if (document->has_more) return file.error(document->root.place, "the file has more than one document", "make it one");
  return Reader(file).read(document->root);
}

}  // namespace weir::ruler
