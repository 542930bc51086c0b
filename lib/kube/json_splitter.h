// Splits the answers of a Kubernetes API server while they come, so that a list of 10 MB costs the memory of its largest item.
//
//   list     one object. Each element of its member `items` is given alone; so is each other member.
//            {"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[{…},{…}]}
//   events   objects one after another, with white space between them. The members of each are given alone.
//            {"type":"ADDED","object":{…}}
//
// It finds where values begin and end, by brackets and quotes; whether a value is valid JSON, who parses it finds out. Pieces of
// any size give the same values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::kube {

// Gets what was found, in its order. A text is valid for the time of the call.
class JsonParts {
 public:
  virtual ~JsonParts() = default;
  virtual void item(std::string_view text) = 0;                           // list: an element of `items`
  virtual void member(std::string_view name, std::string_view text) = 0;  // `name` as it is written; `text` any value
  virtual void object_ends() = 0;                                         // of the list, or of one event
  virtual void skipped(std::string_view name, std::size_t bytes) = 0;     // a value (of `items`: name "items") was too large
};

// A pure state machine, not thread safe.
class JsonSplitter {
 public:
  enum class Form : std::uint8_t { list, events };
  // A value of more than `max_value` bytes is skipped. `parts` outlives it.
  JsonSplitter(Form form, std::size_t max_value, JsonParts& parts) : form_(form), max_value_(max_value), parts_(parts) {}

  // The next bytes of the answer. False, then and from then on: this is not the form that was expected.
  bool feed(std::string_view piece);

  // Between two objects: a list that is whole, or events of which none is cut.
  [[nodiscard]] bool complete() const { return state_ == State::root && (form_ == Form::events || objects_ > 0); }
  [[nodiscard]] std::uint64_t objects() const { return objects_; }
  // Bytes that are kept for what has not come whole.
  [[nodiscard]] std::size_t held() const { return value_.capacity() + name_.capacity(); }

 private:
  enum class State : std::uint8_t {
    root,        // before an object
    first_name,  // after {
    name,        // after a comma
    in_name,     // in a name's quotes
    colon,       // after a name
    value,       // after a colon
    in_value,    // in a value
    comma,       // after a value
    first_item,  // after [
    item,        // after a comma in items
    item_comma,  // after an item
    broken,
  };
  enum class Value : std::uint8_t { nested, string, scalar };

  const char* step(const char* at, const char* end);
  const char* name_goes_on(const char* at, const char* end);
  const char* begin_value(const char* at, const char* end, bool item);
  const char* value_goes_on(const char* at, const char* end);
  const char* find_end(const char* at, const char* end, bool& ended);
  void value_ended(std::string_view text);
  const char* broken();

  const Form form_;
  const std::size_t max_value_;
  JsonParts& parts_;
  State state_ = State::root;
  Value kind_ = Value::nested;
  bool of_items_ = false;  // the value is an element of items
  bool quoted_ = false;    // in a string of the value
  bool escaped_ = false;   // after a backslash
  std::size_t depth_ = 0;  // brackets of the value that are open
  std::size_t size_ = 0;   // bytes of the value so far
  std::string name_;       // of the member
  std::string value_;      // what came of it in earlier pieces
  std::uint64_t objects_ = 0;
};

}  // namespace weir::kube
