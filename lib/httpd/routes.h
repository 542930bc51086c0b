// Which route a request goes to.
#pragma once

#include "httpd/message.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::httpd {

// 400, 404 and their like: the reason phrase as the body.
[[nodiscard]] Response refusal(int status);
// 503 with Retry-After.
[[nodiscard]] Response refusal_for_now();
// As HTTP names it: "Not Found".
[[nodiscard]] std::string_view reason_of(int status);

class Routes {
 public:
  // `not_found`: the body of a 404; "": that of refusal().
  explicit Routes(std::vector<Route> routes, std::string not_found = {})
      : routes_(std::move(routes)), not_found_(std::move(not_found)) {}

  // The route of request.method and a path as it came (percent-encoded, without query); sets request.path and request.segments.
  // Null: `refused` is the answer: 404, or 405 with the methods that the path has.
  [[nodiscard]] const Route* find(Request& request, std::string_view raw_path, Response& refused) const;

 private:
  std::vector<Route> routes_;
  std::string not_found_;
};

}  // namespace weir::httpd
