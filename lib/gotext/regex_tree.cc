#include "gotext/regex_tree.h"

#include "base/utf8.h"
#include "gotext/unicode.h"

#include <algorithm>
#include <utility>

namespace weir::gotext {
namespace {

using Kind = RegexNode::Kind;

RegexNode make(Kind kind, std::string text = {}) {
  RegexNode node;
  node.kind = kind;
  node.text = std::move(text);
  return node;
}

std::size_t first_character(std::string_view text) { return std::max<std::size_t>(base::utf8_length(text), 1); }

bool is_single_character(const RegexNode& node) {
  if (node.kind == Kind::klass) return true;
  return node.kind == Kind::literal && first_character(node.text) == node.text.size();
}

// Puts nodes in a row: nested rows are opened and neighbouring literals joined.
RegexNode concat(std::vector<RegexNode> nodes) {
  RegexNode row = make(Kind::concat);
  auto add = [&](auto&& self, RegexNode node) -> void {
    if (node.kind == Kind::concat) {
      for (RegexNode& inner : node.nodes) self(self, std::move(inner));
      return;
    }
    if (node.kind == Kind::literal && !row.nodes.empty() && row.nodes.back().kind == Kind::literal &&
        row.nodes.back().fold == node.fold) {
      row.nodes.back().text += node.text;
      return;
    }
    row.nodes.push_back(std::move(node));
  };
  for (RegexNode& node : nodes) add(add, std::move(node));
  if (row.nodes.empty()) return make(Kind::empty);
  if (row.nodes.size() == 1) return std::move(row.nodes.front());
  return row;
}

const RegexNode* leading_literal(const RegexNode& node) {
  const RegexNode& first = node.kind == Kind::concat ? node.nodes.front() : node;
  return first.kind == Kind::literal ? &first : nullptr;
}

// `node` without the first `bytes` of its leading literal.
RegexNode without_prefix(RegexNode node, std::size_t bytes) {
  RegexNode& first = node.kind == Kind::concat ? node.nodes.front() : node;
  first.text.erase(0, bytes);
  if (!first.text.empty()) return node;
  if (node.kind != Kind::concat) return make(Kind::empty);
  node.nodes.erase(node.nodes.begin());
  return concat(std::move(node.nodes));
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  std::size_t i = 0;
  while (i < a.size() && i < b.size()) {
    const std::size_t length = first_character(a.substr(i));
    if (a.substr(i, length) != b.substr(i, length)) break;
    i += length;
  }
  return i;
}

RegexNode alternate(std::vector<RegexNode> branches);

// What may be taken out of several branches when each begins with it: one character of a class, or an anchor.
const RegexNode* leading_simple(const RegexNode& node) {
  const RegexNode& first = node.kind == Kind::concat ? node.nodes.front() : node;
  const bool simple =
      first.kind == Kind::klass || first.kind == Kind::any || first.kind == Kind::any_all || first.kind == Kind::assertion;
  return simple ? &first : nullptr;
}

std::vector<RegexNode> factor_literals(std::vector<RegexNode> branches) {
  std::vector<RegexNode> out;
  for (std::size_t i = 0; i < branches.size();) {
    const RegexNode* lead = leading_literal(branches[i]);
    std::size_t prefix = lead == nullptr ? 0 : lead->text.size();
    std::size_t end = i + 1;
    for (; prefix > 0 && end < branches.size(); ++end) {
      const RegexNode* other = leading_literal(branches[end]);
      if (other == nullptr || other->fold != lead->fold) break;
      const std::size_t shared = common_prefix(std::string_view(lead->text).substr(0, prefix), other->text);
      if (shared == 0) break;
      prefix = shared;
    }
    if (end == i + 1) {
      out.push_back(std::move(branches[i++]));
      continue;
    }
    RegexNode head = make(Kind::literal, lead->text.substr(0, prefix));
    head.fold = lead->fold;
    std::vector<RegexNode> tails;
    for (; i < end; ++i) tails.push_back(without_prefix(std::move(branches[i]), prefix));
    RegexNode row = make(Kind::concat);
    row.nodes.push_back(std::move(head));
    row.nodes.push_back(alternate(std::move(tails)));
    out.push_back(row.nodes.back().kind == Kind::literal || row.nodes.back().kind == Kind::concat ? concat(std::move(row.nodes))
                                                                                                  : row);
  }
  return out;
}

std::vector<RegexNode> factor_simple(std::vector<RegexNode> branches) {
  std::vector<RegexNode> out;
  for (std::size_t i = 0; i < branches.size();) {
    const RegexNode* lead = leading_simple(branches[i]);
    std::size_t end = i + 1;
    while (lead != nullptr && end < branches.size()) {
      const RegexNode* other = leading_simple(branches[end]);
      if (other == nullptr || !(*other == *lead)) break;
      ++end;
    }
    if (end == i + 1) {
      out.push_back(std::move(branches[i++]));
      continue;
    }
    RegexNode head = *lead;
    std::vector<RegexNode> tails;
    for (; i < end; ++i) {
      RegexNode& branch = branches[i];
      if (branch.kind == Kind::concat) {
        branch.nodes.erase(branch.nodes.begin());
        tails.push_back(concat(std::move(branch.nodes)));
      } else {
        tails.push_back(make(Kind::empty));
      }
    }
    RegexNode row = make(Kind::concat);
    row.nodes.push_back(std::move(head));
    row.nodes.push_back(alternate(std::move(tails)));
    out.push_back(std::move(row));
  }
  return out;
}

// Neighbouring branches of one character each become one class.
std::vector<RegexNode> join_characters(std::vector<RegexNode> branches) {
  std::vector<RegexNode> out;
  for (std::size_t i = 0; i < branches.size();) {
    std::size_t end = i;
    while (end < branches.size() && is_single_character(branches[end])) ++end;
    if (end <= i + 1) {
      out.push_back(std::move(branches[i++]));
      continue;
    }
    RegexNode klass = make(Kind::klass);
    for (; i < end; ++i) klass.text += branches[i].text;
    out.push_back(std::move(klass));
  }
  return out;
}

RegexNode alternate(std::vector<RegexNode> branches) {
  if (branches.size() > 1) branches = join_characters(factor_simple(factor_literals(std::move(branches))));
  std::vector<RegexNode> out;
  for (RegexNode& branch : branches) {
    if (branch.kind == Kind::empty && !out.empty() && out.back().kind == Kind::empty) continue;
    out.push_back(std::move(branch));
  }
  if (out.size() == 1) return std::move(out.front());
  RegexNode node = make(Kind::alternate);
  node.nodes = std::move(out);
  return node;
}

class Reader {
 public:
  explicit Reader(std::string_view pattern) : text_(pattern) {}

