// Templates of line_format: what compiles runs to an end within its budget, twice with the same result.
#include "fuzz/fuzz.h"
#include "gotemplate/template.h"

#include <string>

namespace {

using namespace weir;

class Data : public gotemplate::TemplateData {
 public:
  bool find(std::string_view name, std::string_view& value) override {
    if (name != "app" && name != "level") return false;
    value = name == "app" ? "shop" : "12.5";
    return true;
  }
  void each(const std::function<void(std::string_view name, std::string_view value)>& visit) override {
    visit("app", "shop");
    visit("level", "12.5");
  }
  std::string_view line() override { return R"({"a":[1,{"b":"x"}],"c":null} tail)"; }
  base::Timestamp timestamp() override { return 1'700'000'000'123'456'789; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4 << 10) return 0;
  const std::string_view text = fuzz::text_of(data, size);
  auto compiled = gotemplate::Template::compile(text, "line");
  if (!compiled) {
    WEIR_HOLDS(!compiled.error().message.empty());
    return 0;
  }
  std::string first, second, error, again;
  Data values;
  gotemplate::Budget budget;
  if (text.find("now") != text.npos) return 0;  // the clock's
  const bool good = compiled->execute(values, budget, first, error);
  WEIR_HOLDS(good || !error.empty());
  WEIR_HOLDS(first.size() <= gotemplate::Budget::kBytes + text.size());
  if (first.size() > 64 << 10) return 0;
  gotemplate::Budget other;
  WEIR_HOLDS(compiled->execute(values, other, second, again) == good);
  WEIR_HOLDS(error == again && (!good || first == second));
  return 0;
}
