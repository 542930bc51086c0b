// What a subcommand is: facts for help, man page and completions, its options, and what it builds.
//
// A file of cmd/ defines one Command. `weir tail …` and the word `tail …` within `weir run` go the same way: make() an
// Invocation, declare() its options on a CLI::App, parse, build().
#pragma once

#include "cli/exit_code.h"
#include "pipeline/chain.h"
#include "pipeline/stage.h"
#include "stages/output_sink.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}
namespace weir::tail {
class Handover;
class PodFilter;
class ReadFiles;
}  // namespace weir::tail
namespace weir::kube {
class Pods;
}

namespace weir::cli {

enum class Role : std::uint8_t {
  source,  // stands first: tail, replay, query, `push --spool`
  stage,   // reads records, passes records
  sink,    // reads records, passes none: push, `buffer --store`
  action,  // does its work by itself: run, spool
};

struct Example {
  std::string_view what;     // "drop health checks"
  std::string_view command;  // "weir filter --drop '|= \"GET /healthz\"'"; a test runs each
};

// What surrounds an invocation in its chain; known before any is built.
struct Plan {
  bool fused = false;                 // inside `weir run`
  bool first = true, last = true;     // its place
  bool behind_buffer = false;         // some buffer stands upstream in this process
  bool before_buffer = false;         // some buffer stands downstream in this process: what is held finds a place
  bool pods_asked = false;            // a stage upstream asks for pods
  std::optional<std::string> keeper;  // fused: the file the chain's keeper (buffer, push --checkpoint) writes positions to
  bool ends_in_sink = false;          // nothing of the chain leaves this process as records
  bool levels_known = false;          // a stage upstream sets detected_level, or records come from elsewhere and may have it
  bool last_usable = false;  // where configuration cannot be used, what was used last may run in its place (`run` without --strict)
  bool stdout_is_terminal = false;
  tail::Handover* handover = nullptr;  // where a tail leaves deleted files to the one that replaces it; null: none does
  // Where tail keeps files open that it has read, until push --checkpoint says that they are done with; null where it need not: no
  // tail replaces it, or a buffer keeps the positions, which is done with them at once.
  std::shared_ptr<tail::ReadFiles> read_files;
  // What Invocation::pods of a stage of this chain gave: for every stage of it, so that tail leaves excluded pods alone. Null: no
  // stage asks for pods.
  std::shared_ptr<kube::Pods> pods;
  // What Invocation::pod_filter of that stage gave, for tail. Null: every log is read.
  std::shared_ptr<tail::PodFilter> pod_filter;
};

// One of source and stage, or neither for an action; both where a source brings the sink that stands behind it (serve).
struct Built {
  std::unique_ptr<pipeline::Source> source;
  std::unique_ptr<pipeline::Stage> stage;
  bool sink = false;  // the stage (or the source) writes its own output; nothing is put behind it
};

// One use of a command: its options, bound to one CLI::App. Options are plain members of the implementation.
//
// How a declaration becomes help, man page and completions: the description is one line, lower case, no full stop; a default set
// with default_str or capture_default_str is added as "(default: …)"; type_name is what stands for the value. Choices are those
// of add_choice (value_options.h), and of an argument also the words in small letters of its type name ("labels|series|LOGQL"). A
// value is completed as a file when its type name is or begins with FILE, DIR, PATH or SPOOL. Options are listed by group ("" hides
// one), first those of the default group. A named option takes one value each time it is given, also one bound to a vector.
// `-h,--help [all]` is added to every command, `--exit-zero-on-term`, `--metrics` and `--metrics-file` to all but actions,
// `--strict` to stages and sinks. An empty value ('') is an error, except where the value itself is optional: it mostly comes from
// a variable that is not set.
class Invocation {
 public:
  virtual ~Invocation() = default;
  virtual void declare(CLI::App& app) = 0;

  // Fills in what the environment says where an option is not given. Called after parsing, before everything else. `environment` is
  // that of pipeline::Context.
  virtual void fill_in(const char* (*environment)(const char* name)) { static_cast<void>(environment); }

