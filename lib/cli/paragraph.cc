#include "cli/paragraph.h"

#include <vector>

namespace weir::cli {
namespace {

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

// Words with the places at which a command may be broken: after `|`, and before a word that begins with `-`.
struct Piece {
  std::string_view text;
  bool after_pipe = false;
};

std::vector<Piece> split_command(std::string_view command) {
  std::vector<Piece> pieces;
  std::size_t begin = 0;
  char quote = 0;
  bool after_pipe = false;
  for (std::size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    if (quote != 0) {
      if (c == '\\' && quote == '"') ++i;
      if (c == quote) quote = 0;
      continue;
    }
    if (c == '\'' || c == '"') quote = c;
    if (c == '\\') ++i;
    if (c != ' ') continue;
    const bool pipe = i > begin && command.substr(begin, i - begin) == "|";
    const auto next = command.find_first_not_of(' ', i);
    if (next == std::string_view::npos) break;
    if (pipe || command[next] == '-') {
      // "| " belongs to the piece before it.
      pieces.push_back({command.substr(begin, i - begin), after_pipe});
      after_pipe = pipe;
      begin = next;
    } else if (command[next] == '|' && command.substr(next, 2) == "| ") {
      pieces.push_back({command.substr(begin, next + 1 - begin), after_pipe});
      after_pipe = true;
      begin = next + 2;
      i = next + 1;
    }
  }
  pieces.push_back({command.substr(begin), after_pipe});
  return pieces;
}

}  // namespace

std::size_t columns(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0U) != 0x80U ? 1 : 0;
  return count;
}

std::string wrap(std::string_view text, std::size_t indent, std::size_t width) {
  std::string out;
  std::size_t column = indent;
  bool at_start = true;  // nothing on this output line yet
  const auto break_line = [&] {
    out += '\n';
    out.append(indent, ' ');
    column = indent;
    at_start = true;
  };
  for (const auto line : split_lines(text)) {
    if (line.empty()) {
      if (!at_start) out += '\n';
      break_line();
      continue;
    }
    if (line.front() == ' ') {
      if (!at_start) break_line();
      out += line;
      break_line();
      continue;
    }
    std::size_t position = 0;
    while ((position = line.find_first_not_of(' ', position)) != std::string_view::npos) {
      const auto end = line.find(' ', position);
      const auto word = line.substr(position, end == std::string_view::npos ? end : end - position);
      const auto size = columns(word);
      if (!at_start && column + 1 + size > width) break_line();
      if (!at_start) {
        out += ' ';
        ++column;
      }
      out += word;
      column += size;
      at_start = false;
      if (end == std::string_view::npos) break;
      position = end;
    }
  }
  // Lines hold no trailing spaces.
  std::string clean;
  clean.reserve(out.size());
  for (const auto line : split_lines(out)) {
    const auto last = line.find_last_not_of(' ');
    clean += line.substr(0, last == std::string_view::npos ? 0 : last + 1);
    clean += '\n';
  }
  while (!clean.empty() && clean.back() == '\n') clean.pop_back();
  return clean;
}

std::string plain(std::string_view text) {
  std::string out;
  while (true) {
    const auto open = text.find('`');
    const auto close = open == std::string_view::npos ? open : text.find('`', open + 1);
    if (close == std::string_view::npos) return out += text;
    const auto code = text.substr(open + 1, close - open - 1);
    out += text.substr(0, open);
    out += code.find(' ') == std::string_view::npos ? code : text.substr(open, close + 1 - open);
    text.remove_prefix(close + 1);
  }
}

std::string wrap_command(std::string_view command, std::size_t indent, std::size_t width) {
  if (indent + columns(command) <= width) return std::string(command);
  std::string out;
  std::size_t column = indent;
  for (const auto& piece : split_command(command)) {
    const auto size = columns(piece.text);
    if (!out.empty()) {
      if (column + 1 + size + 2 <= width) {
        out += ' ';
        ++column;
      } else {
        out += piece.after_pipe ? "\n" : " \\\n";
        out.append(indent + 2, ' ');
        column = indent + 2;
      }
    }
    out += piece.text;
    column += size;
  }
  return out;
}

}  // namespace weir::cli
