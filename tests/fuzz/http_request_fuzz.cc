// What a client sends to the HTTP server, on one connection, up to its end: every request gets an answer that is one, nothing is
// read beyond the input, and the server goes on. Also: an address that is read is written so that it is read alike.
#include "base/clock.h"
#include "fuzz/fuzz.h"
#include "httpd/server.h"
#include "support/raw_http.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

using namespace weir;

namespace {

constexpr std::size_t kMostBody = 1000;

std::unique_ptr<httpd::Server> start_server() {
  const auto echo = [](const httpd::Request& request) {
    WEIR_HOLDS(request.body.size() <= kMostBody);
    WEIR_HOLDS(request.from_here);
    WEIR_HOLDS(request.path == "/");
    static_cast<void>(request.parameter("a"));
    return httpd::Response{.body = request.query + request.body + std::string(request.header("X"))};
  };
  std::vector<httpd::Route> routes = {{"GET", "/", echo}, {"POST", "/", echo}};
  const auto address = httpd::parse_address("unix:fuzz_http_request." + std::to_string(::getpid()));
  auto server =
      httpd::Server::start(*address, std::move(routes), base::Clock::system(), {.limits = {.header = 2000, .body = kMostBody}});
  WEIR_HOLDS(server);
  return *std::move(server);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto server = start_server();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  test::RawHttp http(server->address());
  http.send(text);
  http.end();
  std::string answers;
  WEIR_HOLDS(http.rest(20'000, &answers) != std::string::npos);
  WEIR_HOLDS(answers.empty() || answers.starts_with("HTTP/1.1 "));
  if (const auto address = httpd::parse_address(text)) {
    const auto again = httpd::parse_address(address->text());
    WEIR_HOLDS(again && again->text() == address->text() && again->port == address->port);
  }
  static_cast<void>(httpd::host_of(text));
  return 0;
}
