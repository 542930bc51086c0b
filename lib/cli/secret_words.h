// Where secrets stand in what a user wrote: command lines and the text of pipelines. By the names of options (--password,
// --bearer-token, a --header that authenticates) and by the form of URLs (http://user:password@host), so that it holds also for
// what cannot be parsed.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::base {
class Secrets;
}

namespace weir::cli {

struct TextSpan {
  std::size_t begin = 0, end = 0;  // bytes, end exclusive
};

// The secrets in a text as a shell reads it, sorted and apart from each other. A value that is only $NAME is none.
[[nodiscard]] std::vector<TextSpan> secret_spans(std::string_view text);

// Hides the secrets among the words of a command line, also within a word that is the text of a pipeline.
void note_secrets(std::span<const std::string> words, base::Secrets& secrets);

// Hides what `user:password@` in a URL and a parameter such as ?api_key= hold.
void note_url(std::string_view url, base::Secrets& secrets);

// The value of such a header is a secret: Authorization, Cookie, X-Api-Key, and the like.
[[nodiscard]] bool is_secret_header(std::string_view name);
// Hides the value, and what stands in it behind Bearer or Basic.
void note_header(std::string_view value, base::Secrets& secrets);

}  // namespace weir::cli