  // Checks what the options alone can tell: no I/O, no clock. Called before keeper() and build().
  [[nodiscard]] virtual base::Result<void> check() const { return {}; }

  // What it is with these options, where that is not Command::role: `push --spool` is a source, `buffer --store` a sink.
  [[nodiscard]] virtual std::optional<Role> role() const { return std::nullopt; }

  // The file in which this invocation keeps the positions of the chain, if it is a keeper.
  [[nodiscard]] virtual std::optional<std::string> keeper() const { return std::nullopt; }
  [[nodiscard]] virtual bool is_buffer() const { return false; }
  // It shows what the process counts by itself, so that this is measured also without --metrics.
  [[nodiscard]] virtual bool shows_metrics() const { return false; }
  // Its records have the metadata detected_level, or may have it.
  [[nodiscard]] virtual bool sets_level() const { return false; }
  // The pods of the node, where it asks for them (enrich --kubernetes api). Called once, before any stage is built, and not by
  // `run --check`. Of `plan` only what holds for the whole chain is set.
  virtual base::Result<std::shared_ptr<kube::Pods>> pods(const Plan& plan, const pipeline::Context& context) {
    static_cast<void>(plan), static_cast<void>(context);
    return std::shared_ptr<kube::Pods>();
  }
  // Whether pods() gives some.
  [[nodiscard]] virtual bool asks_for_pods() const { return false; }
  // Which pods' logs tail is to read, by these pods. Called once behind pods(), where that gave some.
  virtual std::shared_ptr<tail::PodFilter> pod_filter() { return nullptr; }
  // -o and --color of this invocation, as they are given.
  [[nodiscard]] virtual stages::OutputOptions output() const { return {}; }
  // How its records are written when it stands last and is no sink.
  [[nodiscard]] virtual stages::OutputOptions last_output() const { return output(); }

  virtual base::Result<Built> build(const Plan& plan, const pipeline::Context& context) {
    static_cast<void>(plan), static_cast<void>(context);
    return base::fail(base::Code::bug, "this command builds nothing");
  }
  // What a start would find wrong with the world (`run --check`): files that are not there or cannot be read, variables that are
  // not set. Reads at most: takes no lock that keeps others out, writes and connects to nothing. What it returns is not run, and
  // may be empty but for `sink`.
  virtual base::Result<Built> rehearse(const Plan& plan, const pipeline::Context& context) { return build(plan, context); }
  // The exit code of a chain that went well: query says Exit::negative when nothing matched.
  [[nodiscard]] virtual Exit verdict(const pipeline::ChainResult& result) const {
    static_cast<void>(result);
    return Exit::ok;
  }
  // For Role::action.
  virtual base::Result<Exit> act(const pipeline::Context& context) {
    static_cast<void>(context);
    return base::fail(base::Code::bug, "this command does nothing");
  }
};

// What may come behind the first argument of a command, for completion.
struct Following {
  std::vector<std::string> words;
  bool listed = false;  // what the command prints, run as far as it was typed
};

// An option of other programs, by which people ask for something that has another name here.
struct ForeignOption {
  std::string_view name;  // "--tail"
  std::string_view hint;  // "for the last lines: --lines {}", {} being the value that was given
};

struct Command {
  std::string_view name;
  std::string_view summary;      // one line, lower case, no full stop
  std::string_view description;  // what it does in about three sentences, for help and man page; `code` in backquotes
  // Further text of the man page: paragraphs separated by blank lines; a line `# Heading` begins a section. Long behaviour is
  // described here, once.
  std::string_view manual = {};
  // The options people use most, in the order of --help, which shows no others: "--follow". `--help all` and the man page show all.
  std::vector<std::string_view> usual = {};
  Role role = Role::stage;
  std::vector<Example> examples;  // --help shows the first three
  std::vector<Exit> exits;
  std::unique_ptr<Invocation> (*make)() = nullptr;
  // Where what follows depends on the first argument: nullopt for what the arguments themselves say.
  std::optional<Following> (*following)(std::string_view first) = nullptr;
  std::vector<ForeignOption> foreign_options = {};
};

}  // namespace weir::cli
