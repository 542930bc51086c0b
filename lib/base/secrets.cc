#include "base/secrets.h"

#include "base/base64.h"
#include "base/percent.h"

#include <algorithm>
#include <array>
#include <utility>

namespace weir::base {
namespace {

constexpr std::size_t kShortest = 3;    // bytes of a value that is looked for at all
constexpr std::size_t kAnywhere = 6;    // from here on within words, too
constexpr std::size_t kBeginning = 12;  // bytes of a longer secret by which what is left of it is known
constexpr std::size_t kValues = 2;      // of one file

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// As JSON texts and Go's %q write it.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

void add_form(std::vector<std::string>& forms, std::string form) {
  if (form.size() >= kShortest && std::find(forms.begin(), forms.end(), form) == forms.end()) forms.push_back(std::move(form));
}

std::vector<std::string> forms_of(std::string_view value) {
  std::vector<std::string> forms;
  if (value.size() < kShortest) return forms;
  add_form(forms, std::string(value));
  add_form(forms, percent_encode(value));
  add_form(forms, percent_encode(value, HexCase::lower));
  add_form(forms, escaped(value));
  // Without what depends on the bytes behind it, so that it is found in a longer text that begins with the secret, too.
  std::string encoded;
  append_base64(encoded, value);
  encoded.resize(value.size() / 3 * 4);
  if (encoded.size() >= kAnywhere) add_form(forms, std::move(encoded));
  return forms;
}

std::string login_form(std::string_view user, std::string_view password) {
  std::string login(user);
  ((login += ':') += password);
  std::string encoded;
  append_base64(encoded, login);
  return encoded;
}

using Range = std::pair<std::size_t, std::size_t>;

void find(std::string_view text, const std::string& form, std::vector<Range>& found) {
  const std::string_view sought = form.size() > kBeginning ? std::string_view(form).substr(0, kBeginning) : std::string_view(form);
  for (std::size_t at = text.find(sought); at != std::string_view::npos; at = text.find(sought, at + 1)) {
    std::size_t end = at + sought.size();
    while (end < text.size() && end - at < form.size() && text[end] == form[end - at]) ++end;
    if (form.size() < kAnywhere && ((at > 0 && is_word(text[at - 1])) || (end < text.size() && is_word(text[end])))) continue;
    found.emplace_back(at, end);
  }
}

}  // namespace

void Secrets::add(std::string_view value) {
  const std::lock_guard lock(mutex_);
  for (std::string& form : forms_of(value)) add_form(forms_, std::move(form));
}

void Secrets::add_login(std::string_view user, std::string_view password) {
  add(password);
  if (password.empty()) return;
  const std::lock_guard lock(mutex_);
  add_form(forms_, login_form(user, password));
}

void Secrets::add_latest(std::string_view place, std::string_view value, std::string_view user) {
  const std::lock_guard lock(mutex_);
  auto found = std::find_if(latest_.begin(), latest_.end(), [&](const Latest& one) { return one.place == place; });
  if (found == latest_.end()) found = latest_.insert(latest_.end(), {std::string(place), {}});
  std::vector<std::string> forms = forms_of(value);
  if (!user.empty()) add_form(forms, login_form(user, value));
  if (!found->forms.empty() && found->forms.back() == forms) return;
  found->forms.push_back(std::move(forms));
  if (found->forms.size() > kValues) found->forms.pop_front();
}

void Secrets::set_command_line(std::span<const std::string> words) {
  const std::lock_guard lock(mutex_);
  command_line_.assign(words.begin(), words.end());
}

bool Secrets::on_command_line(std::string_view value) const {
  if (value.empty()) return false;
  const std::array<std::string, 3> forms = {std::string(value), percent_encode(value), percent_encode(value, HexCase::lower)};
  const std::lock_guard lock(mutex_);
  return std::any_of(command_line_.begin(), command_line_.end(), [&](const std::string& word) {
    return std::any_of(forms.begin(), forms.end(), [&](const std::string& form) { return word.find(form) != std::string::npos; });
  });
}

std::string Secrets::command_line() const {
  std::string line;
  {
    const std::lock_guard lock(mutex_);
    if (command_line_.empty()) return {};
    line = "weir";
    for (const std::string& word : command_line_) {
      constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_";
      const bool plain = !word.empty() && word.find_first_not_of(kPlain) == std::string::npos;
      line += ' ';
      if (!plain) line += '\'';
      for (const char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
      if (!plain) line += '\'';
    }
  }
  return redact(line);
}

std::string Secrets::redact(std::string_view text) const {
  std::vector<Range> found;
  {
    const std::lock_guard lock(mutex_);
    for (const std::string& form : forms_) find(text, form, found);
    for (const Latest& one : latest_) {
      for (const auto& forms : one.forms) {
        for (const std::string& form : forms) find(text, form, found);
      }
    }
  }
  if (found.empty()) return std::string(text);
  std::sort(found.begin(), found.end());
  std::string out;
  std::size_t at = 0;
  for (const auto& [begin, end] : found) {
    if (end <= at) continue;
    if (begin >= at) {
      out += text.substr(at, begin - at);
      out += kHidden;
    }
    at = end;
  }
  return out += text.substr(at);
}

}  // namespace weir::base
