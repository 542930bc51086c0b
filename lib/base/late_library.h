// A shared library that is loaded when it is first needed, so that commands that do not need it start without it.
#pragma once

#include <initializer_list>
#include <string>
#include <type_traits>

namespace weir::base {

// One thread opens it and finds what it needs; anybody may use what was found. It stays loaded until the process ends.
class LateLibrary {
 public:
  // The first of these sonames that is there. `is_open` says whether one is, and `cause` why not.
  explicit LateLibrary(std::initializer_list<const char*> names);

  // Sets `function` to what the library calls `name`, or to null.
  template <typename Function>
  void find(Function*& function, const char* name) {
    static_assert(std::is_function_v<Function>);
    function = reinterpret_cast<Function*>(symbol(name));
  }

  [[nodiscard]] bool is_open() const { return handle_ != nullptr; }
  // Why the library cannot be used: the words of the loader, or the first name that was not found; "" where it can.
  [[nodiscard]] const std::string& cause() const { return cause_; }

 private:
  void* symbol(const char* name);
  void* handle_ = nullptr;
  std::string cause_;
};

}  // namespace weir::base
