/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts: status texts, error details, log lines, allocation, checked arithmetic. */
#include "runtime/base/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heed/version.h"

#define MIN_ALIGNMENT 16u
/* No version of a struct grows by more; a larger size is a variable that was never set, and reading
 * that far would leave the caller's memory. */
#define MAX_UNKNOWN_TAIL 4096u

const char *heed_version(void) {
    return HEED_VERSION_STRING;
}

const char *heed_status_name(enum heed_status status) {
    switch (status) {
#define CASE(name, value, text)                                                                    \
    case name:                                                                                     \
        return #name;
        HEED_STATUS_LIST(CASE)
#undef CASE
    }
    return "unknown status";
}

const char *heed_status_text(enum heed_status status) {
    switch (status) {
#define CASE(name, value, text)                                                                    \
    case name:                                                                                     \
        return text;
        HEED_STATUS_LIST(CASE)
#undef CASE
    }
    return "unknown status";
}

static void *default_allocate(void *user, size_t bytes, size_t alignment) {
    (void)user;
    size_t rounded;
    if (!heedi_add_size(bytes, alignment - 1, &rounded))
        return NULL;
    return aligned_alloc(alignment, rounded & ~(alignment - 1));
}

static void default_release(void *user, void *memory) {
    (void)user;
    free(memory);
}

enum heed_status heedi_read_struct(void *to, size_t known, const void *from, const char *what,
                                   struct heed_error *error) {
    uint32_t size;
    memcpy(&size, from, sizeof size);
    if (size < sizeof size)
        return heedi_error(error, HEED_ERROR_INVALID_ARGUMENT, "%s: struct_size is %u", what, size);
    if (size > known && size - known > MAX_UNKNOWN_TAIL)
        return heedi_error(error, HEED_ERROR_INVALID_ARGUMENT,
                           "%s: struct_size is %u, expected about %zu", what, size, known);
    for (size_t i = known; i < size; i++)
        if (((const unsigned char *)from)[i] != 0)
            return heedi_error(error, HEED_ERROR_UNSUPPORTED,
                               "%s: byte %zu of %u is set, but only %zu bytes are known here", what,
                               i, size, known);
    memset(to, 0, known);
    memcpy(to, from, size < known ? size : known);
    return HEED_OK;
}

enum heed_status heed_context_create(const struct heed_context_options *options,
                                     struct heed_context **context) {
    if (context == NULL)
        return HEED_ERROR_INVALID_ARGUMENT;
    *context = NULL;
    struct heed_context_options known = {.struct_size = sizeof known,
                                         .log_level = HEED_LOG_WARNING};
    if (options != NULL) {
        const enum heed_status status =
            heedi_read_struct(&known, sizeof known, options, "heed_context_options", NULL);
        if (status != HEED_OK)
            return status;
    }
    struct heedi_env env = {.allocator = {.struct_size = sizeof env.allocator,
                                          .allocate = default_allocate,
                                          .release = default_release},
                            .log = known.log,
                            .log_user = known.log_user,
                            .log_level = known.log_level};
    if (known.allocator != NULL) {
        const enum heed_status status = heedi_read_struct(&env.allocator, sizeof env.allocator,
                                                          known.allocator, "heed_allocator", NULL);
        if (status != HEED_OK)
            return status;
        if (env.allocator.allocate == NULL || env.allocator.release == NULL)
            return HEED_ERROR_INVALID_ARGUMENT;
    }
    struct heed_context *made = heedi_calloc(&env, 1, sizeof *made);
    if (made == NULL)
        return HEED_ERROR_OUT_OF_MEMORY;
    made->env = env;
    made->error.struct_size = sizeof made->error;
    *context = made;
    return HEED_OK;
}

void heed_context_destroy(struct heed_context *context) {
    if (context == NULL)
        return;
    const struct heedi_env env = context->env;
    heedi_free(&env, context);
}

const char *heed_last_error(const struct heed_context *context) {
    return context == NULL ? "" : context->error.message;
}

/* Ends a text that was cut after `length` bytes with a whole UTF-8 character: a lead byte whose
 * continuation bytes are missing goes. */
static void end_at_character(char *text, size_t length) {
    size_t start = length;
    while (start > 0 && length - start < 3 && ((unsigned char)text[start - 1] & 0xc0u) == 0x80u)
        start--;
    if (start == 0)
        return;
    const unsigned char lead = (unsigned char)text[start - 1];
    const size_t missing = lead >= 0xf0u ? 3 : lead >= 0xe0u ? 2 : lead >= 0xc0u ? 1 : 0;
    if (length - start < missing)
        text[start - 1] = '\0';
}

/* vsnprintf for what people read. Texts quote files, and must not let one command a terminal:
 * control characters become '?', except those in `kept`. */
