#pragma once

#include <sys/types.h>

#include <string>

namespace strata::host {

/// What a Postgres names in line 7 of its postmaster.pid: the System V segment that it has made.
struct memory_segment {
  int key = 0;
  int id = 0;
};
memory_segment parse_memory_segment(const std::string& line);

/// Removes the shared memory that postmaster `creator` has left in the kernel because it was killed: its System V
/// segment, and the segments of parallel queries in /dev/shm that it leads to. Postgres itself does that when it starts
/// in the same directory again, which a compute never does. Nothing is removed that a process still uses, or that
/// another postmaster has made.
/// Formats: PGShmemHeader of storage/pg_shmem.h, dsm_control_header of storage/ipc/dsm.c; Postgres 14 to 18.
void remove_left_memory(const memory_segment& of, pid_t creator);

}  // namespace strata::host
