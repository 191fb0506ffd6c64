/* SPDX-License-Identifier: Apache-2.0 */
/* What the golden tests share: files of lines, and the default model. */
#ifndef HEED_TEST_GOLDEN_H
#define HEED_TEST_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heed/translate.h"
#include "tests/support/backends.h"

enum { MAX_LINES = 1000, MAX_LENGTH = 128 };

/* The lines of a file, without their ends; the texts point into one block. */
struct lines {
    char *block;
    const char *texts[MAX_LINES];
    size_t count;
};

static inline struct lines read_lines(const char *name) {
    struct lines lines = {0};
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/golden/%s", HEED_TEST_DATA, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be read", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    const size_t bytes = (size_t)ftell(file);
    rewind(file);
    lines.block = malloc(bytes + 1);
    assert_non_null(lines.block);
    assert_int_equal(fread(lines.block, 1, bytes, file), bytes);
    (void)fclose(file);
    lines.block[bytes] = 0;
    for (char *at = lines.block; *at;) {
        char *end = strchr(at, '\n');
        assert_non_null(end);
        assert_true(lines.count < MAX_LINES);
        *end = 0;
        lines.texts[lines.count++] = at;
        at = end + 1;
    }
    return lines;
}

struct golden {
    struct heed_context *context;
    struct heed_model *model;
    struct heed_translator *translator;
};

/* steps: of a submission, 0: chosen */
static inline struct golden open_golden(const char *backend, uint32_t steps) {
    const struct heed_translator_options options = {.struct_size = sizeof options,
                                                    .backends = backend,
                                                    .max_length = MAX_LENGTH,
                                                    .steps_per_submit = steps};
    struct golden golden = {0};
    assert_int_equal(heed_context_create(NULL, &golden.context), HEED_OK);
    if (heed_model_open(golden.context, NULL, &golden.model) != HEED_OK ||
        heed_translator_create(golden.context, golden.model, &options, &golden.translator) !=
            HEED_OK)
        fail_msg("%s", heed_last_error(golden.context));
    return golden;
}

static inline void close_golden(struct golden *golden) {
    heed_translator_destroy(golden->translator);
    heed_model_close(golden->model);
    heed_context_destroy(golden->context);
}

#endif
