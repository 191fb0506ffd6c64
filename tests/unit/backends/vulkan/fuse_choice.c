/* SPDX-License-Identifier: Apache-2.0 */
/* The Vulkan backend chooses a token, argmax of a product with the vocabulary and the greatest of
 * its log_softmax, in one dispatch. Both are judged against what the operators say of the product
 * that the backend computes where it is an output: equals, infinities and NaN among it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/check/case.h"
#include "runtime/check/check.h"
#include "tests/support/device.h"

enum { MOST_M = 70, MOST_K = 40, MOST_N = 1100, RUNS = 100 };

/* ---- the graph ---- */

/* What the biases of some columns are, which no product of the others' size can change. */
enum special { NOTHING, SOME_LOW, ALL_LOW, A_NAN, A_HIGH };

struct form {
    int64_t m, k, n;
    enum heed_dtype weight;
    enum special special;
};

static struct { float x[MOST_M * MOST_K], weight[MOST_K * MOST_N], bias[MOST_N]; } operands;

/* Few different values, so that many sums are equal. */
static float value_of(uint32_t *bits) {
    *bits = *bits * 1664525u + 1013904223u;
    return (float)(int32_t)(*bits >> 24 & 7u) / 4.0f - 0.875f;
}

static heed_tensor constant(const struct support_device *device, struct heed_graph *graph,
                            const void *memory, enum heed_dtype dtype, uint32_t rank,
                            const int64_t *dims) {
    const struct heed_tensor_desc desc = heed_desc(dtype, rank, dims);
    struct heed_weight *weight = NULL;
    heed_tensor tensor = HEED_NO_TENSOR;
    support_ok(device->context,
               heed_weight_create(device->context, "w", &desc, memory, NULL, NULL, &weight));
    heed_graph_constant(graph, weight, &tensor);
    heed_weight_release(weight);
    return tensor;
}

static void fill(const struct form *form) {
    uint32_t bits = 7;
    for (int64_t i = 0; i < form->m * form->k; i++)
        operands.x[i] = value_of(&bits);
    for (int64_t i = 0; i < form->n * form->k; i++)
        heedi_store(operands.weight, form->weight, i, (double)value_of(&bits));
    for (int64_t i = 0; i < form->n; i++) {
        operands.bias[i] = value_of(&bits);
        if (form->special == ALL_LOW || (form->special == SOME_LOW && i % 3 != 1))
            operands.bias[i] = -INFINITY;
    }
    if (form->special == A_NAN)
        operands.bias[form->n / 2] = NAN;
    if (form->special == A_HIGH)
        operands.bias[form->n - 1] = INFINITY;
}

