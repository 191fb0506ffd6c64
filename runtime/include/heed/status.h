/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Status codes, error details, allocation, logging, and the context that holds them.
 *
 * Every fallible function of Heed returns `enum heed_status`. The detail in words (operator,
 * tensor, file, field, expected, actual) goes to the context and is read with heed_last_error();
 * nothing is kept in thread-local storage.
 *
 * Thread rule: a context belongs to one thread at a time. Two threads use two contexts. Objects
 * that several threads share (weights, models, executors, programs) say so where they are declared;
 * the context passed to a call is where that call's error detail and log lines go. */
#ifndef HEED_STATUS_H
#define HEED_STATUS_H

#include <stddef.h>
#include <stdint.h>

#include "heed/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Every status: X(name, value, description). Values never change. */
#define HEED_STATUS_LIST(X)                                                                        \
    X(HEED_OK, 0, "success")                                                                       \
    X(HEED_ERROR_INVALID_ARGUMENT, 1, "invalid argument")                                          \
    X(HEED_ERROR_OUT_OF_MEMORY, 2, "out of memory")                                                \
    X(HEED_ERROR_IO, 3, "input/output error")                                                      \
    X(HEED_ERROR_FORMAT, 4, "malformed data")                                                      \
    X(HEED_ERROR_UNSUPPORTED, 5, "not supported")                                                  \
    X(HEED_ERROR_NOT_FOUND, 6, "not found")                                                        \
    X(HEED_ERROR_SHAPE, 7, "shape or type mismatch")                                               \
    X(HEED_ERROR_VERSION, 8, "incompatible version")                                               \
    X(HEED_ERROR_DEVICE_LOST, 9, "device lost")                                                    \
    X(HEED_ERROR_DEVICE_MEMORY, 10, "out of device memory")                                        \
    X(HEED_ERROR_TIMEOUT, 11, "timed out")                                                         \
    X(HEED_ERROR_LIMIT, 12, "limit exceeded")                                                      \
    X(HEED_ERROR_INTERNAL, 13, "internal error")

enum heed_status {
#define HEED_STATUS_ENUM(name, value, text) name = value,
    HEED_STATUS_LIST(HEED_STATUS_ENUM)
#undef HEED_STATUS_ENUM
};

/** Name of a status ("HEED_ERROR_SHAPE"), or "unknown status". Static string. Any thread. */
HEED_API const char *heed_status_name(enum heed_status status);
/** Short description ("shape or type mismatch"). Static string. Any thread. */
HEED_API const char *heed_status_text(enum heed_status status);

/** Detail of a failure, owned by whoever declares it. Plugins fill one per call.
 * `message` is always NUL-terminated; too long a message is cut. */
struct heed_error {
    uint32_t struct_size; /**< sizeof(struct heed_error) as the owner knows it */
    int32_t status;       /**< enum heed_status */
    char message[1016];
};

enum heed_log_level {
    HEED_LOG_ERROR = 0,
    HEED_LOG_WARNING = 1, /**< the default */
    HEED_LOG_INFO = 2,
    HEED_LOG_DEBUG = 3
};

/** Receives one line without a newline. May be called from any thread that uses the context. */
typedef void (*heed_log_fn)(void *user, enum heed_log_level level, const char *line);

/** Memory functions. `allocate` returns NULL on failure; `alignment` is a power of two. `release`
 * accepts NULL. Both must be callable from any thread. */
struct heed_allocator {
    uint32_t struct_size;
    void *user;
    void *(*allocate)(void *user, size_t bytes, size_t alignment);
    void (*release)(void *user, void *memory);
};

struct heed_context_options {
    uint32_t struct_size;                   /**< sizeof(struct heed_context_options) */
    const struct heed_allocator *allocator; /**< copied; NULL: the C library's */
    heed_log_fn log;                        /**< NULL: lines go to stderr as "heed: ..." */
    void *log_user;
    enum heed_log_level log_level;
};

struct heed_context;

/** Creates a context. `options` may be NULL (defaults). On failure *context is NULL.
 * The caller owns *context and releases it with heed_context_destroy(). Objects made with a context
 * copy what they need of it and may outlive it, except where their documentation says otherwise. */
HEED_API enum heed_status heed_context_create(const struct heed_context_options *options,
                                              struct heed_context **context);
/** Destroys a context; NULL is allowed. */
HEED_API void heed_context_destroy(struct heed_context *context);

/** Detail of the last failure in this context, "" when there was none. The string is valid until
 * the next failing call with the same context. */
HEED_API const char *heed_last_error(const struct heed_context *context);

#ifdef __cplusplus
}
#endif
#endif
