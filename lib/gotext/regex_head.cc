#include "gotext/regex_head.h"

#include "gotext/regex.h"
#include "gotext/regex_tree.h"

#include <optional>
#include <string>

namespace weir::gotext {
namespace {

using Kind = RegexNode::Kind;
using Set = std::array<std::uint64_t, 2>;

constexpr std::size_t kMostPlaces = 64;

void add(Set& set, unsigned byte) { set[byte >> 6U] |= std::uint64_t{1} << (byte & 63U); }

// The engine itself says which bytes are in a class. Nothing: it does not say.
std::optional<Set> set_of_class(const std::string& inside) {
  auto regex = Regex::compile("[" + inside + "]");
  if (!regex) return std::nullopt;
  Set set{};
  for (unsigned byte = 0; byte < 0x80; ++byte) {
    const char c = static_cast<char>(byte);
    if (regex->matches({&c, 1})) add(set, byte);
  }
  return set;
}

// Appends what the node takes. False: the head ends within it.
bool append(const RegexNode& node, std::vector<Set>& sets) {
  if (sets.size() >= kMostPlaces) return false;
  switch (node.kind) {
    case Kind::empty:
      return true;
    case Kind::literal:
      if (node.fold) return false;
      for (const char c : node.text) {
        if (static_cast<unsigned char>(c) >= 0x80 || sets.size() >= kMostPlaces) return false;
        add(sets.emplace_back(), static_cast<unsigned char>(c));
      }
      return true;
    case Kind::any:
      sets.push_back({~(std::uint64_t{1} << static_cast<unsigned>('\n')), ~std::uint64_t{0}});
      return true;
    case Kind::klass: {
      const auto set = set_of_class(node.text);
      if (set) sets.push_back(*set);
      return set.has_value();
    }
    case Kind::repeat:
      for (int i = 0; i < node.min; ++i) {
        if (!append(node.nodes.front(), sets)) return false;
      }
      return node.max == node.min;
    case Kind::plus:
      append(node.nodes.front(), sets);
      return false;
    case Kind::capture:
      return append(node.nodes.front(), sets);
    case Kind::concat:
      for (const RegexNode& piece : node.nodes) {
        if (!append(piece, sets)) return false;
      }
      return true;
    default:
      return false;
  }
}

}  // namespace

RegexHead::RegexHead(std::string_view pattern) {
  if (pattern.find('|') != std::string_view::npos || pattern.find("(?") != std::string_view::npos) return;
  const auto tree = parse_regex(pattern);
  if (!tree) return;
  const RegexNode begin{.kind = Kind::assertion, .text = "^", .nodes = {}};
  if (*tree == begin) {
    whole_ = true;
    return;
  }
  if (tree->kind != Kind::concat || tree->nodes.front() != begin) return;
  RegexNode rest = *tree;
  rest.nodes.erase(rest.nodes.begin());
  whole_ = append(rest, sets_);
}

}  // namespace weir::gotext
