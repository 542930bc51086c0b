# The libraries in the binary, for `weir --version` and for the bill of materials (examples/sbom). tests/debian holds that none is missing.
#
# Each line: name | how it is used | Debian package of its headers | name in pkg-config | licence (SPDX)
# linked: the loader brings it. compiled: its code, or that of its headers, is in the binary. late: loaded with dlopen by the stage that needs it.
set(WEIR_COMPONENTS
  "Boost.Beast|compiled|libboost1.81-dev||BSL-1.0"
  "CLI11|compiled|libcli11-dev|CLI11|BSD-3-Clause"
  "fmt|linked|libfmt-dev|fmt|MIT"
  "libcurl|late|libcurl4-openssl-dev|libcurl|curl"
  "libsystemd|late|libsystemd-dev|libsystemd|LGPL-2.1-or-later"
  "OpenSSL|late|libssl-dev|openssl|Apache-2.0"
  "protozero|compiled|libprotozero-dev||BSD-2-Clause"
  "re2|linked|libre2-dev|re2|BSD-3-Clause"
  "simdjson|linked|libsimdjson-dev|simdjson|Apache-2.0"
  "snappy|linked|libsnappy-dev|snappy|BSD-3-Clause"
  "SQLite|linked|libsqlite3-dev|sqlite3|blessing"
  "yaml-cpp|compiled|libyaml-cpp-dev|yaml-cpp|MIT"
  "zlib|linked|zlib1g-dev|zlib|Zlib"
  "zstd|linked|libzstd-dev|libzstd|BSD-3-Clause")

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
  set(WEIR_DEBIAN_ARCHITECTURE amd64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(WEIR_DEBIAN_ARCHITECTURE arm64)
else()
  set(WEIR_DEBIAN_ARCHITECTURE ${CMAKE_SYSTEM_PROCESSOR})
endif()

# weir_package_version(PACKAGE VARIABLE): the version of an installed Debian package, of the architecture that is built for; "" where
# there is none.
find_program(WEIR_DPKG_QUERY dpkg-query)
mark_as_advanced(WEIR_DPKG_QUERY)
function(weir_package_version package variable)
  set(version "")
  if(WEIR_DPKG_QUERY)
    foreach(name ${package}:${WEIR_DEBIAN_ARCHITECTURE} ${package}:all)
      execute_process(COMMAND ${WEIR_DPKG_QUERY} -W -f "\${db:Status-Status} \${Version}" ${name}
                      OUTPUT_VARIABLE found ERROR_QUIET)
      if(version STREQUAL "" AND found MATCHES "^installed ([^ ]+)$")
        set(version ${CMAKE_MATCH_1})
      endif()
    endforeach()
  endif()
  set(${variable} "${version}" PARENT_SCOPE)
endfunction()

# weir_component_version(PACKAGE PKG_CONFIG_NAME VARIABLE): what the authors of the library call the version.
function(weir_component_version package module variable)
  weir_package_version(${package} version)
  # Without epoch, Debian's revision, and what Debian repacked.
  string(REGEX REPLACE "^[0-9]+:" "" version "${version}")
  string(REGEX REPLACE "-[^-]*$" "" version "${version}")
  string(REGEX REPLACE "[.+~](dfsg|ds|really).*$" "" version "${version}")
  if(version STREQUAL "" AND module AND PKG_CONFIG_EXECUTABLE)
    execute_process(COMMAND ${PKG_CONFIG_EXECUTABLE} --modversion ${module} OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE
                    ERROR_QUIET)
  endif()
  if(version STREQUAL "")
    set(version "of unknown version")
  endif()
  set(${variable} "${version}" PARENT_SCOPE)
endfunction()
