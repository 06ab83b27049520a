# What `cmake --install` puts where: the library, its public headers, the CMake
# package `brigade` and brigade.pc. All of it may be moved to another prefix.
include(CMakePackageConfigHelpers)

set(brigade_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/brigade")
set(brigade_pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(TARGETS brigade EXPORT brigadeTargets)

# At install time, so that it sees the headers as they are then.
install(CODE
  "set(destination \"${CMAKE_INSTALL_INCLUDEDIR}\")
  cmake_path(ABSOLUTE_PATH destination
             BASE_DIRECTORY \"\${CMAKE_INSTALL_PREFIX}\")
  include(\"${PROJECT_SOURCE_DIR}/cmake/PublicHeaders.cmake\")
  brigade_install_public_headers(\"${PROJECT_SOURCE_DIR}/src\"
                                 \"\${destination}\")")

# The CMake package. A static library asks its users to link what it uses, and
# so brings along the modules that find it.
configure_package_config_file(packaging/brigadeConfig.cmake.in
  "${PROJECT_BINARY_DIR}/packaging/brigadeConfig.cmake"
  INSTALL_DESTINATION "${brigade_package_dir}")
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/packaging/brigadeConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/packaging/brigadeConfig.cmake"
  "${PROJECT_BINARY_DIR}/packaging/brigadeConfigVersion.cmake"
  DESTINATION "${brigade_package_dir}")
if(NOT BUILD_SHARED_LIBS)
  install(FILES cmake/FindLibev.cmake
    DESTINATION "${brigade_package_dir}")
endif()
install(EXPORT brigadeTargets NAMESPACE brigade::
  DESTINATION "${brigade_package_dir}")

# brigade.pc. Only a shared library can keep what it uses to itself: with a
# static one even a plain `pkg-config --libs` must name it.
if(BUILD_SHARED_LIBS)
  set(brigade_pc_private ".private")
  set(brigade_pc_libs "Libs: -L\${libdir} -lbrigade\nLibs.private: -lev")
else()
  set(brigade_pc_private "")
  set(brigade_pc_libs "Libs: -L\${libdir} -lbrigade -lev")
endif()
file(RELATIVE_PATH brigade_pc_prefix
  "/prefix/${brigade_pkgconfig_dir}" "/prefix")
configure_file(packaging/brigade.pc.in
  "${PROJECT_BINARY_DIR}/packaging/brigade.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/packaging/brigade.pc"
  DESTINATION "${brigade_pkgconfig_dir}")
