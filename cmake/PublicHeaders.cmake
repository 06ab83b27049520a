# Which headers a program may include: those that brigade.h reaches. Computed,
# so that no list can lag behind; tests/checks/publicHeaders.py checks what
# they may show, and that the installed ones are these.
cmake_policy(VERSION 3.25)

# Sets `variable` to the paths below `source`, brigade.h among them.
function(brigade_public_headers variable source)
  set(reached brigade.h)
  set(waiting brigade.h)
  while(waiting)
    list(POP_FRONT waiting header)
    file(STRINGS "${source}/${header}" lines
         REGEX "^ *# *include +[\"<]brigade/")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE ".*[\"<]brigade/([^\">]+).*" "\\1" name "${line}")
      if(NOT name IN_LIST reached)
        list(APPEND reached "${name}")
        list(APPEND waiting "${name}")
      endif()
    endforeach()
  endwhile()
  set(${variable} ${reached} PARENT_SCOPE)
endfunction()

# Installs them as DESTINATION/brigade/...; to be called at install time.
function(brigade_install_public_headers source destination)
  brigade_public_headers(headers "${source}")
  foreach(header IN LISTS headers)
    get_filename_component(folder "${header}" DIRECTORY)
    file(INSTALL "${source}/${header}"
         DESTINATION "${destination}/brigade/${folder}")
  endforeach()
endfunction()
