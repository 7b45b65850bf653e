# Run by the build after it linked a Boost.Test program: asks the program for its cases and writes the file through which
# ctest sees each of them (or each top-level suite) as a test of its own.
# Variables: program, prefix, listing, suites, label, timeout.
execute_process(COMMAND ${program} --list_content=HRF --color_output=no
  OUTPUT_VARIABLE content ERROR_VARIABLE content RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${program} can't list its test cases: ${content}")
endif()

# Lines are indented four blanks a level and end in * (enabled); a node followed by a deeper line is a suite.
string(REGEX REPLACE "[][;]" "?" content "${content}")
string(REGEX REPLACE "\n+" ";" lines "${content}")
list(APPEND lines "end*")
set(names)
set(path)
set(previous_depth -1)
foreach(line IN LISTS lines)
  if(NOT line MATCHES "^( *)([^ *:].*)$")
    continue()
  endif()
  string(LENGTH "${CMAKE_MATCH_1}" depth)
  math(EXPR depth "${depth} / 4")
  string(REGEX REPLACE ": .*$" "" node "${CMAKE_MATCH_2}")
  string(REGEX REPLACE "\\*$" "" node "${node}")
  # Instances of a template or of a data set: one pattern takes them all.
  string(REGEX REPLACE "[^A-Za-z0-9_].*$" "*" node "${node}")
  string(REGEX REPLACE "^_[0-9]+$" "*" node "${node}")
  if(previous_depth GREATER_EQUAL depth)
    list(JOIN path "/" name)
    list(APPEND names "${name}")
  endif()
  list(SUBLIST path 0 ${depth} path)
  list(APPEND path "${node}")
  set(previous_depth ${depth})
endforeach()
if(suites)
  list(TRANSFORM names REPLACE "/.*$" "")
endif()
list(REMOVE_DUPLICATES names)

set(text "")
foreach(name IN LISTS names)
  string(REPLACE "/" "." shown "${name}")
  string(APPEND text "add_test([==[${prefix}.${shown}]==] [==[${program}]==] [==[--run_test=${name}]==] --color_output=no)\n"
    "set_tests_properties([==[${prefix}.${shown}]==] PROPERTIES LABELS ${label} TIMEOUT ${timeout}\n"
    "  SKIP_REGULAR_EXPRESSION \"SKIPPED: \")\n")
endforeach()
if(NOT names)
  message(FATAL_ERROR "${program} has no test cases")
endif()
file(WRITE ${listing} "${text}")
