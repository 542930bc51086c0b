#include "http/client.h"

#include "http/exchange.h"

namespace weir::http {
namespace {

class CurlClient : public Client {
 public:
  CurlClient(const CurlLibrary& curl, ClientConfig config, std::unique_ptr<Exchange> exchange)
      : curl_(curl), config_(std::move(config)), identity_(config_), exchange_(std::move(exchange)) {}

  base::Result<Response> perform(const Request& request) override { return perform_with(request, nullptr); }
  base::Result<Response> perform(const Request& request, const OnBody& on_body) override { return perform_with(request, &on_body); }
  [[nodiscard]] const ClientConfig& config() const override { return config_; }

 private:
  base::Result<Response> perform_with(const Request& request, const OnBody* on_body) {
    if (auto begun = exchange_->begin(config_, identity_, request, on_body); !begun) return std::move(begun).error();
    return exchange_->end(curl_.easy_perform(exchange_->handle()));
  }

  const CurlLibrary& curl_;
  const ClientConfig config_;
  Identity identity_;
  std::unique_ptr<Exchange> exchange_;
};

}  // namespace

base::Result<std::unique_ptr<Client>> Client::create(ClientConfig config) {
  const auto curl = CurlLibrary::load();
  if (!curl) return base::Error(curl.error());
  auto exchange = Exchange::create(**curl);
  if (!exchange) return std::move(exchange).error();
  return std::unique_ptr<Client>(new CurlClient(**curl, std::move(config), std::move(*exchange)));
}

}  // namespace weir::http
