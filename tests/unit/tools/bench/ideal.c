/* SPDX-License-Identifier: Apache-2.0 */
/* The ideal of what a profile has seen, against a sum by hand. */
#include "tools/bench/translate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_ok(struct heed_context *context, enum heed_status status) {
    if (status != HEED_OK)
        fail_msg("%s", heed_last_error(context));
}

/* relu(x w^T): x [2, 8], w [4, 8]; then y + y. */
static struct heed_graph *small_graph(struct heed_context *context) {
    static const float values[32] = {0};
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, 2, (const int64_t[]){4, 8});
    struct heed_weight *weight = NULL;
    struct heed_graph *graph = NULL;
    heed_tensor x, w, y;
    expect_ok(context, heed_weight_create(context, "w", &desc, values, NULL, NULL, &weight));
    expect_ok(context, heed_graph_create(context, "small", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, (const int64_t[]){2, 8}, 0, &x);
    heed_graph_constant(graph, weight, &w);
    heed_graph_linear(graph, "product", x, w, HEED_NO_TENSOR, HEED_ACTIVATION_NONE, &y);
    heed_graph_binary(graph, HEED_OP_ADD, "sum", y, y, &y);
    heed_graph_output(graph, "y", y);
    expect_ok(context, heed_graph_freeze(graph));
    heed_weight_release(weight);
    return graph;
}

static const struct heedi_bench_part *part(const struct heedi_bench_translation *result,
                                           const char *op) {
    for (size_t i = 0; i < result->part_count; i++)
        if (strcmp(result->parts[i].op, op) == 0)
            return &result->parts[i];
    fail_msg("%s is missing", op);
    return NULL;
}

static void near(double actual, double expected) {
    assert_true(fabs(actual - expected) <= 1e-9 * expected);
}

static void sums_over_runs_and_nodes(void **state) {
    (void)state;
    struct heedi_bench *bench = calloc(1, sizeof *bench);
    struct heedi_bench_translation *result = calloc(1, sizeof *result);
    struct heed_context *context = NULL;
    struct heed_executor *executor = NULL;
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    struct heed_profile *profile = NULL;
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = "scalar,only", .plugin_path = HEED_TEST_PLUGINS};
    assert_true(bench != NULL && result != NULL);
    assert_int_equal(heed_context_create(NULL, &context), HEED_OK);
    expect_ok(context, heed_executor_create(context, &options, &executor));
    struct heed_graph *graph = small_graph(context);
    expect_ok(context, heed_program_compile(context, executor, graph, &program));
    expect_ok(context, heed_instance_create(context, program, &instance));
    expect_ok(context, heed_profile_create(context, &profile));
    heed_instance_set_profile(instance, profile);
    for (int i = 0; i < 3; i++)
        expect_ok(context, heed_instance_run(context, instance));

    /* A machine where the product (2 * 2 * 4 * 8 = 128 flops) is bound by arithmetic, and the sum
     * (8 elements in, twice the same tensor, and out) by traffic. */
    bench->roofline = (struct heedi_bench_roofline){
        .flops_per_s = 10, .level_count = 1, .levels = {{"memory", 0, 0, 40}}};
    bench->text.level = &bench->roofline.levels[0];
    heedi_bench_ideal(bench, 0, profile, result);
    assert_int_equal(result->part_count, 2);
    assert_int_equal(part(result, "matmul")->runs, 3);
    assert_int_equal(part(result, "add")->runs, 3);
    near(part(result, "matmul")->ideal_s, 3 * 128 / 10.0);
    /* 8 elements of 4 bytes, read twice and written once: 96 bytes at 40 a second */
    near(part(result, "add")->ideal_s, 3 * 96 / 40.0);
    near(result->ideal_s, 3 * (12.8 + 2.4));
    assert_string_equal(result->ran_on, "scalar");

    heed_instance_destroy(instance);
    heed_profile_destroy(profile);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
    heed_context_destroy(context);
    free(result);
    free(bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sums_over_runs_and_nodes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
