// Values that no message may show: passwords, tokens, what an Authorization header carries. One registry a process, owned by its
// Diagnostics, which hides them in everything it prints; whoever learns a secret adds it.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::base {

// Thread safe. Cheap while it is empty.
class Secrets {
 public:
  // What stands in a message in place of a secret.
  static constexpr std::string_view kHidden = "***";

  // Hides `value` from now on, and its percent-encoded, JSON-escaped and base64 forms. A value of one or two bytes is no secret
  // that could be found again; one of up to five is hidden where it stands as a word of its own.
  void add(std::string_view value);
  // Hides the password, and the base64 of `user:password` that basic authentication sends.
  void add_login(std::string_view user, std::string_view password);
  // The same for the secret that `place` (a file) holds by now, perhaps with the user it belongs to. The one before it stays
  // hidden, older ones are forgotten.
  void add_latest(std::string_view place, std::string_view value, std::string_view user = {});

  // The words that started this process, which everybody on this machine can read.
  void set_command_line(std::span<const std::string> words);
  // "weir" and these words, quoted where a shell needs it, with every secret hidden; "" when they are not known.
  [[nodiscard]] std::string command_line() const;
  // The value, or its percent-encoded form, stands in one of them.
  [[nodiscard]] bool on_command_line(std::string_view value) const;

  // `text` with every secret in it hidden, also of a long one its beginning (a server may cut what it repeats).
  [[nodiscard]] std::string redact(std::string_view text) const;

 private:
  struct Latest {
    std::string place;
    std::deque<std::vector<std::string>> forms;  // of the latest values, the newest last
  };
  mutable std::mutex mutex_;
  std::vector<std::string> forms_;  // of all secrets, each once
  std::vector<Latest> latest_;
  std::vector<std::string> command_line_;
};

}  // namespace weir::base
