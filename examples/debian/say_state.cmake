# Prints the commit and the time of the tree SOURCE, for scripts.
include(${CMAKE_CURRENT_LIST_DIR}/../../cmd/source_state.cmake)
weir_source_state(${SOURCE} commit time)
execute_process(COMMAND ${CMAKE_COMMAND} -E echo "${commit} ${time}")
