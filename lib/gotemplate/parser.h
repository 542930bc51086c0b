// The tree of a template.
#pragma once

#include "base/result.h"
#include "gotemplate/functions.h"
#include "gotemplate/value.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gotemplate {

struct TemplatePipeline;

// One word of a command.
struct TemplateTerm {
  enum class Kind : std::uint8_t { dot, variable, constant, function, pipeline };
  Kind kind = Kind::dot;
  std::string name;  // the name of a variable (with its $) or of a function
  Value constant;    // its text, if any, is held by `name`
  const Function* function = nullptr;
  std::unique_ptr<TemplatePipeline> pipeline;  // in parentheses
  std::vector<std::string> fields;             // .a.b after any kind of term
  std::size_t offset = 0;
};

struct TemplateCommand {
  std::vector<TemplateTerm> terms;
  std::size_t offset = 0;
  std::string source;
};

struct TemplatePipeline {
  std::vector<std::string> variables;  // $x := …, or $i, $x := …
  bool assigns = false;                // $x = …
  std::vector<TemplateCommand> commands;
};

struct TemplateNode {
  enum class Kind : std::uint8_t { text, action, if_, with, range, break_, continue_ };
  Kind kind = Kind::text;
  std::string text;
  TemplatePipeline pipeline;
  std::vector<TemplateNode> body;
  std::vector<TemplateNode> otherwise;
};

// Errors have Code::parse and Go's text without its prefix: "unclosed action".
struct ParsedTemplate {
  std::vector<TemplateNode> nodes;
  std::vector<std::string> names;  // labels that are read as .name of the outermost dot
  bool reads_everything = false;
};
[[nodiscard]] base::Result<ParsedTemplate> parse_template(std::string_view text, std::string_view name,
                                                          FindFunction find = find_function);

// "line:col" of an offset, as Go counts: lines from 1, columns in bytes from 0.
[[nodiscard]] std::string template_place(std::string_view text, std::size_t offset);

}  // namespace weir::gotemplate
