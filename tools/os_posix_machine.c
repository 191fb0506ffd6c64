/* SPDX-License-Identifier: Apache-2.0 */
/* What a benchmark asks of POSIX systems: a description of the machine, and runs of the program in
 * a process of their own. */
#define _GNU_SOURCE /* sched_getaffinity, wait4 */

#include "tools/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the machine ---- */

/* The first line of a file that begins with `key`, without it and what follows up to ':'. */
static void read_line(const char *path, const char *key, char *value, size_t size) {
    char line[512];
    FILE *file = fopen(path, "r");
    value[0] = '\0';
    while (file != NULL && value[0] == '\0' && fgets(line, sizeof line, file) != NULL) {
        const char *text = line;
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        if (key[0] != '\0') {
            text = strchr(line, ':');
            if (text == NULL)
                continue;
            text++;
        }
        text += strspn(text, " \t");
        snprintf(value, size, "%.*s", (int)strcspn(text, "\n"), text);
    }
    if (file != NULL)
        fclose(file);
}

/* Linux describes each cache of a processor in a folder of its own. */
static void read_caches(struct heedi_tool_machine *machine) {
    for (int i = 0; i < 8; i++) {
        char path[96], level[16], type[32], size[32];
        char *unit = NULL;
        static const char folder[] = "/sys/devices/system/cpu/cpu0/cache/index";
        snprintf(path, sizeof path, "%s%d/level", folder, i);
        read_line(path, "", level, sizeof level);
        snprintf(path, sizeof path, "%s%d/type", folder, i);
        read_line(path, "", type, sizeof type);
        snprintf(path, sizeof path, "%s%d/size", folder, i);
        read_line(path, "", size, sizeof size);
        uint64_t bytes = strtoull(size, &unit, 10);
        bytes <<= *unit == 'K' ? 10 : *unit == 'M' ? 20 : 0;
        if (strcmp(type, "Instruction") == 0 || bytes == 0)
            continue;
        if (strcmp(level, "1") == 0)
            machine->l1 = bytes;
        else if (strcmp(level, "2") == 0)
            machine->l2 = bytes;
        else if (strcmp(level, "3") == 0)
            machine->l3 = bytes;
    }
}

void heedi_tool_os_machine(struct heedi_tool_machine *machine) {
    struct utsname names;
    memset(machine, 0, sizeof *machine);
    read_line("/proc/cpuinfo", "model name", machine->processor, sizeof machine->processor);
    if (uname(&names) == 0) {
        if (machine->processor[0] == '\0')
            snprintf(machine->processor, sizeof machine->processor, "%.90s", names.machine);
        snprintf(machine->system, sizeof machine->system, "%.40s %.60s (%.40s)", names.sysname,
                 names.release, names.machine);
    }
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    machine->processors = online > 0 ? (uint32_t)online : 1;
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        machine->processors = (uint32_t)CPU_COUNT(&set);
#endif
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0)
        machine->memory_bytes = (uint64_t)pages * (uint64_t)page;
    read_caches(machine);
}

/* ---- another run of the program ---- */

/* fork(), not posix_spawn(): a child that shares this process's memory until it has a program of
 * its own is charged with this process's peak. Between fork() and execv() only what POSIX allows
 * there. */
static pid_t start(const char *const *arguments, int output) {
    enum { MOST = 64 };
    char *words[MOST + 2] = {NULL}, self[4096];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return -1;
    self[length] = '\0';
    words[0] = self;
    for (size_t i = 0; i < MOST && arguments[i] != NULL; i++)
        memcpy(&words[i + 1], &arguments[i], sizeof words[0]); /* execv() changes nothing */
    fflush(NULL);
    const pid_t pid = fork();
    if (pid != 0)
        return pid;
    const int nothing = open("/dev/null", O_RDWR);
    if (nothing >= 0 && dup2(nothing, 0) >= 0 && dup2(output, 1) >= 0 && dup2(nothing, 2) >= 0)
        execv(self, words);
    _exit(127);
}

bool heedi_tool_os_run(const char *const *arguments, struct heedi_tool_child *child) {
    int ends[2], status = 0;
    struct rusage usage;
    char buffer[65536];
    memset(child, 0, sizeof *child);
    child->code = -1;
    child->first_output_s = -1;
    if (pipe(ends) != 0)
        return false;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    const uint64_t begin_ns = heedi_tool_os_now_ns();
    const pid_t pid = start(arguments, ends[1]);
    close(ends[1]);
    while (pid > 0 && heedi_tool_os_read(ends[0], buffer, sizeof buffer) > 0)
        if (child->first_output_s < 0)
            child->first_output_s = heedi_tool_seconds_since(begin_ns);
    close(ends[0]);
    if (pid <= 0)
        return false;
    pid_t ended;
    do
        ended = wait4(pid, &status, 0, &usage);
    while (ended < 0 && errno == EINTR);
    if (ended != pid)
        return false;
    child->total_s = heedi_tool_seconds_since(begin_ns);
    child->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
#if defined(__APPLE__)
    child->peak_bytes = (uint64_t)usage.ru_maxrss;
#else
    child->peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
#endif
    return true;
}
