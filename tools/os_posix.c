/* SPDX-License-Identifier: Apache-2.0 */
/* The program's few needs on POSIX systems. */
#define _XOPEN_SOURCE 700 /* realpath */

#include "tools/os.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

bool heedi_tool_os_terminal(int stream) {
    return isatty(stream) == 1;
}

uint64_t heedi_tool_os_now_ns(void) {
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int heedi_tool_os_open(const char *path, uint64_t *bytes) {
    struct stat status;
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    *bytes = 0;
    if (descriptor < 0)
        return -1;
    if (fstat(descriptor, &status) == 0) {
        if (S_ISDIR(status.st_mode)) {
            close(descriptor);
            errno = EISDIR;
            return -1;
        }
        if (S_ISREG(status.st_mode) && status.st_size > 0)
            *bytes = (uint64_t)status.st_size;
    }
    return descriptor;
}

long heedi_tool_os_read(int descriptor, void *buffer, size_t bytes) {
    ssize_t count;
    do
        count = read(descriptor, buffer, bytes);
    while (count < 0 && errno == EINTR);
    return (long)count;
}

void heedi_tool_os_close(int descriptor) {
    close(descriptor);
}

enum heedi_tool_target heedi_tool_os_target(const char *path) {
    struct stat status;
    /* /dev/stdout may lead to a regular file, but one that its owner opened, perhaps to append */
    if (strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0)
        return TOOL_TARGET_SPECIAL;
    if (stat(path, &status) != 0 || S_ISREG(status.st_mode))
        return TOOL_TARGET_REGULAR;
    return S_ISDIR(status.st_mode) ? TOOL_TARGET_DIRECTORY : TOOL_TARGET_SPECIAL;
}

char *heedi_tool_os_resolve(const char *path) {
    char *resolved = realpath(path, NULL);
    return resolved != NULL ? resolved : strdup(path);
}

bool heedi_tool_os_replace(FILE *stream, const char *from, const char *to) {
    const bool written = fflush(stream) == 0 && fsync(fileno(stream)) == 0;
    const int error = errno;
    if (fclose(stream) != 0)
        return false;
    errno = error;
    return written && rename(from, to) == 0;
}

void heedi_tool_os_ignore_closed_pipes(void) {
    signal(SIGPIPE, SIG_IGN);
}

static void interrupts(int how) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(how, &set, NULL);
}

void heedi_tool_os_hold_interrupts(void) {
    interrupts(SIG_BLOCK);
}

void heedi_tool_os_release_interrupts(void) {
    interrupts(SIG_UNBLOCK);
}
