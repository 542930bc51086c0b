#include "cli/secret_words.h"

#include "base/secrets.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

// The text with `[…]` around what secret_spans() finds.
std::string marked(std::string_view text) {
  std::string out;
  std::size_t at = 0;
  for (const TextSpan& span : secret_spans(text)) {
    out += text.substr(at, span.begin - at);
    (out += '[') += text.substr(span.begin, span.end - span.begin);
    out += ']';
    at = span.end;
  }
  return out += text.substr(at);
}

TEST(SecretSpans, AreFoundByOptionAndForm) {
  const auto f = [](std::string_view text, std::string_view want) { EXPECT_EQ(marked(text), want); };
  f("tail -n shop | push http://loki:3100 --tenant x", "tail -n shop | push http://loki:3100 --tenant x");
  f("push --password hunter2 --nosuch", "push --password [hunter2] --nosuch");
  f("push --password=hunter2|tail", "push --password=[hunter2]|tail");
  f("push --password 'a b'\"c d\"e f", "push --password ['a b'\"c d\"e] f");
  f("push --password \\\n  hunter2", "push --password \\\n  [hunter2]");
  f("push --password 'not closed | tail", "push --password ['not closed | tail]");
  f("push \"--password\" 'x'", "push \"--password\" ['x']");
  f("push --bearer-token abc --bearer-token-file /t", "push --bearer-token [abc] --bearer-token-file /t");
  f("push --password-file /pw", "push --password-file /pw");
  f("push --pasword hunter2", "push --pasword [hunter2]");
  f("push --password $PW --bearer-token \"${T}\"", "push --password $PW --bearer-token \"${T}\"");
  f("push --password", "push --password");
  f("push --password | tail", "push --password | tail");
  f("push --header 'Authorization: Bearer abc'", "push --header 'Authorization: [Bearer abc]'");
  f("push --header=X-Api-Key:abc --header 'X-Team: shop'", "push --header=X-Api-Key:[abc] --header 'X-Team: shop'");
  f("push http://me:hunter2@loki:3100/x", "push http://me:[hunter2]@loki:3100/x");
  f("push http://me:p/w@d@loki", "push http://me:[p/w@d]@loki");
  f("push --proxy-url 'http://u:p@h' x", "push --proxy-url 'http://u:[p]@h' x");
  f("push http://loki/push?api_key=abc&x=1", "push http://loki/push?api_key=[abc]&x=1");
  f("filter '|= \"x' | push --password hunter2", "filter '|= \"x' | push --password [hunter2]");
}

TEST(NoteSecrets, AddsWhatTheWordsHold) {
  const auto f = [](const std::vector<std::string>& words, std::string_view text, std::string_view want) {
    base::Secrets secrets;
    note_secrets(words, secrets);
    EXPECT_EQ(secrets.redact(text), want) << text;
  };
  f({"push", "--password", "hunter2"}, "hunter2", "***");
  f({"push", "--password=hunter2"}, "hunter2", "***");
  f({"push", "--password-file", "/secrets/pw"}, "/secrets/pw", "/secrets/pw");
  f({"push", "--header", "Authorization: Bearer abcdef"}, "Bearer abcdef / abcdef", "*** / ***");
  f({"push", "--header", "X-Team: shop-team"}, "shop-team", "shop-team");
  f({"query", "--addr", "https://me:p%40ssw@loki/x"}, "p@ssw p%40ssw bWU6cEBzc3c=", "*** *** ***");
  f({"run", "tail | push --password 'hunter 2'"}, "hunter 2", "***");
  f({"run", "tail | push --password $PW"}, "$PW", "$PW");
}

}  // namespace
}  // namespace weir::cli
