#include "yaml/tree.h"

#include "base/diagnostics.h"
#include "base/utf8.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

namespace weir::yaml {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::size_t kMostNodes = 50'000;  // with what aliases repeat
constexpr std::size_t kMostDepth = 64;
constexpr std::size_t kMostCause = 300;
constexpr std::size_t kShownBefore = 80;  // characters of a long line in front of the caret
constexpr std::size_t kShownAfter = 40;

std::string_view line_at(std::string_view text, std::size_t line) {
  std::size_t begin = 0;
  for (std::size_t i = 1; i < line; ++i) {
    begin = text.find('\n', begin);
    if (begin == std::string_view::npos) return {};
    ++begin;
  }
  std::string_view found = text.substr(begin, text.find('\n', begin) - begin);
  if (found.ends_with('\r')) found.remove_suffix(1);
  return found;
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

// What yaml-cpp throws does not pass its handlers: they end the parse with this.
struct Stopped : std::exception {
  Stopped(Place where, std::string why) : place(where), cause(std::move(why)) {}
  Place place;
  std::string cause;
};

// Puts the tree together from the parser's events.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::string_view text) : text_(text) {}

  [[nodiscard]] Node take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& /*mark*/, const std::string& /*name*/) override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node;
    node.place = place_of(mark);
    add(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Stopped(place_of(mark), "the alias stands inside of its own anchor");
    Node node = found->second.node;
    count(place_of(mark), found->second.nodes);
    add(std::move(node), 0);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    Node node;
    node.kind = Node::Kind::scalar;
    node.text = value;
    if (value.find('\0') != std::string::npos) throw Stopped(place_of(mark), "there is a byte of zeros in the text");
    node.plain = tag == "?";
    node.place = place_of(mark);
    add(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(Node::Kind::list, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(Node::Kind::map, mark, anchor);
  }
  void OnMapEnd() override {
    merge(stack_.back().node);
    close();
  }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor = 0;
    std::size_t nodes_before = 0;
    std::optional<std::pair<std::string, Place>> key;  // of a map: what waits for its value
    bool key_plain = true;
  };
  struct Anchored {
    Node node;
    std::size_t nodes = 1;
  };

  // yaml-cpp counts lines from 0, and columns in bytes.
  [[nodiscard]] Place place_of(const YAML::Mark& mark) {
    const std::size_t line = mark.line < 0 ? 0 : static_cast<std::size_t>(mark.line);
    if (line < line_ || line_begin_ == std::string_view::npos) line_ = 0, line_begin_ = 0, bytes_ = 0, characters_ = 0;
    while (line_ < line && line_begin_ != std::string_view::npos) {
      line_begin_ = text_.find('\n', line_begin_);
      if (line_begin_ != std::string_view::npos) ++line_begin_;
      ++line_;
      bytes_ = characters_ = 0;
    }
    if (line_begin_ == std::string_view::npos) return {line + 1, 1};
    // Goes on from the place before: a line may be long, and may have many places.
    const std::size_t column = mark.column < 0 ? 0 : static_cast<std::size_t>(mark.column);
    if (column < bytes_) bytes_ = characters_ = 0;
    characters_ += characters(text_.substr(std::min(line_begin_ + bytes_, text_.size()), column - bytes_));
    bytes_ = column;
    return {line + 1, characters_ + 1};
  }

  void count(Place place, std::size_t nodes) {
    nodes_ += nodes;
    if (nodes_ > kMostNodes) throw Stopped(place, "the text has too many values");
  }

  void open(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (stack_.size() >= kMostDepth) throw Stopped(place_of(mark), "the text is nested too deeply");
    Open one;
    one.node.kind = kind;
    one.node.place = place_of(mark);
    one.anchor = anchor;
    one.nodes_before = nodes_;
    stack_.push_back(std::move(one));
  }
  void close() {
    Open one = std::move(stack_.back());
    stack_.pop_back();
    add(std::move(one.node), one.anchor, nodes_ - one.nodes_before + 1);
  }

  void add(Node node, YAML::anchor_t anchor, std::size_t nodes = 1) {
    count(node.place, 1);
    if (anchor != 0) anchors_[anchor] = {node, nodes};
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = stack_.back();
    if (parent.node.is_list()) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      if (node.is_list() || node.is_map()) throw Stopped(node.place, "a key must be a text");
      parent.key_plain = node.plain;
      parent.key = {node.is_null() ? std::string() : std::move(node.text), node.place};
    } else {
      const bool is_merge = parent.key_plain && parent.key->first == "<<";
      if (!is_merge && parent.node.find(parent.key->first) != nullptr) {
        throw Stopped(parent.key->second, fmt::format("the key '{}' stands twice", base::escape_control(parent.key->first)));
      }
      parent.node.entries.push_back({std::move(parent.key->first), parent.key->second, std::move(node)});
      parent.key.reset();
    }
  }

