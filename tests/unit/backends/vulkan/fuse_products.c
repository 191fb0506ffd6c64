/* SPDX-License-Identifier: Apache-2.0 */
/* Products of one x with several weights: in one dispatch, with the bits that each has by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "tests/support/device.h"

enum { PRODUCTS = 3, MOST_M = 50, N = 64, MOST_K = 96 };

struct shape {
    int m, k;
    enum heed_dtype type; /* of weights */
    bool bias;
};

static const struct support_device *device;
static float x[MOST_M * MOST_K], weights[PRODUCTS][N * MOST_K], biases[PRODUCTS][N];
static uint16_t halves[PRODUCTS][N * MOST_K];

static void fill(float *values, size_t count, uint32_t seed) {
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(seed >> 8) * 0x1p-23f - 1.0f;
    }
}

static heed_tensor constant(struct heed_graph *graph, const char *name, enum heed_dtype type,
                            uint32_t rank, const int64_t *dims, const void *data) {
    const struct heed_tensor_desc desc = heed_desc(type, rank, dims);
    struct heed_weight *weight = NULL;
    heed_tensor tensor = HEED_NO_TENSOR;
    support_ok(device->context,
               heed_weight_create(device->context, name, &desc, data, NULL, NULL, &weight));
    heed_graph_constant(graph, weight, &tensor);
    heed_weight_release(weight);
    return tensor;
}

/* Each product goes through relu; `apart`: and is a result itself, which keeps it where it is. */
static struct heed_graph *make_graph(const struct shape *shape, bool apart) {
    static const char *const names[] = {"q", "k", "v"}, *const results[] = {"a", "b", "c"};
    const int64_t x_dims[] = {shape->m, shape->k}, w_dims[] = {N, shape->k};
    struct heed_graph *graph = NULL;
    heed_tensor input, products[PRODUCTS];
    support_ok(device->context, heed_graph_create(device->context, "products", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, x_dims, 0, &input);
    for (int i = 0; i < PRODUCTS; i++) {
        const void *data = shape->type == HEED_F32 ? (const void *)weights[i] : halves[i];
        const heed_tensor w = constant(graph, "w", shape->type, 2, w_dims, data);
        const heed_tensor b =
            shape->bias ? constant(graph, "b", HEED_F32, 1, w_dims, biases[i]) : HEED_NO_TENSOR;
        heed_graph_linear(graph, names[i], input, w, b, HEED_ACTIVATION_NONE, &products[i]);
    }
    for (int i = 0; i < PRODUCTS; i++) {
        heed_tensor y = HEED_NO_TENSOR;
        heed_graph_unary(graph, HEED_OP_RELU, results[i], products[i], &y);
        heed_graph_output(graph, results[i], y);
        if (apart)
            heed_graph_output(graph, names[i], products[i]);
    }
    support_ok(device->context, heed_graph_freeze(graph));
    return graph;
}

/* Results into y; how many dispatches that took. */
static uint64_t run(const struct shape *shape, bool apart, float *y) {
    static const char *const results[] = {"a", "b", "c"};
    const size_t count = (size_t)shape->m * N;
    struct heed_graph *graph = make_graph(shape, apart);
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    struct heed_profile *profile = NULL;
    support_ok(device->context,
               heed_program_compile(device->context, device->executor, graph, &program));
    support_ok(device->context, heed_instance_create(device->context, program, &instance));
    support_ok(device->context, heed_profile_create(device->context, &profile));
    heed_instance_set_profile(instance, profile);
    memcpy(heed_instance_input(instance, "x", NULL), x, (size_t)(shape->m * shape->k) * sizeof *x);
    support_ok(device->context, heed_instance_run(device->context, instance));
    for (int i = 0; i < PRODUCTS; i++)
        memcpy(y + (size_t)i * count, heed_instance_output(instance, results[i], NULL),
               count * sizeof *y);
    const uint64_t runs = support_profile_runs(profile);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_profile_destroy(profile);
    heed_graph_release(graph);
    return runs;
}

static void same_bits_in_one_dispatch(void **state) {
    static const struct shape shapes[] = {
        {1, 96, HEED_F32, true},  {9, 64, HEED_F16, true}, {17, 40, HEED_F32, false},
        {50, 72, HEED_F32, true}, {5, 36, HEED_F32, true}, /* k is no multiple of 8: apart */
    };
    static float y[2][PRODUCTS * MOST_M * N];
    (void)state;
    support_need_device(device);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const size_t bytes = PRODUCTS * (size_t)shapes[i].m * N * sizeof **y;
        const uint64_t together = run(&shapes[i], false, y[0]), apart = run(&shapes[i], true, y[1]);
        assert_memory_equal(y[0], y[1], bytes);
        assert_int_equal(apart, 2 * PRODUCTS);
        assert_int_equal(together, shapes[i].k % 8 == 0 ? PRODUCTS + 1 : 2 * PRODUCTS);
        assert_true(y[0][0] != y[0][(size_t)shapes[i].m * N]);
    }
}

static int setup(void **state) {
    fill(x, sizeof x / sizeof *x, 1);
    for (int i = 0; i < PRODUCTS; i++) {
        fill(weights[i], sizeof weights[i] / sizeof *weights[i], 2 + (uint32_t)i);
        fill(biases[i], N, 5 + (uint32_t)i);
        biases[i][0] = 10 + (float)i; /* relu lets it pass */
        for (int j = 0; j < N * MOST_K; j++)
            halves[i][j] = heed_f32_to_f16(weights[i][j]);
    }
    const int failed = support_device_setup(state);
    device = *state;
    return failed;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits_in_one_dispatch)};
    return cmocka_run_group_tests(tests, setup, support_device_teardown);
}
