// Runs a query over one record and tells what came of it, in one line of text for tables of cases.
//
// Every call also checks that all ways of asking agree: run(), matches(), matches() on the line as escaped JSON, and needles().
#pragma once

#include "logql/log_query.h"
#include "record/json.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::test {

// Labels {app="x", lvl="L"}, metadata app2="M" and tid="T", time 2023-11-14T22:13:20.123456789Z.
struct Subject {
  std::vector<record::Label> labels = {{"app", "x"}, {"lvl", "L"}};
  std::vector<record::Label> metadata = {{"app2", "M"}, {"tid", "T"}};
  base::Timestamp timestamp = 1'700'000'000'123'456'789;
};

inline std::string show(std::span<const record::Label> labels) {
  std::vector<std::string> parts;
  for (const record::Label& label : labels) parts.push_back(std::string(label.name) + "=" + std::string(label.value));
  std::sort(parts.begin(), parts.end());
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : " ") + part;
  return out;
}

struct Outcome {
  bool passed = false;
  std::string line;
  std::string labels;
  std::string metadata;
  std::string parsed;
};

inline Outcome evaluate(std::string_view query, std::string_view line, const Subject& subject = {}) {
  auto compiled = logql::LogQuery::compile(query, {.selector_optional = true});
  if (!compiled) return {false, "ERROR " + compiled.error().message, {}, {}, {}};
  record::Batch batch;
  record::Record record;
  record.timestamp = subject.timestamp;
  record.labels = batch.hold(record::LabelSet::intern(subject.labels));
  record.metadata = subject.metadata;
  record.line = record::Text::bytes(line);
  Outcome outcome;
  logql::LogQuery::Entry entry;
  record::Record for_run = record;
  outcome.passed = compiled->run(for_run, batch, entry);
  std::string error;
  if (outcome.passed) {
    outcome = {true, std::string(entry.line), show(entry.labels), show(entry.metadata), show(entry.parsed)};
    error = entry.error;
    EXPECT_EQ(entry.errored, !error.empty());
    for (const logql::Needles& group : compiled->needles()) {
      EXPECT_TRUE(std::any_of(group.begin(), group.end(), [&](const auto& needle) { return line.find(needle) != line.npos; }));
    }
  }
  EXPECT_EQ(compiled->matches(record, batch), outcome.passed) << "matches() differs from run()";
  if (outcome.passed) {
    EXPECT_EQ(compiled->error(), error);
  }
  std::string escaped;
  record::append_escaped(escaped, line);
  if (escaped != line) {
    record.line = {escaped, record::Text::Form::json};
    EXPECT_EQ(compiled->matches(record, batch), outcome.passed) << "the escaped line differs";
  }
  return outcome;
}

// "-" when the record is dropped, else the parsed labels, behind `[line] ` when the line changed.
inline std::string eval(std::string_view query, std::string_view line, const Subject& subject = {}) {
  const Outcome outcome = evaluate(query, line, subject);
  if (!outcome.passed) return outcome.line.empty() ? "-" : outcome.line;
  return (outcome.line == line ? "" : "[" + outcome.line + "] ") + outcome.parsed;
}

// "-" or labels / metadata / parsed labels.
inline std::string categories(std::string_view query, std::string_view line, const Subject& subject = {}) {
  const Outcome outcome = evaluate(query, line, subject);
  if (!outcome.passed) return outcome.line.empty() ? "-" : outcome.line;
  return outcome.labels + " / " + outcome.metadata + " / " + outcome.parsed;
}

struct Case {
  std::string_view query;
  std::string_view line;
  std::string_view expected;
};

}  // namespace weir::test
