/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of weight files share: files built byte by byte, a folder to put them in, and the
 * check that a file is refused with the right words. */
#ifndef HEED_TEST_IO_H
#define HEED_TEST_IO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heed/status.h"
#include "runtime/base/weight.h"
#include "runtime/io/weights.h"
#include "tests/support/temporary.h"

/* ---- bytes ---- */

struct buffer {
    unsigned char data[1 << 16];
    size_t bytes;
};

static inline void put(struct buffer *buffer, const void *data, size_t bytes) {
    assert_true(bytes <= sizeof buffer->data - buffer->bytes);
    if (bytes > 0)
        memcpy(buffer->data + buffer->bytes, data, bytes);
    buffer->bytes += bytes;
}

static inline void put_text(struct buffer *buffer, const char *text) {
    put(buffer, text, strlen(text));
}

/* Little-endian, whatever the host. */
static inline void put_number(struct buffer *buffer, uint64_t value, size_t width) {
    for (size_t i = 0; i < width; i++) {
        const unsigned char byte = (unsigned char)(value >> (8 * i));
        put(buffer, &byte, 1);
    }
}

static inline void put_u8(struct buffer *buffer, unsigned value) {
    put_number(buffer, value, 1);
}

static inline void put_u16(struct buffer *buffer, unsigned value) {
    put_number(buffer, value, 2);
}

static inline void put_u32(struct buffer *buffer, uint32_t value) {
    put_number(buffer, value, 4);
}

static inline void put_u64(struct buffer *buffer, uint64_t value) {
    put_number(buffer, value, 8);
}

static inline void put_f32(struct buffer *buffer, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_u32(buffer, bits);
}

static inline void put_zeros(struct buffer *buffer, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        put_u8(buffer, 0);
}

static inline void pad_to(struct buffer *buffer, size_t alignment) {
    while (buffer->bytes % alignment != 0)
        put_u8(buffer, 0);
}

/* ---- parsing ---- */

typedef enum heed_status (*parse_fn)(struct heed_context *context, const char *path,
                                     const void *data, size_t bytes,
                                     struct heedi_weights **weights);

static inline struct heed_context *new_context(void) {
    struct heed_context *context;
    assert_int_equal(heed_context_create(NULL, &context), HEED_OK);
    return context;
}

/* An aligned block of exactly this size, so that a sanitizer sees the first byte read behind it. */
static inline void *exact_copy(const struct buffer *buffer, size_t bytes) {
    void *copy = NULL;
    assert_int_equal(posix_memalign(&copy, 64, bytes > 0 ? bytes : 1), 0);
    if (bytes > 0)
        memcpy(copy, buffer->data, bytes);
    return copy;
}

/* A parsed file and what it lies in. */
struct parsed {
    struct heed_context *context;
    void *memory;
    struct heedi_weights *weights;
};

static inline struct parsed parse_good(parse_fn parse, const struct buffer *buffer) {
    struct parsed parsed = {.context = new_context(), .memory = exact_copy(buffer, buffer->bytes)};
    const enum heed_status status =
        parse(parsed.context, "test", parsed.memory, buffer->bytes, &parsed.weights);
    if (status != HEED_OK)
        fail_msg("refused: %s", heed_last_error(parsed.context));
    return parsed;
}

static inline void parsed_free(struct parsed *parsed) {
    heedi_weights_close(parsed->weights);
    heed_context_destroy(parsed->context);
    free(parsed->memory);
}

/* The file must be refused, with a message that contains `words` and the file's name. */
static inline void expect_refused(parse_fn parse, const struct buffer *buffer, const char *words) {
    struct heed_context *context = new_context();
    void *memory = exact_copy(buffer, buffer->bytes);
    struct heedi_weights *weights = NULL;
    if (parse(context, "some/file", memory, buffer->bytes, &weights) == HEED_OK)
        fail_msg("accepted, expected: %s", words);
    assert_null(weights);
    if (strstr(heed_last_error(context), words) == NULL)
        fail_msg("got: %s\nexpected: %s", heed_last_error(context), words);
    assert_non_null(strstr(heed_last_error(context), "some/file"));
    heed_context_destroy(context);
    free(memory);
}

/* Every proper prefix of the file must be refused, and nothing read behind it. */
static inline void expect_prefixes_refused(parse_fn parse, const struct buffer *buffer) {
    struct heed_context *context = new_context();
    for (size_t bytes = 0; bytes < buffer->bytes; bytes++) {
        void *memory = exact_copy(buffer, bytes);
        struct heedi_weights *weights = NULL;
        if (parse(context, "cut", memory, bytes, &weights) == HEED_OK)
            fail_msg("accepted although cut after %zu of %zu bytes", bytes, buffer->bytes);
        assert_null(weights);
        free(memory);
    }
    heed_context_destroy(context);
}

/* Any single byte may be damaged: whatever the result, nothing may be read outside the file. */
static inline void try_damaged_bytes(parse_fn parse, const struct buffer *buffer) {
    static const unsigned char damages[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    struct heed_context *context = new_context();
    for (size_t at = 0; at < buffer->bytes; at++) {
        for (size_t i = 0; i < sizeof damages; i++) {
            unsigned char *memory = exact_copy(buffer, buffer->bytes);
            memory[at] ^= damages[i];
            struct heedi_weights *weights = NULL;
            if (parse(context, "damaged", memory, buffer->bytes, &weights) == HEED_OK)
                assert_non_null(weights);
            else
                assert_null(weights);
            heedi_weights_close(weights);
            free(memory);
        }
    }
    heed_context_destroy(context);
}

/* ---- checks of tensors ---- */

static inline void expect_tensor(const struct heedi_weights *weights, const char *name,
                                 enum heed_dtype dtype, uint32_t rank, const int64_t *dims) {
    const struct heed_weight *weight = heedi_weights_find(weights, name);
    if (weight == NULL)
        fail_msg("no tensor '%s'", name);
    assert_string_equal(weight->name, name);
    assert_int_equal(weight->desc.dtype, dtype);
    assert_int_equal(weight->desc.rank, rank);
    for (uint32_t i = 0; i < rank; i++)
        assert_int_equal(weight->desc.dims[i], dims[i]);
    assert_true(heed_desc_contiguous(&weight->desc));
    assert_int_equal((uintptr_t)weight->data % heed_dtype_bytes(dtype), 0);
}

static inline void expect_floats(const struct heedi_weights *weights, const char *name,
                                 const float *expected, size_t count) {
    const struct heed_weight *weight = heedi_weights_find(weights, name);
    assert_non_null(weight);
    assert_int_equal(weight->desc.dtype, HEED_F32);
    assert_int_equal(heed_desc_elems(&weight->desc), count);
    assert_memory_equal(weight->data, expected, count * sizeof *expected);
}

/* ---- files ---- */

/* A new folder under the system's place for temporary files. */
struct folder {
    char path[256];
};

static inline struct folder new_folder(void) {
    struct folder folder;
    support_temporary(folder.path, sizeof folder.path);
    assert_non_null(mkdtemp(folder.path));
    return folder;
}

struct path {
    char text[512];
};

static inline struct path path_in(const struct folder *folder, const char *name) {
    struct path path;
    (void)snprintf(path.text, sizeof path.text, "%s/%s", folder->path, name);
    return path;
}

static inline void write_file(const char *path, const void *data, size_t bytes) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static inline void read_file(const char *path, struct buffer *buffer) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    buffer->bytes = fread(buffer->data, 1, sizeof buffer->data, file);
    assert_true(feof(file));
    (void)fclose(file);
}

#endif
