#include "show/text_writer.h"

#include "base/visible.h"
#include "record/context_mark.h"

#include <algorithm>
#include <utility>

namespace weir::show {
namespace {

constexpr std::size_t kMostHeld = 4 << 20;

}  // namespace

void GroupBreaks::append(std::string& out, const record::Record& record) {
  const std::string_view group = record::find(record.metadata, record::kContextGroup);
  if (group.empty() || group == group_) return;
  if (!group_.empty()) out += "--\n";
  group_ = group;
}

void TextWriter::begin(const record::Batch& batch) {
  format_.learn(batch);
  if (headed_) return;
  headed_ = std::ranges::any_of(batch.records, [](const auto& record) { return !record.is_marker() && !record.sample; });
  if (headed_) header_ = format_.header();
}

std::string TextWriter::header() { return std::exchange(header_, {}); }

void TextWriter::add(std::string& out, record::Batch& batch, record::Record& record) {
  const bool counts = histogram_ && !record.sample;
  if (counts) counted_.add(record.timestamp, format_.level(batch, record));
  std::string& lines = !counts || released_ ? out : held_;
  breaks_.append(lines, record);
  format_.append(lines, batch, record);
  if (held_.size() >= kMostHeld) release(out);
}

void TextWriter::release(std::string& out) {
  out += held_;
  std::string().swap(held_);
  released_ = true;
}

void TextWriter::finish(std::string& out) {
  if (!histogram_) return;
  out += counted_.text(canvas_);
  if (!released_) release(out);
}

void TextWriter::resize(std::size_t width) {
  canvas_.width = width;
  format_.resize(width);
}

void RawWriter::add(std::string& out, record::Batch& batch, record::Record& record) {
  breaks_.append(out, record);
  std::string_view line = batch.line(record);
  if (record.sample && record.extra != nullptr && record.extra->value.size() >= 2) {
    line = record.extra->value.substr(1, record.extra->value.size() - 2);
  }
  if (terminal_) {
    base::append_visible_line(out, line);
  } else {
    out += line;
  }
  out += '\n';
}

}  // namespace weir::show
