/* SPDX-License-Identifier: Apache-2.0 */
/* What is tolerated between two computations of a sub-graph, against values worked out by hand. */
#include "runtime/check/shadow.h"
#include "shadow_test.h"

#include <math.h>

static const struct heed_numeric_profile nearest = {
    .struct_size = sizeof nearest, .unit_roundoff = 0x1p-24f, .accumulator = HEED_F32};
static const struct heed_numeric_profile unspecified = {
    .struct_size = sizeof unspecified, .unit_roundoff = 0x1p-23f, .accumulator = HEED_F32};

static struct heedi_shadow_tolerance tolerance_of(struct heed_graph *graph,
                                                  struct heed_program **program) {
    struct heedi_shadow_tolerance tolerance;
    assert_ok(heed_graph_freeze(graph));
    *program = program_of("fake_a,only", graph);
    assert_int_equal((*program)->part_count, 1);
    assert_ok(heedi_shadow_tolerance(context, *program, 0, &nearest, &unspecified, &tolerance));
    return tolerance;
}

static void check_relative(struct heed_graph *graph, double expected) {
    struct heed_program *program = NULL;
    const struct heedi_shadow_tolerance tolerance = tolerance_of(graph, &program);
    if (fabs(tolerance.relative - expected) > 1e-12 * expected)
        fail_msg("%.17g is not %.17g", tolerance.relative, expected);
    heedi_free(&context->env, tolerance.least);
    heed_program_release(program);
}

/* x [2, 64] times w [64, 4] */
static struct heed_graph *product(enum heed_dtype dtype, heed_tensor *y) {
    static const float weight[64 * 4];
    struct heed_graph *graph = NULL;
    heed_tensor x;
    assert_ok(heed_graph_create(context, "product", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, (const int64_t[]){2, 64}, 0, &x);
    const heed_tensor w = constant(graph, "w", 2, (const int64_t[]){64, 4}, weight);
    const struct heed_matmul_attrs attrs = {.struct_size = (uint32_t)sizeof attrs,
                                            .out_dtype = (uint32_t)dtype};
    heed_graph_matmul(graph, "xw", x, w, &attrs, y);
    heed_graph_output(graph, "y", *y);
    return graph;
}

static void test_products(void **state) {
    (void)state;
    heed_tensor y;
    /* 64 u^2 of either side: 64 (1 + 4) 2^-48 */
    check_relative(product(HEED_F32, &y), 6 * sqrt(320) * 0x1p-24);
    /* and 2^-11 of the stored type, twice */
    check_relative(product(HEED_F16, &y), 6 * sqrt(320 * 0x1p-48 + 0x1p-21));
}

static void test_quantised(void **state) {
    (void)state;
    static const int8_t elements[4 * 64];
    static const float scales[4] = {1, 1, 1, 1};
    const struct heed_tensor_desc desc = heed_desc(HEED_I8, 2, (const int64_t[]){4, 64});
    struct heed_graph *graph = NULL;
    struct heed_weight *weight = NULL;
    heed_tensor x, w, y;
    assert_ok(heed_graph_create(context, "quantised", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, (const int64_t[]){2, 64}, 0, &x);
    assert_ok(heed_weight_create(context, "w", &desc, elements, NULL, NULL, &weight));
    heed_graph_constant(graph, weight, &w);
    heed_weight_release(weight);
    const heed_tensor scale = constant(graph, "scales", 1, (const int64_t[]){4}, scales);
    heed_graph_quantized_linear(graph, "xw", x, w, scale, HEED_NO_TENSOR, HEED_ACTIVATION_NONE, &y);
    heed_graph_output(graph, "y", y);
    /* three roundings of either side, then 4 q s with q = 2^-8, s = sqrt(15) 2^-24 */
    const double sum = 15 * 0x1p-48;
    check_relative(graph, 6 * sqrt(sum + 0x1p-6 * sqrt(15) * 0x1p-24));
}

static void test_logarithms(void **state) {
    (void)state;
    struct heed_program *program = NULL;
    heed_tensor y, logs, best, index;
    struct heed_graph *graph = product(HEED_F32, &y);
    heed_graph_unary(graph, HEED_OP_LOG_SOFTMAX, "logs", y, &logs);
    heed_graph_top_k(graph, "best", logs, 1, &best, &index);
    heed_graph_output(graph, "best", best);
    const struct heedi_shadow_tolerance tolerance = tolerance_of(graph, &program);
    const struct heedi_compiled *part = &program->parts[0];
    uint32_t outputs = 0;
    for (uint32_t b = 0; b < part->binding_count; b++) {
        const char *name = program->partition.graph->tensors[part->bindings[b].tensor].output_name;
        if (name == NULL)
            continue;
        outputs++;
        assert_true(tolerance.least[b] == (strcmp(name, "best") == 0 ? 1 : 0));
    }
    assert_int_equal(outputs, 2);
    heedi_free(&context->env, tolerance.least);
    heed_program_release(program);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        exec_test(test_products),
        exec_test(test_quantised),
        exec_test(test_logarithms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
