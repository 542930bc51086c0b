#include "cli/kept_text.h"

#include "base/path.h"
#include "base/text_file.h"

#include <fmt/format.h>

#include <string_view>

namespace weir::cli {
namespace {

std::string path_beside(std::string_view keeper) { return fmt::format("{}-pipeline", keeper); }

// Of the file that a kept text belongs to.
std::string head_of(const PipelineSource& source) {
  return fmt::format("# {}\n", base::escape_control(base::absolute_path(source.name())));
}

// What could be paths: a text that is broken is not parsed.
std::vector<std::string> words_of(std::string_view text, const char* (*environment)(const char* name)) {
  constexpr std::string_view kBetween = " \t\r\n|'\"=#\\";
  std::vector<std::string> words;
  for (std::size_t at = 0; (at = text.find_first_not_of(kBetween, at)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    std::string word(text.substr(at, end - at));
    at = end;
    if (word.starts_with("$")) {
      std::string name = word.substr(1);
      if (name.starts_with("{") && name.ends_with("}")) name = name.substr(1, name.size() - 2);
      const char* const value = environment(name.c_str());
      word = value == nullptr ? "" : value;
    }
    if (!word.empty()) words.push_back(std::move(word));
  }
  return words;
}

}  // namespace

void keep_text(const PipelineSource& source, const std::vector<std::string>& keepers, base::Diagnostics& diagnostics) {
  const std::string text = head_of(source) + source.text();
  for (const std::string& keeper : keepers) {
    const std::string path = path_beside(keeper);
    if (const auto before = base::read_own_file(path, path); before && *before == text) continue;
    if (auto kept = base::replace_text_file(path, text); !kept) {
      diagnostics.warn("keep-text", fmt::format("{}; if '{}' has a mistake at the next start, this text cannot replace it",
                                                kept.error().message, source.name()));
    }
  }
}

std::optional<PipelineSource> find_kept_text(const PipelineSource& source, const char* (*environment)(const char* name)) {
  std::vector<std::string> words = words_of(source.text(), environment);
  if (const char* const spool = environment("WEIR_SPOOL"); spool != nullptr && *spool != '\0') words.emplace_back(spool);
  const std::string head = head_of(source);
  for (const std::string& word : words) {
    const std::string path = path_beside(word);
    auto kept = base::read_own_file(path, path);
    if (kept && kept->starts_with(head) && kept->substr(head.size()) != source.text()) {
      return PipelineSource(path, *std::move(kept), PipelineSource::Kind::file);
    }
  }
  return std::nullopt;
}

}  // namespace weir::cli
