#include "gotext/regex_shape.h"

#include "base/byte_search.h"
#include "base/utf8.h"
#include "gotext/regex_tree.h"
#include "gotext/unicode.h"

#include <algorithm>
#include <utility>

namespace weir::gotext {
namespace {

using Kind = RegexNode::Kind;

const RegexNode& inside_captures(const RegexNode& node) {
  return node.kind == Kind::capture ? inside_captures(node.nodes.front()) : node;
}

bool is_dot_star(const RegexNode& node) { return node.kind == Kind::star && node.nodes.front().kind == Kind::any; }

// The replacements of Loki, by the shape of the tree. Each step adds tests to `out` or says that the shape has none.
struct Simplifier {
  bool is_label = true;
  using Tests = std::vector<RegexTest>;
  using Test = RegexTest::Kind;

  bool any_shape(const RegexNode& given, Tests& out) const {
    const RegexNode& node = inside_captures(given);
    switch (node.kind) {
      case Kind::literal:
        out.push_back({is_label ? Test::equals : Test::contains, node.text, node.fold});
        return true;
      case Kind::empty:
        out.push_back({Test::always, {}, false});
        return true;
      case Kind::star:
        if (node.nodes.front().kind != Kind::any) return false;
        out.push_back({Test::always, {}, false});
        return true;
      case Kind::plus:
        if (node.nodes.front().kind != Kind::any) return false;
        out.push_back({Test::not_empty, {}, false});
        return true;
      case Kind::alternate:
        return alternate_shape(node, out);
      case Kind::concat:
        return concat_shape(node, nullptr, out);
      default:
        return false;
    }
  }

  // A branch that matches everything is left out, as Loki does, unless nothing else is there.
  bool alternate_shape(const RegexNode& node, Tests& out) const {
    Tests tests;
    for (const RegexNode& branch : node.nodes) {
      if (!any_shape(branch, tests)) return false;
    }
    std::erase_if(tests, [](const RegexTest& test) { return test.kind == Test::always; });
    if (tests.empty()) tests.push_back({Test::always, {}, false});
    out.insert(out.end(), tests.begin(), tests.end());
    return true;
  }

  // At most one literal beside `.*`, then perhaps an alternation that goes on with it.
  bool concat_shape(const RegexNode& node, const RegexNode* base, Tests& out) const {
    std::size_t pieces = 0;
    for (const RegexNode& piece : node.nodes) pieces += piece.kind == Kind::empty ? 0 : 1;
    if (pieces > 3) return false;
    RegexNode literal = base == nullptr ? RegexNode{.kind = Kind::literal} : *base;
    bool has_base = base != nullptr;
    int literals = 0;
    Tests tests;
    for (const RegexNode& given : node.nodes) {
      const RegexNode& piece = inside_captures(given);
      if (piece.kind == Kind::empty) continue;
      if (piece.kind == Kind::literal) {
        if (literals++ > 0) return false;
        literal.text += piece.text;
        literal.fold = piece.fold;
        has_base = true;
      } else if (piece.kind == Kind::alternate && has_base) {
        if (!concat_alternate_shape(piece, literal, tests)) return false;
      } else if (!is_dot_star(piece)) {
        return false;
      }
    }
    if (tests.empty()) {
      if (!has_base) return false;
      tests.push_back({Test::contains, literal.text, literal.fold});
    }
    out.insert(out.end(), tests.begin(), tests.end());
    return true;
  }

