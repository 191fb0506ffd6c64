/* SPDX-License-Identifier: Apache-2.0 */
/* The roofline: levels, ideal times, and that measuring it gives something that makes sense. */
#include "tools/bench/roofline.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct heedi_bench_roofline machine = {
    .threads = 2,
    .flops_per_s = 200e9,
    .level_count = 3,
    .levels = {{"L1", 64e3, 32e3, 400e9}, {"L2", 2e6, 1e6, 100e9}, {"memory", 0, 128e6, 20e9}},
};

static void working_sets_lie_in_the_smallest_level_that_holds_them(void **state) {
    (void)state;
    assert_string_equal(heedi_bench_level_of(&machine, 0)->name, "L1");
    assert_string_equal(heedi_bench_level_of(&machine, 64e3)->name, "L1");
    assert_string_equal(heedi_bench_level_of(&machine, 64e3 + 1)->name, "L2");
    assert_string_equal(heedi_bench_level_of(&machine, 2e6 + 1)->name, "memory");
    assert_string_equal(heedi_bench_level_of(&machine, 1e15)->name, "memory");
}

static void ideal_is_the_greater_of_arithmetic_and_traffic(void **state) {
    (void)state;
    const struct heedi_bench_level *memory = &machine.levels[2];
    /* 400e9 / 200e9 = 2 s against 20e9 / 20e9 = 1 s */
    assert_true(fabs(heedi_bench_ideal_s(&machine, memory, 400e9, 20e9) - 2) < 1e-12);
    /* 100e9 / 200e9 = 0.5 s against 60e9 / 20e9 = 3 s */
    assert_true(fabs(heedi_bench_ideal_s(&machine, memory, 100e9, 60e9) - 3) < 1e-12);
    /* the same from L2: 0.6 s */
    assert_true(fabs(heedi_bench_ideal_s(&machine, &machine.levels[1], 100e9, 60e9) - 0.6) < 1e-12);
    assert_true(heedi_bench_ideal_s(&machine, memory, 0, 0) == 0);
}

static void last_cache(void **state) {
    (void)state;
    const struct heedi_bench_caches all = {1, 2, 3}, two = {1, 2, 0}, none = {0, 0, 0};
    assert_int_equal(heedi_bench_last_cache(&all), 3);
    assert_int_equal(heedi_bench_last_cache(&two), 2);
    assert_int_equal(heedi_bench_last_cache(&none), 32 << 20);
}

/* All chains and lanes go from r to r * factor + addend. */
static void peak_kernels_multiply_and_add(void **state) {
    (void)state;
    const struct heedi_bench_peak_kernel *kernels = NULL;
    const size_t count = heedi_bench_peak_kernels(&kernels);
    assert_true(count >= 1);
    for (size_t i = 0; i < count; i++) {
        float seed[64], result[64] = {0};
        for (int j = 0; j < 64; j++)
            seed[j] = 0.5f; /* value, factor and addend */
        kernels[i].run(0, seed, result);
        const float chains = result[0] / 0.5f;
        kernels[i].run(3, seed, result);
        /* 0.5 -> 0.75 -> 0.875 -> 0.9375, exact */
        assert_true(result[0] == 0.9375f * chains);
        /* chains times lanes, two operations each */
        const double lanes = kernels[i].flops_per_round / 2 / (double)chains;
        assert_true(lanes == 4 || lanes == 8 || lanes == 16);
        assert_true(result[(size_t)lanes - 1] == result[0]);
    }
}

static void read_kernel_reads_every_word(void **state) {
    (void)state;
    enum { BYTES = 4096 };
    uint64_t *words = malloc(BYTES);
    assert_non_null(words);
    uint64_t sum = 0;
    for (size_t i = 0; i < BYTES / 8; i++) {
        words[i] = i * i + 1;
        sum += words[i];
    }
    assert_true(heedi_bench_read_kernel()(words, BYTES) == sum);
    assert_true(heedi_bench_read_kernel()(words, 0) == 0);
    free(words);
}

/* No figure is asserted: only that each is there and that levels are in order. */
static void measuring_fills_everything(void **state) {
    (void)state;
    struct heed_context *context = NULL;
    struct heed_pool *pool = NULL;
    struct heedi_bench_roofline roofline;
    const struct heed_pool_options options = {.struct_size = sizeof options, .threads = 1};
    const struct heedi_bench_caches caches = {16 << 10, 256 << 10, 0};
    assert_int_equal(heed_context_create(NULL, &context), HEED_OK);
    assert_int_equal(heed_pool_create(context, &options, &pool), HEED_OK);
    assert_true(heedi_bench_roofline_measure(pool, &caches, &roofline));
    assert_int_equal(roofline.threads, 1);
    assert_true(roofline.flops_per_s > 0);
    assert_true(roofline.one_thread_flops_per_s > 0);
    assert_non_null(roofline.kernel);
    assert_int_equal(roofline.level_count, 3);
    assert_string_equal(roofline.levels[0].name, "L1");
    assert_string_equal(roofline.levels[1].name, "L2");
    assert_string_equal(roofline.levels[2].name, "memory");
    for (size_t i = 0; i < roofline.level_count; i++)
        assert_true(roofline.levels[i].bytes_per_s > 0);
    /* what was measured greater before stays */
    const struct heedi_bench_roofline before = roofline;
    roofline.levels[1].bytes_per_s = 1e18;
    assert_true(heedi_bench_roofline_refine(pool, &roofline));
    assert_int_equal(roofline.level_count, 3);
    assert_true(roofline.flops_per_s >= before.flops_per_s);
    assert_true(roofline.levels[0].bytes_per_s >= before.levels[0].bytes_per_s);
    assert_true(roofline.levels[1].bytes_per_s == 1e18);
    heed_pool_release(pool);
    heed_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(working_sets_lie_in_the_smallest_level_that_holds_them),
        cmocka_unit_test(ideal_is_the_greater_of_arithmetic_and_traffic),
        cmocka_unit_test(last_cache),
        cmocka_unit_test(peak_kernels_multiply_and_add),
        cmocka_unit_test(read_kernel_reads_every_word),
        cmocka_unit_test(measuring_fills_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
