/* SPDX-License-Identifier: Apache-2.0 */
/* Status texts, error details, log lines, allocation, versioned structs, checked arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/context.h"
#include "tests/unit/failing_allocator.h"

static struct heed_context *make(void) {
    struct heed_context *context = NULL;
    assert_int_equal(heed_context_create(NULL, &context), HEED_OK);
    assert_non_null(context);
    return context;
}

static void test_status_words(void **state) {
    (void)state;
    assert_string_equal(heed_status_name(HEED_OK), "HEED_OK");
    assert_string_equal(heed_status_name(HEED_ERROR_SHAPE), "HEED_ERROR_SHAPE");
    assert_string_equal(heed_status_text(HEED_ERROR_SHAPE), "shape or type mismatch");
    assert_string_equal(heed_status_text(HEED_ERROR_INTERNAL), "internal error");
    /* Values are part of the interface. */
    assert_int_equal(HEED_OK, 0);
    assert_int_equal(HEED_ERROR_INTERNAL, 13);
    for (int i = 0; i <= 13; i++) {
        assert_int_equal(strncmp(heed_status_name((enum heed_status)i), "HEED_", 5), 0);
        assert_string_not_equal(heed_status_text((enum heed_status)i), "unknown status");
        for (int k = 0; k < i; k++)
            assert_string_not_equal(heed_status_text((enum heed_status)i),
                                    heed_status_text((enum heed_status)k));
    }
    assert_string_equal(heed_status_name((enum heed_status)14), "unknown status");
    assert_string_equal(heed_status_text((enum heed_status)14), "unknown status");
}

static void test_version(void **state) {
    (void)state;
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", HEED_VERSION_MAJOR, HEED_VERSION_MINOR,
             HEED_VERSION_PATCH);
    assert_string_equal(heed_version(), expected);
}

static void test_create(void **state) {
    (void)state;
    assert_int_equal(heed_context_create(NULL, NULL), HEED_ERROR_INVALID_ARGUMENT);
    heed_context_destroy(NULL);
    assert_string_equal(heed_last_error(NULL), "");
    struct heed_context *context = make();
    assert_string_equal(heed_last_error(context), "");
    assert_int_equal(context->env.log_level, HEED_LOG_WARNING);
    heed_context_destroy(context);
}

static void test_create_refuses_options(void **state) {
    (void)state;
    struct {
        struct heed_context_options known;
        unsigned char tail[8];
    } options = {.known = {.struct_size = sizeof options}};
    struct heed_context *context = (void *)&options;
    assert_int_equal(heed_context_create(&options.known, &context), HEED_OK);
    heed_context_destroy(context);
    options.tail[7] = 1;
    assert_int_equal(heed_context_create(&options.known, &context), HEED_ERROR_UNSUPPORTED);
    assert_null(context);
    options.known.struct_size = 0;
    assert_int_equal(heed_context_create(&options.known, &context), HEED_ERROR_INVALID_ARGUMENT);

    struct failing_allocator failing = {0};
    struct heed_allocator allocator = failing_functions(&failing);
    const struct heed_context_options with = {.struct_size = sizeof with, .allocator = &allocator};
    allocator.release = NULL;
    assert_int_equal(heed_context_create(&with, &context), HEED_ERROR_INVALID_ARGUMENT);
    allocator = failing_functions(&failing);
    allocator.struct_size = (uint32_t)offsetof(struct heed_allocator, release);
    assert_int_equal(heed_context_create(&with, &context), HEED_ERROR_INVALID_ARGUMENT);
    assert_null(context);
    assert_int_equal(atomic_load(&failing.calls), 0);
}

static void test_create_without_memory(void **state) {
    (void)state;
    struct failing_allocator failing = {.fail_at = 1};
    assert_null(failing_context(&failing));
    assert_int_equal(atomic_load(&failing.calls), 1);
    failing_arm(&failing, 0);
    struct heed_context *context = failing_context(&failing);
    assert_non_null(context);
    assert_int_equal(atomic_load(&failing.live), 1);
    heed_context_destroy(context);
    assert_int_equal(atomic_load(&failing.live), 0);
}

static void test_detail(void **state) {
    (void)state;
    struct heed_context *context = make();
    assert_int_equal(heedi_fail(context, HEED_ERROR_SHAPE, "got %d, expected %s", 3, "4"),
                     HEED_ERROR_SHAPE);
    assert_string_equal(heed_last_error(context), "got 3, expected 4");
    assert_int_equal(context->error.status, HEED_ERROR_SHAPE);
    assert_int_equal(heedi_fail_within(context, HEED_ERROR_FORMAT, "layer %d", 2),
                     HEED_ERROR_FORMAT);
    assert_string_equal(heed_last_error(context), "layer 2: got 3, expected 4");
    /* A message may quote the one that it replaces. */
    heedi_fail(context, HEED_ERROR_IO, "again: %s", heed_last_error(context));
    assert_string_equal(heed_last_error(context), "again: layer 2: got 3, expected 4");
    heedi_fail_memory(context, "the plan", 77);
    assert_string_equal(heed_last_error(context), "out of memory: 77 bytes for the plan");
    heed_context_destroy(context);

    assert_int_equal(heedi_fail(NULL, HEED_ERROR_IO, "lost"), HEED_ERROR_IO);
    assert_int_equal(heedi_fail_within(NULL, HEED_ERROR_IO, "lost"), HEED_ERROR_IO);
    assert_int_equal(heedi_error(NULL, HEED_ERROR_LIMIT, "lost"), HEED_ERROR_LIMIT);
}

