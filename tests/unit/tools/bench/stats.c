/* SPDX-License-Identifier: Apache-2.0 */
/* Order statistics: quantiles, the interval of the median, stability. */
#include "tools/bench/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void close_to(double actual, double expected) {
    assert_true(actual >= expected - 1e-12 && actual <= expected + 1e-12);
}

static void quantiles_lie_between_neighbours(void **state) {
    (void)state;
    const double sorted[] = {1, 2, 4, 8, 16};
    close_to(heedi_bench_quantile(sorted, 5, 0), 1);
    close_to(heedi_bench_quantile(sorted, 5, 0.5), 4);
    close_to(heedi_bench_quantile(sorted, 5, 1), 16);
    close_to(heedi_bench_quantile(sorted, 5, 0.1), 1.4);  /* rank 0.4 */
    close_to(heedi_bench_quantile(sorted, 5, 0.9), 12.8); /* rank 3.6 */
    close_to(heedi_bench_quantile(sorted, 4, 0.5), 3);
    close_to(heedi_bench_quantile(sorted, 1, 0.3), 1);
}

/* The table of ranks for a 95 % interval of the median (Conover, Practical Nonparametric
 * Statistics; ranks there count from 1): n = 6: 1 and 6, 8: 1 and 8, 9: 2 and 8, 11: 2 and 10,
 * 12: 3 and 10, 15: 4 and 12, 20: 6 and 15, 25: 8 and 18, 50: 18 and 33, 100: 40 and 61. */
static void ranks_are_those_of_the_binomial(void **state) {
    (void)state;
    static const size_t table[][3] = {{6, 0, 5},    {8, 0, 7},    {9, 1, 7},   {11, 1, 9},
                                      {12, 2, 9},   {15, 3, 11},  {20, 5, 14}, {25, 7, 17},
                                      {50, 17, 32}, {100, 39, 60}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t low = 99, high = 99;
        assert_true(heedi_bench_median_ranks(table[i][0], &low, &high));
        assert_int_equal(low, table[i][1]);
        assert_int_equal(high, table[i][2]);
    }
}

static void few_samples_have_no_interval(void **state) {
    (void)state;
    for (size_t count = 0; count < 6; count++) {
        size_t low = 99, high = 99;
        assert_false(heedi_bench_median_ranks(count, &low, &high));
        assert_int_equal(low, 0);
        assert_int_equal(high, count > 0 ? count - 1 : 0);
    }
}

/* Where the exact count ends and the approximation begins the ranks must not jump. */
static void approximation_continues_the_exact_ranks(void **state) {
    (void)state;
    size_t exact_low, exact_high, low, high;
    assert_true(heedi_bench_median_ranks(1000, &exact_low, &exact_high));
    assert_true(heedi_bench_median_ranks(1001, &low, &high));
    assert_int_equal(exact_low, 468); /* P(X <= 468) = 0.0231, P(X <= 469) = 0.0268 */
    assert_int_equal(exact_high, 531);
    assert_true(low == exact_low || low == exact_low + 1);
    assert_int_equal(low + high, 1000);
    assert_true(heedi_bench_median_ranks(1000000, &low, &high));
    assert_int_equal(low, 499019); /* 500000 - 980 - 0.5, rounded down */
}

static void samples_are_described(void **state) {
    (void)state;
    double samples[] = {9, 1, 8, 2, 7, 3, 6, 4, 5};
    struct heedi_bench_stats stats;
    heedi_bench_stats(samples, 9, &stats);
    assert_int_equal(stats.count, 9);
    close_to(stats.median, 5);
    close_to(stats.least, 1);
    close_to(stats.most, 9);
    close_to(stats.p10, 1.8);
    close_to(stats.p90, 8.2);
    close_to(stats.low, 2);
    close_to(stats.high, 8);
    assert_false(stats.stable);
    close_to(samples[0], 1); /* sorted */
    heedi_bench_stats(samples, 0, &stats);
    assert_int_equal(stats.count, 0);
    close_to(stats.median, 0);
    assert_false(stats.stable);
}

static void stable_means_a_narrow_interval(void **state) {
    (void)state;
    /* outliers outside the interval do not matter */
    double narrow[] = {0.1, 1.0, 1.0, 1.005, 1.01, 1.01, 1.01, 1.02, 50};
    double wide[] = {0.1, 1.0, 1.0, 1.005, 1.01, 1.01, 1.01, 1.03, 50};
    double few[] = {1, 1, 1, 1, 1};
    struct heedi_bench_stats stats;
    heedi_bench_stats(narrow, 9, &stats); /* from 1 to 1.02 around 1.01 */
    assert_true(stats.stable);
    heedi_bench_stats(wide, 9, &stats); /* from 1 to 1.03 */
    assert_false(stats.stable);
    heedi_bench_stats(few, 5, &stats);
    assert_false(stats.stable);
}

static void geometric_mean(void **state) {
    (void)state;
    const double values[] = {1, 4, 16};
    close_to(heedi_bench_geometric_mean(values, 3), 4);
    close_to(heedi_bench_geometric_mean(values + 1, 1), 4);
    close_to(heedi_bench_geometric_mean(values, 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_lie_between_neighbours),
        cmocka_unit_test(ranks_are_those_of_the_binomial),
        cmocka_unit_test(few_samples_have_no_interval),
        cmocka_unit_test(approximation_continues_the_exact_ranks),
        cmocka_unit_test(samples_are_described),
        cmocka_unit_test(stable_means_a_narrow_interval),
        cmocka_unit_test(geometric_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
