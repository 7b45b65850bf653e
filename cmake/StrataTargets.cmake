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

# strata_unity(TARGET): compiles eight files of a folder as one where STRATA_UNITY is on (preset release). For folders whose
# units are mostly the same headers and instances of the same templates. The presets dev and asan compile each file by
# itself: a missing include fails there. Two names of anonymous namespaces that collide do not compile.
function(strata_unity target)
  if(STRATA_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
endfunction()

# Build all programs of one label.
foreach(label unit actor simulation integration)
  add_custom_target(${label})
endforeach()

# strata_tests(NAME LABEL label [SUITES] [RUNS_STRATA] [RECURSE] [TIMEOUT seconds] [PRECOMPILED header...] DEPENDS lib...)
# One Boost.Test program of all sources in the folder, with RECURSE also in its subfolders. The label is unit, actor, simulation or integration. Every test case
# is a ctest of its own; with SUITES every top-level suite is one, for cases that share an expensive fixture. With
# RUNS_STRATA the program finds the strata binary under the macro STRATA_BINARY, built before it. main() and the precompiled header are
# those of strata_test_main, unless PRECOMPILED names more headers.
function(strata_tests name)
  cmake_parse_arguments(ARG "SUITES;RUNS_STRATA;RECURSE" "LABEL;TIMEOUT" "PRECOMPILED;DEPENDS" ${ARGN})
  set(how GLOB)
  if(ARG_RECURSE)
    set(how GLOB_RECURSE)
  endif()
  file(${how} sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  add_dependencies(${ARG_LABEL} ${name})
  target_link_libraries(${name} PRIVATE strata_test_main ${ARG_DEPENDS} strata_boost_test)
  if(ARG_PRECOMPILED)
    target_precompile_headers(${name} PRIVATE <boost/test/unit_test.hpp> ${ARG_PRECOMPILED})
  else()
    target_precompile_headers(${name} REUSE_FROM strata_test_main)
  endif()
  if(ARG_RUNS_STRATA AND TARGET strata)
    target_compile_definitions(${name} PRIVATE STRATA_BINARY="$<TARGET_FILE:strata>")
    add_dependencies(${name} strata)
  endif()

  set(seconds_unit 60)
  set(seconds_actor 120)
  set(seconds_simulation 600)
  set(seconds_integration 900)
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT ${seconds_${ARG_LABEL}})
  endif()
  # ctest learns the cases from the program itself, asked again after every link. Each takes one of ctest's jobs, also one that keeps a
  # Postgres and a strata: most of the time it waits for them.
  set(listing ${CMAKE_CURRENT_BINARY_DIR}/${name}_cases.cmake)
  add_custom_command(TARGET ${name} POST_BUILD BYPRODUCTS ${listing} VERBATIM
    COMMAND ${CMAKE_COMMAND} -D program=$<TARGET_FILE:${name}> -D prefix=${name} -D listing=${listing} -D suites=${ARG_SUITES}
            -D label=${ARG_LABEL} -D timeout=${ARG_TIMEOUT}
            -P ${CMAKE_SOURCE_DIR}/cmake/ListTestCases.cmake)
  # A program that was not built is one failed test, not a silent gap.
  set(include_file ${CMAKE_CURRENT_BINARY_DIR}/${name}_include.cmake)
  file(WRITE ${include_file}
    "if(EXISTS \"${listing}\")\n  include(\"${listing}\")\nelse()\n  add_test(${name}_not_built ${name}_not_built)\nendif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${include_file})
endfunction()

# strata_header_checks(FOLDER...)
# The target header_checks compiles every header of the folders alone, so that no header leans on what its users include.
function(strata_header_checks)
  set(units)
  foreach(folder IN LISTS ARGN)
    file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/${folder}/*.hpp)
    foreach(header IN LISTS headers)
      set(unit ${CMAKE_BINARY_DIR}/header_checks/${header}.cpp)
      file(CONFIGURE OUTPUT ${unit} CONTENT "#include \"${header}\"\n")
      list(APPEND units ${unit})
    endforeach()
  endforeach()
  if(units)
    add_library(header_checks OBJECT EXCLUDE_FROM_ALL ${units})
    target_compile_options(header_checks PRIVATE -O0 -g0)
    target_link_libraries(header_checks PRIVATE strata_caf strata_boost_test)
  endif()
endfunction()