static void test_long_details_are_cut(void **state) {
    (void)state;
    struct heed_error error = {.struct_size = sizeof error};
    const size_t most = sizeof error.message - 1;
    char text[2048];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    heedi_error(&error, HEED_ERROR_IO, "%s", text);
    assert_int_equal(strlen(error.message), most);
    /* Characters of 2, 3 and 4 bytes that begin 0 to 3 bytes before the cut: whole or gone. */
    const char *characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < 3; i++) {
        const size_t bytes = strlen(characters[i]);
        for (size_t before = 0; before <= 4; before++) {
            memset(text, 'x', sizeof text - 1);
            memcpy(text + most - before, characters[i], bytes);
            heedi_error(&error, HEED_ERROR_IO, "%s", text);
            const bool whole = bytes <= before;
            assert_int_equal(strlen(error.message), whole ? most : most - before);
            assert_memory_equal(error.message, text, strlen(error.message));
        }
    }
}

static void test_control_characters(void **state) {
    (void)state;
    struct heed_error error = {.struct_size = sizeof error};
    heedi_error(&error, HEED_ERROR_IO, "a\x1b[2J\x7f\r\n\tz\x01 \xc3\xa9");
    assert_string_equal(error.message, "a?[2J??\n\tz? \xc3\xa9");
}

struct lines {
    int count;
    enum heed_log_level level;
    char last[1300];
};

static void keep_line(void *user, enum heed_log_level level, const char *line) {
    struct lines *lines = user;
    lines->count++;
    lines->level = level;
    snprintf(lines->last, sizeof lines->last, "%s", line);
}

static void test_log(void **state) {
    (void)state;
    struct lines lines = {0};
    const struct heed_context_options options = {.struct_size = sizeof options,
                                                 .log = keep_line,
                                                 .log_user = &lines,
                                                 .log_level = HEED_LOG_INFO};
    struct heed_context *context = NULL;
    assert_int_equal(heed_context_create(&options, &context), HEED_OK);
    heedi_log(&context->env, HEED_LOG_DEBUG, "unheard");
    assert_int_equal(lines.count, 0);
    heedi_log(&context->env, HEED_LOG_INFO, "node %d", 7);
    assert_int_equal(lines.count, 1);
    assert_int_equal(lines.level, HEED_LOG_INFO);
    assert_string_equal(lines.last, "node 7");
    heedi_log(&context->env, HEED_LOG_ERROR, "two\nlines\x1b");
    assert_int_equal(lines.count, 2);
    assert_string_equal(lines.last, "two?lines?");
    heedi_log(&context->env, HEED_LOG_ERROR, "%2000s", "x");
    assert_int_equal(strlen(lines.last), 1199);
    heed_context_destroy(context);
}

static void test_allocation(void **state) {
    (void)state;
    struct heed_context *context = make();
    const struct heedi_env *env = &context->env;
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
        unsigned char *memory = heedi_alloc_aligned(env, 3, alignment);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % (alignment < 16 ? 16 : alignment), 0);
        memset(memory, 1, 3);
        heedi_free(env, memory);
    }
    assert_null(heedi_alloc_aligned(env, 3, 24));
    assert_null(heedi_alloc_aligned(env, SIZE_MAX, 64));
    void *a = heedi_calloc(env, 0, 8), *b = heedi_calloc(env, 8, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    heedi_free(env, a);
    heedi_free(env, b);
    assert_null(heedi_calloc(env, SIZE_MAX / 8 + 1, 8));
    unsigned char *zeros = heedi_calloc(env, 10, 10);
    for (int i = 0; i < 100; i++)
        assert_int_equal(zeros[i], 0);
    heedi_free(env, zeros);
    heedi_free(env, NULL);

    char *copy = heedi_strdup(env, "copy");
    assert_string_equal(copy, "copy");
    heedi_free(env, copy);
    char *text = heedi_asprintf(env, "%s-%05d", "long enough to need more than a few bytes", 42);
    assert_string_equal(text, "long enough to need more than a few bytes-00042");
    heedi_free(env, text);
    heed_context_destroy(context);
}

