/* SPDX-License-Identifier: Apache-2.0 */
/* matmul with quantised rows gives the bits that the formula of ops.h fixes, on every executor: the
 * formula is written out here once more, in the plainest way, and compared bit for bit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/agree.h"

struct problem {
    int64_t m, n, k;
    enum heed_dtype dtype; /* of the weight: i8 or q8_0 */
    bool biased, relu;
    float *x, *scale, *bias; /* [m, k], [n], [n] */
    int8_t *i8;              /* [n, k] */
    struct heed_q8_0 *q8_0;  /* [n, k / 32] */
};

static void *allocate(int64_t count, size_t bytes) {
    void *memory = calloc((size_t)count + 1, bytes);
    assert_non_null(memory);
    return memory;
}

/* Rows of every kind: normal, over many orders of magnitude, tiny, zero, with a NaN, with an
 * infinity, and ones that tie. */
static void fill_row(struct heedi_random *random, float *x, int64_t k) {
    const int64_t kind = heedi_random_range(random, 0, 9);
    const enum heedi_values values = kind < 5   ? HEEDI_VALUES_NORMAL
                                     : kind < 7 ? HEEDI_VALUES_HEAVY
                                     : kind < 8 ? HEEDI_VALUES_TINY
                                                : HEEDI_VALUES_TIES;
    for (int64_t i = 0; i < k; i++)
        x[i] = heedi_random_value(random, values);
    if (k == 0 || kind < 8)
        return;
    if (kind == 8) /* factor 1/2: many ties */
        x[heedi_random_range(random, 0, k - 1)] = 254.0f;
    else if (heedi_random_chance(random, 50))
        x[heedi_random_range(random, 0, k - 1)] = heedi_random_chance(random, 50) ? NAN : -INFINITY;
    else
        memset(x, 0, (size_t)k * sizeof *x);
}

static void make(struct heedi_random *random, struct problem *it) {
    const int64_t blocks = it->k / HEED_Q8_0_VALUES;
    it->x = allocate(it->m * it->k, sizeof *it->x);
    it->scale = allocate(it->n, sizeof *it->scale);
    it->bias = allocate(it->n, sizeof *it->bias);
    it->i8 = allocate(it->n * it->k, sizeof *it->i8);
    it->q8_0 = allocate(it->n * blocks, sizeof *it->q8_0);
    for (int64_t row = 0; row < it->m; row++)
        fill_row(random, it->x + row * it->k, it->k);
    for (int64_t j = 0; j < it->n; j++) {
        it->scale[j] = heedi_random_value(random, HEEDI_VALUES_NORMAL) * 0.01f;
        it->bias[j] = heedi_random_value(random, HEEDI_VALUES_NORMAL);
    }
    const bool extreme = heedi_random_chance(random, 20); /* sums as large as they can be */
    for (int64_t i = 0; i < it->n * it->k; i++) {
        const int8_t value = (int8_t)(extreme ? -128 : heedi_random_range(random, -128, 127));
        it->i8[i] = value;
        if (it->dtype == HEED_Q8_0) {
            it->q8_0[i / HEED_Q8_0_VALUES].values[i % HEED_Q8_0_VALUES] = value;
            it->q8_0[i / HEED_Q8_0_VALUES].scale =
                heed_f32_to_f16(0.001f * (float)heedi_random_range(random, 1, 100));
        }
    }
}

static void unmake(struct problem *it) {
    free(it->x);
    free(it->scale);
    free(it->bias);
    free(it->i8);
    free(it->q8_0);
}

/* ---- the formula ---- */

static int32_t rounded(float x, float greatest) {
    const volatile float factor = 127.0f / greatest;
    const volatile float product = x * factor;
    return (int32_t)nearbyintf(product);
}

static float element(const struct problem *it, const float *x, int64_t column) {
    float greatest = 0.0f;
    bool finite = true;
    for (int64_t p = 0; p < it->k; p++) {
        finite = finite && isfinite(x[p]);
        greatest = fmaxf(greatest, fabsf(x[p]));
    }
    const bool zero = greatest < 0x1p-100f;
    const float scale = !finite ? NAN : zero ? 0.0f : greatest / 127.0f;
    volatile float y = 0.0f;
    if (it->dtype == HEED_I8) {
        int64_t sum = 0;
        for (int64_t p = 0; finite && !zero && p < it->k; p++)
            sum += rounded(x[p], greatest) * it->i8[column * it->k + p];
        assert_true(sum == (int32_t)sum);
        const volatile float both = scale * it->scale[column];
        y = (float)sum * both;
    } else {
        for (int64_t p = 0; p < it->k; p += HEED_Q8_0_VALUES) {
            const struct heed_q8_0 *block = &it->q8_0[(column * it->k + p) / HEED_Q8_0_VALUES];
            int32_t sum = 0;
            for (int i = 0; finite && !zero && i < HEED_Q8_0_VALUES; i++)
                sum += rounded(x[p + i], greatest) * block->values[i];
            const volatile float product = (float)sum * heed_f16_to_f32(block->scale);
            y = y + product;
        }
        y = y * scale;
    }
    if (it->biased)
        y = y + it->bias[column];
    return it->relu && y < 0.0f ? 0.0f : y;
}

