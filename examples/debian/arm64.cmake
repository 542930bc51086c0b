# Cross build for arm64 on Debian: g++-aarch64-linux-gnu, and the libraries as NAME:arm64 (examples/debian/arm64.sh installs both).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
# Those of amd64 would be found as well.
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
find_program(WEIR_QEMU NAMES qemu-aarch64-static)
if(WEIR_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${WEIR_QEMU})
endif()
