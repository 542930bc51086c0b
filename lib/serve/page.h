// The page at `/`: HTML, style sheet, scripts and icon, which the build puts into the program (lib/serve/page/).
//
// The page is a client of the server like others: of Loki's API and of /weir/api/v1. It loads nothing from elsewhere, and the
// policy that goes with its files lets it run no script but its own, nor turn text into markup.
#pragma once

#include "httpd/message.h"

#include <string_view>
#include <vector>

namespace weir::serve {

// A file of the page, embedded byte for byte by the build (embed_page.cmake). Lives as long as the program.
struct PageFile {
  std::string_view name;  // "main.js"
  std::string_view etag;  // of its bytes, quoted
  std::string_view plain;
  std::string_view gzip;  // the same, compressed
};

// Sorted by name.
[[nodiscard]] const std::vector<PageFile>& page_files();

// GET / is index.html, and GET /page/NAME each file; nothing else is served. Compressed for clients that accept gzip; 304 for one
// that has the file already.
[[nodiscard]] std::vector<httpd::Route> page_routes();

}  // namespace weir::serve
