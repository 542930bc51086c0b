#include "httpd/tls.h"

#include "base/text_file.h"
#include "httpd/file_stamp.h"
#include "httpd/tls_library.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

namespace weir::httpd {
namespace {

using base::Code;
using base::Result;

// What a BIO of ours holds.
struct Link {
  const TlsLibrary* library = nullptr;
  int socket = -1;
  char first = 0;  // byte that came
};

Link& link_of(bio_st* bio) {
  static const TlsLibrary* const library = *TlsLibrary::load();
  return *static_cast<Link*>(library->bio_get_data(bio));
}

// send() and not write(), which is what a BIO of OpenSSL would call: a client that left must not send a SIGPIPE.
int write_socket(bio_st* bio, const char* bytes, int size) {
  const Link& link = link_of(bio);
  link.library->bio_clear_flags(bio, TlsLibrary::kAllFlags);
  const ssize_t sent = ::send(link.socket, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) link.library->bio_set_flags(bio, TlsLibrary::kRetryWrite);
  return static_cast<int>(sent);
}

int read_socket(bio_st* bio, char* out, int size) {
  Link& link = link_of(bio);
  link.library->bio_clear_flags(bio, TlsLibrary::kAllFlags);
  const ssize_t got = ::recv(link.socket, out, static_cast<std::size_t>(size), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) link.library->bio_set_flags(bio, TlsLibrary::kRetryRead);
  if (got > 0 && link.first == 0) link.first = *out;
  return static_cast<int>(got);
}

long control(bio_st* /*bio*/, int command, long /*number*/, void* /*pointer*/) { return command == TlsLibrary::kFlush ? 1 : 0; }

// A key that is locked would ask for its password on the terminal.
int no_password(char* /*out*/, int /*size*/, int /*writes*/, void* /*user*/) { return 0; }

class OpenSslSession : public TlsSession {
 public:
  OpenSslSession(const TlsLibrary& library, int socket) : library_(library) {
    link_.library = &library;
    link_.socket = socket;
  }
  ~OpenSslSession() override {
    if (ssl_ != nullptr) library_.ssl_free(ssl_);
  }
  OpenSslSession(const OpenSslSession&) = delete;
  OpenSslSession& operator=(const OpenSslSession&) = delete;

  bool start(ssl_ctx_st* context, const bio_method_st* method) {
    ssl_ = library_.ssl_new(context);
    if (ssl_ == nullptr) return false;
    bio_st* const bio = library_.bio_new(method);
    if (bio == nullptr) return false;
    library_.bio_set_data(bio, &link_);
    library_.bio_set_init(bio, 1);
    library_.set_bio(ssl_, bio, bio);
    library_.set_accept_state(ssl_);
    return true;
  }

  Step handshake() override {
    library_.clear_error();
    const int result = library_.do_handshake(ssl_);
    if (result == 1) return {State::done, 0};
    const Step step = step_of(result, 0);
    // A record of TLS begins with 22, a request with a letter.
    const bool is_text = link_.first >= 'A' && link_.first <= 'Z';
    return step.state == State::failed && is_text ? Step{State::plain_client, 0} : step;
  }

  Step read(void* out, std::size_t size) override {
    if (size == 0) return {State::done, 0};
    library_.clear_error();
    std::size_t got = 0;
    const int result = library_.read(ssl_, out, size, &got);
    return step_of(result, got);
  }

  Step write(const void* bytes, std::size_t size) override {
    if (size == 0) return {State::done, 0};
    library_.clear_error();
    std::size_t sent = 0;
    const int result = library_.write(ssl_, bytes, size, &sent);
    return step_of(result, sent);
  }

  void end() override {
    if (has_failed_) return;  // it must not be called then
    library_.clear_error();
    static_cast<void>(library_.shutdown(ssl_));
  }

 private:
  Step step_of(int result, std::size_t size) {
    if (result == 1) return {State::done, size};
    switch (library_.get_error(ssl_, result)) {
      case TlsLibrary::kWantRead:
        return {State::want_read, 0};
      case TlsLibrary::kWantWrite:
        return {State::want_write, 0};
      case TlsLibrary::kZeroReturn:
        return {State::end, 0};
      default:
        has_failed_ = true;
        return {State::failed, 0};
    }
  }

  const TlsLibrary& library_;
  ssl_st* ssl_ = nullptr;
  Link link_;
  bool has_failed_ = false;
};

class OpenSsl : public Tls {
 public:
  OpenSsl(const TlsLibrary& library, const TlsFiles& files, base::Diagnostics* diagnostics)
      : library_(library), files_(files), diagnostics_(diagnostics) {}
  ~OpenSsl() override {
    if (context_ != nullptr) library_.ctx_free(context_);
  }
  OpenSsl(const OpenSsl&) = delete;
  OpenSsl& operator=(const OpenSsl&) = delete;

  // For the first time. What is no file (`<(…)` of a shell) is never read again.
  Result<void> open() {
    certificate_ = FileStamp::of(files_.certificate);
    key_ = FileStamp::of(files_.key);
    are_read_once_ = certificate_.is_no_file() || key_.is_no_file();
    return load();
  }

