/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that the AVX2 backend does together: that it does so, and that the bits are those which
 * they give alone, as they must be computed when what lies between them is an output of the graph.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "heed/heed.h"

enum { ROWS = 5, D = 40, VOCABULARY = 700, MOST_BEST = 3, OUTPUTS = 7 };

struct suite {
    struct heed_context *context;
    struct heed_executor *executor; /* NULL: no such processor, or not built */
};

static int setup(void **state) {
    static struct suite suite;
    const struct heed_executor_options options = {
        .struct_size = sizeof options, .backends = "avx2,only", .plugin_path = HEED_TEST_PLUGINS};
    if (heed_context_create(NULL, &suite.context) != HEED_OK)
        return -1;
    (void)heed_executor_create(suite.context, &options, &suite.executor);
    *state = &suite;
    return 0;
}

static int teardown(void **state) {
    struct suite *suite = *state;
    heed_executor_release(suite->executor);
    heed_context_destroy(suite->context);
    return 0;
}

/* Values from -1 to 1 that repeat, so that there are equals among sums of them. */
static void fill(float *values, size_t count, uint32_t seed) {
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(int32_t)((seed >> 24) % 33u) / 16.0f - 1.0f;
    }
}

static heed_tensor weight(const struct suite *suite, struct heed_graph *graph, uint32_t rank,
                          int64_t rows, int64_t columns, uint32_t seed) {
    static float memory[16][VOCABULARY * D];
    static unsigned next;
    const int64_t dims[] = {rows, columns};
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, rank, rank == 1 ? &rows : dims);
    struct heed_weight *made = NULL;
    heed_tensor tensor = HEED_NO_TENSOR;
    float *data = memory[next++ % 16];
    fill(data, (size_t)(rank == 1 ? rows : rows * columns), seed);
    assert_int_equal(heed_weight_create(suite->context, "w", &desc, data, NULL, NULL, &made),
                     HEED_OK);
    heed_graph_constant(graph, made, &tensor);
    heed_weight_release(made);
    return tensor;
}

/* Three products of x; their sum with x and its norm; the choice of a token from it. `open` makes
 * outputs of what lies between. */
static struct heed_graph *build(const struct suite *suite, uint32_t best_count, bool open) {
    static const int64_t x_dims[] = {ROWS, D};
    static const char *const names[] = {"q", "k", "v"};
    struct heed_graph *graph = NULL;
    heed_tensor x, y[3], sum, norm, logits, next, logs, best, index;
    assert_int_equal(heed_graph_create(suite->context, "fuse", &graph), HEED_OK);
    heed_graph_input(graph, "x", HEED_F32, 2, x_dims, 0, &x);
    for (uint32_t i = 0; i < 3; i++) {
        heed_graph_linear(graph, NULL, x, weight(suite, graph, 2, D, D, i + 1),
                          i == 1 ? HEED_NO_TENSOR : weight(suite, graph, 1, D, 1, i + 7),
                          i == 2 ? HEED_ACTIVATION_SILU : HEED_ACTIVATION_NONE, &y[i]);
        heed_graph_output(graph, names[i], y[i]);
    }
    heed_graph_binary(graph, HEED_OP_ADD, NULL, x, y[2], &sum);
    heed_graph_layer_norm(graph, NULL, sum, weight(suite, graph, 1, D, 1, 20),
                          weight(suite, graph, 1, D, 1, 21), 1e-5f, &norm);
    heed_graph_linear(graph, NULL, norm, weight(suite, graph, 2, VOCABULARY, D, 30), HEED_NO_TENSOR,
                      HEED_ACTIVATION_NONE, &logits);
    heed_graph_unary(graph, HEED_OP_ARGMAX, NULL, logits, &next);
    heed_graph_unary(graph, HEED_OP_LOG_SOFTMAX, NULL, logits, &logs);
    heed_graph_top_k(graph, NULL, logs, best_count, &best, &index);
    heed_graph_output(graph, "norm", norm);
    heed_graph_output(graph, "next", next);
    heed_graph_output(graph, "best", best);
    heed_graph_output(graph, "index", index);
    if (open) {
        heed_graph_output(graph, "sum", sum);
        heed_graph_output(graph, "logs", logs);
    }
    if (heed_graph_freeze(graph) != HEED_OK)
        fail_msg("%s", heed_last_error(suite->context));
    return graph;
}

