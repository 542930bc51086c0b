// Design law 9 as a scrape sees it: while a chain runs, in one process and as a pipe, the books of every stage balance in whatever
// a registry shows, through reloads, rejections, outages, spilling and held records.
#include "pipeline/chain.h"
#include "pipeline/jsonl_sink.h"
#include "pipeline/jsonl_source.h"
#include "record/timestamp.h"
#include "stages/buffer.h"
#include "stages/enrich.h"
#include "stages/filter.h"
#include "stages/push.h"
#include "stages/tail_source.h"
#include "support/books.h"
#include "support/collect.h"
#include "support/fake_loki.h"
#include "support/fake_pods.h"
#include "support/temp_dir.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <set>
#include <thread>

namespace weir::stages {
namespace {

using pipeline::Context;
using MakeSource = std::function<std::unique_ptr<pipeline::Source>(const Context&)>;
struct MakeStage {
  std::function<std::unique_ptr<pipeline::Stage>(const Context&)> make;
  bool drives_below = false;
};

constexpr base::Duration kAskFor = 20 * base::kMillisecond;

// A process: its registry, and one chain on a thread of its own.
class Process {
 public:
  Process(base::Stop& stop, base::Diagnostics& diagnostics, const MakeSource& source, const std::vector<MakeStage>& stages)
      : chain_(registry, base::Clock::system(), "chain"), drain_(registry, base::Clock::system(), "drain") {
    Context context{
        &base::Clock::system(), &diagnostics, &stop, [](const char*) -> const char* { return nullptr; }, &registry, &chain_};
    contexts_.push_back(std::make_unique<Context>(context));
    source_ = source(*contexts_.back());
    for (const MakeStage& one : stages) {
      context.driver_below = one.drives_below ? &drain_ : nullptr;
      contexts_.push_back(std::make_unique<Context>(context));
      stages_.push_back(one.make(*contexts_.back()));
      if (one.drives_below) context.driver = &drain_;
    }
  }
  void start() {
    thread_ = std::thread([this] {
      result = pipeline::run_chain(*source_, stages_, *contexts_.front());
      chain_.end();
      drain_.end();
    });
  }
  // Waits for its end. What it had open is closed then; what it has counted stays.
  void join() {
    if (thread_.joinable()) thread_.join();
    stages_.clear();
    source_.reset();
  }
  ~Process() { join(); }

  metrics::Registry registry;
  std::optional<pipeline::ChainResult> result;

 private:
  metrics::Driver chain_, drain_;  // outlive the blocks of the stages
  std::vector<std::unique_ptr<Context>> contexts_;
  std::unique_ptr<pipeline::Source> source_;
  std::vector<std::unique_ptr<pipeline::Stage>> stages_;
  std::thread thread_;
};

struct Pipe {
  Pipe() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  base::UniqueFd read, write;
};

struct Scenario {
  bool fused = true, spill = false;
};

class Law9Test : public testing::TestWithParam<Scenario> {
 protected:
  Law9Test() {
    kube::PodsStatus status;
    status.fresh = true;  // so that the pod, which is never known, is waited for
    pods_->set_status(status);
    std::filesystem::create_directories(log().parent_path());
    rules("# nothing yet");
  }
  [[nodiscard]] std::filesystem::path log() const { return (dir_ / "pods") + std::string("/shop_web_uid-1/app/0.log"); }
  void rules(const std::string& text) const {
    std::ofstream(dir_ / "rules.new") << text << "\n";
    std::filesystem::rename(dir_ / "rules.new", dir_ / "rules");
  }
  void write(int lines) {
    std::ofstream log(this->log(), std::ios::app);
    for (int i = 0; i < lines; ++i, ++written_) {
      const char* const level = written_ % 5 == 0 ? "debug" : "info";
      log << record::to_rfc3339(base::Clock::system().wall()) << " stdout F level=" << level << " line " << written_
          << (written_ % 97 == 0 ? std::string(2000, 'x') : "") << "\n";
    }
  }