  // `<<: *defaults`: what is not there comes from the other map, or from the first of several that has it.
  void merge(Node& map) {
    std::vector<Entry> added;
    for (const Entry& entry : map.entries) {
      if (entry.key != "<<") continue;
      std::vector<const Node*> others;
      if (entry.value.is_map()) others.push_back(&entry.value);
      for (const Node& item : entry.value.items) others.push_back(&item);
      for (const Node* other : others) {
        if (!other->is_map()) throw Stopped(entry.place, "only a map can be merged");
        for (const Entry& one : other->entries) {
          const auto same = [&](const Entry& have) { return have.key == one.key; };
          if (map.find(one.key) == nullptr && std::ranges::none_of(added, same)) added.push_back(one);
        }
      }
    }
    std::erase_if(map.entries, [](const Entry& entry) { return entry.key == "<<"; });
    std::ranges::move(added, std::back_inserter(map.entries));
  }

  std::string_view text_;
  Node root_;
  std::vector<Open> stack_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::size_t nodes_ = 0;
  std::size_t line_ = 0, line_begin_ = 0;
  std::size_t bytes_ = 0, characters_ = 0;  // of that line, up to the last place
};

// Whether a line may show a secret: one of its keys, or one of those above it that it belongs to, names one, or a URL has a user.
bool may_be_secret(std::string_view text, std::size_t number) {
  constexpr std::array<std::string_view, 8> kWords = {"password", "token", "secret", "credential", "auth", "cookie", "key", "://"};
  std::size_t indent = std::string_view::npos;
  for (std::size_t at = number; at > 0; --at) {
    const std::string_view line = line_at(text, at);
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos || begin >= indent) continue;
    indent = begin;
    std::string lower(line);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const std::string_view word : kWords) {
      const std::size_t found = lower.find(word);
      if (found != std::string::npos && (word != "://" || lower.find('@', found) != std::string::npos)) return true;
    }
    if (indent == 0) break;
  }
  return false;
}

}  // namespace

const Node* Node::find(std::string_view key) const {
  const auto found = std::ranges::find(entries, key, &Entry::key);
  return found == entries.end() ? nullptr : &found->value;
}

Error error_at(std::string_view text, std::string_view name, Place place, std::string_view cause, std::string_view hint,
               Content content) {
  Error error{Code::config,
              fmt::format("{}:{}:{}: {}", name, place.line, place.column, base::escape_control(cause.substr(0, kMostCause))),
              {}};
  if (content == Content::may_hold_secrets && may_be_secret(text, place.line)) {
    error.hint = "  (the line may hold a secret, and is not shown)";
    if (!hint.empty()) error.hint += fmt::format("\n{}", hint);
    return error;
  }
  // Characters of the line, some of them before and behind the place.
  const std::string_view line = line_at(text, place.line);
  std::vector<std::string_view> shown;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t length =
        std::max<std::size_t>(1, static_cast<unsigned char>(line[at]) < 0x80 ? 1 : base::utf8_length(line.substr(at)));
    shown.push_back(line.substr(at, length));
    at += length;
  }
  const std::size_t caret = std::min(place.column == 0 ? 0 : place.column - 1, shown.size());
  const std::size_t begin = caret > kShownBefore ? caret - kShownBefore : 0;
  const std::size_t end = std::min(shown.size(), caret + kShownAfter);
  std::string excerpt;
  for (std::size_t i = begin; i < end; ++i) excerpt += shown[i] == "\t" ? std::string_view(" ") : shown[i];
  error.hint = fmt::format("  {}\n  {:>{}}", base::escape_control(excerpt), '^', caret - begin + 1);
  if (!hint.empty()) error.hint += fmt::format("\n{}", hint);
  return error;
}

Result<Document> parse(std::string_view text, std::string_view name, Content content) {
  if (text.size() > kMostBytes) {
    return base::fail(Code::config, "cannot read {}: it has more than {} MiB", name, kMostBytes >> 20U);
  }
  if (!base::is_utf8(text)) return base::fail(Code::config, "cannot read {}: it is not UTF-8", name);
  if (const std::size_t bad = text.find('\0'); bad != std::string_view::npos) {
    return base::fail(Code::config, "cannot read {}: there is a byte of zeros in it", name);
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Builder builder(text);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Document document;
    if (!parser.HandleNextDocument(builder)) return error_at(text, name, {1, 1}, "there is nothing in it", {}, content);
    document.root = builder.take();
    // What follows is not read, and may be anything.
    Builder rest(text);
    try {
      document.has_more = parser.HandleNextDocument(rest);
    } catch (const std::exception&) {
      document.has_more = true;
    }
    return document;
  } catch (const Stopped& stopped) {
    return error_at(text, name, stopped.place, stopped.cause, {}, content);
  } catch (const YAML::Exception& error) {
    Place place{error.mark.line < 0 ? 1 : static_cast<std::size_t>(error.mark.line) + 1, 1};
    const std::string_view line = line_at(text, place.line);
    if (error.mark.column > 0) place.column += characters(line.substr(0, static_cast<std::size_t>(error.mark.column)));
    return error_at(text, name, place, fmt::format("this is no YAML: {}", error.msg), {}, content);
  } catch (const std::exception& error) {
    return base::fail(Code::config, "cannot read {}: {}", name, error.what());
  }
}

}  // namespace weir::yaml