  std::optional<RegexNode> read() {
    RegexNode node = alternation();
    if (failed_ || position_ != text_.size()) return std::nullopt;
    return node;
  }

 private:
  struct Flags {
    bool fold = false;
    bool dot_all = false;
    bool multi_line = false;
  };

  [[nodiscard]] bool done() const { return failed_ || position_ >= text_.size(); }
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return position_ + ahead < text_.size() ? text_[position_ + ahead] : '\0';
  }
  RegexNode fail() {
    failed_ = true;
    return {};
  }

  RegexNode alternation() {
    if (++depth_ > 200) return fail();
    std::vector<RegexNode> branches;
    std::vector<RegexNode> row;
    while (!done() && peek() != ')') {
      if (peek() == '|') {
        ++position_;
        branches.push_back(concat(std::move(row)));
        row.clear();
        continue;
      }
      std::optional<RegexNode> node = atom();
      if (failed_) return {};
      if (!node) continue;
      row.push_back(quantified(std::move(*node)));
    }
    branches.push_back(concat(std::move(row)));
    --depth_;
    return branches.size() == 1 ? std::move(branches.front()) : alternate(std::move(branches));
  }

  RegexNode quantified(RegexNode node) {
    while (!done()) {
      Kind kind = Kind::star;
      int min = 0, max = -1;
      if (peek() == '*') {
        ++position_;
      } else if (peek() == '+') {
        kind = Kind::plus;
        ++position_;
      } else if (peek() == '?') {
        kind = Kind::quest;
        ++position_;
      } else if (peek() == '{' && braces(min, max)) {
        kind = Kind::repeat;
      } else {
        break;
      }
      if (peek() == '?') ++position_;  // not greedy: the same for whether something matches
      RegexNode outer = make(kind);
      outer.min = min;
      outer.max = max;
      outer.nodes.push_back(std::move(node));
      node = std::move(outer);
    }
    return node;
  }

