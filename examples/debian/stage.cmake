# Run by cpack between install and packing: makes of the installed files what Debian's policy wants.
file(GLOB_RECURSE units "${CPACK_TEMPORARY_DIRECTORY}/*/weir.service")
list(LENGTH units count)
if(NOT count EQUAL 1)
  message(FATAL_ERROR "cannot find the installed files in ${CPACK_TEMPORARY_DIRECTORY}")
endif()
string(REGEX REPLACE "/(usr/)?lib/systemd/system/weir.service$" "" root "${units}")
set(share ${root}/usr/share)
set(documents ${share}/doc/weir)

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

run(${CPACK_WEIR_STRIP} --strip-unneeded --remove-section=.comment --remove-section=.note ${root}/usr/bin/weir)

# Debian has its own folders for the units and for completions of zsh.
file(MAKE_DIRECTORY ${root}/lib ${share}/zsh)
file(RENAME ${root}/usr/lib/systemd ${root}/lib/systemd)
file(RENAME ${share}/zsh/site-functions ${share}/zsh/vendor-completions)
# postinst makes the account, so that no systemd is needed.
file(REMOVE_RECURSE ${root}/usr/lib/sysusers.d)

file(REMOVE_RECURSE ${documents})
file(MAKE_DIRECTORY ${documents})
string(TIMESTAMP WEIR_CHANGELOG_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)  # of SOURCE_DATE_EPOCH
configure_file(${CMAKE_CURRENT_LIST_DIR}/changelog.in ${documents}/changelog.Debian @ONLY)
file(COPY ${CMAKE_CURRENT_LIST_DIR}/copyright DESTINATION ${documents})
file(MAKE_DIRECTORY ${share}/lintian/overrides)
file(COPY_FILE ${CMAKE_CURRENT_LIST_DIR}/lintian-overrides ${share}/lintian/overrides/weir)
file(COPY_FILE ${CPACK_WEIR_SOURCE}/CHANGELOG.md ${documents}/changelog)
file(GLOB_RECURSE pages ${share}/man/*)
run(gzip -9n ${documents}/changelog ${documents}/changelog.Debian ${pages})

# Whatever the umask and the time of the checkout.
run(find ${root} -type d -exec chmod 0755 {} +)
run(find ${root} -type f -exec chmod 0644 {} +)
run(chmod 0755 ${root}/usr/bin/weir)
run(find ${root} -exec touch --no-dereference --date=@$ENV{SOURCE_DATE_EPOCH} {} +)
