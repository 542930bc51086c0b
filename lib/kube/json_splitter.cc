// States: see the header. A value is held only when it goes on in the next piece; one that lies in a piece is given where it lies.
//
// Invariants:
// - What is held of one value never exceeds max_value, and a name never kMostName: the rest is counted, not kept.
// - After `broken` nothing is given any more.
#include "kube/json_splitter.h"

namespace weir::kube {
namespace {

constexpr std::size_t kMostName = 256;
// What stays allocated for the next value.
constexpr std::size_t kUsual = 32 << 10;

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool ends_scalar(char c) { return is_space(c) || c == ',' || c == ']' || c == '}'; }

}  // namespace

bool JsonSplitter::feed(std::string_view piece) {
  const char* at = piece.data();
  const char* const end = at + piece.size();
  while (state_ != State::broken && at != end) {
    if (state_ == State::in_value) {
      at = value_goes_on(at, end);
    } else if (state_ == State::in_name) {
      at = name_goes_on(at, end);
    } else if (is_space(*at)) {
      ++at;
    } else {
      at = step(at, end);
    }
  }
  return state_ != State::broken;
}

// One byte that is no white space, between values. Returns where to go on.
const char* JsonSplitter::step(const char* at, const char* end) {
  const char c = *at;
  const auto go = [&](State next) {
    state_ = next;
    return at + 1;
  };
  const auto close = [&] {
    ++objects_;
    state_ = State::root;
    parts_.object_ends();
    return at + 1;
  };
  switch (state_) {
    case State::root:
      if (c != '{' || (form_ == Form::list && objects_ > 0)) return broken();
      return go(State::first_name);
    case State::first_name:
    case State::name:
      if (c == '}' && state_ == State::first_name) return close();
      if (c != '"') return broken();
      name_.clear();
      return go(State::in_name);
    case State::colon:
      return c == ':' ? go(State::value) : broken();
    case State::value:
      if (form_ == Form::list && name_ == "items" && c == '[') return go(State::first_item);
      return begin_value(at, end, false);
    case State::comma:
      if (c == ',') return go(State::name);
      return c == '}' ? close() : broken();
    case State::first_item:
    case State::item:
      if (c == ']' && state_ == State::first_item) return go(State::comma);
      return begin_value(at, end, true);
    case State::item_comma:
      if (c == ',') return go(State::item);
      return c == ']' ? go(State::comma) : broken();
    case State::in_name:
    case State::in_value:
    case State::broken:
      break;
  }
  return broken();
}

const char* JsonSplitter::name_goes_on(const char* at, const char* end) {
  for (; at != end; ++at) {
    if (!escaped_ && *at == '"') {
      state_ = State::colon;
      return at + 1;
    }
    escaped_ = !escaped_ && *at == '\\';
    if (name_.size() == kMostName) return broken();
    name_ += *at;
  }
  return at;
}

const char* JsonSplitter::begin_value(const char* at, const char* end, bool item) {
  if (*at == ',' || *at == ']' || *at == '}' || *at == ':') return broken();
  of_items_ = item;
  kind_ = *at == '{' || *at == '[' ? Value::nested : *at == '"' ? Value::string : Value::scalar;
  quoted_ = escaped_ = false;
  depth_ = size_ = 0;
  state_ = State::in_value;
  return value_goes_on(at, end);
}

// The end of the value, one beyond its last byte, or `end`.
const char* JsonSplitter::find_end(const char* at, const char* end, bool& ended) {
  for (; at != end; ++at) {
    const char c = *at;
    if (quoted_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        quoted_ = false;
        if (kind_ == Value::string) {
          ended = true;
          return at + 1;
        }
      }
    } else if (kind_ == Value::scalar) {
      if (ends_scalar(c)) {
        ended = true;
        return at;
      }
    } else if (c == '"') {
      quoted_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if ((c == '}' || c == ']') && --depth_ == 0) {
      ended = true;
      return at + 1;
    }
  }
  return at;
}

const char* JsonSplitter::value_goes_on(const char* at, const char* end) {
  bool ended = false;
  const char* const stop = find_end(at, end, ended);
  const std::string_view text(at, static_cast<std::size_t>(stop - at));
  size_ += text.size();
  if (ended && size_ == text.size()) {
    value_ended(text);
  } else {
    if (size_ <= max_value_) {
      value_.append(text);
    } else {
      value_ = std::string();
    }
    if (ended) {
      value_ended(value_);
      value_.clear();
      if (value_.capacity() > kUsual) value_ = std::string();
    }
  }
  return stop;
}

void JsonSplitter::value_ended(std::string_view text) {
  state_ = of_items_ ? State::item_comma : State::comma;
  if (size_ > max_value_) {
    parts_.skipped(of_items_ ? std::string_view("items") : std::string_view(name_), size_);
  } else if (of_items_) {
    parts_.item(text);
  } else {
    parts_.member(name_, text);
  }
}

const char* JsonSplitter::broken() {
  state_ = State::broken;
  value_ = std::string();
  return nullptr;  // feed() looks at the state first
}

}  // namespace weir::kube
