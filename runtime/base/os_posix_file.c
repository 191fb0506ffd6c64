/* SPDX-License-Identifier: Apache-2.0 */
/* Files on POSIX systems: mappings, files that appear whole, folders. */
#define _DEFAULT_SOURCE /* madvise: posix_madvise keeps the pages on Linux */
#include "runtime/base/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/context.h"
#include "runtime/base/refcount.h"

static bool fail(struct heed_error *error, enum heed_status status, const char *path,
                 const char *what) {
    heedi_error(error, status, "%s: %s", path, what);
    return false;
}

static bool fail_errno(struct heed_error *error, const char *path, const char *what) {
    const int number = errno;
    heedi_error(error, number == ENOENT ? HEED_ERROR_NOT_FOUND : HEED_ERROR_IO, "%s: %s: %s", path,
                what, strerror(number));
    return false;
}

enum heedi_file_kind heedi_os_file_kind(const char *path) {
    struct stat info;
    if (stat(path, &info) != 0)
        return HEEDI_FILE_NONE;
    if (S_ISREG(info.st_mode))
        return HEEDI_FILE_REGULAR;
    return S_ISDIR(info.st_mode) ? HEEDI_FILE_DIRECTORY : HEEDI_FILE_OTHER;
}

bool heedi_os_map(const char *path, struct heedi_mapping *mapping, struct heed_error *error) {
    *mapping = (struct heedi_mapping){NULL, 0};
    /* O_NONBLOCK: opening a named pipe must not wait for a writer. */
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return fail_errno(error, path, "cannot open");
    struct stat info;
    bool done = false;
    if (fstat(file, &info) != 0) {
        fail_errno(error, path, "cannot read the size");
    } else if (!S_ISREG(info.st_mode)) {
        fail(error, HEED_ERROR_IO, path,
             S_ISDIR(info.st_mode) ? "is a directory, expected a file"
                                   : "is not a regular file, expected one");
    } else if (info.st_size == 0) {
        done = true;
    } else if ((uintmax_t)info.st_size > SIZE_MAX) {
        fail(error, HEED_ERROR_LIMIT, path, "is larger than the address space");
    } else {
        void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (data == MAP_FAILED) {
            fail_errno(error, path, "cannot map");
        } else {
            *mapping = (struct heedi_mapping){data, (size_t)info.st_size};
            done = true;
        }
    }
    close(file);
    return done;
}

void heedi_os_unmap(struct heedi_mapping *mapping) {
    if (mapping->data != NULL) {
        /* munmap takes a pointer to non-const; the pages are only given back. */
        union {
            const void *constant;
            void *plain;
        } address = {.constant = mapping->data};
        munmap(address.plain, mapping->bytes);
    }
    *mapping = (struct heedi_mapping){NULL, 0};
}

void heedi_os_discard(const void *data, size_t bytes) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = ((uintptr_t)data + page - 1) & ~(page - 1);
    const uintptr_t end = ((uintptr_t)data + bytes) & ~(page - 1);
    if (end > begin)
        madvise((void *)begin, end - begin, MADV_DONTNEED);
}

struct heedi_new_file {
    struct heedi_env env;
    FILE *stream;
    char *path;
    char *temporary;
};

static void new_file_free(struct heedi_new_file *file) {
    const struct heedi_env env = file->env;
    heedi_free(&env, file->path);
    heedi_free(&env, file->temporary);
    heedi_free(&env, file);
}

bool heedi_os_new_file(const struct heed_context *context, const char *path,
                       struct heedi_new_file **file, struct heed_error *error) {
    *file = NULL;
    struct heedi_new_file *made = heedi_calloc(&context->env, 1, sizeof *made);
    if (made == NULL)
        return fail(error, HEED_ERROR_OUT_OF_MEMORY, path, "out of memory");
    made->env = context->env;
    made->path = heedi_strdup(&made->env, path);
    made->temporary = heedi_asprintf(&made->env, "%s.tmp.%ld.%llu", path, (long)getpid(),
                                     (unsigned long long)heedi_unique_id());
    if (made->path == NULL || made->temporary == NULL) {
        new_file_free(made);
        return fail(error, HEED_ERROR_OUT_OF_MEMORY, path, "out of memory");
    }
    if (heedi_os_file_kind(path) == HEEDI_FILE_DIRECTORY) {
        new_file_free(made);
        return fail(error, HEED_ERROR_IO, path, "is a directory, expected the name of a file");
    }
    const int number = open(made->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    made->stream = number < 0 ? NULL : fdopen(number, "wb");
    if (made->stream == NULL) {
        fail_errno(error, path, "cannot create");
        if (number >= 0) {
            close(number);
            unlink(made->temporary);
        }
        new_file_free(made);
        return false;
    }
    *file = made;
    return true;
}

FILE *heedi_os_new_file_stream(struct heedi_new_file *file) {
    return file->stream;
}

bool heedi_os_new_file_commit(struct heedi_new_file *file, struct heed_error *error) {
    /* Flushing first: where an earlier write failed, trying again gives the reason in errno. */
    errno = 0;
    bool done =
        fflush(file->stream) == 0 && !ferror(file->stream) && fsync(fileno(file->stream)) == 0;
    int number = errno;
    if (fclose(file->stream) != 0 && done) {
        number = errno;
        done = false;
    }
    if (done && rename(file->temporary, file->path) != 0) {
        number = errno;
        done = false;
    }
    if (!done) {
        heedi_error(error, HEED_ERROR_IO, "%s: cannot write: %s", file->path,
                    number == 0 ? "write error" : strerror(number));
        unlink(file->temporary);
    }
    new_file_free(file);
    return done;
}

void heedi_os_new_file_abort(struct heedi_new_file *file) {
    if (file == NULL)
        return;
    fclose(file->stream);
    unlink(file->temporary);
    new_file_free(file);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool heedi_os_list(const struct heed_context *context, const char *path,
                   void (*fn)(void *user, const char *name), void *user, struct heed_error *error) {
    DIR *folder = opendir(path);
    if (folder == NULL)
        return fail_errno(error, path, "cannot read the folder");
    char **names = NULL;
    size_t count = 0, capacity = 0;
    bool done = true;
    for (;;) {
        errno = 0; /* readdir returns NULL at the end and on failure */
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            done = errno == 0 || fail_errno(error, path, "cannot read the folder");
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (count == capacity) {
            const size_t larger = capacity == 0 ? 16 : 2 * capacity;
            char **grown = heedi_grow(&context->env, names, count, larger, sizeof *names);
            if (grown == NULL) {
                done = fail(error, HEED_ERROR_OUT_OF_MEMORY, path, "out of memory");
                break;
            }
            names = grown;
            capacity = larger;
        }
        names[count] = heedi_strdup(&context->env, entry->d_name);
        if (names[count] == NULL) {
            done = fail(error, HEED_ERROR_OUT_OF_MEMORY, path, "out of memory");
            break;
        }
        count++;
    }
    closedir(folder);
    if (done && count > 0)
        qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++) {
        if (done)
            fn(user, names[i]);
        heedi_free(&context->env, names[i]);
    }
    heedi_free(&context->env, names);
    return done;
}
