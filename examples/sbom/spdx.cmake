# Writes OUTPUT, the bill of materials of BINARY in SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/).
#
# The libraries that the loader brings are read from BINARY itself (the NEEDED entries, and those of the libraries). The ones whose headers
# are compiled in, and the ones that are loaded later, stand in cmd/components.cmake. A package is called as Debian calls it, with the
# version that is installed here; elsewhere by its own name, with the version of pkg-config.
cmake_policy(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/../../cmd/source_state.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../cmd/components.cmake)

weir_source_state(${SOURCE} found_commit time)
if(NOT COMMIT)
  set(COMMIT ${found_commit})
endif()
set(ENV{SOURCE_DATE_EPOCH} ${time})
string(TIMESTAMP created "%Y-%m-%dT%H:%M:%SZ" UTC)  # of SOURCE_DATE_EPOCH

set(supplier NOASSERTION)
set(distribution "")
if(WEIR_DPKG_QUERY AND EXISTS /etc/os-release)
  file(STRINGS /etc/os-release lines REGEX "^ID=")
  if(lines MATCHES "^ID=\"?([a-z]+)")
    set(distribution ${CMAKE_MATCH_1})
    string(SUBSTRING ${distribution} 0 1 first)
    string(SUBSTRING ${distribution} 1 -1 rest)
    string(TOUPPER ${first} first)
    set(supplier "Organization: ${first}${rest}")
  endif()
endif()

# Libraries that others bring, and that no line of components.cmake names: licence by Debian package.
set(licence_libc6 "LGPL-2.1-or-later")
set(licence_libstdc++6 "GPL-3.0-or-later WITH GCC-exception-3.1")
set(licence_libgcc-s1 "GPL-3.0-or-later WITH GCC-exception-3.1")

# ---- JSON, written in order

set(packages "")
set(relations "")
set(known_names "")

function(quoted text variable)
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  set(${variable} "\"${text}\"" PARENT_SCOPE)
endfunction()

# add_package(NAME VERSION LICENCE PURPOSE IS_PACKAGE ID_VARIABLE)
function(add_package name version licence purpose is_package id_variable)
  string(REGEX REPLACE "[^A-Za-z0-9.-]" "-" id "SPDXRef-Package-${name}")
  set(${id_variable} ${id} PARENT_SCOPE)
  if(name IN_LIST known_names)
    return()
  endif()
  quoted("${version}" version_text)
  set(entry "    {\n      \"SPDXID\": \"${id}\",\n      \"name\": \"${name}\",\n      \"versionInfo\": ${version_text},\n")
  if(is_package)
    string(APPEND entry "      \"supplier\": \"${supplier}\",\n")
  elseif(name STREQUAL "weir")
    string(APPEND entry "      \"supplier\": \"Organization: the weir maintainers\",\n")
  else()
    string(APPEND entry "      \"supplier\": \"NOASSERTION\",\n")
  endif()
  string(APPEND entry "      \"downloadLocation\": \"NOASSERTION\",\n      \"filesAnalyzed\": false,\n"
                      "      \"licenseConcluded\": \"NOASSERTION\",\n      \"licenseDeclared\": \"${licence}\",\n"
                      "      \"copyrightText\": \"NOASSERTION\",\n      \"primaryPackagePurpose\": \"${purpose}\"")
  if(is_package AND distribution)
    string(REPLACE "+" "%2B" purl_name "${name}")
    string(REPLACE "+" "%2B" purl_version "${version}")
    string(REPLACE ":" "%3A" purl_version "${purl_version}")
    string(APPEND entry ",\n      \"externalRefs\": [\n        {\"referenceCategory\": \"PACKAGE-MANAGER\", \"referenceType\": \"purl\", "
                        "\"referenceLocator\": \"pkg:deb/${distribution}/${purl_name}@${purl_version}?arch=${WEIR_DEBIAN_ARCHITECTURE}\"}\n      ]")
  endif()
  string(APPEND entry "\n    }")
  if(packages)
    string(APPEND packages ",\n")
  endif()
  set(packages "${packages}${entry}" PARENT_SCOPE)
  set(known_names "${known_names};${name}" PARENT_SCOPE)
