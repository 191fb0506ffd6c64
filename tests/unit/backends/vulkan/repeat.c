/* SPDX-License-Identifier: Apache-2.0 */
/* The same input gives the same bits on Vulkan: run after run, and in a program compiled anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"

/* Sums over 300 and 200 elements, in tiles and in trees: an order that changed would show. */
enum { M = 9, K = 300, N = 200, RUNS = 100, PROGRAMS = 3 };

static float weight[K * N];
static struct heed_context *context;

static void ok(enum heed_status status) {
    if (status != HEED_OK)
        fail_msg("%s: %s", heed_status_name(status), heed_last_error(context));
}

/* Numbers in [-1, 1) of all magnitudes of a sum's terms. */
static void fill(float *values, size_t count) {
    uint32_t bits = 12345;
    for (size_t i = 0; i < count; i++) {
        bits = bits * 1664525u + 1013904223u;
        values[i] = (float)(bits >> 8) * 0x1p-23f - 1.0f;
    }
}

/* y = softmax(x W), and the products themselves. */
static struct heed_graph *make_graph(void) {
    const int64_t x_dims[] = {M, K}, w_dims[] = {K, N};
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, 2, w_dims);
    struct heed_weight *w_weight = NULL;
    struct heed_graph *graph = NULL;
    const struct heed_matmul_attrs attrs = {.struct_size = sizeof attrs};
    heed_tensor x, w, xw, y;
    ok(heed_graph_create(context, "repeat", &graph));
    ok(heed_weight_create(context, "w", &desc, weight, NULL, NULL, &w_weight));
    heed_graph_input(graph, "x", HEED_F32, 2, x_dims, 0, &x);
    heed_graph_constant(graph, w_weight, &w);
    heed_graph_add(graph, HEED_OP_MATMUL, "xw", (const heed_tensor[]){x, w}, 2, &attrs, &xw);
    heed_graph_add(graph, HEED_OP_SOFTMAX, "softmax", &xw, 1, NULL, &y);
    heed_graph_output(graph, "xw", xw);
    heed_graph_output(graph, "y", y);
    ok(heed_graph_freeze(graph));
    heed_weight_release(w_weight);
    return graph;
}

/* Runs RUNS times; the first run of the first program sets what is wanted. */
static void run_program(struct heed_executor *executor, struct heed_graph *graph, bool first) {
    static float wanted[2][M * N];
    static const char *const names[] = {"xw", "y"};
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    ok(heed_program_compile(context, executor, graph, &program));
    ok(heed_instance_create(context, program, &instance));
    fill(heed_instance_input(instance, "x", NULL), M * K);
    for (int run = 0; run < RUNS; run++) {
        ok(heed_instance_run(context, instance));
        for (int i = 0; i < 2; i++) {
            const float *found = heed_instance_output(instance, names[i], NULL);
            if (first && run == 0)
                memcpy(wanted[i], found, sizeof wanted[i]);
            else if (memcmp(wanted[i], found, sizeof wanted[i]) != 0)
                fail_msg("%s: run %d gives other bits than the first", names[i], run + 1);
        }
    }
    assert_true(wanted[0][0] != wanted[0][1]);
    heed_instance_destroy(instance);
    heed_program_release(program);
}

static void same_bits_every_time(void **state) {
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = "vulkan,only", .plugin_path = HEED_TEST_PLUGINS};
    struct heed_executor *executor = NULL;
    (void)state;
    ok(heed_context_create(NULL, &context));
    if (heed_executor_create(context, &options, &executor) != HEED_OK) {
        print_message("SKIP: the vulkan plugin was not built, or has no device\n");
        heed_context_destroy(context);
        skip();
    }
    fill(weight, sizeof weight / sizeof *weight);
    struct heed_graph *graph = make_graph();
    for (int i = 0; i < PROGRAMS; i++)
        run_program(executor, graph, i == 0);
    heed_graph_release(graph);
    heed_executor_release(executor);
    heed_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits_every_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
