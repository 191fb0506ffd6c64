/* SPDX-License-Identifier: Apache-2.0 */
/* The process on POSIX systems: time, memory, environment, processors, own place. */
#define _GNU_SOURCE /* dladdr, sched_getaffinity, secure_getenv */
#include "runtime/base/os.h"

#include <dlfcn.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/context.h"

uint64_t heedi_os_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t heedi_os_peak_memory_bytes(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
#if defined(__APPLE__)
    return (uint64_t)usage.ru_maxrss;
#else
    return (uint64_t)usage.ru_maxrss * 1024u;
#endif
}

const char *heedi_os_getenv(const char *name) {
#if defined(__GLIBC__)
    const char *value = secure_getenv(name);
#else
    const char *value = getuid() == geteuid() && getgid() == getegid() ? getenv(name) : NULL;
#endif
    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool heedi_os_own_folder(char *buffer, size_t bytes) {
    Dl_info info;
    char path[PATH_MAX];
    /* A function pointer is no object pointer in ISO C; a static object lies in the same file. */
    static const char anchor = 0;
    if (dladdr(&anchor, &info) == 0 || info.dli_fname == NULL ||
        realpath(info.dli_fname, path) == NULL)
        return false;
    char *slash = strrchr(path, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    const size_t length = strlen(path);
    if (length >= bytes)
        return false;
    memcpy(buffer, path, length + 1);
    return true;
}

#if defined(__linux__)
static bool read_line(const char *path, char *line, int bytes) {
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    const bool done = fgets(line, bytes, file) != NULL;
    fclose(file);
    return done;
}

/* Processors that the control group's quota amounts to, 0 where there is none. */
static uint32_t cgroup_processors(void) {
    char line[128];
    double quota = -1, period = 0;
    if (read_line("/sys/fs/cgroup/cpu.max", line, sizeof line)) {
        if (sscanf(line, "%lf %lf", &quota, &period) != 2)
            return 0;
    } else if (read_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", line, sizeof line)) {
        quota = strtod(line, NULL);
        if (read_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", line, sizeof line))
            period = strtod(line, NULL);
    }
    if (quota <= 0 || period <= 0)
        return 0;
    const double processors = (quota + period - 1) / period;
    return processors < 1 ? 1 : processors > 65536 ? 65536 : (uint32_t)processors;
}
#endif

uint32_t heedi_os_processor_count(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = CPU_COUNT(&set);
    const uint32_t quota = cgroup_processors();
    if (quota > 0 && (long)quota < count)
        count = (long)quota;
#endif
    return count < 1 ? 1 : (uint32_t)count;
}
