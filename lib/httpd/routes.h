// Which route a request goes to.
#pragma once

#include "httpd/message.h"

#include <string_view>
#include <vector>

namespace weir::httpd {

// 400, 404 and their like: the reason phrase as the body.
[[nodiscard]] Response refusal(int status);
// As HTTP names it: "Not Found".
[[nodiscard]] std::string_view reason_of(int status);

class Routes {
 public:
  explicit Routes(std::vector<Route> routes) : routes_(std::move(routes)) {}

  // The route of request.method and a path as it came (percent-encoded, without query); sets request.path and request.segments.
  // Null: `refused` is the answer: 404, or 405 with the methods that the path has.
  [[nodiscard]] const Route* find(Request& request, std::string_view raw_path, Response& refused) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace weir::httpd