  // {n}, {n,} or {n,m} here; anything else is a literal brace.
  bool braces(int& min, int& max) {
    std::size_t i = position_ + 1;
    const auto number = [&]() -> std::optional<int> {
      const std::size_t digits = i;
      int value = 0;
      while (i < text_.size() && text_[i] >= '0' && text_[i] <= '9') value = std::min(value * 10 + (text_[i++] - '0'), 100000);
      return i == digits ? std::nullopt : std::optional(value);
    };
    const auto least = number();
    if (!least) return false;
    auto most = least;
    if (i < text_.size() && text_[i] == ',') {
      ++i;
      most = number();
    }
    if (i >= text_.size() || text_[i] != '}') return false;
    position_ = i + 1;
    min = *least;
    max = most.value_or(-1);
    return true;
  }

  RegexNode literal(std::string text) const {
    RegexNode node = make(Kind::literal, flags_.fold ? fold_case(text) : std::move(text));
    node.fold = flags_.fold;
    return node;
  }

  // nullopt for what stands for nothing, such as flags.
  std::optional<RegexNode> atom() {
    const char c = peek();
    if (c == '(') return group();
    if (c == '[') return klass();
    if (c == '\\') return escape();
    if (c == '.') {
      ++position_;
      return make(flags_.dot_all ? Kind::any_all : Kind::any);
    }
    if (c == '^' || c == '$') {
      ++position_;
      return make(Kind::assertion, flags_.multi_line ? std::string("m") + c : std::string(1, c));
    }
    const std::size_t length = first_character(text_.substr(position_));
    std::string text(text_.substr(position_, length));
    position_ += length;
    return literal(std::move(text));
  }

  std::optional<RegexNode> group() {
    const Flags outer = flags_;
    ++position_;
    bool captures = true;
    if (peek() == '?') {
      ++position_;
      if (peek() == 'P' || peek() == '<') {
        const std::size_t close = text_.find('>', position_);
        if (close == std::string_view::npos) return fail();
        position_ = close + 1;
      } else {
        captures = false;
        bool on = true;
        for (; !done() && peek() != ')' && peek() != ':'; ++position_) {
          switch (peek()) {
            case '-':
              on = false;
              break;
            case 'i':
              flags_.fold = on;
              break;
            case 's':
              flags_.dot_all = on;
              break;
            case 'm':
              flags_.multi_line = on;
              break;
            case 'U':
              break;
            default:
              return fail();
          }
        }
        if (done()) return fail();
        if (text_[position_++] == ')') return std::nullopt;  // flags for the rest of the group around
      }
    }
    RegexNode inside = alternation();
    flags_ = outer;
    if (failed_ || peek() != ')') return fail();
    ++position_;
    if (!captures) return inside;
    RegexNode node = make(Kind::capture);
    node.nodes.push_back(std::move(inside));
    return node;
  }

