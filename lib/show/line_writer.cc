#include "show/line_writer.h"

#include "base/visible.h"
#include "show/columns.h"

#include <algorithm>
#include <limits>

namespace weir::show {
namespace {

constexpr std::size_t kTab = 4;

// Where to break a text whose head of `fits` bytes fits: how many bytes stay in the line.
std::size_t break_at(std::string_view text, std::size_t fits) {
  if (text[fits] == ' ') return fits;
  for (std::size_t at = fits; at > fits / 2; --at) {
    if (text[at - 1] == ' ') return at;
  }
  for (std::size_t at = fits; at > fits / 2; --at) {
    if (text[at - 1] == ',' || text[at - 1] == ';') return at;
  }
  return fits;
}

}  // namespace

std::size_t LineWriter::left() const {
  if (canvas_.width == 0) return std::numeric_limits<std::size_t>::max() / 2;
  return canvas_.width - std::min(canvas_.width, column_);
}

void LineWriter::set_indent(std::size_t column) {
  indent_ = canvas_.width == 0 ? column : std::min(column, canvas_.width - std::min(canvas_.width, kLeastText));
}

void LineWriter::pad_to(std::size_t column) {
  if (canvas_.width > 0) column = std::min(column, canvas_.width);
  if (column <= column_) return;
  out_.append(column - column_, ' ');
  column_ = column;
}

void LineWriter::break_line() {
  out_ += '\n';
  out_.append(indent_, ' ');
  column_ = indent_;
  at_indent_ = true;
}

void LineWriter::end() {
  out_ += '\n';
  column_ = indent_ = 0;
  at_indent_ = false;
}

void LineWriter::put(std::string_view text, Style style) {
  visible_.clear();
  base::append_visible(visible_, text, [this](std::string_view rest) -> std::size_t {
    if (rest[0] != '\t') return 0;
    const std::size_t at = column_ + columns_of(visible_) - std::min(column_, indent_);
    visible_.append(kTab - at % kTab, ' ');
    return 1;
  });
  put_visible(visible_, style);
}

void LineWriter::put_visible(std::string_view text, Style style) {
  while (!text.empty()) {
    const Head head = head_of(text, left());
    if (head.bytes == text.size()) {
      append_styled(out_, text, style, canvas_.color);
      column_ += head.columns;
      at_indent_ = false;
      return;
    }
    const std::size_t here = head.bytes == 0 ? 0 : break_at(text, head.bytes);
    // A piece of a word goes on in a line of its own, where that gives it more room.
    const bool moves = here == head.bytes && text[here] != ' ' && !at_indent_ && left() < kLeastText && column_ > indent_;
    std::string_view piece = text.substr(0, moves ? 0 : here);
    if (piece.empty() && at_indent_) {  // not even one character fits: it is shown all the same
      piece = text.substr(0, std::max<std::size_t>(head_of(text, 2).bytes, 1));
    }
    text.remove_prefix(piece.size());
    while (!piece.empty() && piece.back() == ' ') piece.remove_suffix(1);
    append_styled(out_, piece, style, canvas_.color);
    if (!text.empty() && text[0] == ' ') text.remove_prefix(1);
    break_line();
  }
}

void LineWriter::put_lines(std::string_view text, std::size_t indent, Style style) {
  text = without_colors(text, plain_);
  while (true) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    put(text.substr(0, end), style);
    if (end == text.size()) return;
    text.remove_prefix(end + 1);
    set_indent(indent);
    break_line();
    const std::size_t blank = std::min(text.find_first_not_of(" \t"), text.size());
    std::size_t inner = 0;
    for (const char c : text.substr(0, blank)) inner = c == '\t' ? (inner / kTab + 1) * kTab : inner + 1;
    text.remove_prefix(blank);
    set_indent(indent + inner);
    pad_to(indent_);
  }
}

}  // namespace weir::show
