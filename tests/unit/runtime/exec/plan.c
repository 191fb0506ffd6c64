/* SPDX-License-Identifier: Apache-2.0 */
/* The memory plan against its definition: storages that are alive together never overlap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "runtime/exec/plan.h"
#include "tests/support/memory.h"

static struct heed_context *context;

static int setup(void **state) {
    (void)state;
    context = test_context(NULL, NULL, HEED_LOG_WARNING);
    return context == NULL;
}

static int teardown(void **state) {
    (void)state;
    heed_context_destroy(context);
    return 0;
}

/* xorshift32 (Marsaglia 2003): the same numbers everywhere. */
static uint32_t next_random(uint32_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void check_against_definition(const struct heedi_plan_item *items, uint32_t count,
                                     uint32_t alignment, const struct heedi_plan *plan) {
    uint64_t highest = 0, sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t end = items[i].offset + items[i].bytes;
        assert_int_equal(items[i].offset % alignment, 0);
        if (items[i].bytes > 0 && end > highest)
            highest = end;
        sum += (items[i].bytes + alignment - 1) / alignment * alignment;
        for (uint32_t j = 0; j < i; j++) {
            const bool together =
                items[i].first <= items[j].last && items[j].first <= items[i].last;
            const bool apart = items[j].offset + items[j].bytes <= items[i].offset ||
                               end <= items[j].offset || items[i].bytes == 0 || items[j].bytes == 0;
            assert_true(!together || apart);
        }
    }
    assert_int_equal(plan->arena_bytes, highest);
    assert_int_equal(plan->unshared_bytes, sum);
    assert_true(plan->arena_bytes <= plan->unshared_bytes);
}

/* What no plan can go below: the most bytes that are alive at one node. */
static uint64_t lower_bound(const struct heedi_plan_item *items, uint32_t count, int32_t nodes) {
    uint64_t most = 0;
    for (int32_t n = 0; n < nodes; n++) {
        uint64_t alive = 0;
        for (uint32_t i = 0; i < count; i++)
            if (items[i].first <= n && n <= items[i].last)
                alive += items[i].bytes;
        most = alive > most ? alive : most;
    }
    return most;
}

static void random_plans_never_overlap(void **state) {
    (void)state;
    uint32_t seed = 20260101;
    double worst = 0;
    for (int round = 0; round < 400; round++) {
        struct heedi_plan_item items[60];
        const uint32_t count = next_random(&seed) % 61;
        const int32_t nodes = 1 + (int32_t)(next_random(&seed) % 40);
        const uint32_t alignment = 1u << (next_random(&seed) % 9);
        for (uint32_t i = 0; i < count; i++) {
            items[i].bytes =
                next_random(&seed) % 7 == 0 ? 0 : (uint64_t)(next_random(&seed) % 5000);
            items[i].first = (int32_t)(next_random(&seed) % (uint32_t)nodes);
            items[i].last =
                items[i].first + (int32_t)(next_random(&seed) % (uint32_t)(nodes - items[i].first));
            items[i].offset = 12345; /* must be overwritten */
        }
        struct heedi_plan plan;
        assert_int_equal(heedi_plan_memory(context, items, count, alignment, &plan), HEED_OK);
        check_against_definition(items, count, alignment, &plan);
        const uint64_t bound = lower_bound(items, count, nodes);
        assert_true(plan.arena_bytes >= bound);
        if (bound > 0 && (double)plan.arena_bytes / (double)bound > worst)
            worst = (double)plan.arena_bytes / (double)bound;
    }
    assert_true(worst < 2.0); /* greedy by size is near the bound; a plan without reuse is not */
}

/* a -> b -> c -> d, all of one size: a and c share, b and d share, an output never with its input.
 */
static void chain_takes_two_buffers(void **state) {
    (void)state;
    struct heedi_plan_item items[] = {
        {100, 0, 1, 0}, {100, 1, 2, 0}, {100, 2, 3, 0}, {100, 3, 3, 0}};
    struct heedi_plan plan;
    assert_int_equal(heedi_plan_memory(context, items, 4, 64, &plan), HEED_OK);
    assert_int_equal(plan.arena_bytes, 128 + 100);
    assert_int_equal(plan.unshared_bytes, 4 * 128);
    assert_int_equal(items[0].offset, items[2].offset);
    assert_int_equal(items[1].offset, items[3].offset);
    assert_int_not_equal(items[0].offset, items[1].offset);
}

/* Two gaps hold the small one; the tighter is taken. */
static void smallest_gap_is_taken(void **state) {
    (void)state;
    struct heedi_plan_item items[] = {
        {1024, 0, 9, 0}, /* [0, 1024) */
        {512, 0, 3, 0},  /* [1024, 1536), free again from node 4 */
        {256, 0, 9, 0},  /* [1536, 1792) */
        {128, 0, 3, 0},  /* [1792, 1920), free again from node 4 */
        {64, 0, 9, 0},   /* [1920, 1984) */
        {60, 5, 6, 0},   /* fits in both gaps; the one of 128 bytes is tighter */
    };
    struct heedi_plan plan;
    assert_int_equal(heedi_plan_memory(context, items, 6, 64, &plan), HEED_OK);
    assert_int_equal(items[5].offset, 1792);
    assert_int_equal(plan.arena_bytes, 1984);
}

static void nothing_and_no_bytes(void **state) {
    (void)state;
    struct heedi_plan plan = {1, 1};
    assert_int_equal(heedi_plan_memory(context, NULL, 0, 64, &plan), HEED_OK);
    assert_int_equal(plan.arena_bytes, 0);
    assert_int_equal(plan.unshared_bytes, 0);
    struct heedi_plan_item items[] = {{0, 0, 5, 7}, {10, 0, 5, 7}, {0, 1, 2, 7}};
    assert_int_equal(heedi_plan_memory(context, items, 3, 64, &plan), HEED_OK);
    assert_int_equal(items[0].offset, 0);
    assert_int_equal(items[2].offset, 0);
    assert_int_equal(plan.arena_bytes, 10);
}

static void sums_that_overflow_are_refused(void **state) {
    (void)state;
    struct heedi_plan_item items[] = {
        {INT64_MAX / 2, 0, 0, 0}, {INT64_MAX / 2, 0, 0, 0}, {INT64_MAX / 2, 0, 0, 0}};
    struct heedi_plan plan;
    assert_int_equal(heedi_plan_memory(context, items, 3, 64, &plan), HEED_ERROR_LIMIT);
    struct heedi_plan_item huge[] = {{UINT64_MAX - 3, 0, 0, 0}};
    assert_int_equal(heedi_plan_memory(context, huge, 1, 64, &plan), HEED_ERROR_LIMIT);
    assert_non_null(strstr(heed_last_error(context), "2^63"));
}

static void out_of_memory_is_reported(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    struct heed_context *failing = test_context(&memory, NULL, HEED_LOG_WARNING);
    struct heedi_plan_item items[] = {{1, 0, 0, 0}};
    struct heedi_plan plan;
    atomic_store(&memory.fail_at, atomic_load(&memory.calls) + 1);
    assert_int_equal(heedi_plan_memory(failing, items, 1, 64, &plan), HEED_ERROR_OUT_OF_MEMORY);
    heed_context_destroy(failing);
    assert_int_equal(atomic_load(&memory.live), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_plans_never_overlap),
        cmocka_unit_test(chain_takes_two_buffers),
        cmocka_unit_test(smallest_gap_is_taken),
        cmocka_unit_test(nothing_and_no_bytes),
        cmocka_unit_test(sums_that_overflow_are_refused),
        cmocka_unit_test(out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
