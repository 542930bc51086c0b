# Run by cpack behind packing: the modes of the parts of the archive depend on the umask, so it is put together again.
foreach(package ${CPACK_PACKAGE_FILES})
  set(parts ${package}.parts)
  file(REMOVE_RECURSE ${parts})
  file(MAKE_DIRECTORY ${parts})
  execute_process(COMMAND ${CPACK_WEIR_AR} x ${package} WORKING_DIRECTORY ${parts} COMMAND_ERROR_IS_FATAL ANY)
  file(GLOB names RELATIVE ${parts} ${parts}/control.tar* ${parts}/data.tar*)
  list(SORT names)  # control comes before data, and what says that it is a package before both
  file(REMOVE ${package})
  execute_process(COMMAND ${CPACK_WEIR_AR} rcD ${package} debian-binary ${names} WORKING_DIRECTORY ${parts} COMMAND_ERROR_IS_FATAL ANY)
  file(REMOVE_RECURSE ${parts})
endforeach()
