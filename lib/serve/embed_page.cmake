# Writes the C++ file that holds the files of the page: cmake -DFOLDER=… -DGZIP=… -DOUTPUT=… -P embed_page.cmake
#
# Each file is there twice: byte for byte as in the tree, and compressed. Nothing else is done to it (tests/page/embedded_test.py).
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
  # -n: neither name nor time in it, so that two builds are equal.
  execute_process(COMMAND ${GZIP} -9 -n -c ${FOLDER}/${name} OUTPUT_FILE ${OUTPUT}.gz COMMAND_ERROR_IS_FATAL ANY)
  array(plain${number} ${FOLDER}/${name})
  array(gzip${number} ${OUTPUT}.gz)
  file(SHA256 ${FOLDER}/${name} hash)
  string(SUBSTRING ${hash} 0 16 hash)
  string(APPEND rows "      {\"${name}\", \"\\\"${hash}\\\"\", text(plain${number}), text(gzip${number})},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(REMOVE ${OUTPUT}.gz)
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
