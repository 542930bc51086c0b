// Commands for tests of lib/cli: a source that makes records, a stage, a sink, an action.
#pragma once

#include "cli/command_line.h"
#include "cli/value_options.h"
#include "support/collect.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <string>
#include <vector>

namespace weir::test {

// What the invocations of a test saw; one test at a time.
struct Seen {
  std::vector<std::string> builds;  // "count first", "pass keeper=spool.db", in the order of building
  std::vector<std::string> records;
  base::Error fails{base::Code::bug, "", ""};  // what the sink answers, where the message is not empty
};
inline Seen& seen() {
  static Seen instance;
  return instance;
}

class CountSource : public pipeline::Source {
 public:
  CountSource(int count, bool tracked) : count_(count), tracked_(tracked) {}
  base::Result<void> run(pipeline::Outlet& out, base::Stop&) override {
    for (int i = 0; i < count_; ++i) {
      ++counters_.records_out;
      auto batch = batch_of({fmt::format(R"({{"timestamp":"2026-01-01T00:00:00Z","line":"{}"}})", i)});
      auto flow = out.emit(batch);
      if (!flow) return std::move(flow).error();
      if (*flow == pipeline::Flow::done) break;
    }
    return {};
  }
  [[nodiscard]] bool is_tracked() const override { return tracked_; }
  [[nodiscard]] std::string_view name() const override { return "count"; }
  [[nodiscard]] std::string summary() const override { return fmt::format("counted to {}", count_); }
  [[nodiscard]] pipeline::Counters counters() const override { return counters_; }

 private:
  int count_;
  bool tracked_;
  pipeline::Counters counters_;
};

class PassStage : public pipeline::Stage {
 public:
  PassStage(std::uint64_t lost, bool keeps) : lost_(lost), keeps_(keeps) {}
  base::Result<pipeline::Flow> consume(pipeline::Batch& batch, pipeline::Outlet& out) override { return out.emit(batch); }
  [[nodiscard]] pipeline::Counters counters() const override {
    pipeline::Counters counters;
    counters.lost = lost_;
    return counters;
  }
  [[nodiscard]] bool keeps_positions() const override { return keeps_; }
  [[nodiscard]] std::string_view name() const override { return "pass"; }
  [[nodiscard]] std::string summary() const override { return seen().fails.message.empty() ? "" : "passed nothing"; }

 private:
  std::uint64_t lost_;
  bool keeps_;
};

class EndSink : public pipeline::Stage {
 public:
  base::Result<pipeline::Flow> consume(pipeline::Batch& batch, pipeline::Outlet&) override {
    if (!seen().fails.message.empty()) return seen().fails;
    for (auto& record : batch.records) seen().records.emplace_back(batch.line(record));
    return pipeline::Flow::more;
  }
  [[nodiscard]] std::string_view name() const override { return "end"; }
};

inline void note_build(std::string_view name, const cli::Plan& plan) {
  seen().builds.push_back(fmt::format("{}{}{}{}{}{}{}", name, plan.first ? " first" : "", plan.last ? " last" : "",
                                      plan.fused ? " fused" : "", plan.keeper ? " keeper=" + *plan.keeper : "",
                                      plan.behind_buffer ? " behind" : "", plan.before_buffer ? " before" : ""));
}

class CountInvocation : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    cli::add_number(app, "number", number_, "how many records")->default_str("")->required();
    app.add_option("--checkpoint", checkpoint_, "where positions are kept")->type_name("FILE");
    using Format = stages::OutputOptions::Format;
    cli::add_choice<Format>(app, "-o", output_.format,
                            {{"auto", Format::automatic}, {"text", Format::text}, {"raw", Format::raw}, {"jsonl", Format::jsonl}},
                            "how to write")
        ->default_str("");
  }
  [[nodiscard]] stages::OutputOptions output() const override { return output_; }
  [[nodiscard]] cli::Exit verdict(const pipeline::ChainResult&) const override {
    return number_ == 0 ? cli::Exit::negative : cli::Exit::ok;
  }
  base::Result<cli::Built> build(const cli::Plan& plan, const pipeline::Context&) override {
    note_build("count", plan);
    cli::Built built;
    built.source = std::make_unique<CountSource>(number_, !checkpoint_.empty());
    return built;
  }

 private:
  int number_ = 0;
  std::string checkpoint_;
  stages::OutputOptions output_;
};

