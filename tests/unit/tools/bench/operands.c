/* SPDX-License-Identifier: Apache-2.0 */
/* Operands: each operator's graph of one node is accepted, with every type it is offered with, and
 * the same seed draws the same values. */
#include "tools/bench/cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct heed_context *context;
static struct heed_executor *executor;

static int open_all(void **state) {
    (void)state;
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = "scalar,only", .plugin_path = HEED_TEST_PLUGINS};
    return heed_context_create(NULL, &context) == HEED_OK &&
                   heed_executor_create(context, &options, &executor) == HEED_OK
               ? 0
               : -1;
}

static int close_all(void **state) {
    (void)state;
    heed_executor_release(executor);
    heed_context_destroy(context);
    return 0;
}

struct seen {
    const char *op;
    int nodes, products;
};

static void see(void *user, const struct heed_placement *placement) {
    struct seen *seen = user;
    if (strcmp(placement->backend, "view") == 0)
        return;
    seen->nodes += strcmp(placement->op, seen->op) == 0;
    seen->products += strcmp(placement->op, "matmul") == 0;
}

/* Small shapes of the same rank as the real ones. */
static const struct {
    const char *op, *shape;
    double bytes; /* of operands and results, f32; counted by hand */
} small[] = {
    {"matmul", "2x3x5", 4 * (6 + 15 + 10)},
    {"matmul", "2x3x5:gelu", 4 * (6 + 15 + 5 + 10)},
    {"attention", "1x2x3x5x4", 4 * (24 + 40 + 40 + 24)},
    {"attention", "2x1x4x4x2:causal", 4 * (16 + 16 + 16 + 16)},
    {"attention", "1x2x3x5x4:products", 4 * (24 + 40 + 40 + 24)},
    {"attention", "1x2x3x5x4:causal-products", 4 * (24 + 40 + 40 + 15 + 24)},
    {"softmax", "3x5", 4 * (15 + 15)},
    {"log_softmax", "3x5", 4 * (15 + 15)},
    {"layer_norm", "3x5", 4 * (15 + 5 + 5 + 15)},
    {"add", "3x5", 4 * (15 + 15 + 15)},
    {"add", "3x5:row", 4 * (15 + 5 + 15)},
    {"mul", "3x5", 4 * (15 + 15 + 15)},
    {"scale", "3x5", 4 * (15 + 15)},
    {"relu", "3x5", 4 * (15 + 15)},
    {"gelu", "3x5:tanh", 4 * (15 + 15)},
    {"silu", "3x5", 4 * (15 + 15)},
    {"tanh", "3x5", 4 * (15 + 15)},
    {"sigmoid", "3x5", 4 * (15 + 15)},
    {"embedding", "7x4x3", 4 * (12 + 3 + 12)},
    {"positions", "3x4", 4 * (3 + 12)},
    {"concat", "3x5", 4 * (15 + 15 + 30)},
    {"copy", "3x2x5", 4 * (30 + 30)},
    {"cast", "3x5", 4 * 15 + 2 * 15},
    {"argmax", "3x5", 4 * (15 + 3)},
    {"top_k", "3x5x2", 4 * (15 + 6)},
    {"cache_append", "3x4x5", 4 * (15 + 3 + 15)},
    {"gather_rows", "7x4x3", 4 * (28 + 3 + 12)},
    {"advance", "3", 4 * (15 + 3 + 15)},
};

static void parse(const char *op, const char *text, struct heedi_bench_shape *shape) {
    char error[200] = "";
    if (!heedi_bench_shape_parse(heedi_bench_op_find(op, strlen(op)), text, shape, error,
                                 sizeof error))
        fail_msg("%s", error);
}