  bool concat_alternate_shape(const RegexNode& node, const RegexNode& base, Tests& out) const {
    for (const RegexNode& given : node.nodes) {
      const RegexNode& branch = inside_captures(given);
      if (branch.kind == Kind::literal && branch.fold && !base.fold) return false;
      if (branch.kind == Kind::empty || is_dot_star(branch)) {
        out.push_back({Test::contains, base.text, base.fold});
      } else if (branch.kind == Kind::literal) {
        out.push_back({Test::contains, base.text + branch.text, base.fold});
      } else if (branch.kind == Kind::concat) {
        if (!concat_shape(branch, &base, out)) return false;
      } else {
        return false;
      }
    }
    return true;
  }
};

void collect_required(const RegexNode& node, RequiredLiterals& out) {
  switch (node.kind) {
    case Kind::literal:
      if (!node.fold) out.all.push_back(node.text);
      return;
    case Kind::concat:
      for (const RegexNode& piece : node.nodes) collect_required(piece, out);
      return;
    case Kind::capture:
    case Kind::plus:
      return collect_required(node.nodes.front(), out);
    case Kind::repeat:
      if (node.min > 0) collect_required(node.nodes.front(), out);
      return;
    default:
      return;
  }
}

bool is_plain(const RegexNode& given, std::string prefix, std::vector<std::string>& out) {
  const RegexNode& node = inside_captures(given);
  if (node.kind == Kind::literal && !node.fold) {
    out.push_back(prefix + node.text);
    return true;
  }
  if (node.kind == Kind::empty && !prefix.empty()) {
    out.push_back(std::move(prefix));
    return true;
  }
  if (node.kind == Kind::alternate) {
    return std::all_of(node.nodes.begin(), node.nodes.end(),
                       [&](const RegexNode& branch) { return is_plain(branch, prefix, out); });
  }
  if (node.kind == Kind::concat && node.nodes.size() == 2 && node.nodes[0].kind == Kind::literal && !node.nodes[0].fold) {
    return is_plain(node.nodes[1], prefix + node.nodes[0].text, out);
  }
  return false;
}

const std::string* longest(const std::vector<std::string>& texts) {
  const std::string* best = nullptr;
  for (const std::string& text : texts) {
    if (best == nullptr || text.size() > best->size()) best = &text;
  }
  return best;
}

// One literal for each branch, if each has one.
void collect_any(const RegexNode& given, RequiredLiterals& out) {
  const RegexNode& node = inside_captures(given);
  if (node.kind == Kind::concat) {
    for (const RegexNode& piece : node.nodes) {
      if (out.any.empty()) collect_any(piece, out);
    }
    return;
  }
  if (node.kind != Kind::alternate) return;
  std::vector<std::string> any;
  for (const RegexNode& branch : node.nodes) {
    RequiredLiterals inner;
    collect_required(branch, inner);
    if (const std::string* best = longest(inner.all)) {
      any.push_back(*best);
      continue;
    }
    collect_any(branch, inner);
    if (inner.any.empty()) return;
    any.insert(any.end(), inner.any.begin(), inner.any.end());
  }
  out.any = std::move(any);
}

std::optional<std::vector<RegexTest>> simplify(std::string_view pattern, bool is_label) {
  const auto node = parse_regex(pattern);
  if (!node) return std::nullopt;
  std::vector<RegexTest> tests;
  if (!Simplifier{is_label}.any_shape(*node, tests)) return std::nullopt;
  return tests;
}

}  // namespace

std::optional<std::vector<RegexTest>> simplify_label_regex(std::string_view pattern) { return simplify(pattern, true); }
std::optional<std::vector<RegexTest>> simplify_line_regex(std::string_view pattern) { return simplify(pattern, false); }

bool RegexTest::holds(std::string_view value) const {
  switch (kind) {
    case Kind::always:
      return true;
    case Kind::not_empty:
      return !value.empty();
    case Kind::equals:
      return fold ? fold_case(value) == text : value == text;
    case Kind::contains:
      if (!fold) return base::contains_bytes(value, text);
      return base::is_ascii(value) && base::is_ascii(text) ? base::contains_ignoring_case(value, text)
                                                           : base::contains_bytes(fold_case(value), text);
  }
  return false;
}

RequiredLiterals required_literals(std::string_view pattern) {
  RequiredLiterals out;
  const auto node = parse_regex(pattern);
  if (!node) return out;
  if (is_plain(*node, {}, out.any)) {
    out.exact = true;
    if (out.any.size() == 1) out.all = out.any;
    return out;
  }
  out.any.clear();
  collect_required(*node, out);
  if (out.all.empty()) collect_any(*node, out);
  return out;
}

}  // namespace weir::gotext
