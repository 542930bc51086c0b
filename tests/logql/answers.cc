// Answers LogQL queries over the records of a file of JSON lines, for tests that compare weir with a real Loki (tests/loki/real):
// as `weir query --spool` would, but in one process, at one point, too, and with values as Loki prints them.
//
//   weir_logql_answers RECORDS.jsonl < REQUESTS > ANSWERS
//
// A request is a JSON object a line: query, kind (log, range, instant), start, end, step in nanoseconds (log: start <= time < end).
// An answer is one, too: {"entries": [[labels, ns, line, metadata, parsed], …]} in the order of time, {"series": [[labels, [[ms,
// value], …]], …]}, {"scalar": value} or {"error": text}. A query that prints as another one is answered with an error.
#include "base/clock.h"
#include "gotext/quantity.h"
#include "logql/log_query.h"
#include "logql/metric_query.h"
#include "logql/parser.h"
#include "logql/printer.h"
#include "record/jsonl_reader.h"
#include "record/record.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <variant>
#include <vector>

namespace {

using namespace weir;
using nlohmann::json;

json of_labels(std::span<const record::Label> labels) {
  json out = json::object();
  for (const record::Label& label : labels) out[std::string(label.name)] = label.value;
  return out;
}

json of_error(std::string_view text) { return {{"error", text}}; }

class Answerer {
 public:
  bool load(const char* path) {
    std::ifstream in(path);
    record::JsonlReader reader(base::Clock::system());
    std::string line;
    while (std::getline(in, line)) {
      if (!reader.parse(records_.copy(line), records_)) return false;
    }
    std::stable_sort(records_.records.begin(), records_.records.end(),
                     [](const record::Record& a, const record::Record& b) { return a.timestamp < b.timestamp; });
    return in.eof() && !records_.records.empty();
  }

  json answer(const json& request) {
    const auto query = request["query"].get<std::string>();
    const auto parsed = logql::parse_expr(query, {});
    if (const auto* error = std::get_if<logql::ParseError>(&parsed)) return of_error(error->message);
    const auto& expr = std::get<logql::Expr>(parsed);
    const std::string printed = logql::print(expr);
    const auto again = logql::parse_expr(printed, {});
    const auto* same = std::get_if<logql::Expr>(&again);
    if (same == nullptr || !(*same == expr)) return of_error("prints as " + printed);
    if (request["kind"] == "log") return log(query, request["start"], request["end"]);
    const bool instant = request["kind"] == "instant";
    logql::MetricTimes times{request["start"], instant ? request["start"] : request["end"], instant ? json(0) : request["step"]};
    return metric(query, instant ? times : times.aligned(), instant);
  }

 private:
  json log(std::string_view text, base::Timestamp start, base::Timestamp end) {
    auto query = logql::LogQuery::compile(text, {.selector_optional = false});
    if (!query) return of_error(query.error().message);
    json entries = json::array();
    for (const record::Record& one : records_.records) {
      if (one.timestamp < start || one.timestamp >= end) continue;
      record::Batch batch;
      record::Record& record = batch.add_copy(one);
      logql::LogQuery::Entry entry;
      if (!query->run(record, batch, entry)) continue;
      entries.push_back({of_labels(entry.labels), one.timestamp, entry.line, of_labels(entry.metadata), of_labels(entry.parsed)});
    }
    return {{"entries", std::move(entries)}};
  }

  json metric(std::string_view text, const logql::MetricTimes& times, bool instant) {
    auto query = logql::MetricQuery::compile(text, times, instant, {});
    if (!query) return of_error(query.error().message);
    for (const record::Record& one : records_.records) {
      if (!(*query)->reads().contains(one.timestamp) || !(*query)->selects(*one.labels)) continue;
      record::Batch batch;
      if (auto added = (*query)->add(batch.add_copy(one), batch); !added) return of_error(added.error().message);
    }
    auto answer = (*query)->finish();
    if (!answer) return of_error(answer.error().message);
    if (answer->kind == logql::MetricAnswer::Kind::scalar) {
      return {{"scalar", gotext::print_float_f(answer->series.front().points.front().value)}};
    }
    json series = json::array();
    for (const auto& one : answer->series) {
      json points = json::array();
      for (const logql::MetricPoint& point : one.points) {
        points.push_back({point.time / base::kMillisecond, gotext::print_float_f(point.value)});
      }
      series.push_back({of_labels(one.labels->labels()), std::move(points)});
    }
    return {{"series", std::move(series)}};
  }

  record::Batch records_;
};

}  // namespace

int main(int argc, char** argv) {
  Answerer answerer;
  if (argc != 2 || !answerer.load(argv[1])) {
    std::fprintf(stderr, "usage: weir_logql_answers RECORDS.jsonl < REQUESTS\n");
    return 2;
  }
  std::string line;
  while (std::getline(std::cin, line)) {
    std::cout << answerer.answer(json::parse(line)).dump(-1, ' ', true, json::error_handler_t::replace) << std::endl;
  }
  return 0;
}
