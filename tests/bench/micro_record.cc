// What it costs to read and write JSON lines, against simdjson on the same lines. Run with a release build:
//   weir_micro_record --benchmark_min_time=2
#include "base/clock.h"
#include "record/jsonl_reader.h"
#include "record/jsonl_writer.h"

#include <benchmark/benchmark.h>
#include <simdjson.h>

#include <random>

namespace {

using namespace weir;  // NOLINT(google-build-using-namespace)

// Records as tail and enrich write them: half of the lines JSON (every quote escaped), half logfmt; runs of two streams of a pod.
std::string make_lines(std::size_t count) {
  std::mt19937_64 random(1);
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto trace = fmt::format("{:016x}{:016x}", random(), random());
    const std::string line =
        i % 2 == 0
            ? fmt::format(R"({{\"time\":\"2024-05-01T10:00:00Z\",\"level\":\"info\",\"msg\":\"request served\",)"
                          R"(\"path\":\"/orders\",\"status\":200,\"trace_id\":\"{}\"}})",
                          trace)
            : fmt::format(R"(time=2024-05-01T10:00:00Z level=info msg=\"request served\" path=/orders status=200 duration=12.3ms )"
                          R"(trace_id={})",
                          trace);
    out += fmt::format(R"({{"timestamp":"2024-05-01T10:00:00.{:09}Z","line":"{}","labels":{{"container":"main",)"
                       R"("namespace":"checkout","pod":"app{:02}-5d8f9c7b4-x2x7k","stream":"{}"}},)"
                       R"("metadata":{{"pod_uid":"8f14e45f-ceea-467f-a0e6-{:012}"}}}})",
                       i % 1'000'000'000, line, i / 500 % 20, i % 10 == 0 ? "stderr" : "stdout", i / 500 % 20);
    out += '\n';
  }
  return out;
}

const std::string& lines() {
  static const std::string text = [] {
    std::string made = make_lines(20000);
    made.reserve(made.size() + simdjson::SIMDJSON_PADDING);
    return made;
  }();
  return text;
}

template <typename Each>
void each_line(Each each) {
  const std::string_view text = lines();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    each(text.substr(at, end - at));
    at = end + 1;
  }
}

void report(benchmark::State& state) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * lines().size()));
  state.SetItemsProcessed(state.iterations() * 20000);
}

void read_records(benchmark::State& state) {
  record::JsonlReader reader(base::Clock::system());
  record::Batch batch;
  for (auto _ : state) {
    each_line([&](std::string_view line) {
      benchmark::DoNotOptimize(reader.parse(line, batch).ok());
      if (batch.records.size() == 500) batch.clear();
    });
  }
  report(state);
}
BENCHMARK(read_records);

void read_and_write_records(benchmark::State& state) {
  record::JsonlReader reader(base::Clock::system());
  record::Batch batch;
  std::string out;
  for (auto _ : state) {
    each_line([&](std::string_view line) {
      benchmark::DoNotOptimize(reader.parse(line, batch).ok());
      if (batch.records.size() < 500) return;
      for (record::Record& record : batch.records) {
        record.touch();
        record::append_jsonl(out, record);
      }
      out.clear();
      batch.clear();
    });
  }
  report(state);
}
BENCHMARK(read_and_write_records);

// Only walks the values and decodes the strings of labels and metadata; makes no record.
void simdjson_on_demand(benchmark::State& state) {
  simdjson::ondemand::parser parser;
  std::size_t seen = 0;
  for (auto _ : state) {
    each_line([&](std::string_view line) {
      auto document = parser.iterate(line.data(), line.size(), line.size() + simdjson::SIMDJSON_PADDING);
      for (auto member : document.get_object()) {
        const std::string_view key = member.unescaped_key();
        auto value = member.value();
        if (key == "labels" || key == "metadata") {
          for (auto label : value.get_object()) {
            seen += std::string_view(label.unescaped_key()).size();
            seen += std::string_view(label.value().get_string()).size();
          }
        } else {
          seen += std::string_view(value.raw_json_token()).size();
        }
      }
    });
  }
  benchmark::DoNotOptimize(seen);
  report(state);
  state.SetLabel(simdjson::builtin_implementation()->name());
}
BENCHMARK(simdjson_on_demand);

void simdjson_dom(benchmark::State& state) {
  simdjson::dom::parser parser;
  std::size_t seen = 0;
  for (auto _ : state) {
    each_line([&](std::string_view line) {
      for (auto member : parser.parse(line.data(), line.size(), false).get_object()) {
        if (!member.value.is_object()) {
          seen += std::string_view(member.value.get_string()).size();
          continue;
        }
        for (auto label : member.value.get_object()) seen += std::string_view(label.value.get_string()).size();
      }
    });
  }
  benchmark::DoNotOptimize(seen);
  report(state);
  state.SetLabel(simdjson::get_active_implementation()->name());
}
BENCHMARK(simdjson_dom);

}  // namespace

BENCHMARK_MAIN();
