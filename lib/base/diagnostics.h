// What weir says to people while it runs. The one place in lib/ that writes to stderr.
//
// One line a message, "weir <command>: <text>", newlines and all else that visible.h names escaped. What can recur names a key:
// per key the first is printed at once, later ones at most every `interval`, with the number of those that were held back.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace weir::base {

class Secrets;

// Thread safe. Lives in main (or a test); everything else gets a reference through the context of its chain.
class Diagnostics {
 public:
  virtual ~Diagnostics() = default;
  virtual void say(std::string_view text) = 0;                         // always printed
  virtual void warn(std::string_view key, std::string_view text) = 0;  // throttled by key
  // One line that stands at the end of a terminal's stderr until the next one or a message takes its place; "" takes it away. It is
  // cut to the width of the terminal. Nothing where stderr is no terminal, where this process runs in the background of its
  // terminal, and while another process shows a line there: in a shell pipe the first one that has something to show.
  virtual void progress(std::string_view text) { static_cast<void>(text); }
  // Whether progress() may ever show anything.
  [[nodiscard]] virtual bool shows_progress() const { return false; }
  // Records are about to be written to a terminal: takes the line away, and shows none until two seconds have passed without
  // records.
  virtual void make_way() {}
  // What is hidden in all it prints (base/secrets.h); null where nothing is.
  [[nodiscard]] virtual Secrets* secrets() { return nullptr; }
  void report(const Error& error);  // message, then each line of the hint as a message

  // Writes to stderr with the prefix "weir <command>: " ("weir: " when command is empty).
  static std::unique_ptr<Diagnostics> standard_error(std::string command, Clock& clock);
};

// `text` with \n, \t, \r, \xHH, \uHHHH for what visible.h says must not be shown as it is, for messages and terminals.
[[nodiscard]] std::string escape_control(std::string_view text);

}  // namespace weir::base