endfunction()

function(relate from type to comment)
  set(entry "    {\"spdxElementId\": \"${from}\", \"relationshipType\": \"${type}\", \"relatedSpdxElement\": \"${to}\"")
  if(comment)
    string(APPEND entry ", \"comment\": \"${comment}\"")
  endif()
  string(APPEND entry "}")
  if(relations MATCHES "\"${from}\", \"relationshipType\": \"${type}\", \"relatedSpdxElement\": \"${to}\"")
    return()
  endif()
  if(relations)
    string(APPEND relations ",\n")
  endif()
  set(relations "${relations}${entry}" PARENT_SCOPE)
endfunction()

# ---- what the loader brings

# needed_of(FILE VARIABLE): the libraries that a file names.
function(needed_of file variable)
  execute_process(COMMAND ${READELF} -dW ${file} OUTPUT_VARIABLE dynamic ERROR_QUIET COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "\\(NEEDED\\)[^\n]*\\[[^]\n]+\\]" entries "${dynamic}")
  set(names "")
  foreach(entry ${entries})
    string(REGEX REPLACE ".*\\[(.*)\\]" "\\1" name "${entry}")
    list(APPEND names ${name})
  endforeach()
  list(SORT names)
  set(${variable} ${names} PARENT_SCOPE)
endfunction()

