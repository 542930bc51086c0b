// One request on one curl handle: sets it up, collects the answer, explains a failure. Shared by both clients.
#pragma once

#include "http/client.h"
#include "http/credentials.h"
#include "http/curl_library.h"

#include <memory>
#include <string>

namespace weir::http {

// Our credentials, prepared once for each client. Not thread safe.
class Identity {
 public:
  explicit Identity(const ClientConfig& config) : password_(config.password_file), token_(config.bearer_token_file) {}
  // Sets user and password, or writes the Authorization header.
  base::Result<void> apply(const CurlLibrary& curl, CURL* handle, const ClientConfig& config, std::string& authorization);

  bool answered = false;  // the server was understood at least once

 private:
  static base::Result<std::string> read(SecretFile& file, const ClientConfig& config, std::string_view user);
  SecretFile password_;
  SecretFile token_;
};

// Used for one request after another. libcurl holds pointers into it during a request, so it does not move.
class Exchange {
 public:
  static base::Result<std::unique_ptr<Exchange>> create(const CurlLibrary& curl);
  ~Exchange();
  Exchange(const Exchange&) = delete;  // libcurl points to it
  Exchange& operator=(const Exchange&) = delete;

  // `config` and `identity` must live until end(). `on_body` may be null.
  base::Result<void> begin(const ClientConfig& config, Identity& identity, Request request, const OnBody* on_body);
  // The result, once libcurl has returned `code`.
  base::Result<Response> end(CURLcode code);

  [[nodiscard]] CURL* handle() const { return handle_; }

 private:
  explicit Exchange(const CurlLibrary& curl) : curl_(curl) {}
  void set_headers(const std::string& authorization);
  base::Error failure(CURLcode code);
  struct Trouble;
  void explain(CURLcode code, Trouble& trouble);
  [[nodiscard]] double seconds(CURLINFO what) const;
  // A connection was made, even if the request then failed.
  [[nodiscard]] bool connected() const;
  bool header_ended();
  [[nodiscard]] std::string asks_for_server() const;
  [[nodiscard]] std::string redacted(std::string text) const;
  [[nodiscard]] bool answers_in_clear() const;
  static std::size_t take_body(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t take_header(char* data, std::size_t size, std::size_t count, void* self);
  static int prepare_socket(void* self, curl_socket_t fd, curlsocktype purpose);
  static int progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t);

  const CurlLibrary& curl_;
  CURL* handle_ = nullptr;
  curl_slist* header_list_ = nullptr;
  const ClientConfig* config_ = nullptr;
  Identity* identity_ = nullptr;
  const OnBody* on_body_ = nullptr;
  Request request_;
  Response response_;
  bool aborted_ = false;
  std::size_t header_bytes_ = 0;
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace weir::http
