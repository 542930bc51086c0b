// What enrich costs a record: the level of lines of the usual kinds, and the stage over batches. Run with a release build:
//   weir_micro_enrich --benchmark_min_time=2
#include "base/clock.h"
#include "kube/pods.h"
#include "names/level.h"
#include "record/jsonl_reader.h"
#include "stages/enrich.h"

#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

namespace {

using namespace weir;  // NOLINT(google-build-using-namespace)

void level(benchmark::State& state, std::string_view line) {
  for (auto _ : state) benchmark::DoNotOptimize(names::level_of_line(line));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * line.size()));
  state.SetLabel(fmt::format("{} bytes, {}", line.size(), names::level_of_line(line)));
}
BENCHMARK_CAPTURE(level, text_without_one,
                  "2024-05-01 10:00:00 the quick brown fox jumps over the lazy dog while the client waits for data of the frontend "
                  "at 10.0.0.1:8080, then closes the connection");
BENCHMARK_CAPTURE(level, text,
                  "2024-05-01 10:00:00 WARN the quick brown fox jumps over the lazy dog while the client waits for data");
BENCHMARK_CAPTURE(
    level, access_log,
    "10.1.2.3 - - [01/May/2024:10:00:00 +0000] \"GET /api/v1/items?page=3&size=20&sort=name HTTP/1.1\" 200 5123 \"-\" "
    "\"Mozilla/5.0 (X11; Linux x86_64)\"");
BENCHMARK_CAPTURE(
    level, logfmt,
    "ts=2024-05-01T10:00:00Z caller=main.go:33 level=info msg=\"request served\" component=api user=u17 dur=13.5ms status=200 "
    "bytes=12345");
BENCHMARK_CAPTURE(
    level, logfmt_without_one,
    "ts=2024-05-01T10:00:00Z caller=main.go:33 msg=\"request served\" component=api user=u17 dur=13.5ms status=200 bytes=12345 "
    "path=/orders/77");
BENCHMARK_CAPTURE(
    level, json,
    R"({"time":"2024-05-01T10:00:00.123Z","level":"info","msg":"request served","path":"/orders","status":200,"user":"u17"})");
BENCHMARK_CAPTURE(
    level, json_without_one,
    R"({"time":"2024-05-01T10:00:00.123Z","msg":"request served","path":"/orders","user":{"name":"u17","id":7},"status":200})");

class Nowhere : public pipeline::Outlet {
 public:
  base::Result<pipeline::Flow> emit(record::Batch&) override { return pipeline::Flow::more; }
  base::Result<base::Monotonic> nudge(base::Monotonic) override { return base::kNever; }
  base::Result<pipeline::Flushed> flush(base::Monotonic) override { return pipeline::Flushed::safe; }
};

// The records of twenty pods, in batches of 500, as JSON lines bring them; only the stage is timed.
void stage(benchmark::State& state, const stages::EnrichSpec& spec) {
  std::vector<std::string> lines;
  for (int i = 0; i < 500; ++i) {
    lines.push_back(
        fmt::format(R"({{"timestamp":"2024-05-01T10:00:00.{:09}Z","line":"time=2024-05-01T10:00:00Z level=info msg=\"request )"
                    R"(served\" path=/orders status=200 duration=12.3ms trace_id={:032x}","labels":{{"container":"main",)"
                    R"("namespace":"checkout","pod":"app-{}","stream":"stdout"}},"metadata":{{"pod_uid":"u-{}"}}}})",
                    i, i * 7919, i / 25, i / 25));
  }
  record::JsonlReader reader(base::Clock::system());
  record::Batch batch;
  std::vector<record::Record> original;
  const auto read = [&] {
    batch.clear();
    for (const std::string& line : lines) static_cast<void>(reader.parse(line, batch));
    original = batch.records;
  };
  read();
  const auto made = stages::make_enrich(spec, pipeline::Context());
  Nowhere nowhere;
  for (auto _ : state) {
    batch.records = original;
    benchmark::DoNotOptimize((*made)->consume(batch, nowhere).ok());
    if (batch.bytes() > (8U << 20)) {  // what the stage added
      state.PauseTiming();
      read();
      state.ResumeTiming();
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * original.size()));
}

stages::EnrichSpec spec(void (*change)(stages::EnrichSpec&)) {
  stages::EnrichSpec made;
  change(made);
  return made;
}
BENCHMARK_CAPTURE(stage, nothing_to_do, spec([](auto& s) { s.service_name = false; }));
BENCHMARK_CAPTURE(stage, service_name, spec([](auto&) {}));
BENCHMARK_CAPTURE(stage, level_as_metadata, spec([](auto& s) { s.level = stages::EnrichSpec::Level::metadata; }));
BENCHMARK_CAPTURE(stage, level_as_label, spec([](auto& s) {
                    s.level = stages::EnrichSpec::Level::label;
                    s.level_label = "level";
                  }));
BENCHMARK_CAPTURE(stage, keep_two_labels, spec([](auto& s) { s.keep_labels = {"namespace", "container"}; }));

// The pods of these records, beside others of the node.
class KnownPods : public kube::Pods {
 public:
  KnownPods() {
    for (int i = 0; i < 250; ++i) {
      kube::Pod pod;
      pod.uid = fmt::format("u-{}", i);
      pod.namespace_name = "checkout";
      pod.name = fmt::format("app-{}", i);
      pod.labels = {{"app", "checkout"}, {"version", "1.2.3"}};
      directory_.put(std::move(pod));
    }
  }
  [[nodiscard]] kube::PodDirectory& directory() override { return directory_; }
  void ask(const kube::PodId&) override {}
  [[nodiscard]] kube::PodsStatus status() const override { return {}; }

 private:
  kube::PodDirectory directory_;
};

// To be held against `service_name`.
BENCHMARK_CAPTURE(stage, kubernetes, spec([](auto& s) { s.pods = std::make_shared<KnownPods>(); }));
// To be held against `level_as_metadata`.
BENCHMARK_CAPTURE(stage, kubernetes_and_level, spec([](auto& s) {
                    s.pods = std::make_shared<KnownPods>();
                    s.level = stages::EnrichSpec::Level::metadata;
                  }));
BENCHMARK_CAPTURE(stage, kubernetes_with_metadata, spec([](auto& s) {
                    s.pods = std::make_shared<KnownPods>();
                    s.pod_labels.metadata = {{"version", "version"}};
                  }));

}  // namespace

BENCHMARK_MAIN();