struct counts {
    uint64_t matmul, add, layer_norm, argmax, log_softmax, top_k;
};

static void count(void *user, const char *backend, const char *op, uint64_t runs, uint64_t ns) {
    struct counts *counts = user;
    (void)ns;
    assert_string_equal(backend, "avx2");
#define COUNT(name)                                                                                \
    if (strcmp(op, #name) == 0)                                                                    \
        counts->name += runs;
    COUNT(matmul)
    COUNT(add)
    COUNT(layer_norm)
    COUNT(argmax)
    COUNT(log_softmax)
    COUNT(top_k)
#undef COUNT
}

struct results {
    float products[3][ROWS * D], norm[ROWS * D], best[ROWS * MOST_BEST];
    int32_t next[ROWS], index[ROWS * MOST_BEST];
};

static struct counts run(const struct suite *suite, uint32_t best_count, bool open,
                         struct results *results) {
    struct heed_graph *graph = build(suite, best_count, open);
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    struct heed_profile *profile = NULL;
    struct counts counts = {0};
    if (heed_program_compile(suite->context, suite->executor, graph, &program) != HEED_OK ||
        heed_instance_create(suite->context, program, &instance) != HEED_OK ||
        heed_profile_create(suite->context, &profile) != HEED_OK)
        fail_msg("%s", heed_last_error(suite->context));
    heed_instance_set_profile(instance, profile);
    fill(heed_instance_input(instance, "x", NULL), (size_t)ROWS * D, 99);
    assert_int_equal(heed_instance_run(suite->context, instance), HEED_OK);
    const struct {
        const char *name;
        void *to;
        size_t bytes;
    } outputs[OUTPUTS] = {{"q", results->products[0], sizeof results->products[0]},
                          {"k", results->products[1], sizeof results->products[1]},
                          {"v", results->products[2], sizeof results->products[2]},
                          {"norm", results->norm, sizeof results->norm},
                          {"next", results->next, sizeof results->next},
                          {"best", results->best, ROWS * best_count * sizeof *results->best},
                          {"index", results->index, ROWS * best_count * sizeof *results->index}};
    for (int i = 0; i < OUTPUTS; i++)
        memcpy(outputs[i].to, heed_instance_output(instance, outputs[i].name, NULL),
               outputs[i].bytes);
    heed_profile_totals(profile, count, &counts);
    heed_instance_destroy(instance);
    heed_profile_destroy(profile);
    heed_program_release(program);
    heed_graph_release(graph);
    return counts;
}

static void check(const struct suite *suite, uint32_t best_count) {
    static struct results fused, alone;
    memset(&fused, 0, sizeof fused);
    memset(&alone, 0, sizeof alone);
    const struct counts few = run(suite, best_count, false, &fused);
    const struct counts many = run(suite, best_count, true, &alone);
    assert_int_equal(few.matmul, 2); /* three together, and the logits */
    assert_int_equal(few.add, 0);
    assert_int_equal(few.layer_norm, 1);
    assert_int_equal(few.argmax, 0);
    assert_int_equal(few.log_softmax, 0);
    assert_int_equal(few.top_k, 0);
    assert_int_equal(many.add, 1);
    assert_int_equal(many.argmax, 1);
    assert_int_equal(many.log_softmax, 1);
    assert_memory_equal(&fused, &alone, sizeof fused);
    for (uint32_t i = 0; i < ROWS; i++)
        assert_int_equal(fused.next[i], fused.index[i * best_count]);
}

static void test_fused_bits(void **state) {
    const struct suite *suite = *state;
    if (suite->executor == NULL)
        skip();
    check(suite, 1);
    check(suite, MOST_BEST);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fused_bits)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
