# Read by cpack before it begins. The times in the package are those of the source, so that two builds of one commit are equal.
include(${CMAKE_CURRENT_LIST_DIR}/../../cmd/source_state.cmake)
weir_source_state(${CPACK_WEIR_SOURCE} ignored time)
set(ENV{SOURCE_DATE_EPOCH} ${time})
