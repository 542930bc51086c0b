# Run by each build: writes build_facts.cc, and only when something changed, so that one small file is compiled for a new commit.
include(${CMAKE_CURRENT_LIST_DIR}/source_state.cmake)
if(NOT WEIR_COMMIT)
  weir_source_state(${SOURCE} WEIR_COMMIT ignored)
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/build_facts.cc.in ${OUTPUT} @ONLY)