  std::unique_ptr<TlsSession> accept(int socket) override {
    refresh();
    static const bio_method_st* const method = make_method(library_);
    auto session = std::make_unique<OpenSslSession>(library_, socket);
    if (method == nullptr || !session->start(context_, method)) return nullptr;
    return session;
  }

 private:
  // Reads the files again if they have changed.
  void refresh() {
    if (are_read_once_) return;
    const FileStamp certificate = FileStamp::of(files_.certificate), key = FileStamp::of(files_.key);
    if (certificate == certificate_ && key == key_) return;
    certificate_ = certificate;
    key_ = key;
    Result<void> loaded;
    if (certificate.is_no_file() || key.is_no_file()) {
      loaded =
          base::cannot(base::Code::config, fmt::format("read '{}'", certificate.is_no_file() ? files_.certificate : files_.key),
                       "it is no file any more");
    } else {
      loaded = load();
    }
    if (!loaded && diagnostics_ != nullptr)
      diagnostics_->report(std::move(loaded).error().within("the certificate and key in use stay"));
  }

  Result<void> load() {
    auto context = read_files();
    if (!context) return std::move(context).error();
    // Sessions that are open hold the old one.
    if (context_ != nullptr) library_.ctx_free(context_);
    context_ = *context;
    return {};
  }

  static const bio_method_st* make_method(const TlsLibrary& library) {
    bio_method_st* const method = library.bio_meth_new(TlsLibrary::kSourceSink | 127, "weir");
    if (method == nullptr) return nullptr;
    library.bio_meth_set_read(method, read_socket);
    library.bio_meth_set_write(method, write_socket);
    library.bio_meth_set_ctrl(method, control);
    return method;
  }

  [[nodiscard]] base::Error refused(std::string_view what) const {
    const char* const reason = library_.reason(library_.get_error_code());
    return base::cannot(Code::config, what, reason != nullptr ? reason : "OpenSSL gives no reason");
  }

  Result<ssl_ctx_st*> read_files() {
    // OpenSSL's words for a file that cannot be read are about itself.
    for (const auto& [path, name] : {std::pair(&files_.certificate, "the certificate"), std::pair(&files_.key, "the key")}) {
      if (auto text = base::read_text_file(*path, fmt::format("{} '{}'", name, *path)); !text) {
        text.error().code = Code::config;
        return std::move(text).error();
      }
    }
    if ((key_.mode & S_IROTH) != 0)
      return base::cannot(Code::config, fmt::format("use the key '{}'", files_.key), "everybody on this machine may read it")
          .with_hint(fmt::format("chmod o-r {}", files_.key));
    library_.clear_error();
    ssl_ctx_st* const context = library_.ctx_new(library_.server_method());
    if (context == nullptr) return refused("start TLS");
    auto filled = fill(context);
    if (!filled) {
      library_.ctx_free(context);
      return std::move(filled).error();
    }
    return context;
  }

  Result<void> fill(ssl_ctx_st* context) {
    library_.ctx_set_password(context, no_password);
    library_.ctx_ctrl(context, TlsLibrary::kSetLeastVersion, TlsLibrary::kVersion12, nullptr);
    // A session goes on with a ticket, which costs the server nothing, or not at all.
    library_.ctx_ctrl(context, TlsLibrary::kSetSessionCache, 0, nullptr);
    library_.ctx_ctrl(context, TlsLibrary::kSetMode,
                      TlsLibrary::kPartialWrite | TlsLibrary::kMovingBuffer | TlsLibrary::kReleaseBuffers, nullptr);
    library_.ctx_set_options(context, TlsLibrary::kNoRenegotiation | TlsLibrary::kNoCompression | TlsLibrary::kCipherPreference);
    if (library_.ctx_use_certificate(context, files_.certificate.c_str()) != 1)
      return refused(fmt::format("use the certificate '{}'", files_.certificate))
          .with_hint("it must be PEM, the certificate of this server first, then those that lead to its root");
    // That also compares the two, but says less of it.
    if (library_.ctx_use_key(context, files_.key.c_str(), TlsLibrary::kPem) != 1 || library_.ctx_check_key(context) != 1)
      return refused(fmt::format("use the key '{}' with the certificate '{}'", files_.key, files_.certificate))
          .with_hint("it must be PEM, without a password, and belong to the certificate");
    return {};
  }

  const TlsLibrary& library_;
  const TlsFiles files_;
  base::Diagnostics* const diagnostics_;
  FileStamp certificate_;
  FileStamp key_;
  bool are_read_once_ = false;
  ssl_ctx_st* context_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<Tls>> Tls::create(const TlsFiles& files, base::Diagnostics* diagnostics) {
  const auto library = TlsLibrary::load();
  if (!library) return base::Error(library.error());
  auto tls = std::make_unique<OpenSsl>(**library, files, diagnostics);
  if (auto loaded = tls->open(); !loaded) return std::move(loaded).error();
  return std::unique_ptr<Tls>(std::move(tls));
}

}  // namespace weir::httpd