static void test_grow(void **state) {
    (void)state;
    struct failing_allocator failing = {0};
    struct heed_context *context = failing_context(&failing);
    const struct heedi_env *env = &context->env;
    int32_t *numbers = heedi_grow(env, NULL, 0, 2, sizeof *numbers);
    numbers[0] = 10;
    numbers[1] = 11;
    failing_arm(&failing, 1);
    assert_null(heedi_grow(env, numbers, 2, 4, sizeof *numbers));
    assert_null(heedi_grow(env, numbers, 2, SIZE_MAX / 2, sizeof *numbers));
    assert_int_equal(numbers[1], 11);
    failing_arm(&failing, 0);
    numbers = heedi_grow(env, numbers, 2, 4, sizeof *numbers);
    assert_int_equal(numbers[0], 10);
    assert_int_equal(numbers[1], 11);
    assert_int_equal(numbers[2], 0);
    assert_int_equal(numbers[3], 0);
    failing_arm(&failing, 1);
    assert_null(heedi_strdup(env, "x"));
    failing_arm(&failing, 1);
    assert_null(heedi_asprintf(env, "%d", 1));
    heedi_free(env, numbers);
    heed_context_destroy(context);
    assert_int_equal(atomic_load(&failing.live), 0);
}

struct versioned {
    uint32_t struct_size;
    uint32_t a, b;
};

static void test_read_struct(void **state) {
    (void)state;
    struct {
        struct versioned known;
        uint32_t tail[2];
    } from = {.known = {sizeof from.known, 1, 2}, .tail = {0, 0}};
    struct versioned to = {9, 9, 9};
    struct heed_error error = {.struct_size = sizeof error};
    assert_int_equal(heedi_read_struct(&to, sizeof to, &from, "it", &error), HEED_OK);
    assert_int_equal(to.a, 1);
    assert_int_equal(to.b, 2);

    from.known.struct_size = 8; /* an older caller: b keeps its default */
    assert_int_equal(heedi_read_struct(&to, sizeof to, &from, "it", &error), HEED_OK);
    assert_int_equal(to.a, 1);
    assert_int_equal(to.b, 0);

    from.known.struct_size = sizeof from; /* a newer caller that uses nothing new */
    assert_int_equal(heedi_read_struct(&to, sizeof to, &from, "it", &error), HEED_OK);
    assert_int_equal(to.b, 2);
    from.tail[1] = 1; /* ... and one that does */
    assert_int_equal(heedi_read_struct(&to, sizeof to, &from, "it", &error),
                     HEED_ERROR_UNSUPPORTED);
    assert_int_equal(error.status, HEED_ERROR_UNSUPPORTED);
    assert_int_equal(strncmp(error.message, "it: byte ", 9), 0);

    const uint32_t wrong[] = {0, 3, 0x7fffffffu, 0xffffffffu};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        from.known.struct_size = wrong[i];
        assert_int_equal(heedi_read_struct(&to, sizeof to, &from, "it", NULL),
                         HEED_ERROR_INVALID_ARGUMENT);
    }
}

static void test_i64_arithmetic(void **state) {
    (void)state;
    int64_t r = 5;
    assert_true(heedi_mul_i64(INT64_C(3037000499), INT64_C(3037000499), &r));
    assert_true(r == INT64_C(9223372030926249001));
    assert_false(heedi_mul_i64(INT64_C(3037000500), INT64_C(3037000500), &r));
    assert_true(r == INT64_C(9223372030926249001)); /* untouched */
    assert_false(heedi_mul_i64(INT64_MIN, -1, &r));
    assert_false(heedi_mul_i64(-1, INT64_MIN, &r));
    assert_true(heedi_mul_i64(INT64_MIN, 1, &r));
    assert_true(r == INT64_MIN);
    assert_true(heedi_mul_i64(INT64_MAX, -1, &r));
    assert_true(r == -INT64_MAX);
    assert_true(heedi_mul_i64(0, INT64_MIN, &r));
    assert_true(r == 0);
    assert_false(heedi_mul_i64(INT64_C(1) << 62, 2, &r));
    assert_true(heedi_mul_i64(INT64_C(1) << 62, -2, &r));
    assert_true(r == INT64_MIN);

    assert_true(heedi_add_i64(INT64_MAX, INT64_MIN, &r));
    assert_true(r == -1);
    assert_false(heedi_add_i64(INT64_MAX, 1, &r));
    assert_false(heedi_add_i64(INT64_MIN, -1, &r));
    assert_true(r == -1);
}

static void test_size_arithmetic(void **state) {
    (void)state;
    size_t r = 5;
    assert_true(heedi_mul_size(SIZE_MAX, 1, &r));
    assert_true(r == SIZE_MAX);
    assert_false(heedi_mul_size(SIZE_MAX / 2 + 1, 2, &r));
    assert_true(r == SIZE_MAX);
    assert_true(heedi_mul_size(SIZE_MAX / 2, 2, &r));
    assert_true(r == SIZE_MAX - 1);
    assert_true(heedi_mul_size(SIZE_MAX, 0, &r));
    assert_true(r == 0);
    assert_true(heedi_add_size(SIZE_MAX - 1, 1, &r));
    assert_true(r == SIZE_MAX);
    assert_false(heedi_add_size(SIZE_MAX, 1, &r));
    assert_true(r == SIZE_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_words),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_create_refuses_options),
        cmocka_unit_test(test_create_without_memory),
        cmocka_unit_test(test_detail),
        cmocka_unit_test(test_long_details_are_cut),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_allocation),
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_read_struct),
        cmocka_unit_test(test_i64_arithmetic),
        cmocka_unit_test(test_size_arithmetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
