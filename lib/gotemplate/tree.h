// The tree of a template: one node for each text, action, command and word.
#pragma once

#include "base/result.h"
#include "gotemplate/functions.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gotemplate {

struct Node {
  enum class Kind : std::uint8_t {
    list,  // children: nodes
    text,
    action,  // pipe
    if_,     // pipe, body, otherwise
    range,   // the same
    with,    // the same
    break_,
    continue_,
    template_,  // text: its name; pipe may be absent
    // In pipelines.
    pipe,        // names: declared variables; children: commands
    command,     // children: words
    field,       // names: fields
    variable,    // names: the variable with its $, and fields
    chain,       // children: a pipe or an identifier; names: fields
    identifier,  // text: the name of a function
    dot,
    nil,
    boolean,
    number,
    string,  // text: the value
    // The parser's own; they are in no tree.
    end,
    else_,
  };
  Kind kind = Kind::list;
  std::size_t offset = 0;
  std::string text;
  std::string source;  // of a string or number: as it is written
  std::vector<std::string> names;
  bool assigns = false;  // of a pipe: `=`, not `:=`
  bool truth = false;    // of a boolean
  const Function* function = nullptr;
  std::vector<Node> children;
  std::unique_ptr<Node> pipe;
  std::unique_ptr<Node> body;
  std::unique_ptr<Node> otherwise;

  // A number has a value of each type that can hold it.
  bool is_integer = false;
  bool is_unsigned = false;
  bool is_real = false;
  std::int64_t integer = 0;
  double real = 0;
};

// The template as text again, as Go's errors quote it.
void print_node(std::string& out, const Node& node);

struct ParsedTemplate {
  std::map<std::string, Node, std::less<>> defined;  // the template itself, by its name, and those of {{define}} and {{block}}
  std::vector<std::string> names;                    // labels that may be read
  bool reads_everything = false;
};

// The error is Go's, "template: line:1: unclosed action", with Code::parse. `name` goes into it.
[[nodiscard]] base::Result<ParsedTemplate> parse_template(std::string_view text, std::string_view name,
                                                          FindFunction find = find_function);

// "line:col" of an offset, as Go counts: lines from 1, columns in bytes from 0.
[[nodiscard]] std::string template_place(std::string_view text, std::size_t offset);

}  // namespace weir::gotemplate
