// Words of a pipeline (weir-pipeline(5)) and of LogQL.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::convert {

// A text that weir run reads back as these bytes. A variable `${NAME}` in it stays one, where `variables` is set.
[[nodiscard]] std::string pipeline_word(std::string_view text, bool variables);

// A string of LogQL and of rules: in backquotes where that can be, else in double quotes.
[[nodiscard]] std::string logql_string(std::string_view text);

// A text for a comment: one line, without control characters.
[[nodiscard]] std::string comment_text(std::string_view text);

// A reference to an environment variable as Promtail's -config.expand-env knows it.
struct VariableUse {
  std::size_t begin = 0, size = 0;
  std::string name;
  std::string fallback;  // of ${NAME:-fallback}
  bool has_fallback = false;
  bool strange = false;  // ${NAME^^}, ${#NAME} and so on
};
// ${NAME…} with a name that begins with a letter or _; no $1, ${1} or $NAME.
[[nodiscard]] std::vector<VariableUse> variables_of(std::string_view text);

// A file name out of a job's name.
[[nodiscard]] std::string file_word(std::string_view name);

}  // namespace weir::convert
