/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts from the inside: failing with a message, logging, allocating. */
#ifndef HEEDI_BASE_CONTEXT_H
#define HEEDI_BASE_CONTEXT_H

#include <stdarg.h>
#include <stdbool.h>

#include "heed/status.h"

#if defined(__GNUC__)
#define HEEDI_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define HEEDI_PRINTF(text, first)
#endif

/* What outliving objects copy of a context: how to allocate, where to log. */
struct heedi_env {
    struct heed_allocator allocator;
    heed_log_fn log;
    void *log_user;
    enum heed_log_level log_level;
};

struct heed_context {
    struct heedi_env env;
    struct heed_error error;
};

/* Records a failure: formats the detail into the context, returns `status`. context may be NULL. */
enum heed_status heedi_fail(struct heed_context *context, enum heed_status status,
                            const char *format, ...) HEEDI_PRINTF(3, 4);
/* The same into a caller-owned error. */
enum heed_status heedi_error(struct heed_error *error, enum heed_status status, const char *format,
                             ...) HEEDI_PRINTF(3, 4);
/* Puts `prefix: ` in front of the current message, as errors travel up. Returns the status. */
enum heed_status heedi_fail_within(struct heed_context *context, enum heed_status status,
                                   const char *format, ...) HEEDI_PRINTF(3, 4);
/* Out of memory while allocating `bytes` for `what`. */
enum heed_status heedi_fail_memory(struct heed_context *context, const char *what, size_t bytes);

#ifdef __clang_analyzer__
/* The analyser does not look into other files: it is told that the status comes back as given. */
static inline enum heed_status heedi_given(enum heed_status returned, enum heed_status status) {
    (void)returned;
    return status;
}
#define heedi_fail(context, status, ...)                                                           \
    heedi_given((heedi_fail)(context, status, __VA_ARGS__), status)
#define heedi_error(error, status, ...)                                                            \
    heedi_given((heedi_error)(error, status, __VA_ARGS__), status)
#define heedi_fail_within(context, status, ...)                                                    \
    heedi_given((heedi_fail_within)(context, status, __VA_ARGS__), status)
#define heedi_fail_memory(context, what, bytes)                                                    \
    heedi_given((heedi_fail_memory)(context, what, bytes), HEED_ERROR_OUT_OF_MEMORY)
#define heedi_op_fail(call, status, ...)                                                           \
    heedi_given((heedi_op_fail)(call, status, __VA_ARGS__), status)
#endif

/* Reads a versioned struct as heed/backend.h states: copies min(its struct_size, known) bytes into
 * the zeroed `to`; HEED_ERROR_UNSUPPORTED where it is larger and the unknown tail is not zero.
 * `what` names it in the message; error may be NULL. */
enum heed_status heedi_read_struct(void *to, size_t known, const void *from, const char *what,
                                   struct heed_error *error);

/* One line, cut at 1199 bytes; control characters become '?'. */
void heedi_log(const struct heedi_env *env, enum heed_log_level level, const char *format, ...)
    HEEDI_PRINTF(3, 4);

/* Zero-filled memory, NULL on failure or overflow of count * size; count or size 0 gives a unique
 * pointer. Every allocation of the runtime goes through these, so that a test can make any fail. */
void *heedi_calloc(const struct heedi_env *env, size_t count, size_t size);
/* `alignment` is a power of two, else NULL; at least 16 is given. Not zero-filled. */
void *heedi_alloc_aligned(const struct heedi_env *env, size_t bytes, size_t alignment);
/* Grows an array of `count` elements of `size` bytes to `capacity`; the old one stays on failure.
 */
void *heedi_grow(const struct heedi_env *env, void *old, size_t count, size_t capacity,
                 size_t size);
char *heedi_strdup(const struct heedi_env *env, const char *string);
char *heedi_asprintf(const struct heedi_env *env, const char *format, ...) HEEDI_PRINTF(2, 3);
void heedi_free(const struct heedi_env *env, void *memory);

/* Checked arithmetic: false on overflow, *result untouched then. */
bool heedi_mul_i64(int64_t a, int64_t b, int64_t *result);
bool heedi_add_i64(int64_t a, int64_t b, int64_t *result);
bool heedi_mul_size(size_t a, size_t b, size_t *result);
bool heedi_add_size(size_t a, size_t b, size_t *result);

#endif