  RegexNode klass() {
    const std::size_t begin = position_;
    std::size_t i = position_ + 1;
    if (i < text_.size() && text_[i] == '^') ++i;
    if (i < text_.size() && text_[i] == ']') ++i;  // first, it is a literal
    while (i < text_.size() && text_[i] != ']') {
      if (text_[i] == '\\') {
        i += 2;
      } else if (text_.substr(i, 2) == "[:") {
        const std::size_t close = text_.find(":]", i);
        i = close == std::string_view::npos ? i + 1 : close + 2;
      } else {
        ++i;
      }
    }
    if (i >= text_.size()) return fail();
    position_ = i + 1;
    const std::string_view inside = text_.substr(begin + 1, i - begin - 1);
    if (inside.size() == first_character(inside) && inside != "^") return literal(std::string(inside));
    if (inside.size() == 2 && inside[0] == '\\' && std::isalnum(static_cast<unsigned char>(inside[1])) == 0) {
      return literal(std::string(inside.substr(1)));
    }
    return make(Kind::klass, std::string(inside) + (flags_.fold ? "i" : ""));
  }

  std::optional<RegexNode> escape() {
    const char c = peek(1);
    if (c == '\0') return fail();
    position_ += 2;
    constexpr std::string_view kControls = "afnrtv";
    constexpr std::string_view kBytes = "\a\f\n\r\t\v";
    if (const std::size_t known = kControls.find(c); known != std::string_view::npos) return literal(std::string(1, kBytes[known]));
    switch (c) {
      case 'd':
      case 'D':
      case 'w':
      case 'W':
      case 's':
      case 'S':
        return make(Kind::klass, std::string("\\") + c);
      case 'b':
      case 'B':
      case 'A':
      case 'z':
        return make(Kind::assertion, std::string("\\") + c);
      case 'p':
      case 'P': {
        const std::size_t begin = position_;
        if (peek() == '{') {
          const std::size_t close = text_.find('}', position_);
          if (close == std::string_view::npos) return fail();
          position_ = close + 1;
        } else {
          position_ += first_character(text_.substr(std::min(position_, text_.size())));
        }
        if (position_ > text_.size()) return fail();
        return make(Kind::klass, std::string("\\") + c + std::string(text_.substr(begin, position_ - begin)));
      }
      case 'Q': {
        const std::size_t end = std::min(text_.find("\\E", position_), text_.size());
        std::string text(text_.substr(position_, end - position_));
        position_ = std::min(end + 2, text_.size());
        if (text.empty()) return std::nullopt;
        if (peek() == '*' || peek() == '+' || peek() == '?' || peek() == '{') return fail();  // would bind to one character
        return literal(std::move(text));
      }
      case 'E':
        return std::nullopt;
      case 'x':
        return hexadecimal();
      default:
        break;
    }
    if (c >= '0' && c <= '7') return fail();  // octal: rare, and not worth its rules
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) return fail();
    if (static_cast<unsigned char>(c) >= 0x80) return fail();
    return literal(std::string(1, c));
  }

  RegexNode hexadecimal() {
    std::string digits;
    if (peek() == '{') {
      const std::size_t close = text_.find('}', position_);
      if (close == std::string_view::npos) return fail();
      digits = text_.substr(position_ + 1, close - position_ - 1);
      position_ = close + 1;
    } else {
      digits = text_.substr(std::min(position_, text_.size()), 2);
      position_ = std::min(position_ + 2, text_.size());
    }
    if (digits.empty() || digits.size() > 6 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
      return fail();
    std::string text;
    base::append_utf8(text, static_cast<char32_t>(std::stoul(digits, nullptr, 16)));
    return literal(std::move(text));
  }

  std::string_view text_;
  std::size_t position_ = 0;
  Flags flags_;
  int depth_ = 0;
  bool failed_ = false;
};

}  // namespace

std::optional<RegexNode> parse_regex(std::string_view pattern) { return Reader(pattern).read(); }

}  // namespace weir::gotext
