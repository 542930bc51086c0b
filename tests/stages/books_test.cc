// What every stage has in common as a scrape sees it; that its books balance is held by the fixtures of each stage's own tests.
#include "support/books.h"
#include "pipeline/jsonl_sink.h"
#include "pipeline/jsonl_source.h"
#include "stages/buffer.h"
#include "stages/enrich.h"
#include "stages/filter.h"
#include "stages/output_sink.h"
#include "stages/push.h"
#include "stages/query.h"
#include "stages/replay.h"
#include "stages/spool_source.h"
#include "stages/tail_source.h"
#include "support/collect.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <functional>

namespace weir::stages {
namespace {

class BooksTest : public testing::Test {
 protected:
  // What `make` declares in a registry of its own.
  template <typename Made>
  void check(const std::function<Made(const pipeline::Context&)>& make) {
    metrics::Registry registry;
    test::TestContext test;
    test.context.metrics = &registry;
    auto made = make(test.context);
    ASSERT_NE(made, nullptr);
    SCOPED_TRACE(made->name());
    check(registry, "weir_" + std::string(made->name()) + "_");
    made.reset();
    check(registry, "weir_");  // it stays
  }
  static void check(const metrics::Registry& registry, const std::string& prefix) {
    bool in = false, out = false;
    for (const metrics::Sample& sample : registry.read()) {
      EXPECT_TRUE(sample.metric->name.starts_with(prefix)) << sample.metric->name;
      EXPECT_EQ(sample.value, 0U) << sample.metric->name;
      EXPECT_EQ(sample.metric->label.empty(), sample.label_value.empty()) << sample.metric->name;
      in = in || (sample.metric->account == metrics::Account::in && sample.metric->unit == "records");
      out = out || (sample.metric->account == metrics::Account::out && sample.metric->unit == "records");
    }
    EXPECT_TRUE(in && out);
  }
  void stage(const std::function<std::unique_ptr<pipeline::Stage>(const pipeline::Context&)>& make) { check(make); }
  void source(const std::function<std::unique_ptr<pipeline::Source>(const pipeline::Context&)>& make) { check(make); }

  test::TempDir dir_;
};

TEST_F(BooksTest, EveryStageDeclaresWhatComesInAndGoesOutUnderItsName) {
  using pipeline::Context;
  BufferSpec buffer;
  buffer.spool.path = dir_ / "spool.db";
  buffer.spool.min_free = 0;
  stage([](const Context& context) { return std::move(*make_filter({}, context)); });
  stage([](const Context& context) { return std::move(*make_enrich({}, context)); });
  stage([&](const Context& context) { return std::move(*make_buffer(buffer, context)); });
  PushSpec push;
  push.http.base = *http::parse_url("http://127.0.0.1:1");
  stage([&](const Context& context) { return std::move(*make_push(push, context)); });
  stage([](const Context& context) { return make_output_sink({.format = OutputOptions::Format::raw}, context); });
  stage([](const Context& context) { return pipeline::make_jsonl_sink({}, context); });
  source([](const Context& context) { return pipeline::make_jsonl_source({}, context); });
  source([](const Context& context) { return make_tail_source({}, context); });
  source([&](const Context& context) { return std::move(*make_spool_source({.spool = buffer.spool.path}, context)); });
  source([&](const Context& context) { return std::move(*make_replay({.spool = buffer.spool.path}, context)); });
  QuerySpec query;
  query.spools = {buffer.spool.path};
  query.logql = "{}";
  source([&](const Context& context) { return std::move(*make_query(query, context)); });
}

}  // namespace
}  // namespace weir::stages
