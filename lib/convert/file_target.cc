#include "convert/file_target.h"

#include <cctype>
#include <cstddef>

namespace weir::convert {
namespace {

constexpr std::size_t kMostPaths = 64;

// The end of the braces that begin at `open`; npos for none.
std::size_t closing(std::string_view text, std::size_t open) {
  std::size_t depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}' && --depth == 0) {
      return i;
    }
  }
  return std::string_view::npos;
}

// The alternatives between braces.
std::vector<std::string> alternatives(std::string_view inside) {
  std::vector<std::string> found(1);
  std::size_t depth = 0;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    const char c = inside[i];
    if (c == '\\' && i + 1 < inside.size()) {
      found.back() += c;
      found.back() += inside[++i];
      continue;
    }
    if (c == '{') ++depth;
    if (c == '}' && depth > 0) --depth;
    if (c == ',' && depth == 0) {
      found.emplace_back();
    } else {
      found.back() += c;
    }
  }
  return found;
}

// The first { that begins alternatives: not that of a variable.
std::size_t first_brace(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      if (i == 0 || text[i - 1] != '$') return i;
    }
  }
  return std::string_view::npos;
}

void expand_braces(const std::string& text, std::vector<std::string>& into) {
  const std::size_t open = first_brace(text);
  const std::size_t close = open == std::string::npos ? open : closing(text, open);
  if (close == std::string::npos || into.size() >= kMostPaths) {
    into.push_back(text);
    return;
  }
  for (const std::string& one : alternatives(std::string_view(text).substr(open + 1, close - open - 1))) {
    expand_braces(text.substr(0, open) + one + text.substr(close + 1), into);
  }
}

}  // namespace

TailPaths tail_paths(std::string_view glob) {
  TailPaths made;
  std::vector<std::string> plain;
  expand_braces(std::string(glob), plain);
  for (const std::string& path : plain) {
    const std::size_t stars = path.find("/**/");
    const bool at_end = stars == std::string::npos && path.ends_with("/**");
    if (stars == std::string::npos && !at_end) {
      made.paths.push_back(path);
      continue;
    }
    made.bounded = true;
    const std::size_t begin = at_end ? path.size() - 3 : stars;
    const std::string head = path.substr(0, begin);
    const std::string rest = at_end ? "/*" : path.substr(stars + 3);
    std::string between;
    for (std::size_t level = 0; level <= kMostLevels && made.paths.size() < kMostPaths; ++level) {
      made.paths.push_back(head + between + rest);
      between += "/*";
    }
  }
  return made;
}

std::string glob_regex(std::string_view glob) {
  std::string out;
  for (std::size_t i = 0; i < glob.size(); ++i) {
    const char c = glob[i];
    if (c == '*' && glob.substr(i).starts_with("**/")) {
      out += "(?:.*/)?";
      i += 2;
    } else if (c == '*' && glob.substr(i).starts_with("**")) {
      out += ".*";
      ++i;
    } else if (c == '*') {
      out += "[^/]*";
    } else if (c == '?') {
      out += "[^/]";
    } else if (c == '{') {
      out += "(?:";
    } else if (c == '}') {
      out += ")";
    } else if (c == ',') {
      out += "|";
    } else if (c == '[' && glob.find(']', i + 2) != std::string_view::npos) {
      const std::size_t end = glob.find(']', i + 2);
      std::string inside(glob.substr(i + 1, end - i - 1));
      if (inside.starts_with('!')) inside[0] = '^';
      out += "[" + inside + "]";
      i = end;
    } else if (c == '\\' && i + 1 < glob.size()) {
      out += '\\';
      out += glob[++i];
    } else {
      if (std::ispunct(static_cast<unsigned char>(c)) != 0 && c != '/' && c != '-' && c != '_') out += '\\';
      out += c;
    }
  }
  return out;
}

bool may_name_pods(std::string_view path) {
  for (const std::string_view part : {"/pods", "/containers"}) {
    const std::size_t at = path.find(part);
    if (at != std::string_view::npos && (at + part.size() == path.size() || path[at + part.size()] == '/')) return true;
  }
  return false;
}

}  // namespace weir::convert