  [[nodiscard]] std::vector<MakeStage> stages() const {
    FilterSpec filter;
    filter.drop = {"|= \"line 13\""};
    filter.rules.files = {dir_ / "rules"};
    filter.rules.buffer_behind = true;
    EnrichSpec enrich;
    enrich.level = EnrichSpec::Level::metadata;
    enrich.pods = pods_;
    enrich.knowledge =
        std::make_shared<PodKnowledge>(PodKnowledgeSpec{.wait = 100 * base::kMillisecond}, pods_, base::Clock::system());
    BufferSpec buffer;
    buffer.spool.path = dir_ / "spool.db";
    buffer.spool.min_free = 0;
    buffer.spill = GetParam().spill;
    buffer.group_bytes = 16 << 10;
    buffer.group_age = 50 * base::kMillisecond;
    buffer.commit_every = 0;
    buffer.held_age = 100 * base::kMillisecond;
    buffer.spill_limits.end_wait = base::kSecond;
    PushSpec push;
    push.http.base = *http::parse_url(loki_.url());
    push.limits.max_line = 1000;
    push.wait = 10 * base::kMillisecond;
    push.start_jitter = 0;
    push.memory = 256 << 10;
    push.backoff = {.base = 20 * base::kMillisecond, .ceiling = 100 * base::kMillisecond};
    return {{[enrich](const Context& context) { return std::move(*make_enrich(enrich, context)); }},
            {[filter](const Context& context) { return std::move(*make_filter(filter, context)); }},
            {[buffer](const Context& context) { return std::move(*make_buffer(buffer, context)); }, true},
            {[push](const Context& context) { return std::move(*make_push(push, context)); }}};
  }
  [[nodiscard]] MakeSource tail() const {
    return [this](const Context& context) {
      TailSpec spec;
      spec.inputs = {dir_ / "pods"};
      spec.read.follow = true;
      spec.checkpoint = dir_ / "spool.db";
      spec.times.gather = 5 * base::kMillisecond;
      spec.times.spacing = 10 * base::kMillisecond;
      return make_tail_source(std::move(spec), context);
    };
  }

  void build() {
    const std::vector<MakeStage> all = stages();
    if (GetParam().fused) {
      processes_.push_back(std::make_unique<Process>(*stop_, diagnostics_, tail(), all));
      return;
    }
    // As the shell does it: a process for each stage, JSON lines between them.
    pipes_ = std::vector<Pipe>(all.size());
    const auto reads = [this](std::size_t pipe) {
      return [fd = pipes_[pipe].read.get()](const Context& context) { return pipeline::make_jsonl_source({.fd = fd}, context); };
    };
    const auto writes = [this](std::size_t pipe) {
      return MakeStage{
          [fd = pipes_[pipe].write.get()](const Context& context) { return pipeline::make_jsonl_sink({.fd = fd}, context); }};
    };
    processes_.push_back(std::make_unique<Process>(*stop_, diagnostics_, tail(), std::vector{writes(0)}));
    for (std::size_t i = 0; i < all.size(); ++i) {
      std::vector<MakeStage> own = {all[i]};
      if (i + 1 < all.size()) own.push_back(writes(i + 1));
      processes_.push_back(std::make_unique<Process>(*reading_, diagnostics_, reads(i), own));
    }
  }

  // What all processes show of a stage.
  [[nodiscard]] pipeline::Counters books(std::string_view stage) const {
    for (const auto& process : processes_) {
      const auto samples = process->registry.read();
      const auto counters = pipeline::counters_of(samples, stage);
      if (counters.records_in > 0) return counters;
    }
    return {};
  }
  [[nodiscard]] std::uint64_t value(std::string_view name, std::string_view label_value = {}) const {
    std::uint64_t value = 0;
    for (const auto& process : processes_)
      for (const metrics::Sample& sample : process->registry.read())
        if (sample.metric->name == name && sample.label_value == label_value) value += sample.value;
    return value;
  }

  // Asks and reads without a pause until the chain has ended.
  void probe(const std::atomic<bool>& done) {
    while (!done) {
      for (const auto& process : processes_) {
        if (process->registry.ask(kAskFor)) ++answered_;
        const auto samples = process->registry.read();
        ++looks_;
        for (const char* stage : {"tail", "input", "enrich", "filter", "buffer", "push", "output"}) {
          const pipeline::Counters counters = pipeline::counters_of(samples, stage);
          if (counters.unaccounted() == 0) continue;
          if (unbalanced_.insert(stage).second) ADD_FAILURE() << stage << ": " << test::printed(counters);
        }
      }
    }
  }

  template <typename Condition>
  void wait_for(const char* what, const Condition& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << what << "\n" << said();
      for (const auto& process : processes_) process->registry.ask(kAskFor);
    }
  }
  [[nodiscard]] std::string said() const {
    std::string text;
    for (const std::string& one : diagnostics_.said()) text += one + "\n";
    for (const char* stage : {"tail", "enrich", "filter", "buffer", "push"})
      text += std::string(stage) + ": " + test::printed(books(stage)) + "\n";
    return text;
  }

