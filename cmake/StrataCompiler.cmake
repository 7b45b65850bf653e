# Flags that hold for every target. Warnings are errors: a warning that may stay is one nobody reads.
option(STRATA_BUILD_TESTS "Build the tests and benchmarks" ON)
option(STRATA_UNITY "Compile several files of a folder as one (strata_unity)" OFF)
option(STRATA_BUILD_FUZZERS "Build the libFuzzer targets and nothing else; takes clang" OFF)
set(STRATA_SANITIZE "" CACHE STRING "Sanitizers to build with, e.g. address,undefined")

add_compile_options(-Wall -Wextra -Wpedantic -Werror -Wno-missing-field-initializers)
# GCC 12 sees unset values in moved std::variants at every level of optimisation (its bug 105562).
add_compile_options("$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>")
# With -O2 GCC 12 sees overlaps and overruns in inlined std::string that are not there (its bug 105651). The dev and asan builds
# keep these warnings.
add_compile_options("$<$<CONFIG:Release>:-Wno-restrict;-Wno-array-bounds;-Wno-stringop-overflow>")
add_compile_definitions(BOOST_ALL_NO_LIB)
include_directories(${CMAKE_SOURCE_DIR})

if(STRATA_SANITIZE)
  add_compile_options(-fsanitize=${STRATA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${STRATA_SANITIZE})
endif()

# CAF headers cost seconds a unit; one link at a time keeps the memory of parallel jobs in bounds.
set_property(GLOBAL PROPERTY JOB_POOLS link=1)
set(CMAKE_JOB_POOL_LINK link)

find_program(STRATA_CCACHE ccache)
if(STRATA_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${STRATA_CCACHE})
endif()

# For folders whose own code is never hot: what they compile is mostly headers, and -O2 would cost a third of the build.
macro(strata_compile_quickly)
  add_compile_options("$<$<CONFIG:Release>:-O1>")
endmacro()
