# Writes the C++ file that holds the files of the page: cmake -DFOLDER=… -DGZIP=… -DOUTPUT=… -P embed_page.cmake
#
# What no browser needs stays in the tree: comments that have a line of their own or stand behind two spaces, indentation, and the
# spaces and ends of lines around operators. tests/page/embedded_test.py holds that no string is changed by it.
file(GLOB names RELATIVE ${FOLDER} ${FOLDER}/*)
list(SORT names)

# array(NAME FILE): a C++ array of the file's bytes.
function(array name path)
  file(READ ${path} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(REPEAT "0x..," 24 row)
  string(REGEX REPLACE "(${row})" "\\1\n" bytes "${bytes}")  # a file of one endless line is slow to compile
  set(arrays "${arrays}const unsigned char ${name}[] = {${bytes}};\n" PARENT_SCOPE)
endfunction()

set(arrays "")
set(rows "")
set(number 0)
foreach(name IN LISTS names)
  file(READ ${FOLDER}/${name} text)
  string(REGEX REPLACE "(^|\n) *//[^\n]*" "" text "${text}")
  string(REGEX REPLACE "  // [^\n]*" "" text "${text}")
  string(REGEX REPLACE "(^|\n)/\\* [^\n]* \\*/" "" text "${text}")
  string(REGEX REPLACE "\n[ \n]+" "\n" text "${text}")
  string(REGEX REPLACE "^\n" "" text "${text}")
  if(name MATCHES "[.]js$")
    string(REPLACE ") {" "){" text "${text}")
    foreach(operator => = === !== ? : && || ?? + - * < > <= >= ||= ??= += -=)
      string(REPLACE " ${operator} " "${operator}" text "${text}")
    endforeach()
    string(REPLACE "{ " "{" text "${text}")
    string(REPLACE " }" "}" text "${text}")
    foreach(operator "\"" "{" "(" "[")
      string(REPLACE ", ${operator}" ",${operator}" text "${text}")
      string(REPLACE ": ${operator}" ":${operator}" text "${text}")
    endforeach()
    string(REGEX REPLACE "([A-Za-z0-9_]), ([A-Za-z0-9_.])" "\\1,\\2" text "${text}")
    string(REGEX REPLACE "([A-Za-z0-9_]), ([A-Za-z0-9_.])" "\\1,\\2" text "${text}")  # those that stood behind one of one letter
    string(REPLACE "), " ")," text "${text}")
    string(REPLACE "], " "]," text "${text}")
    string(REGEX REPLACE "([,{(])\n" "\\1" text "${text}")
    string(REGEX REPLACE ";?\n}" "}" text "${text}")
  elseif(name MATCHES "[.]css$")
    string(REGEX REPLACE " *([{};,>]) *" "\\1" text "${text}")
    string(REGEX REPLACE "([a-z-]): " "\\1:" text "${text}")
    string(REPLACE ";}" "}" text "${text}")
  endif()
  file(WRITE ${OUTPUT}.plain "${text}")
  # -n: neither name nor time in it, so that two builds are equal.
  execute_process(COMMAND ${GZIP} -9 -n -c ${OUTPUT}.plain OUTPUT_FILE ${OUTPUT}.gz COMMAND_ERROR_IS_FATAL ANY)
  array(plain${number} ${OUTPUT}.plain)
  array(gzip${number} ${OUTPUT}.gz)
  file(SHA256 ${OUTPUT}.plain hash)
  string(SUBSTRING ${hash} 0 16 hash)
  string(APPEND rows "      {\"${name}\", \"\\\"${hash}\\\"\", text(plain${number}), text(gzip${number})},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(REMOVE ${OUTPUT}.gz ${OUTPUT}.plain)
file(WRITE ${OUTPUT} "#include \"serve/page.h\"

namespace weir::serve {
namespace {

${arrays}
template <std::size_t N>
std::string_view text(const unsigned char (&bytes)[N]) {
  return {reinterpret_cast<const char*>(bytes), N};
}

}  // namespace

const std::vector<PageFile>& page_files() {
  static const std::vector<PageFile> files = {
${rows}  };
  return files;
}

}  // namespace weir::serve
")
