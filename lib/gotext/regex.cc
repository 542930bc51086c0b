#include "gotext/regex.h"

#include "base/byte_search.h"
#include "base/utf8.h"

#include <re2/re2.h>

#include <algorithm>
#include <cctype>

namespace weir::gotext {
namespace {

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

// (?<name>…) is Go's, and later RE2's, other spelling of (?P<name>…).
std::string translate(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      out += c;
      out += pattern[++i];
      continue;
    }
    if (in_class) {
      in_class = c != ']';
    } else if (c == '[') {
      in_class = true;
      // A bracket in the first place belongs to the class.
      std::size_t next = i + 1;
      if (next < pattern.size() && pattern[next] == '^') ++next;
      if (next < pattern.size() && pattern[next] == ']') {
        out.append(pattern, i, next - i + 1);
        i = next;
        continue;
      }
    } else if (pattern.substr(i).starts_with("(?<")) {
      out += "(?P<";
      i += 2;
      continue;
    }
    out += c;
  }
  return out;
}

std::string_view go_message(re2::RE2::ErrorCode code) {
  switch (code) {
    case re2::RE2::ErrorBadEscape:
      return "invalid escape sequence";
    case re2::RE2::ErrorBadCharClass:
      return "invalid character class";
    case re2::RE2::ErrorBadCharRange:
      return "invalid character class range";
    case re2::RE2::ErrorMissingBracket:
      return "missing closing ]";
    case re2::RE2::ErrorMissingParen:
      return "missing closing )";
    case re2::RE2::ErrorUnexpectedParen:
      return "unexpected )";
    case re2::RE2::ErrorTrailingBackslash:
      return "trailing backslash at end of expression";
    case re2::RE2::ErrorRepeatArgument:
      return "missing argument to repetition operator";
    case re2::RE2::ErrorRepeatSize:
      return "invalid repeat count";
    case re2::RE2::ErrorRepeatOp:
      return "invalid nested repetition operator";
    case re2::RE2::ErrorBadPerlOp:
      return "invalid or unsupported Perl syntax";
    case re2::RE2::ErrorBadUTF8:
      return "invalid UTF-8";
    case re2::RE2::ErrorBadNamedCapture:
      return "invalid named capture";
    default:
      return "expression too large";
  }
}

re2::RE2::Options options() {
  re2::RE2::Options options;
  options.set_log_errors(false);
  return options;
}

// Go refuses an expression whose repeats alone make a program of more than 128 MiB (regexp/syntax: maxSize). RE2 notices that too
// late: it writes the repeats out first, which takes seconds and hundreds of MB.
bool repeats_too_much(std::string_view pattern) {
  constexpr std::uint64_t kMost = (128 << 20) / 40;
  std::uint64_t all = 0;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\') {
      if (pattern.substr(i).starts_with("\\Q")) return false;  // what follows stands for itself
      ++i;
    } else if (c == '[' || c == ']') {
      in_class = c == '[';
    } else if (c == '{' && !in_class) {
      std::uint64_t number = 0;
      for (; i + 1 < pattern.size() && pattern[i + 1] >= '0' && pattern[i + 1] <= '9' && number < 10'000; ++i)
        number = number * 10 + static_cast<std::uint64_t>(pattern[i + 1] - '0');
      all += number <= 1000 ? number : 0;  // a larger count is an error of its own
    }
  }
  return all > kMost;
}

}  // namespace

Regex::Subject::Subject(std::string_view text) : text_(text) {
  if (base::is_utf8(text)) return;
  replaced_.reserve(text.size() + 16);
  origin_.reserve(text.size() + 17);
  for (std::size_t i = 0; i < text.size();) {
    std::size_t length = 0;
    base::append_utf8(replaced_, base::decode_utf8(text.substr(i), length));
    origin_.resize(replaced_.size(), i);
    i += length;
  }
  origin_.push_back(text.size());
}

std::size_t Regex::Subject::position(std::size_t of_text) const {
  return static_cast<std::size_t>(std::lower_bound(origin_.begin(), origin_.end(), of_text) - origin_.begin());
}

std::string_view Regex::Subject::of_text(std::size_t begin, std::size_t end) const {
  return text_.substr(origin_[begin], origin_[end] - origin_[begin]);
}

Regex::Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

base::Result<Regex> Regex::compile(std::string_view pattern, Mode mode) {
  if (repeats_too_much(pattern)) return base::fail(base::Code::parse, "error parsing regexp: expression too large: `{}`", pattern);
  std::string text = translate(pattern);
  Regex regex;
  regex.re_ = std::make_unique<re2::RE2>(text, options());
  if (!regex.re_->ok()) {
    const bool whole = regex.re_->error_code() == re2::RE2::ErrorMissingParen;  // Go shows all of it then
    return base::fail(base::Code::parse, "error parsing regexp: {}: `{}`", go_message(regex.re_->error_code()),
                      whole ? std::string(pattern) : regex.re_->error_arg());
  }
  regex.names_.resize(static_cast<std::size_t>(regex.re_->NumberOfCapturingGroups()) + 1);
  for (const auto& [index, name] : regex.re_->CapturingGroupNames()) regex.names_[static_cast<std::size_t>(index)] = name;
  // RE2 takes letters of any script in a name, Go those of ASCII only.
  for (const std::string& name : regex.names_) {
    const auto is_plain = [](unsigned char c) { return c < 0x80; };
    if (std::all_of(name.begin(), name.end(), is_plain)) continue;
    return base::fail(base::Code::parse, "error parsing regexp: invalid named capture: `(?P<{}>`", name);
  }
  regex.literals_ = required_literals(pattern);
  if (mode != Mode::search) {
    const bool all = mode == Mode::anchored_all;
    regex.re_ = std::make_unique<re2::RE2>((all ? "^(?s:" : "^(?:") + text + ")$", options());
    if (!regex.re_->ok()) return base::fail(base::Code::parse, "error parsing regexp: expression too large: `{}`", pattern);
    regex.literals_.exact = false;
  }
  return regex;
}

