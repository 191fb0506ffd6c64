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

/* Path of the file that contains this code. */
static bool own_file(char path[PATH_MAX]) {
    Dl_info info;
    /* A function pointer is no object pointer in ISO C; a static object lies in the same file. */
    static const char anchor = 0;
    if (dladdr(&anchor, &info) != 0 && info.dli_fname != NULL &&
        strchr(info.dli_fname, '/') != NULL && realpath(info.dli_fname, path) != NULL)
        return true;
#if defined(__linux__)
    /* Linked into the program, of which the loader knows argv[0] only: any word, or a path relative
     * to a folder that has been left since. */
    return realpath("/proc/self/exe", path) != NULL;
#else
    return false;
#endif
}

bool heedi_os_own_folder(char *buffer, size_t bytes) {
    char path[PATH_MAX];
    if (!own_file(path))
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

static bool read_line(const char *folder, const char *name, char *line, int bytes) {
    char path[PATH_MAX];
    const int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = length < 0 || (size_t)length >= sizeof path ? NULL : fopen(path, "re");
    if (file == NULL)
        return false;
    const bool done = fgets(line, bytes, file) != NULL;
    fclose(file);
    return done;
}

/* Processors that the quota of one control group amounts to, 0 where it has none. */
static uint32_t group_processors(const char *folder, bool unified) {
    char line[128];
    double quota = -1, period = 0;
    if (unified) { /* "max 100000" or "150000 100000" */
        if (!read_line(folder, "cpu.max", line, sizeof line) ||
            sscanf(line, "%lf %lf", &quota, &period) != 2)
            return 0;
    } else {
        if (!read_line(folder, "cpu.cfs_quota_us", line, sizeof line))
            return 0;
        quota = strtod(line, NULL);
        if (!read_line(folder, "cpu.cfs_period_us", line, sizeof line))
            return 0;
        period = strtod(line, NULL);
    }
    if (!(quota > 0) || !(period > 0))
        return 0;
    const double processors = (quota + period - 1) / period;
    return processors < 1 ? 1 : processors > 65536 ? 65536 : (uint32_t)processors;
}

/* Is `word` one of the names in a list that commas separate? */
static bool in_list(const char *list, const char *word) {
    const size_t length = strlen(word);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* The smallest quota of a group and of those around it. A container may show only the outermost as
 * the root of its mount, whatever the path says: absent folders have no quota. */
static uint32_t smallest_quota(const char *mount, char *group, bool unified) {
    uint32_t smallest = 0;
    if (strstr(group, "/..") != NULL) /* outside of what is visible */
        group[0] = '\0';
    for (;;) {
        char folder[PATH_MAX];
        const int length = snprintf(folder, sizeof folder, "%s%s", mount, group);
        if (length > 0 && (size_t)length < sizeof folder) {
            const uint32_t here = group_processors(folder, unified);
            if (here > 0 && (smallest == 0 || here < smallest))
                smallest = here;
        }
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            return smallest;
        *slash = '\0';
    }
}

uint32_t heedi_os_cgroup_processors(const char *groups, const char *mount) {
    FILE *file = fopen(groups, "re");
    if (file == NULL)
        return 0;
    uint32_t smallest = 0;
    char line[PATH_MAX];
    while (fgets(line, sizeof line, file) != NULL) { /* "hierarchy:controllers:group" */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (group == NULL)
            continue;
        *controllers++ = '\0';
        *group++ = '\0';
        const bool unified = strcmp(line, "0") == 0 && controllers[0] == '\0';
        if (!unified && !in_list(controllers, "cpu"))
            continue;
        char folder[PATH_MAX];
        const int length = snprintf(folder, sizeof folder, "%s%s", mount, unified ? "" : "/cpu");
        if (length < 0 || (size_t)length >= sizeof folder)
            continue;
        const uint32_t here = smallest_quota(folder, group, unified);
        if (here > 0 && (smallest == 0 || here < smallest))
            smallest = here;
    }
    fclose(file);
    return smallest;
}

uint32_t heedi_os_processor_count(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = CPU_COUNT(&set);
    const uint32_t quota = heedi_os_cgroup_processors("/proc/self/cgroup", "/sys/fs/cgroup");
    if (quota > 0 && (long)quota < count)
        count = (long)quota;
#endif
    return count < 1 ? 1 : (uint32_t)count;
}