static void print_text(char *text, size_t bytes, const char *kept, const char *format,
                       va_list arguments) {
    const int length = vsnprintf(text, bytes, format, arguments);
    if (length < 0)
        text[0] = '\0';
    else if ((size_t)length >= bytes)
        end_at_character(text, bytes - 1);
    for (char *at = text; *at != '\0'; at++) {
        const unsigned char byte = (unsigned char)*at;
        if ((byte < 0x20u || byte == 0x7fu) && strchr(kept, *at) == NULL)
            *at = '?';
    }
}

static void set_error(struct heed_error *error, enum heed_status status, const char *format,
                      va_list arguments) {
    if (error == NULL)
        return;
    /* The message may be an argument of its own replacement. */
    char text[sizeof error->message];
    print_text(text, sizeof text, "\n\t", format, arguments);
    error->status = (int32_t)status;
    memcpy(error->message, text, strlen(text) + 1);
}

enum heed_status(heedi_fail)(struct heed_context *context, enum heed_status status,
                             const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    set_error(context == NULL ? NULL : &context->error, status, format, arguments);
    va_end(arguments);
    return status;
}

enum heed_status(heedi_error)(struct heed_error *error, enum heed_status status, const char *format,
                              ...) {
    va_list arguments;
    va_start(arguments, format);
    set_error(error, status, format, arguments);
    va_end(arguments);
    return status;
}

enum heed_status(heedi_fail_within)(struct heed_context *context, enum heed_status status,
                                    const char *format, ...) {
    if (context == NULL)
        return status;
    char prefix[sizeof context->error.message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    return heedi_fail(context, status, "%s: %s", prefix, context->error.message);
}

enum heed_status(heedi_fail_memory)(struct heed_context *context, const char *what, size_t bytes) {
    return heedi_fail(context, HEED_ERROR_OUT_OF_MEMORY, "out of memory: %zu bytes for %s", bytes,
                      what);
}

void heedi_log(const struct heedi_env *env, enum heed_log_level level, const char *format, ...) {
    if (level > env->log_level)
        return;
    char line[1200];
    va_list arguments;
    va_start(arguments, format);
    print_text(line, sizeof line, "\t", format, arguments);
    va_end(arguments);
    if (env->log != NULL)
        env->log(env->log_user, level, line);
    else
        fprintf(stderr, "heed: %s\n", line);
}

void *heedi_alloc_aligned(const struct heedi_env *env, size_t bytes, size_t alignment) {
    if ((alignment & (alignment - 1)) != 0) /* a plugin's mistake; allocators may not survive it */
        return NULL;
    return env->allocator.allocate(env->allocator.user, bytes == 0 ? 1 : bytes,
                                   alignment < MIN_ALIGNMENT ? MIN_ALIGNMENT : alignment);
}

void *heedi_calloc(const struct heedi_env *env, size_t count, size_t size) {
    size_t bytes;
    if (!heedi_mul_size(count, size, &bytes))
        return NULL;
    void *memory = heedi_alloc_aligned(env, bytes, MIN_ALIGNMENT);
    if (memory != NULL)
        memset(memory, 0, bytes);
    return memory;
}

void *heedi_grow(const struct heedi_env *env, void *old, size_t count, size_t capacity,
                 size_t size) {
    void *grown = heedi_calloc(env, capacity, size);
    if (grown == NULL)
        return NULL;
    if (count > 0)
        memcpy(grown, old, count * size);
    heedi_free(env, old);
    return grown;
}

char *heedi_strdup(const struct heedi_env *env, const char *string) {
    const size_t bytes = strlen(string) + 1;
    char *copy = heedi_alloc_aligned(env, bytes, 1);
    if (copy != NULL)
        memcpy(copy, string, bytes);
    return copy;
}

char *heedi_asprintf(const struct heedi_env *env, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = length < 0 ? NULL : heedi_alloc_aligned(env, (size_t)length + 1, 1);
    if (text != NULL)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void heedi_free(const struct heedi_env *env, void *memory) {
    if (memory != NULL)
        env->allocator.release(env->allocator.user, memory);
}

bool heedi_mul_i64(int64_t a, int64_t b, int64_t *result) {
    int64_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *result = product;
    return true;
}

bool heedi_add_i64(int64_t a, int64_t b, int64_t *result) {
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *result = sum;
    return true;
}

bool heedi_mul_size(size_t a, size_t b, size_t *result) {
    if (b != 0 && a > SIZE_MAX / b)
        return false;
    *result = a * b;
    return true;
}

bool heedi_add_size(size_t a, size_t b, size_t *result) {
    if (a > SIZE_MAX - b)
        return false;
    *result = a + b;
    return true;
}