// Whether what every match needs is in the text, apart from literals_.any.
bool Regex::has_literals(std::string_view text) const {
  return std::all_of(literals_.all.begin(), literals_.all.end(),
                     [&](const std::string& literal) { return base::contains_bytes(text, literal); });
}

bool Regex::matches(std::string_view text) const {
  if (!has_literals(text)) return false;
  if (!literals_.any.empty()) {
    const bool found = std::any_of(literals_.any.begin(), literals_.any.end(),
                                   [&](const std::string& one) { return base::contains_bytes(text, one); });
    if (!found || literals_.exact) return found;
  }
  if (re_->Match(piece(text), 0, text.size(), re2::RE2::UNANCHORED, nullptr, 0)) return true;
  if (base::is_utf8(text)) return false;
  const std::string replaced = Subject(text).replaced_;
  return re_->Match(piece(replaced), 0, replaced.size(), re2::RE2::UNANCHORED, nullptr, 0);
}

bool Regex::find(const Subject& subject, std::size_t from, std::vector<std::string_view>& groups) const {
  constexpr int kOnStack = 17;
  const int count = group_count() + 1;
  re2::StringPiece stack[kOnStack];
  std::unique_ptr<re2::StringPiece[]> heap;
  re2::StringPiece* found = stack;
  if (count > kOnStack) {
    heap = std::make_unique<re2::StringPiece[]>(static_cast<std::size_t>(count));
    found = heap.get();
  }
  groups.resize(static_cast<std::size_t>(count));
  const std::string_view whole = subject.is_utf8() ? subject.text() : std::string_view(subject.replaced_);
  if (!subject.is_utf8()) from = subject.position(from);
  if (!re_->Match(piece(whole), from, whole.size(), re2::RE2::UNANCHORED, found, count)) return false;
  for (int i = 0; i < count; ++i) {
    std::string_view group(found[i].data(), found[i].size());
    if (group.data() != nullptr && !subject.is_utf8()) {
      const auto begin = static_cast<std::size_t>(group.data() - whole.data());
      group = subject.of_text(begin, begin + group.size());
    }
    groups[static_cast<std::size_t>(i)] = group;
  }
  return true;
}

std::size_t Regex::find_all(std::string_view text, int count, std::vector<std::string_view>& groups) const {
  groups.clear();
  const auto is_there = [&](const std::string& one) { return base::contains_bytes(text, one); };
  if (!has_literals(text) || (!literals_.any.empty() && std::none_of(literals_.any.begin(), literals_.any.end(), is_there)))
    return 0;
  constexpr int kOnStack = 10;
  re2::StringPiece stack[kOnStack];
  std::unique_ptr<re2::StringPiece[]> heap;
  re2::StringPiece* found = stack;
  if (count > kOnStack) {
    heap = std::make_unique<re2::StringPiece[]>(static_cast<std::size_t>(count));
    found = heap.get();
  }
  const Subject subject(text);
  const std::string_view whole = subject.is_utf8() ? text : std::string_view(subject.replaced_);
  std::size_t matches = 0;
  for (std::size_t from = 0; from <= whole.size();) {
    if (!re_->Match(piece(whole), from, whole.size(), re2::RE2::UNANCHORED, found, count)) break;
    const auto begin = static_cast<std::size_t>(found[0].data() - whole.data());
    if (found[0].empty()) {
      // The next search begins behind the next character.
      std::size_t length = 1;
      if (begin < whole.size()) static_cast<void>(base::decode_utf8(whole.substr(begin), length));
      from = begin + length;
      continue;
    }
    from = begin + found[0].size();
    ++matches;
    for (int i = 0; i < count; ++i) {
      std::string_view group;
      if (found[i].data() != nullptr) {
        const auto at = static_cast<std::size_t>(found[i].data() - whole.data());
        group = subject.is_utf8() ? whole.substr(at, found[i].size()) : subject.of_text(at, at + found[i].size());
      }
      groups.push_back(group);
    }
  }
  return matches;
}

void Regex::expand(std::string_view replacement, const std::vector<std::string_view>& groups, std::size_t limit,
                   std::string& out) const {
  const auto group = [&](std::string_view name) -> std::string_view {
    if (!name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos && name.size() < 6) {
      const auto index = static_cast<std::size_t>(std::stoul(std::string(name)));
      return index < groups.size() ? groups[index] : std::string_view();
    }
    for (std::size_t i = 1; i < groups.size(); ++i) {
      if (names_[i] == name) return groups[i];
    }
    return {};
  };
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  for (std::size_t i = 0; i < replacement.size() && out.size() <= limit;) {
    if (replacement[i] != '$' || i + 1 >= replacement.size()) {
      out += replacement[i++];
      continue;
    }
    if (replacement[i + 1] == '$') {
      out += '$';
      i += 2;
      continue;
    }
    const bool braces = replacement[i + 1] == '{';
    const std::size_t begin = i + (braces ? 2 : 1);
    std::size_t end = begin;
    while (end < replacement.size() && is_word(replacement[end])) ++end;
    if (end == begin || (braces && (end >= replacement.size() || replacement[end] != '}'))) {
      out += replacement[i++];
      continue;
    }
    out += group(replacement.substr(begin, end - begin));
    i = end + (braces ? 1 : 0);
  }
}

int Regex::group_count() const { return re_->NumberOfCapturingGroups(); }

}  // namespace weir::gotext
