/* SPDX-License-Identifier: Apache-2.0 */
/* All that Heed asks of the operating system; os_<name>.c implement it and alone include its
 * headers. Paths are UTF-8. Failing functions return false and describe why in `error` (may be
 * NULL). */
#ifndef HEEDI_BASE_OS_H
#define HEEDI_BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "heed/status.h"

/* ---- files ---- */
enum heedi_file_kind {
    HEEDI_FILE_NONE,
    HEEDI_FILE_REGULAR,
    HEEDI_FILE_DIRECTORY,
    HEEDI_FILE_OTHER
};
enum heedi_file_kind heedi_os_file_kind(const char *path);

/* A read-only mapping of a whole regular file. An empty file gives data == NULL, bytes == 0.
 * Whoever shortens the file while it is mapped makes reads of the lost part fatal (SIGBUS on
 * POSIX). */
struct heedi_mapping {
    const void *data;
    size_t bytes;
};
bool heedi_os_map(const char *path, struct heedi_mapping *mapping, struct heed_error *error);
void heedi_os_unmap(struct heedi_mapping *mapping);
/* Tells the system that [data, data + bytes) of a mapping is not needed soon; whole pages only. */
void heedi_os_discard(const void *data, size_t bytes);

/* A file that appears whole or not at all: written as "<path>.tmp.<pid>.<n>" beside it, renamed by
 * commit (after fsync), removed by abort. */
struct heedi_new_file;
bool heedi_os_new_file(const struct heed_context *context, const char *path,
                       struct heedi_new_file **file, struct heed_error *error);
FILE *heedi_os_new_file_stream(struct heedi_new_file *file);
/* Both free `file`. commit checks the stream for write errors (a full disk) first. */
bool heedi_os_new_file_commit(struct heedi_new_file *file, struct heed_error *error);
void heedi_os_new_file_abort(struct heedi_new_file *file);

/* Calls fn with the name of each entry of a folder, sorted by byte value; false if it cannot be
 * read. */
bool heedi_os_list(const struct heed_context *context, const char *path,
                   void (*fn)(void *user, const char *name), void *user, struct heed_error *error);

/* ---- process ---- */
uint64_t heedi_os_now_ns(void); /* monotonic */
uint64_t heedi_os_peak_memory_bytes(void);
const char *
heedi_os_getenv(const char *name); /* NULL when unset or empty, or in set-uid programs */
/* Folder of the file that contains libheed's code (the library, or the program it is linked into),
 * without a trailing separator; false if unknown. */
bool heedi_os_own_folder(char *buffer, size_t bytes);
/* Processors usable by this process: affinity mask and cgroup (v1, v2) quota, at least 1. */
uint32_t heedi_os_processor_count(void);
/* The part of it that control groups decide, by the list of this process's groups and the folder
 * where they are mounted; 0 without a quota. Apart for tests. */
uint32_t heedi_os_cgroup_processors(const char *groups, const char *mount);

/* ---- shared objects (never closed once accepted) ---- */
void *heedi_os_library_open(const char *path, struct heed_error *error);
void *heedi_os_library_symbol(void *library, const char *name);
void heedi_os_library_close(void *library); /* for files that turned out not to be plugins */
const char *heedi_os_library_suffix(void);  /* ".so" */

/* ---- threads ---- */
struct heedi_mutex;
struct heedi_condition;
struct heedi_thread;
struct heedi_env;
struct heedi_mutex *heedi_os_mutex_create(const struct heedi_env *env);
void heedi_os_mutex_destroy(const struct heedi_env *env, struct heedi_mutex *mutex);
void heedi_os_lock(struct heedi_mutex *mutex);
bool heedi_os_try_lock(struct heedi_mutex *mutex);
void heedi_os_unlock(struct heedi_mutex *mutex);
struct heedi_condition *heedi_os_condition_create(const struct heedi_env *env);
void heedi_os_condition_destroy(const struct heedi_env *env, struct heedi_condition *condition);
void heedi_os_wait(struct heedi_condition *condition, struct heedi_mutex *mutex);
void heedi_os_wake_all(struct heedi_condition *condition);
struct heedi_thread *heedi_os_thread_start(const struct heedi_env *env, void (*fn)(void *),
                                           void *arg, const char *name);
void heedi_os_thread_join(const struct heedi_env *env, struct heedi_thread *thread);
/* The calling thread gives way to others from now on, where the system knows of such a thing. */
void heedi_os_thread_background(void);
void heedi_os_pause(void); /* a hint inside a short spin */
void heedi_os_yield(void);

/* Process-wide initialisation: a mutex that exists before main, for the registry. */
void heedi_os_global_lock(void);
void heedi_os_global_unlock(void);

#endif
