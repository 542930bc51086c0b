// The text of `weir run` (weir-pipeline.5): what one would type in a shell, and nothing else of a shell.
//
//   file     = { pipeline newline }           a newline after `|` or behind a backslash goes on
//   pipeline = stage { "|" stage }
//   stage    = [ "weir" ] word { word }
//   word     = unquoted, 'single' and "double" quoted parts and $VAR, ${VAR} side by side
//
// Quotes are those of sh: nothing is special in single ones; in double ones \" \\ \$ \` and $VAR are; outside, a backslash makes
// the next byte plain. What a shell would do something with, and this does not, is an error unless it is quoted.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

// Lines and columns count from 1, columns in code points.
struct TextPlace {
  std::size_t line = 1;
  std::size_t column = 1;
};

struct Word {
  std::string text;
  TextPlace place;
};

struct StageText {
  Word command;
  std::vector<Word> arguments;
};

struct PipelineText {
  std::vector<StageText> stages;  // at least one
};

// A text with the name it has in messages. Keeps both.
class PipelineSource {
 public:
  enum class Kind : std::uint8_t { text, standard_input, file };  // where it came from
  PipelineSource(std::string name, std::string text, Kind kind = Kind::text)
      : name_(std::move(name)), text_(std::move(text)), kind_(kind) {}

  // `environment` is that of pipeline::Context. Never an empty list.
  [[nodiscard]] base::Result<std::vector<PipelineText>> parse(const char* (*environment)(const char* name)) const;

  // Code::config: "NAME:LINE:COL: text", then the line and a caret under the place, then the hint. Secrets in the line are not
  // shown.
  [[nodiscard]] base::Error error_at(TextPlace place, std::string_view text, std::string_view hint = {}) const;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool from_standard_input() const { return kind_ == Kind::standard_input; }
  [[nodiscard]] bool is_file() const { return kind_ == Kind::file; }

 private:
  std::string name_, text_;
  Kind kind_;
};

// One pipeline of a text, which may be parsed into links as often as it is started.
struct PipelineEntry {
  std::shared_ptr<const PipelineSource> source;
  PipelineText text;

  // The words alone: two entries with the same words are the same pipeline, wherever they stand.
  [[nodiscard]] bool same_words(const PipelineEntry& other) const;
  [[nodiscard]] TextPlace place() const { return text.stages.front().command.place; }
};

}  // namespace weir::cli
