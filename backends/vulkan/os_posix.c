/* SPDX-License-Identifier: Apache-2.0 */
/* What the plugin needs of the operating system: a folder for what may be thrown away, a clock. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vulkan.h"

bool heedi_vk_cache_folder(char *path, size_t bytes) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = -1;
    if (cache != NULL && cache[0] == '/') /* others are to be ignored: XDG base directories */
        length = snprintf(path, bytes, "%s", cache);
    else if (home != NULL && home[0] == '/')
        length = snprintf(path, bytes, "%s/.cache", home);
    if (length < 0 || (size_t)length + sizeof "/heed" > bytes)
        return false;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return false;
    (void)snprintf(path + length, bytes - (size_t)length, "/heed");
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

long heedi_vk_process(void) {
    return (long)getpid();
}

static uint64_t read_clock(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time) != 0)
        return 0;
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t heedi_vk_thread_ns(void) {
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t heedi_vk_now_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}
