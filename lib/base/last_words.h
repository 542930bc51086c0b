// What a process says when it cannot go on for a reason that no Result tells: memory is out, or an exception came that nobody
// expected.
#pragma once

#include <initializer_list>
#include <string_view>

namespace weir::base {

// From now on a failed allocation and an exception that nobody catches end the process with exit code 4 and one line on stderr,
// "weir <command>: cannot go on: …", instead of an abort without a word. Any thread may fail so; what is said then allocates
// nothing. Called once, before threads start.
void arrange_last_words(std::string_view command);

// One line on stderr, "weir <command>: <pieces>". Async-signal-safe.
void say_in_signal_handler(std::initializer_list<std::string_view> pieces);

// Ends the process as a failed allocation does, for libraries that report a failed allocation by a code.
[[noreturn]] void end_out_of_memory();

}  // namespace weir::base
