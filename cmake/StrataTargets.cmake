# strata_library(NAME [DEPENDS lib...] [PRIVATE lib...])
# A static library of all sources in the folder (and its subfolders). The file list is globbed so that the folder is the
# list; CONFIGURE_DEPENDS makes the build notice a new file.
function(strata_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${ARG_DEPENDS})
  endif()
endfunction()

# strata_tests(NAME LABEL label [SUITES] DEPENDS lib...)
# One Boost.Test program of all sources in the folder. The label is unit, actor, simulation or integration. Every test case
# is a ctest of its own; with SUITES every suite is one, for cases that share an expensive fixture.
function(strata_tests name)
  cmake_parse_arguments(ARG "SUITES" "LABEL" "DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources} ${CMAKE_SOURCE_DIR}/tests/support/main.cpp)
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} strata_boost_test)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL})
endfunction()