  test::TempDir dir_;
  test::FakeLoki loki_;
  std::shared_ptr<test::FakePods> pods_ = std::make_shared<test::FakePods>();
  test::RememberingDiagnostics diagnostics_;
  std::unique_ptr<base::Stop> stop_ = std::move(*base::Stop::create());     // of who reads logs
  std::unique_ptr<base::Stop> reading_ = std::move(*base::Stop::create());  // of who reads a pipe to its end
  std::vector<Pipe> pipes_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::set<std::string> unbalanced_;
  std::uint64_t looks_ = 0, answered_ = 0;
  std::uint64_t written_ = 0;
};

TEST_P(Law9Test, TheBooksBalanceInEveryScrape) {
  std::atomic<bool> outage = false;
  std::atomic<int> asked = 0;
  loki_.decide([&](const test::PushedRequest&) {
    if (outage) return test::ScriptedReply{.status = 503};
    return test::ScriptedReply{.status = ++asked % 7 == 0 ? 500 : 204};
  });
  write(500);
  build();
  std::atomic<bool> done = false;
  for (const auto& process : processes_) process->start();
  std::thread prober([&] { probe(done); });

  // Batches of hundreds of kilobytes, of which buffer makes many blocks, so that a half entered one lasts.
  const auto taken = [&] { return books("tail").records_in == written_; };
  wait_for("the beginning is delivered", [&] { return books("push").records_out > 400; });
  rules("hold |= \"level=debug\"\nlimit 100000/s by (pod)");
  wait_for("the rules were read", [&] { return value("weir_filter_rules_reloads_total") == 1; });
  for (int i = 0; i < 3; ++i) write(2000);
  wait_for("all is read", taken);
  wait_for("records are held", [&] { return books("buffer").held > 0; });
  outage = true;
  for (int i = 0; i < 3; ++i) write(2000);
  wait_for("all is read in an outage", taken);
  wait_for("pushes fail", [&] { return value("weir_push_responses_total", "503") > 2; });
  rules("drop {pod=\"nobody\"");  // broken
  wait_for("the broken rules were refused", [&] { return value("weir_filter_rules_broken_files") == 1; });
  outage = false;
  rules("drop |= \"level=debug\"");
  wait_for("the rules were read again", [&] { return value("weir_filter_rules_reloads_total") == 2; });
  for (int i = 0; i < 3; ++i) write(1000);
  wait_for("all is read again", taken);
  wait_for("all is delivered", [&] {
    const auto filter = books("filter"), buffer = books("buffer"), push = books("push");
    return filter.records_in == written_ && buffer.records_in == filter.records_out && buffer.in_flight == 0 &&
           push.records_in == buffer.records_out && push.in_flight == 0;
  });

  stop_->request();
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    processes_[i]->join();
    ASSERT_TRUE(processes_[i]->result->ended) << processes_[i]->result->ended.error().message << "\n" << said();
    // As the end of a process does.
    if (i < pipes_.size()) pipes_[i].write.reset();
  }
  done = true;
  prober.join();
  EXPECT_GT(looks_, 100U);
  EXPECT_GT(answered_, 20U);

  // At the end nothing is on its way, and what went out of each stage came into the next.
  const char* const order[] = {"tail", "enrich", "filter", "buffer", "push"};
  for (const char* stage : order) test::expect_balance(books(stage));
  EXPECT_EQ(books("tail").records_in, written_);
  for (std::size_t i = 1; i < std::size(order); ++i) {
    EXPECT_EQ(books(order[i]).records_in, books(order[i - 1]).records_out) << order[i];
    EXPECT_EQ(books(order[i]).in_flight, 0U) << order[i] << "\n" << said();
  }
  const pipeline::Counters push = books("push");
  EXPECT_GT(push.rejected, 0U);
  EXPECT_GT(value("weir_enrich_waited_records_total", "unknown"), 0U);
  EXPECT_GT(books("filter").dropped["dropped_by_expression"], 0U);
  EXPECT_GT(books("filter").dropped["drop"], 0U);
  std::uint64_t delivered = 0;
  for (const auto& [stream, lines] : loki_.lines()) delivered += lines.size();
  EXPECT_EQ(push.records_out, delivered);
}

INSTANTIATE_TEST_SUITE_P(Law9, Law9Test,
                         testing::Values(Scenario{.fused = true, .spill = false}, Scenario{.fused = true, .spill = true},
                                         Scenario{.fused = false, .spill = false}, Scenario{.fused = false, .spill = true}),
                         [](const auto& one) {
                           return std::string(one.param.fused ? "Fused" : "Pipe") + (one.param.spill ? "Spill" : "");
                         });

}  // namespace
}  // namespace weir::stages