/* ---- running ---- */

static struct heed_graph *build(struct agree_suite *suite, const struct problem *it) {
    const int64_t x_dims[] = {it->m, it->k};
    const int64_t weight_dims[] = {it->n, it->k / heed_dtype_values(it->dtype)};
    struct heed_graph *graph = NULL;
    heed_tensor x, y, scale = HEED_NO_TENSOR, bias = HEED_NO_TENSOR;
    assert_int_equal(heed_graph_create(suite->context, "quantized", &graph), HEED_OK);
    heed_graph_input(graph, "x", HEED_F32, 2, x_dims, 0, &x);
    const void *values = it->dtype == HEED_I8 ? (const void *)it->i8 : it->q8_0;
    const heed_tensor weight = agree_constant(suite, graph, "w", it->dtype, 2, weight_dims, values);
    if (it->dtype == HEED_I8)
        scale = agree_constant(suite, graph, "s", HEED_F32, 1, &it->n, it->scale);
    if (it->biased)
        bias = agree_constant(suite, graph, "b", HEED_F32, 1, &it->n, it->bias);
    heed_graph_quantized_linear(graph, "y", x, weight, scale, bias,
                                it->relu ? HEED_ACTIVATION_RELU : HEED_ACTIVATION_NONE, &y);
    heed_graph_output(graph, "y", y);
    if (heed_graph_freeze(graph) != HEED_OK)
        fail_msg("%s", heed_last_error(suite->context));
    return graph;
}

static void compare(const struct problem *it, const float *y, uint32_t executor) {
    for (int64_t i = 0; i < it->m * it->n; i++) {
        const float expected = element(it, it->x + i / it->n * it->k, i % it->n);
        if (isnan(expected) ? isnan(y[i]) : memcmp(&expected, &y[i], sizeof expected) == 0)
            continue;
        fail_msg("%s, [%lld, %lld] x [%lld], executor %u, element %lld: expected %.9g, found %.9g",
                 heed_dtype_name(it->dtype), (long long)it->m, (long long)it->k, (long long)it->n,
                 (unsigned)executor, (long long)i, (double)expected, (double)y[i]);
    }
}

static void check(struct agree_suite *suite, const struct problem *it) {
    struct heed_graph *graph = build(suite, it);
    for (uint32_t e = 0; e < suite->pool_count; e++) {
        struct heed_program *program = NULL;
        struct heed_instance *instance = NULL;
        if (heed_program_compile(suite->context, suite->executors[e], graph, &program) != HEED_OK ||
            heed_instance_create(suite->context, program, &instance) != HEED_OK)
            fail_msg("%s", heed_last_error(suite->context));
        memcpy(heed_instance_input(instance, "x", NULL), it->x,
               (size_t)(it->m * it->k) * sizeof *it->x);
        assert_int_equal(heed_instance_run(suite->context, instance), HEED_OK);
        compare(it, heed_instance_output(instance, "y", NULL), e);
        heed_instance_destroy(instance);
        heed_program_release(program);
    }
    heed_graph_release(graph);
}

/* Where compiling or sanitizers take their time, fewer cases, but 20. */
static void draw(struct agree_suite *suite, enum heed_dtype dtype, int64_t cases) {
    struct heedi_random random = {suite->seed + (uint64_t)dtype};
    cases = cases / suite->every > 20 ? cases / suite->every : 20;
    for (int64_t i = 0; i < cases; i++) {
        struct problem it = {
            .dtype = dtype,
            .m = heedi_random_chance(&random, 10) ? 70 : heedi_random_dim(&random, 17),
            .n = heedi_random_dim(&random, 65),
            .k = heedi_random_dim(&random, heedi_random_chance(&random, 20) ? 1100 : 130),
            .biased = heedi_random_chance(&random, 60),
            .relu = heedi_random_chance(&random, 20)};
        if (dtype == HEED_Q8_0)
            it.k = (it.k + 31) / 32 * 32;
        make(&random, &it);
        check(suite, &it);
        unmake(&it);
    }
}

static void test_i8(void **state) {
    draw(*state, HEED_I8, 150);
}

static void test_q8_0(void **state) {
    draw(*state, HEED_Q8_0, 100);
}

/* Sums that are almost too large for 32 bits. */
static void test_longest(void **state) {
    struct problem it = {.dtype = HEED_I8, .m = 1, .n = 2, .k = HEED_QUANTIZE_MAX_K};
    struct heedi_random random = {1};
    make(&random, &it);
    for (int64_t p = 0; p < it.k; p++) {
        it.x[p] = p % 2 ? -3.0f : 3.0f;
        it.i8[p] = p % 2 ? 127 : -128;
        it.i8[it.k + p] = p % 2 ? -128 : 127;
    }
    check(*state, &it);
    for (int64_t p = 0; p < it.k; p++) {
        it.x[p] = 3.0f;
        it.i8[p] = -128;
    }
    check(*state, &it);
    unmake(&it);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_i8), cmocka_unit_test(test_q8_0),
                                       cmocka_unit_test(test_longest)};
    return agree_main(tests, sizeof tests / sizeof *tests);
}
