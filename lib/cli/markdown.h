// Manual pages as Markdown (CommonMark). Reads the part of man(7) that the pages of weir use, and refuses everything else, so that
// no roff is left in what it writes.
//
//   .SH, .SS            headings                   .B .I .BR … \fB \fI    bold is code (`--since`), italic is emphasis
//   .TP, .IP TAG        an item of a list          .EX/.EE, .nf/.fi       a fenced block
//   .IP \(bu, .IP 1.    the same, as • or 1.       weir-tail(1)           a link to weir-tail.1.md, where there is such a page
//
// Pure functions; any thread may call them.
#pragma once

#include "base/result.h"

#include <functional>
#include <string>
#include <string_view>

namespace weir::cli {

// Whether there is a page to link to: "weir-tail", 1.
using HasPage = std::function<bool(std::string_view name, int section)>;

// Code::bug with the line of the page, for a request or an escape that it does not know.
[[nodiscard]] base::Result<std::string> markdown(std::string_view page, const HasPage& has_page);

}  // namespace weir::cli
