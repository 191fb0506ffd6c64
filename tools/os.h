/* SPDX-License-Identifier: Apache-2.0 */
/* What the program asks of the operating system beyond the C library; os_<name>.c implement it and
 * alone include the system's headers. Failing functions leave the reason in errno. */
#ifndef HEEDI_TOOLS_OS_H
#define HEEDI_TOOLS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TOOL_STDIN = 0, TOOL_STDOUT = 1, TOOL_STDERR = 2 };

bool heedi_tool_os_terminal(int stream);
uint64_t heedi_tool_os_now_ns(void); /* monotonic */
static inline double heedi_tool_seconds_since(uint64_t begin_ns) {
    return (double)(heedi_tool_os_now_ns() - begin_ns) * 1e-9;
}

/* Opens a file for reading: a descriptor, or -1. A directory is refused with EISDIR. `bytes` is the
 * size of a regular file, else 0. */
int heedi_tool_os_open(const char *path, uint64_t *bytes);
/* Waits for input and reads what is there: the number of bytes, 0 at the end, -1 on failure. */
long heedi_tool_os_read(int descriptor, void *buffer, size_t bytes);
void heedi_tool_os_close(int descriptor);

enum heedi_tool_target {
    TOOL_TARGET_REGULAR, /* a regular file, or nothing yet */
    TOOL_TARGET_DIRECTORY,
    TOOL_TARGET_SPECIAL /* a pipe, a device, a descriptor: has no name to be renamed to */
};
enum heedi_tool_target heedi_tool_os_target(const char *path);
/* The file that a path leads to through symbolic links; malloc'ed; NULL: out of memory. */
char *heedi_tool_os_resolve(const char *path);
/* Closes `stream` and moves the file `from` to `to` once its bytes are on the disk. */
bool heedi_tool_os_replace(FILE *stream, const char *from, const char *to);

/* Writing to a closed pipe fails with EPIPE from now on. */
void heedi_tool_os_ignore_closed_pipes(void);
/* Between the two calls an interruption (Ctrl-C, a request to end) waits, so that a file that is
 * being written is never left half done under a temporary name. */
void heedi_tool_os_hold_interrupts(void);
void heedi_tool_os_release_interrupts(void);

/* What the machine is; "" and 0 for what cannot be told. */
struct heedi_tool_machine {
    char processor[96], system[160];
    uint32_t processors; /* that this process may run on */
    uint64_t l1, l2, l3; /* data caches of the first processor, bytes */
    uint64_t memory_bytes;
};
void heedi_tool_os_machine(struct heedi_tool_machine *machine);

/* How another run of this program went. */
struct heedi_tool_child {
    int code;              /* exit code, -1 when it did not end by itself */
    double first_output_s; /* from the start to its first byte on standard output; < 0: none */
    double total_s;
    uint64_t peak_bytes; /* most memory that was resident */
};
/* Runs this program with `arguments` (NULL at the end, without the program's name); what it writes
 * is thrown away, messages included. False when it cannot be started.
 *
 * Some systems count what was resident before the new program was in place: `peak_bytes` may not be
 * less than what this process holds, so children go first. */
bool heedi_tool_os_run(const char *const *arguments, struct heedi_tool_child *child);

#endif
