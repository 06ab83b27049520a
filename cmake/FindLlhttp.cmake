# Finds the C sources of llhttp as Debian's node-llhttp ships them, for tests
# only. Defines Llhttp_FOUND and, where C can be compiled, Llhttp::Llhttp:
# llhttp in strict mode.
find_path(Llhttp_INCLUDE_DIR llhttp.h
          PATHS /usr/share/include/llhttp PATH_SUFFIXES llhttp)
find_path(Llhttp_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Llhttp
  REQUIRED_VARS Llhttp_SOURCE_DIR Llhttp_INCLUDE_DIR)
if(Llhttp_FOUND AND NOT TARGET Llhttp::Llhttp)
  enable_language(C)
  add_library(llhttp STATIC EXCLUDE_FROM_ALL
    "${Llhttp_SOURCE_DIR}/api.c" "${Llhttp_SOURCE_DIR}/http.c"
    "${Llhttp_SOURCE_DIR}/llhttp.c")
  target_include_directories(llhttp SYSTEM PUBLIC "${Llhttp_INCLUDE_DIR}")
  target_compile_definitions(llhttp PUBLIC LLHTTP_STRICT_MODE=1)
  target_compile_options(llhttp PRIVATE -O2 -w)
  add_library(Llhttp::Llhttp ALIAS llhttp)
endif()
mark_as_advanced(Llhttp_INCLUDE_DIR Llhttp_SOURCE_DIR)