# path_of(LIBRARY VARIABLE): where the compiler finds it, "" where it does not.
function(path_of library variable)
  execute_process(COMMAND ${COMPILER} -print-file-name=${library} OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(IS_ABSOLUTE "${path}" AND EXISTS "${path}")
    file(REAL_PATH "${path}" path)
  else()
    set(path "")
  endif()
  set(${variable} "${path}" PARENT_SCOPE)
endfunction()

# package_of(PATH VARIABLE): the Debian package of a file. Where /lib is a link to /usr/lib, dpkg knows some files by the other name.
function(package_of path variable)
  set(package "")
  string(REGEX REPLACE "^/usr/" "/" other "${path}")
  foreach(name "${path}" "${other}")
    if(package STREQUAL "" AND WEIR_DPKG_QUERY)
      execute_process(COMMAND ${WEIR_DPKG_QUERY} -S ${name} OUTPUT_VARIABLE found ERROR_QUIET)
      if(found MATCHES "^([^:,\n]+)")
        set(package ${CMAKE_MATCH_1})
      endif()
    endif()
  endforeach()
  set(${variable} "${package}" PARENT_SCOPE)
endfunction()

# facts_of(LIBRARY PATH): sets name, version, licence, is_package.
function(facts_of library path)
  set(name ${library})
  set(version unknown)
  set(licence NOASSERTION)
  set(is_package FALSE)
  string(REGEX REPLACE "[.]so[.].*" "" stem ${library})  # libfmt
  foreach(line ${WEIR_COMPONENTS})
    string(REPLACE "|" ";" column "${line}")
    list(GET column 0 own_name)
    list(GET column 2 package)
    list(GET column 3 module)
    list(GET column 4 own_licence)
    string(REGEX REPLACE "^lib" "" short ${stem})
    string(REGEX REPLACE "^lib" "" short_module "${module}")
    string(TOLOWER "${own_name}" lower)
    if(short STREQUAL short_module OR short STREQUAL lower OR (short STREQUAL "z" AND lower STREQUAL "zlib"))
      set(name ${own_name})
      set(licence ${own_licence})
      weir_component_version(${package} "${module}" version)
    endif()
  endforeach()
  package_of("${path}" package)
  if(package)
    set(name ${package})
    set(is_package TRUE)
    weir_package_version(${package} version)
    if(DEFINED licence_${package})
      set(licence ${licence_${package}})
    endif()
  endif()
  foreach(variable name version licence is_package)
    set(${variable} "${${variable}}" PARENT_SCOPE)
  endforeach()
endfunction()

add_package(weir ${VERSION} Apache-2.0 APPLICATION FALSE weir)
relate(SPDXRef-DOCUMENT DESCRIBES ${weir} "")

set(waiting ${BINARY})
set(id_of_${BINARY} ${weir})
while(waiting)
  list(POP_FRONT waiting file)
  needed_of(${file} libraries)
  foreach(library ${libraries})
    path_of(${library} path)
    if(NOT path)
      message(FATAL_ERROR "cannot find ${library}, which ${file} needs")
    endif()
    if(NOT DEFINED id_of_${path})
      facts_of(${library} ${path})
      add_package(${name} "${version}" "${licence}" LIBRARY ${is_package} id)
      set(id_of_${path} ${id})
      list(APPEND waiting ${path})
    endif()
    if(NOT id_of_${file} STREQUAL id_of_${path})
      relate(${id_of_${file}} DYNAMIC_LINK ${id_of_${path}} "${library}")
    endif()
  endforeach()
endwhile()

# ---- what is compiled in, and what is loaded later

foreach(line ${WEIR_COMPONENTS})
  string(REPLACE "|" ";" column "${line}")
  list(GET column 0 own_name)
  list(GET column 1 how)
  list(GET column 2 package)
  list(GET column 3 module)
  list(GET column 4 licence)
  if(how STREQUAL "linked")
    continue()
  endif()
  set(name ${own_name})
  if(how STREQUAL "late")
    # The package of the library itself, not that of its headers.
    string(REPLACE "libcurl" "libcurl.so.4" library ${own_name})
    string(REPLACE "libsystemd" "libsystemd.so.0" library ${library})
    string(REPLACE "OpenSSL" "libssl.so.3" library ${library})
    path_of(${library} path)
    package_of("${path}" package)
  endif()
  set(version "")
  if(package)
    weir_package_version(${package} version)
  endif()
  set(is_package FALSE)
  if(version)
    set(name ${package})
    set(is_package TRUE)
  elseif(how STREQUAL "late")
    set(version "as installed where weir runs")
  else()
    weir_component_version(${package} "${module}" version)
  endif()
  add_package(${name} "${version}" ${licence} LIBRARY ${is_package} id)
  if(how STREQUAL "compiled")
    relate(${weir} STATIC_LINK ${id} "${own_name}: its headers are compiled into the program")
  elseif(own_name STREQUAL "libcurl")
    relate(${id} RUNTIME_DEPENDENCY_OF ${weir} "loaded with dlopen by the first stage that speaks HTTP")
  elseif(own_name STREQUAL "OpenSSL")
    relate(${id} OPTIONAL_DEPENDENCY_OF ${weir} "loaded with dlopen by serve --tls-cert")
  else()
    relate(${id} OPTIONAL_DEPENDENCY_OF ${weir} "loaded with dlopen by tail --journal")
  endif()
endforeach()

string(REGEX REPLACE "[^A-Za-z0-9]" "-" commit_word "${COMMIT}")
set(text "{
  \"spdxVersion\": \"SPDX-2.3\",
  \"dataLicense\": \"CC0-1.0\",
  \"SPDXID\": \"SPDXRef-DOCUMENT\",
  \"name\": \"weir-${VERSION}\",
  \"documentNamespace\": \"https://spdx.org/spdxdocs/weir-${VERSION}-${commit_word}-${WEIR_DEBIAN_ARCHITECTURE}\",
  \"creationInfo\": {
    \"created\": \"${created}\",
    \"creators\": [\"Organization: the weir maintainers\", \"Tool: weir-spdx.cmake-1\"]
  },
  \"packages\": [
${packages}
  ],
  \"relationships\": [
${relations}
  ]
}
")
string(JSON ignored ERROR_VARIABLE wrong GET "${text}" packages)
if(wrong)
  message(FATAL_ERROR "the bill of materials is no JSON: ${wrong}")
endif()
file(WRITE ${OUTPUT} "${text}")
