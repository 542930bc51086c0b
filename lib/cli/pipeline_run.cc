#include "cli/pipeline_run.h"

#include "base/secrets.h"
#include "base/suggestion.h"
#include "base/text_file.h"
#include "base/unique_fd.h"
#include "cli/secret_words.h"

#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>

namespace weir::cli {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::suggestion;

std::vector<std::string> stage_names(std::span<const Command* const> commands) {
  std::vector<std::string> names;
  for (const auto* command : commands) {
    if (command->role != Role::action) names.emplace_back(command->name);
  }
  return names;
}

bool begins_with_stage(std::string_view text, std::span<const Command* const> commands) {
  constexpr std::string_view blanks = " \t\n\r";
  const auto next_word = [&] {
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    const auto word = text.substr(0, text.find_first_of(blanks));
    text.remove_prefix(word.size());
    return word;
  };
  auto word = next_word();
  if (word == "weir") word = next_word();
  const auto names = stage_names(commands);
  return std::find(names.begin(), names.end(), word) != names.end();
}

const Command* find_command(std::span<const Command* const> commands, std::string_view name) {
  const auto found = std::find_if(commands.begin(), commands.end(), [&](const auto* command) { return command->name == name; });
  return found == commands.end() ? nullptr : *found;
}

Result<Link> read_link(const StageText& text, const PipelineSource& source, std::span<const Command* const> commands,
                       const pipeline::Context& context) {
  const auto* command = find_command(commands, text.command.text);
  if (command == nullptr) {
    const auto names = stage_names(commands);
    const auto what = fmt::format("there is no stage '{}'", base::escape_control(text.command.text));
    if (text.command.text.find_first_of("=~>") == 0)
      return source.error_at(text.command.place, what, "put LogQL in single quotes: filter '|= \"error\"'");
    return source.error_at(text.command.place, what,
                           base::suggestion(text.command.text, names, fmt::format("the stages are {}", fmt::join(names, ", "))));
  }
  if (command->role == Role::action) {
    return source.error_at(text.command.place, fmt::format("{} is not a stage of a pipeline", command->name),
                           fmt::format("the stages are {}", fmt::join(stage_names(commands), ", ")));
  }
  std::vector<std::string> arguments;
  arguments.reserve(text.arguments.size());
  for (const auto& word : text.arguments) arguments.push_back(word.text);
  if (auto* secrets = context.diagnostics->secrets(); secrets != nullptr) note_secrets(arguments, *secrets);
  auto parsed = parse(*command, arguments, context.environment);
  if (auto* wrong = std::get_if<ArgumentError>(&parsed)) {
    // A command that checks itself knows the text that it could not parse, not which word it was.
    const auto is_wrong = [&](const Word& one) { return !one.text.empty() && one.text == wrong->error.text; };
    auto word = text.arguments.begin() + wrong->index;
    if (wrong->index < 0) word = std::find_if(text.arguments.begin(), text.arguments.end(), is_wrong);
    const auto place = word == text.arguments.end() ? text.command.place : word->place;
    return source.error_at(place, fmt::format("{}: {}", command->name, wrong->error.message), wrong->error.hint);
  }
  auto& ready = std::get<ParsedCommand>(parsed);
  if (ready.help) {
    return source.error_at(text.command.place, "--help cannot be used in a pipeline",
                           fmt::format("run weir {} --help", command->name));
  }
  if (ready.metrics->any()) {
    return source.error_at(text.command.place, "--metrics and --metrics-file cannot be used in a pipeline",
                           "they are for the whole process: weir run --metrics ADDR …");
  }
  if (ready.exit_zero_on_term) {
    return source.error_at(text.command.place, fmt::format("{} belongs to the process, not to one of its stages", kExitZeroOnTerm),
                           fmt::format("weir run {} FILE", kExitZeroOnTerm));
  }
  Link link;
  link.parsed = std::move(ready);
  link.locate = [&source, place = text.command.place](Error error) {
    // Trouble with the world is no trouble with the text.
    const bool of_text = error.code == Code::usage || error.code == Code::config || error.code == Code::parse;
    return of_text ? source.error_at(place, error.message, error.hint) : error;
  };
  return link;
}

}  // namespace

Result<PipelineSource> load_pipelines(const PipelineChoice& choice, std::span<const Command* const> commands) {
  if (choice.text_given) return PipelineSource("-c", choice.text);
  if (choice.word == "-") {
    auto text = base::read_text(0, "standard input");
    if (!text) return std::move(text).error();
    return PipelineSource("stdin", *std::move(text), PipelineSource::Kind::standard_input);
  }
  const base::UniqueFd file(::open(choice.word.c_str(), O_RDONLY | O_CLOEXEC));
  if (file) {
    auto text = base::read_text(file.get(), choice.word);
    if (!text) return std::move(text).error();
    return PipelineSource(choice.word, *std::move(text), PipelineSource::Kind::file);
  }
  const int error = errno;
  if (choice.word.find('|') != std::string::npos || begins_with_stage(choice.word, commands))
    return PipelineSource("text", choice.word);
  if (error != ENOENT && error != ENAMETOOLONG) return base::io_error(error, fmt::format("open {}", choice.word));
  return base::fail(Code::usage, "there is no file '{}'", base::escape_control(choice.word))
      .with_hint("to give the text of a pipeline instead, use -c");
}

Result<std::vector<Link>> read_links(const PipelineEntry& entry, std::span<const Command* const> commands,
                                     const pipeline::Context& context) {
  std::vector<Link> links;
  for (const StageText& stage : entry.text.stages) {
    auto link = read_link(stage, *entry.source, commands, context);
    if (!link) return std::move(link).error();
    links.push_back(*std::move(link));
  }
  if (auto ok = check_chain(links); !ok) return std::move(ok).error();
  return links;
}

Result<std::vector<PipelineEntry>> read_pipelines(PipelineSource text, std::span<const Command* const> commands,
                                                  const pipeline::Context& context) {
  const auto source = std::make_shared<const PipelineSource>(std::move(text));
  auto parsed = source->parse(context.environment);
  if (!parsed) return std::move(parsed).error();
  std::vector<PipelineEntry> entries;
  std::set<std::filesystem::path> keepers;
  for (PipelineText& pipeline : *parsed) {
    entries.push_back({source, std::move(pipeline)});
    auto links = read_links(entries.back(), commands, context);
    if (!links) return std::move(links).error();
    for (const Link& link : *links) {
      const auto keeper = link.parsed.invocation->keeper();
      if (!keeper || keepers.insert(std::filesystem::absolute(*keeper).lexically_normal()).second) continue;
      return source->error_at(entries.back().place(), fmt::format("a second pipeline keeps its positions in '{}'", *keeper),
                              "give each pipeline a spool or a checkpoint of its own");
    }
  }
  return entries;
}

std::vector<std::string> keepers_of(const std::vector<PipelineEntry>& entries, std::span<const Command* const> commands,
                                    const pipeline::Context& context) {
  std::vector<std::string> keepers;
  for (const PipelineEntry& entry : entries) {
    auto links = read_links(entry, commands, context);
    if (!links) continue;
    for (const Link& link : *links) {
      if (auto keeper = link.parsed.invocation->keeper()) keepers.push_back(*std::move(keeper));
    }
  }
  return keepers;
}

}  // namespace weir::cli
