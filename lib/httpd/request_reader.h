// Reads one request out of the bytes of a connection, and judges its header. No I/O.
//
// States: header, then body (where there is one), then whole; refused from any of them.
#pragma once

#include "httpd/beast.h"
#include "httpd/budget.h"
#include "httpd/peer.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

namespace weir::httpd {

// A body that grows as it comes, and not beyond its Content-Length. Beast's own takes all the memory that a Content-Length asks for
// before a byte of it is there.
struct GrowingBody {
  using value_type = std::string;
  static std::uint64_t size(const value_type& body) { return body.size(); }

  class reader {
   public:
    template <bool is_request, typename Fields>
    reader(beast::http::header<is_request, Fields>& /*header*/, value_type& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>& length, error_code& error) {
      if (length) length_ = *length;
      error = {};
    }
    template <typename Buffers>
    std::size_t put(const Buffers& buffers, error_code& error) {
      error = {};
      std::size_t size = 0;
      for (auto one = asio::buffer_sequence_begin(buffers); one != asio::buffer_sequence_end(buffers); ++one) {
        const asio::const_buffer buffer = *one;
        make_room(body_.size() + buffer.size());
        body_.append(static_cast<const char*>(buffer.data()), buffer.size());
        size += buffer.size();
      }
      return size;
    }
    void finish(error_code& error) { error = {}; }

   private:
    // A string of its own would always double.
    void make_room(std::size_t size) {
      if (size <= body_.capacity()) return;
      std::string larger;
      larger.reserve(std::max(size, static_cast<std::size_t>(std::min<std::uint64_t>(2 * body_.capacity(), length_))));
      larger += body_;
      body_ = std::move(larger);
    }

    value_type& body_;
    std::uint64_t length_ = UINT64_MAX;  // of a body in chunks, which has none
  };
};

class RequestReader {
 public:
  enum class State : std::uint8_t {
    more,      // the rest has not come
    header,    // it is whole; a body follows. Once
    whole,     // request() is whole
    refused,   // refusal() is the answer; what follows cannot be read as a request
    not_given  // refusal() is the answer; the request is whole, so that another one may follow
  };

  RequestReader(ServerParts& parts, bool from_here);

  // Takes what it can from the beginning of `unread`.
  State read(std::string& unread);

  [[nodiscard]] bool header_is_whole() const { return parser_.is_header_done(); }

  // Of a whole header.
  [[nodiscard]] Request& request() { return request_; }
  [[nodiscard]] const Route& route() const { return *route_; }
  [[nodiscard]] bool keep_alive() const { return parser_.get().keep_alive(); }
  [[nodiscard]] bool is_old_version() const { return parser_.get().version() < 11; }
  [[nodiscard]] bool waits_for_continue() const;
  [[nodiscard]] bool is_upgrade() const;
  [[nodiscard]] beast::http::request<beast::http::empty_body> header() const;

  [[nodiscard]] Response& refusal() { return refusal_; }
  // What the body takes of the budget.
  [[nodiscard]] Budget::Share& share() { return share_; }

 private:
  State read_on(std::string_view& unread);
  // What is wrong with the size of the header, of which `unread` came and is not parsed: a status, or 0.
  int judge_size(std::string_view unread);
  State refuse(Response response);
  State judge_header();
  // What is wrong with it, or "".
  std::string_view find_host(std::optional<std::string_view> authority);
  std::string_view find_end() const;

  ServerParts& parts_;
  beast::http::request_parser<GrowingBody> parser_;
  Request request_;
  const Route* route_ = nullptr;
  Response refusal_;
  Budget::Share share_, header_share_;
  std::size_t parsed_ = 0, seen_ = 0;  // bytes of the header; of `unread`, bytes whose lines are counted
  std::size_t lines_ = 0;              // of the header
  bool line_is_empty_ = true;          // the last one, so far
  bool header_has_ended_ = false;
  bool header_is_judged_ = false;
};

}  // namespace weir::httpd
