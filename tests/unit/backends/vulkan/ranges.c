/* SPDX-License-Identifier: Apache-2.0 */
/* Weights and tables that are larger than a storage buffer of the device shows are bound in pieces,
 * and the results have the bits that they have where one binding shows everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"

/* 500 rows of 20 (f32: 40,000 bytes) as a table and, transposed, as a weight; 20 * 500 columns */
enum { N = 500, K = 20, M = 3, RANGE = 16384 };

static struct heed_context *context;
static float weight[N * K];

static void ok(enum heed_status status) {
    if (status != HEED_OK)
        fail_msg("%s: %s", heed_status_name(status), heed_last_error(context));
}

static struct heed_weight *make_weight(enum heed_dtype type) {
    static uint16_t halves[N * K];
    const int64_t dims[] = {N, K};
    struct heed_weight *made = NULL;
    const struct heed_tensor_desc desc = heed_desc(type, 2, dims);
    /* halves of 1 ... 1.25, by their bits; one float per element, of both signs */
    for (uint32_t i = 0; i < N * K; i++) {
        halves[i] = (uint16_t)(0x3c00 + i % 256);
        weight[i] = (float)((i * 2654435761u) >> 8) * 0x1p-23f - 1.0f;
    }
    ok(heed_weight_create(context, "w", &desc, type == HEED_F32 ? (void *)weight : halves, NULL,
                          NULL, &made));
    return made;
}

/* rows = table[ids]; y = x table^T + bias */
static struct heed_graph *make_graph(enum heed_dtype type) {
    const int64_t x_dims[] = {M, K}, ids_dims[] = {M}, bias_dims[] = {N};
    struct heed_weight *w = make_weight(type);
    struct heed_graph *graph = NULL;
    const struct heed_embedding_attrs embedding = {.struct_size = sizeof embedding};
    const struct heed_matmul_attrs matmul = {.struct_size = sizeof matmul, .transpose_b = 1};
    heed_tensor x, ids, bias, table, rows, y;
    ok(heed_graph_create(context, "ranges", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, x_dims, 0, &x);
    heed_graph_input(graph, "ids", HEED_I32, 1, ids_dims, 0, &ids);
    heed_graph_input(graph, "bias", HEED_F32, 1, bias_dims, 0, &bias);
    heed_graph_constant(graph, w, &table);
    heed_graph_add(graph, HEED_OP_EMBEDDING, "rows", (const heed_tensor[]){table, ids}, 2,
                   &embedding, &rows);
    heed_graph_add(graph, HEED_OP_MATMUL, "y", (const heed_tensor[]){x, table, bias}, 3, &matmul,
                   &y);
    heed_graph_output(graph, "rows", rows);
    heed_graph_output(graph, "y", y);
    ok(heed_graph_freeze(graph));
    heed_weight_release(w);
    return graph;
}

static const int32_t wanted_ids[M] = {0, N - 1, 219};

/* Runs the graph on Vulkan alone. False: the backend cannot be used, or declines a node. */
static bool run(const char *limits, enum heed_dtype type, float *rows, float *y) {
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = "vulkan,only", .plugin_path = HEED_TEST_PLUGINS};
    struct heed_executor *executor = NULL;
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    assert_int_equal(limits != NULL ? setenv("HEED_VULKAN_LIMITS", limits, 1)
                                    : unsetenv("HEED_VULKAN_LIMITS"),
                     0);
    bool ran = heed_executor_create(context, &options, &executor) == HEED_OK;
    struct heed_graph *graph = make_graph(type);
    ran = ran && heed_program_compile(context, executor, graph, &program) == HEED_OK;
    if (ran) {
        ok(heed_instance_create(context, program, &instance));
        memcpy(heed_instance_input(instance, "ids", NULL), wanted_ids, sizeof wanted_ids);
        float *x = heed_instance_input(instance, "x", NULL);
        for (int i = 0; i < M * K; i++)
            x[i] = (float)(i % 7) - 2.5f;
        float *bias = heed_instance_input(instance, "bias", NULL);
        for (int i = 0; i < N; i++)
            bias[i] = (float)i;
        ok(heed_instance_run(context, instance));
        memcpy(rows, heed_instance_output(instance, "rows", NULL), M * K * sizeof *rows);
        memcpy(y, heed_instance_output(instance, "y", NULL), M * N * sizeof *y);
    }
    heed_instance_destroy(instance);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
    return ran;
}

static int set_up(void **state) {
    float rows[M * K], y[M * N];
    (void)state;
    ok(heed_context_create(NULL, &context));
    if (!run(NULL, HEED_F32, rows, y)) {
        print_message("SKIP: the vulkan plugin was not built, or has no device\n");
        heed_context_destroy(context);
        context = NULL;
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    (void)unsetenv("HEED_VULKAN_LIMITS");
    heed_context_destroy(context);
    return 0;
}

/* A range of several pieces that end within a multiple of rows, one of few rows, and one of an odd
 * number of bytes. */
static void pieces_give_the_same_bits(void **state) {
    static const char *const limits[] = {"range=16384", "range=8192", "range=9999"};
    static const enum heed_dtype types[] = {HEED_F32, HEED_F16};
    (void)state;
    if (context == NULL)
        skip();
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        float rows[M * K], y[M * N], found_rows[M * K], found_y[M * N];
        assert_true(run(NULL, types[t], rows, y));
        for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
            memset(found_rows, 0xff, sizeof found_rows);
            memset(found_y, 0xff, sizeof found_y);
            if (!run(limits[i], types[t], found_rows, found_y))
                fail_msg("%s: %s", limits[i], heed_last_error(context));
            assert_memory_equal(found_rows, rows, sizeof rows);
            assert_memory_equal(found_y, y, sizeof y);
        }
        for (int i = 0; t == 0 && i < M * K; i++)
            assert_true(rows[i] == weight[wanted_ids[i / K] * K + i % K]);
    }
}

/* What does not fit at all is declined, and the reason names it. */
static void too_large_is_declined(void **state) {
    static const struct {
        const char *limits, *reason;
    } cases[] = {
        {"range=256", "storage buffer of this device"},
        {"range=16384,allocation=30000", "larger than what this device allocates"},
    };
    float rows[M * K], y[M * N];
    (void)state;
    if (context == NULL)
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(run(cases[i].limits, HEED_F32, rows, y));
        if (strstr(heed_last_error(context), cases[i].reason) == NULL)
            fail_msg("%s: %s", cases[i].limits, heed_last_error(context));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces_give_the_same_bits),
                                       cmocka_unit_test(too_large_is_declined)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
