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

# strata_start_quickly(TARGET): for a program that people wait for at every command, of which `compute start` executes one.
# The dynamic linker searches all libraries in the order of the link for each symbol: first those that have most of them
# (and the allocator, which has to be before the C library). With RocksDB static, `strata --version` takes 13.6 ms in place
# of 19.0 (perf stat, mean of 40). A sanitizer's library has to be the first one.
function(strata_start_quickly target)
  if(NOT STRATA_SANITIZE)
    set_target_properties(${target} PROPERTIES STRATA_STARTS_QUICKLY ON)
    target_link_options(${target} PRIVATE LINKER:--no-as-needed ${strata_jemalloc_jemalloc} -lstdc++ ${strata_caf_caf_core}
                        ${strata_caf_network_caf_io} LINKER:--as-needed)
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

# strata_header_checks(FOLDERS folder... LIBRARIES target... PRECOMPILED header...)
# The target header_checks proves that every header of the folders compiles alone, so that none leans on what its users include:
# - by the library, where a header is the first that its own source includes, and LIBRARIES compile that source by itself;
# - by a unit that includes nothing else. Where the header includes one of PRECOMPILED anyway, itself or through others, the unit
#   takes that from a precompiled header (the last one of the list): it declares nothing that the header would not see without it,
#   because what it includes is proven to compile alone, too.
# What a header includes is read when the build is configured.
function(strata_header_checks)
  cmake_parse_arguments(ARG "" "" "FOLDERS;LIBRARIES;PRECOMPILED" ${ARGN})
  add_custom_target(header_checks)
  set(proven)
  foreach(library IN LISTS ARG_LIBRARIES)
    strata_first_headers(found ${library})
    list(APPEND proven ${found})
    if(found)
      add_dependencies(header_checks ${library})
    endif()
  endforeach()

  foreach(folder IN LISTS ARG_FOLDERS)
    file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/${folder}/*.hpp)
    foreach(header IN LISTS headers)
      if(header IN_LIST proven)
        continue()
      endif()
      set(unit ${CMAKE_BINARY_DIR}/header_checks/${header}.cpp)
      file(CONFIGURE OUTPUT ${unit} CONTENT "#include \"${header}\"\n")
      strata_included_of(${header} "${ARG_PRECOMPILED}")
      get_property(included GLOBAL PROPERTY "strata_included_of_${header}")
      set(group header_checks_alone)
      foreach(precompiled IN LISTS ARG_PRECOMPILED)
        if(precompiled IN_LIST included)
          string(MAKE_C_IDENTIFIER header_checks_${precompiled} group)
        endif()
      endforeach()
      list(APPEND units_${group} ${unit})
    endforeach()
  endforeach()

  foreach(precompiled IN LISTS ARG_PRECOMPILED ITEMS alone)
    string(MAKE_C_IDENTIFIER header_checks_${precompiled} group)
    if(NOT units_${group})
      continue()
    endif()
    add_library(${group} OBJECT EXCLUDE_FROM_ALL ${units_${group}})
    target_compile_options(${group} PRIVATE -O0 -g0)
    target_link_libraries(${group} PRIVATE strata_caf strata_boost_test)
    if(NOT precompiled STREQUAL alone)
      target_precompile_headers(${group} PRIVATE ${CMAKE_SOURCE_DIR}/${precompiled})
    endif()
    add_dependencies(header_checks ${group})
  endforeach()
endfunction()

# The headers that the sources of a library include before anything else, each the header of its source. None where several sources
# are compiled as one, or behind a precompiled header.
function(strata_first_headers found library)
  set(${found} PARENT_SCOPE)
  foreach(property UNITY_BUILD PRECOMPILE_HEADERS PRECOMPILE_HEADERS_REUSE_FROM)
    get_target_property(value ${library} ${property})
    if(value)
      return()
    endif()
  endforeach()
  get_target_property(sources ${library} SOURCES)
  get_target_property(directory ${library} SOURCE_DIR)
  set(headers)
  foreach(source IN LISTS sources)
    file(REAL_PATH ${source} path BASE_DIRECTORY ${directory})
    file(STRINGS ${path} first REGEX "^ *#" LIMIT_COUNT 1)
    file(RELATIVE_PATH header ${CMAKE_SOURCE_DIR} ${path})
    string(REGEX REPLACE "[.]cpp$" ".hpp" header ${header})
    if(first STREQUAL "#include \"${header}\"")
      list(APPEND headers ${header})
    endif()
  endforeach()
  set(${found} ${headers} PARENT_SCOPE)
endfunction()

# Sets the global property strata_included_of_HEADER to those of `wanted` that the header includes, itself or through others.
function(strata_included_of header wanted)
  get_property(known GLOBAL PROPERTY "strata_included_of_${header}" SET)
  if(known OR NOT EXISTS ${CMAKE_SOURCE_DIR}/${header})
    return()
  endif()
  # Known from now on, so that headers that include each other end.
  set_property(GLOBAL PROPERTY "strata_included_of_${header}" "")
  set(included)
  file(STRINGS ${CMAKE_SOURCE_DIR}/${header} lines REGEX "^#include \"")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE "^#include \"([^\"]+)\".*$" "\\1" other "${line}")
    if(other IN_LIST wanted)
      list(APPEND included ${other})
    endif()
    strata_included_of(${other} "${wanted}")
    get_property(of_other GLOBAL PROPERTY "strata_included_of_${other}")
    list(APPEND included ${of_other})
  endforeach()
  list(REMOVE_DUPLICATES included)
  set_property(GLOBAL PROPERTY "strata_included_of_${header}" "${included}")
endfunction()