static void every_operator_runs(void **state) {
    (void)state;
    size_t ops = 0;
    const struct heedi_bench_op *table = NULL;
    const struct heedi_bench_op *last = NULL;
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        struct heedi_bench_shape shape;
        struct heedi_bench_graph graph;
        struct heed_program *program = NULL;
        struct seen seen = {.op = small[i].op};
        parse(small[i].op, small[i].shape, &shape);
        ops += shape.op != last;
        last = shape.op;
        if (heedi_bench_graph_build(context, &shape, HEED_F32, 1, 0, &graph) != HEED_OK ||
            heed_program_compile(context, executor, graph.graph, &program) != HEED_OK)
            fail_msg("%s %s: %s", small[i].op, small[i].shape, heed_last_error(context));
        heed_program_placements(program, see, &seen);
        const bool taken_apart = strstr(small[i].shape, "products") != NULL;
        if (taken_apart ? seen.products != 2 : seen.nodes != 1)
            fail_msg("%s %s: not what it says", small[i].op, small[i].shape);
        if (graph.bytes != small[i].bytes)
            fail_msg("%s %s: %g bytes, not %g", small[i].op, small[i].shape, graph.bytes,
                     small[i].bytes);
        heed_program_release(program);
        heedi_bench_graph_free(&graph);
    }
    assert_int_equal(ops, heedi_bench_ops(&table));
}

static void types_of_weights(void **state) {
    (void)state;
    static const enum heed_dtype types[] = {HEED_F32, HEED_F16, HEED_BF16, HEED_I8};
    static const char *const ops[] = {"matmul", "embedding"};
    static const char *const shapes[] = {"2x3x5:bias", "7x4x3"};
    for (size_t op = 0; op < 2; op++)
        for (size_t i = 0; i < 4; i++) {
            struct heedi_bench_shape shape;
            struct heedi_bench_graph graph;
            parse(ops[op], shapes[op], &shape);
            if (heedi_bench_graph_build(context, &shape, types[i], 1, 0, &graph) != HEED_OK)
                fail_msg("%s %s: %s", ops[op], heed_dtype_name(types[i]), heed_last_error(context));
            assert_true(graph.weights == (op == 0)); /* a table is not read whole */
            heedi_bench_graph_free(&graph);
        }
    /* what an operator does not take is refused with its own message */
    struct heedi_bench_shape shape;
    struct heedi_bench_graph graph;
    parse("softmax", "3x5", &shape);
    assert_int_not_equal(heedi_bench_graph_build(context, &shape, HEED_I8, 1, 0, &graph), HEED_OK);
    assert_non_null(strstr(heed_last_error(context), "softmax"));
    heedi_bench_graph_free(&graph);
}

/* The result of one instance, filled from a seed and a set. */
static void compute(uint64_t seed, uint32_t set, float result[10]) {
    struct heedi_bench_shape shape;
    struct heedi_bench_graph graph;
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    size_t bytes = 0;
    parse("matmul", "2x3x5", &shape);
    assert_int_equal(heedi_bench_graph_build(context, &shape, HEED_F32, seed, set, &graph),
                     HEED_OK);
    assert_int_equal(heed_program_compile(context, executor, graph.graph, &program), HEED_OK);
    assert_int_equal(heed_instance_create(context, program, &instance), HEED_OK);
    heedi_bench_graph_fill(&graph, seed, set, instance);
    assert_int_equal(heed_instance_run(context, instance), HEED_OK);
    const void *y = heed_instance_output(instance, "y", &bytes);
    assert_int_equal(bytes, 10 * sizeof(float));
    memcpy(result, y, bytes);
    heed_instance_destroy(instance);
    heed_program_release(program);
    heedi_bench_graph_free(&graph);
}

static void seeds_decide_the_values(void **state) {
    (void)state;
    float first[10], again[10], other_set[10], other_seed[10];
    compute(1, 0, first);
    compute(1, 0, again);
    compute(1, 1, other_set);
    compute(2, 0, other_seed);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, other_set, sizeof first);
    assert_memory_not_equal(first, other_seed, sizeof first);
    for (int i = 0; i < 10; i++)
        assert_true(first[i] > -0.3001f && first[i] < 0.3001f); /* three products of 1 and 0.1 */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_runs),
        cmocka_unit_test(types_of_weights),
        cmocka_unit_test(seeds_decide_the_values),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
