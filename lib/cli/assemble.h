// From parsed commands to a running chain: what `weir filter …` and a pipeline of `weir run` have in common.
//
// Where no source stands first, JSON lines are read from standard input; where no sink stands last, the output sink is put behind.
#pragma once

#include "cli/command_line.h"
#include "pipeline/chain.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weir::cli {

// One stage of a chain to be.
struct Link {
  ParsedCommand parsed;
  // Puts the place in the pipeline's text in front of an error; null where there is no text.
  std::function<base::Error(base::Error)> locate;

  [[nodiscard]] base::Error located(base::Error error) const { return locate ? locate(std::move(error)) : std::move(error); }
};

// Whether these can stand behind one another: sources first, sinks last, one keeper at most, no actions. Code::config.
base::Result<void> check_chain(std::span<const Link> links);

// A chain that is built. Movable; owns everything but what the context points at.
class Assembly {
 public:
  // Does what check_chain does, then builds from front to back. `fused`: several stages of a `weir run`. `handover` as in Plan.
  static base::Result<Assembly> build(std::vector<Link> links, bool fused, const pipeline::Context& context,
                                      tail::Handover* handover = nullptr);
  // The same with Invocation::rehearse. What comes out is not to be run.
  static base::Result<Assembly> rehearse(std::vector<Link> links, bool fused, const pipeline::Context& context);

  // Drives it to its end. Says the summaries on stderr. Errors are the caller's to report, except that of a signal which cut the
  // end of a chain short that keeps positions: it is reported here, and the signal's exit code is returned.
  base::Result<Exit> run();

  [[nodiscard]] bool reads_standard_input() const { return reads_standard_input_; }
  [[nodiscard]] bool writes_standard_output() const { return writes_standard_output_; }

  Assembly(Assembly&&) noexcept;
  Assembly& operator=(Assembly&&) noexcept;
  ~Assembly();

 private:
  class StageDiagnostics;
  Assembly();
  enum class Purpose : std::uint8_t { run, rehearsal };
  static base::Result<Assembly> put_together(std::vector<Link> links, Plan plan, const pipeline::Context& context, Purpose purpose);
  [[nodiscard]] bool goes_on() const;
  const pipeline::Context& context_of(const Command& command, bool fused);
  // A driver for what follows; null where nothing is measured.
  metrics::Driver* add_driver(std::string_view name);

  pipeline::Context context_;
  std::vector<std::unique_ptr<metrics::Driver>> drivers_;  // that of the source's thread, and of each thread behind a buffer
  std::vector<Link> links_;
  std::vector<std::unique_ptr<StageDiagnostics>> diagnostics_;
  std::vector<std::unique_ptr<pipeline::Context>> contexts_;  // where stages find them wherever the assembly is moved to
  std::unique_ptr<pipeline::Source> source_;
  std::vector<std::unique_ptr<pipeline::Stage>> stages_;
  bool reads_standard_input_ = false;
  bool writes_standard_output_ = false;
};

// What `weir CMD …` does once its arguments are parsed.
base::Result<Exit> run_command(ParsedCommand parsed, const pipeline::Context& context);

// Reports the error and says what the process exits with.
[[nodiscard]] Exit fail_with(const base::Error& error, const pipeline::Context& context);

}  // namespace weir::cli
