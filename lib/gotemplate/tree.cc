#include "gotemplate/tree.h"

#include "gotext/unicode.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::gotemplate {
namespace {

void print_in_parens(std::string& out, const Node& node) {
  const bool pipe = node.kind == Node::Kind::pipe;
  if (pipe) out += '(';
  print_node(out, node);
  if (pipe) out += ')';
}

void print_branch(std::string& out, std::string_view keyword, const Node& node) {
  out += fmt::format("{{{{{} ", keyword);
  print_node(out, *node.pipe);
  out += "}}";
  print_node(out, *node.body);
  if (node.otherwise != nullptr) {
    out += "{{else}}";
    print_node(out, *node.otherwise);
  }
  out += "{{end}}";
}

}  // namespace

void print_node(std::string& out, const Node& node) {
  switch (node.kind) {
    case Node::Kind::list:
      for (const Node& child : node.children) print_node(out, child);
      return;
    case Node::Kind::text:
    case Node::Kind::identifier:
      out += node.text;
      return;
    case Node::Kind::action:
      out += "{{";
      print_node(out, *node.pipe);
      out += "}}";
      return;
    case Node::Kind::if_:
      return print_branch(out, "if", node);
    case Node::Kind::range:
      return print_branch(out, "range", node);
    case Node::Kind::with:
      return print_branch(out, "with", node);
    case Node::Kind::break_:
      out += "{{break}}";
      return;
    case Node::Kind::continue_:
      out += "{{continue}}";
      return;
    case Node::Kind::template_:
      out += "{{template " + gotext::quote(node.text);
      if (node.pipe != nullptr) {
        out += ' ';
        print_node(out, *node.pipe);
      }
      out += "}}";
      return;
    case Node::Kind::pipe:
      if (!node.names.empty()) out += fmt::format("{} {} ", fmt::join(node.names, ", "), node.assigns ? "=" : ":=");
      for (std::size_t i = 0; i < node.children.size(); ++i) {
        if (i > 0) out += " | ";
        print_node(out, node.children[i]);
      }
      return;
    case Node::Kind::command:
      for (std::size_t i = 0; i < node.children.size(); ++i) {
        if (i > 0) out += ' ';
        print_in_parens(out, node.children[i]);
      }
      return;
    case Node::Kind::field:
      out += fmt::format(".{}", fmt::join(node.names, "."));
      return;
    case Node::Kind::variable:
      out += fmt::format("{}", fmt::join(node.names, "."));
      return;
    case Node::Kind::chain:
      print_in_parens(out, node.children.front());
      out += fmt::format(".{}", fmt::join(node.names, "."));
      return;
    case Node::Kind::dot:
      out += '.';
      return;
    case Node::Kind::nil:
      out += "nil";
      return;
    case Node::Kind::boolean:
      out += node.truth ? "true" : "false";
      return;
    case Node::Kind::number:
    case Node::Kind::string:
      out += node.source;
      return;
    case Node::Kind::end:
      out += "{{end}}";
      return;
    case Node::Kind::else_:
      out += "{{else}}";
      return;
  }
}

std::string template_place(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t line = 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t newline = before.rfind('\n');
  return fmt::format("{}:{}", line, newline == std::string_view::npos ? offset : offset - newline - 1);
}

}  // namespace weir::gotemplate
