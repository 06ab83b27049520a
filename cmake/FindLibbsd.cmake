# Finds libbsd, which ships no CMake package. Defines Libbsd::Libbsd.
find_path(Libbsd_INCLUDE_DIR bsd/unistd.h)
find_library(Libbsd_LIBRARY bsd)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Libbsd
  REQUIRED_VARS Libbsd_LIBRARY Libbsd_INCLUDE_DIR)
if(Libbsd_FOUND AND NOT TARGET Libbsd::Libbsd)
  add_library(Libbsd::Libbsd UNKNOWN IMPORTED)
  set_target_properties(Libbsd::Libbsd PROPERTIES
    IMPORTED_LOCATION "${Libbsd_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${Libbsd_INCLUDE_DIR}")
endif()
mark_as_advanced(Libbsd_INCLUDE_DIR Libbsd_LIBRARY)