class PassInvocation : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    app.add_option("--keep", keep_, "keep positions in FILE")->type_name("FILE");
    app.add_option("--label,-l", labels_, "a label")->type_name("NAME=VALUE");
    cli::add_choice<int>(app, "--format", format_, {{"auto", 0}, {"cri", 1}, {"raw", 2}}, "the format");
    cli::add_number(app, "--lost", lost_, "how many records to lose")->default_str("")->group("Trouble");
    app.add_flag("-v,--invert,!--no-invert", invert_, "turn it around");
    app.add_option("--secret", hidden_, "not shown")->group("");
    app.add_option("words", words_, "what to look for")->type_name("WORD");
  }
  [[nodiscard]] base::Result<void> check() const override {
    if (!words_.empty() && words_.front() == "bad") return base::fail(base::Code::parse, "cannot parse 'bad'");
    if (!words_.empty() && words_.front() == "shown") {
      base::Error error = base::fail(base::Code::parse, "cannot parse it");
      error.text = "shown";
      return error;
    }
    return {};
  }
  [[nodiscard]] std::optional<std::string> keeper() const override {
    return keep_.empty() ? std::nullopt : std::optional<std::string>(keep_);
  }
  [[nodiscard]] bool is_buffer() const override { return !words_.empty() && words_.front() == "buffer"; }
  base::Result<cli::Built> build(const cli::Plan& plan, const pipeline::Context&) override {
    note_build("pass", plan);
    cli::Built built;
    built.stage = std::make_unique<PassStage>(lost_, !keep_.empty());
    return built;
  }

 private:
  std::string keep_, hidden_;
  int format_ = 0;
  std::vector<std::string> labels_, words_;
  std::uint64_t lost_ = 0;
  bool invert_ = false;
};

class EndInvocation : public cli::Invocation {
 public:
  void declare(CLI::App& app) override { app.add_flag("--as-source", as_source_, "make records instead"); }
  [[nodiscard]] std::optional<cli::Role> role() const override {
    return as_source_ ? std::optional<cli::Role>(cli::Role::source) : std::nullopt;
  }
  base::Result<cli::Built> build(const cli::Plan& plan, const pipeline::Context&) override {
    note_build("end", plan);
    cli::Built built;
    built.stage = std::make_unique<EndSink>();
    built.sink = true;
    return built;
  }

 private:
  bool as_source_ = false;
};

class ActInvocation : public cli::Invocation {
 public:
  void declare(CLI::App&) override {}
  base::Result<cli::Exit> act(const pipeline::Context&) override { return cli::Exit::negative; }
};

template <typename T>
std::unique_ptr<cli::Invocation> make_invocation() {
  return std::make_unique<T>();
}

inline const cli::Command count_command = {.name = "count",
                                           .summary = "make records",
                                           .description = "Makes `N` records.\n\nNothing else.",
                                           .role = cli::Role::source,
                                           .examples = {{"three of them", "weir count 3 | weir pass --label 'a b=c'"}},
                                           .exits = {cli::Exit::ok, cli::Exit::usage},
                                           .make = make_invocation<CountInvocation>};
inline const cli::Command pass_command = {.name = "pass",
                                          .summary = "pass records on",
                                          .description = "",
                                          .role = cli::Role::stage,
                                          .examples = {},
                                          .exits = {},
                                          .make = make_invocation<PassInvocation>};
inline const cli::Command end_command = {.name = "end",
                                         .summary = "take records",
                                         .description = "",
                                         .role = cli::Role::sink,
                                         .examples = {},
                                         .exits = {},
                                         .make = make_invocation<EndInvocation>};
inline const cli::Command act_command = {.name = "act",
                                         .summary = "do something",
                                         .description = "",
                                         .role = cli::Role::action,
                                         .examples = {},
                                         .exits = {},
                                         .make = make_invocation<ActInvocation>};

inline std::span<const cli::Command* const> fake_commands() {
  static const std::array<const cli::Command*, 4> table = {&count_command, &pass_command, &end_command, &act_command};
  return table;
}

}  // namespace weir::test
