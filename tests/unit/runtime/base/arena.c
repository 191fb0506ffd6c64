/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas: alignment, zeros, growth, overflow, failing allocations, release. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/arena.h"
#include "tests/unit/failing_allocator.h"

#define COUNT 600

static void test_blocks_do_not_overlap(void **state) {
    (void)state;
    struct failing_allocator failing = {0};
    struct heed_context *context = failing_context(&failing);
    struct heedi_arena arena;
    heedi_arena_init(&arena, &context->env);
    unsigned char *memory[COUNT];
    size_t sizes[COUNT];
    for (size_t i = 0; i < COUNT; i++) { /* up to 40,000 bytes: larger than a block too */
        sizes[i] = i % 50 == 49 ? 40000 : i % 97;
        memory[i] = heedi_arena_alloc(&arena, sizes[i], 1);
        assert_non_null(memory[i]);
        assert_int_equal((uintptr_t)memory[i] % 16, 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(memory[i][k], 0);
        if (sizes[i] > 0)
            memset(memory[i], (int)(i % 251 + 1), sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(memory[i][k], i % 251 + 1);
    heedi_arena_clear(&arena);
    assert_int_equal(atomic_load(&failing.live), 1);  /* the context */
    assert_non_null(heedi_arena_alloc(&arena, 4, 4)); /* usable again */
    heedi_arena_clear(&arena);
    heedi_arena_clear(&arena);
    heed_context_destroy(context);
    assert_int_equal(atomic_load(&failing.live), 0);
}

static void test_copies(void **state) {
    (void)state;
    struct heed_context *context = NULL;
    assert_int_equal(heed_context_create(NULL, &context), HEED_OK);
    struct heedi_arena arena;
    heedi_arena_init(&arena, &context->env);
    char text[] = "encoder.0";
    char *copy = heedi_arena_strdup(&arena, text);
    text[0] = 'x';
    assert_string_equal(copy, "encoder.0");
    const int32_t numbers[] = {1, -2, 3};
    assert_memory_equal(heedi_arena_copy(&arena, numbers, sizeof numbers), numbers, sizeof numbers);
    assert_non_null(heedi_arena_copy(&arena, NULL, 0));
    heedi_arena_clear(&arena);
    heed_context_destroy(context);
}

static void test_failures(void **state) {
    (void)state;
    struct failing_allocator failing = {0};
    struct heed_context *context = failing_context(&failing);
    struct heedi_arena arena;
    heedi_arena_init(&arena, &context->env);
    assert_null(heedi_arena_alloc(&arena, SIZE_MAX / 2, 3));
    assert_null(heedi_arena_alloc(&arena, SIZE_MAX, 1));
    assert_null(heedi_arena_alloc(&arena, SIZE_MAX - 15, 1));
    failing_arm(&failing, 1);
    assert_null(heedi_arena_alloc(&arena, 1, 1));
    char *kept = heedi_arena_strdup(&arena, "kept");
    assert_non_null(kept);
    failing_arm(&failing, 1);
    assert_null(heedi_arena_alloc(&arena, 1, 100000));
    assert_string_equal(kept, "kept");
    heedi_arena_clear(&arena);
    heed_context_destroy(context);
    assert_int_equal(atomic_load(&failing.live), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_do_not_overlap),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
