# The program's man pages, from tools/man, and its completions, in tools/completions.
#
# They can be read where they are built: man -M build/release/man tenure
option(TENURE_MAN "Build the man pages, if there is scdoc" ON)
option(TENURE_MAN_GZ "Install the man pages compressed, as in a Debian package (whose tools else do it)" OFF)

find_program(TENURE_SCDOC scdoc)
mark_as_advanced(TENURE_SCDOC)
if(TENURE_MAN AND NOT TENURE_SCDOC)
  message(STATUS "No man pages: scdoc is missing")
endif()

set(TENURE_MAN_PAGES)
if(TENURE_MAN AND TENURE_SCDOC)
  set(gzip)
  set(suffix)
  if(TENURE_MAN_GZ)
    find_program(TENURE_GZIP gzip REQUIRED)
    mark_as_advanced(TENURE_GZIP)
    set(gzip | ${TENURE_GZIP} --best --no-name)
    set(suffix .gz)
  endif()
  foreach(page tenure tenure-break tenure-check tenure-doctor tenure-hold tenure-init tenure-ls tenure-rm tenure-run tenure-show tenure-wait)
    set(source ${PROJECT_SOURCE_DIR}/tools/man/${page}.1.scd)
    set(made ${PROJECT_BINARY_DIR}/man/man1/${page}.1${suffix})
    add_custom_command(OUTPUT ${made} DEPENDS ${source} VERBATIM
      COMMAND ${TENURE_SCDOC} < ${source} ${gzip} > ${made})
    list(APPEND TENURE_MAN_PAGES ${made})
  endforeach()
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/man/man1)
  add_custom_target(tenure_man ALL DEPENDS ${TENURE_MAN_PAGES})
endif()