/* `open` makes an output of the product and of its logarithms, so that nothing can be fused. */
static struct heed_graph *build(const struct support_device *device, const struct form *form,
                                bool open) {
    const int64_t x_dims[] = {form->m, form->k}, w_dims[] = {form->n, form->k};
    struct heed_graph *graph = NULL;
    heed_tensor x, logits, next, logs, best, index;
    support_ok(device->context, heed_graph_create(device->context, "choice", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, x_dims, 0, &x);
    heed_graph_linear(graph, NULL, x,
                      constant(device, graph, operands.weight, form->weight, 2, w_dims),
                      constant(device, graph, operands.bias, HEED_F32, 1, &form->n),
                      HEED_ACTIVATION_NONE, &logits);
    heed_graph_unary(graph, HEED_OP_ARGMAX, NULL, logits, &next);
    heed_graph_unary(graph, HEED_OP_LOG_SOFTMAX, NULL, logits, &logs);
    heed_graph_top_k(graph, NULL, logs, 1, &best, &index);
    heed_graph_output(graph, "next", next);
    heed_graph_output(graph, "best", best);
    if (open) {
        heed_graph_output(graph, "logits", logits);
        heed_graph_output(graph, "logs", logs);
    }
    support_ok(device->context, heed_graph_freeze(graph));
    return graph;
}

/* ---- running ---- */

struct results {
    int32_t next[MOST_M];
    float best[MOST_M], logits[MOST_M * MOST_N], logs[MOST_M * MOST_N];
    uint64_t entries; /* of the profile, for one run */
};

static void run(const struct support_device *device, const struct form *form, bool open, int runs,
                struct results *results) {
    struct heed_graph *graph = build(device, form, open);
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    struct heed_profile *profile = NULL;
    const size_t bytes = (size_t)form->m * sizeof(float), all = bytes * (size_t)form->n;
    support_ok(device->context,
               heed_program_compile(device->context, device->executor, graph, &program));
    support_ok(device->context, heed_instance_create(device->context, program, &instance));
    support_ok(device->context, heed_profile_create(device->context, &profile));
    memcpy(heed_instance_input(instance, "x", NULL), operands.x,
           (size_t)(form->m * form->k) * sizeof(float));
    for (int i = 0; i < runs; i++) {
        heed_instance_set_profile(instance, i + 1 == runs ? profile : NULL);
        support_ok(device->context, heed_instance_run(device->context, instance));
        const void *next = heed_instance_output(instance, "next", NULL);
        const void *best = heed_instance_output(instance, "best", NULL);
        if (i > 0 &&
            (memcmp(results->next, next, bytes) != 0 || memcmp(results->best, best, bytes) != 0))
            fail_msg("run %d gives other bits than the first", i + 1);
        memcpy(results->next, next, bytes);
        memcpy(results->best, best, bytes);
    }
    if (open) {
        memcpy(results->logits, heed_instance_output(instance, "logits", NULL), all);
        memcpy(results->logs, heed_instance_output(instance, "logs", NULL), all);
    }
    results->entries = support_profile_runs(profile);
    heed_instance_destroy(instance);
    heed_profile_destroy(profile);
    heed_program_release(program);
    heed_graph_release(graph);
}

/* ---- judging ---- */

/* The lowest index of the greatest element; NaN is less than everything. */
static int32_t greatest(const float *row, int64_t n) {
    int32_t found = 0;
    for (int32_t i = 1; i < n; i++)
        if (row[i] > row[found] || (isnan(row[found]) && !isnan(row[i])))
            found = i;
    return found;
}

/* Whether all of `logs` is what log_softmax makes of `logits`. */
static void compare(const struct support_device *device, const struct form *form,
                    const float *logits, const float *logs) {
    const int64_t dims[] = {form->m, form->n};
    const struct heed_tensor_desc x = heed_desc(HEED_F32, 2, dims);
    struct heed_error error = {.struct_size = sizeof error};
    struct heedi_call call = {.op = HEED_OP_LOG_SOFTMAX,
                              .name = "logs",
                              .input_count = 1,
                              .inputs = {&x},
                              .input_names = {"x"},
                              .error = &error};
    const void *const inputs[HEED_MAX_INPUTS] = {logits};
    const void *const outputs[HEED_MAX_OUTPUTS] = {logs};
    struct heedi_verdict verdict;
    assert_int_equal(heedi_op_infer(&call), HEED_OK);
    support_ok(device->context, heedi_check_call(device->context, &call, inputs, outputs,
                                                 &device->numeric, false, &verdict));
    if (!verdict.agrees)
        fail_msg("element %lld of %d x %d: expected %.9g, found %.9g", (long long)verdict.index,
                 (int)form->m, (int)form->n, verdict.expected, verdict.actual);
}

static void agrees(const struct support_device *device, const struct form *form, int runs) {
    static struct results fused, open;
    fill(form);
    run(device, form, true, 1, &open);
    run(device, form, false, runs, &fused);
    assert_int_equal(open.entries, 4);
    assert_int_equal(fused.entries, 1);
    compare(device, form, open.logits, open.logs);
    for (int64_t row = 0; row < form->m; row++) {
        const int32_t expected = greatest(&open.logits[row * form->n], form->n);
        if (fused.next[row] != expected || open.next[row] != expected)
            fail_msg("row %d of %d x %d: expected %d, found %d, and %d unfused", (int)row,
                     (int)form->m, (int)form->n, (int)expected, (int)fused.next[row],
                     (int)open.next[row]);
        open.logs[row * form->n + expected] = fused.best[row];
    }
    compare(device, form, open.logits, open.logs);
}

/* ---- tests ---- */

static void of_any_rows(void **state) {
    const struct support_device *device = *state;
    static const int64_t rows[] = {1, 3, 16, 17, MOST_M};
    support_need_device(device);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        agrees(device, &(struct form){rows[i], 24, 500, HEED_F32, NOTHING}, 2);
}

static void of_any_vocabulary(void **state) {
    const struct support_device *device = *state;
    static const int64_t columns[] = {1, 5, 32, 33, MOST_N};
    support_need_device(device);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        agrees(device, &(struct form){2, MOST_K, columns[i], HEED_F16, NOTHING}, 2);
        agrees(device, &(struct form){20, MOST_K, columns[i], HEED_F16, NOTHING}, 2);
    }
}

static void of_any_value(void **state) {
    const struct support_device *device = *state;
    support_need_device(device);
    for (enum special special = SOME_LOW; special <= A_HIGH; special++) {
        agrees(device, &(struct form){3, 24, 100, HEED_BF16, special}, 2);
        agrees(device, &(struct form){18, 24, 100, HEED_F32, special}, 2);
    }
}

static void same_bits_every_time(void **state) {
    const struct support_device *device = *state;
    support_need_device(device);
    agrees(device, &(struct form){4, 24, MOST_N, HEED_F32, NOTHING}, RUNS);
    agrees(device, &(struct form){40, 24, 300, HEED_F32, NOTHING}, RUNS);
}

/* The bits of a row do not depend on how many rows there are. */
static void same_bits_for_any_rows(void **state) {
    const struct support_device *device = *state;
    static struct results few, many;
    support_need_device(device);
    fill(&(struct form){MOST_M, 24, 700, HEED_F32, NOTHING});
    run(device, &(struct form){MOST_M, 24, 700, HEED_F32, NOTHING}, false, 1, &many);
    for (int64_t rows = 1; rows <= 32; rows *= 2) {
        run(device, &(struct form){rows, 24, 700, HEED_F32, NOTHING}, false, 1, &few);
        assert_memory_equal(few.next, many.next, (size_t)rows * sizeof *few.next);
        assert_memory_equal(few.best, many.best, (size_t)rows * sizeof *few.best);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_any_rows),
        cmocka_unit_test(of_any_vocabulary),
        cmocka_unit_test(of_any_value),
        cmocka_unit_test(same_bits_every_time),
        cmocka_unit_test(same_bits_for_any_rows),
    };
    return cmocka_run_group_tests(tests, support_device_setup, support_device_teardown);
}
