# SPDX-License-Identifier: Apache-2.0
# For another architecture than this machine's, given as ONLINK_ARCHITECTURE (Debian's name): Debian's cross compiler,
# and libraries of that architecture from <build>/sysroot, where hack/build unpacks them. Never one of this machine.
set(CMAKE_SYSTEM_NAME Linux)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ONLINK_ARCHITECTURE)
if(ONLINK_ARCHITECTURE STREQUAL arm64)
  set(CMAKE_SYSTEM_PROCESSOR aarch64)
elseif(ONLINK_ARCHITECTURE STREQUAL amd64)
  set(CMAKE_SYSTEM_PROCESSOR x86_64)
else()
  message(FATAL_ERROR "ONLINK_ARCHITECTURE is \"${ONLINK_ARCHITECTURE}\", neither amd64 nor arm64")
endif()
set(CMAKE_LIBRARY_ARCHITECTURE ${CMAKE_SYSTEM_PROCESSOR}-linux-gnu)
set(CMAKE_C_COMPILER ${CMAKE_LIBRARY_ARCHITECTURE}-gcc)
set(CMAKE_CXX_COMPILER ${CMAKE_LIBRARY_ARCHITECTURE}-g++)

get_filename_component(sysroot ${CMAKE_CURRENT_LIST_DIR}/../build-${ONLINK_ARCHITECTURE}/sysroot ABSOLUTE)
# The C library is the cross compiler's own; the sysroot has all else.
foreach(language C CXX)
  set(CMAKE_${language}_FLAGS_INIT
      "-isystem ${sysroot}/usr/include -isystem ${sysroot}/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}")
endforeach()
set(CMAKE_FIND_ROOT_PATH ${sysroot})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${sysroot}/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/pkgconfig)
