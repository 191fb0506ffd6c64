/* SPDX-License-Identifier: Apache-2.0 */
/* The Vulkan backend chooses tokens, the k greatest of a product with the vocabulary and of its
 * log_softmax, in one dispatch. All are judged against what the operators say of the product that
 * the backend computes where it is an output: equals, infinities and NaN among it. */
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

enum { MOST_M = 70, MOST_K = 40, MOST_N = 1100, MOST_CHOSEN = 17, RUNS = 100 };

/* ---- the graph ---- */

/* What the biases of some columns are, which no product of the others' size can change; CLOSE: what
 * all elements are, so close to one another that their logarithms are equal. */
enum special { NOTHING, SOME_LOW, ALL_LOW, A_NAN, A_HIGH, CLOSE };

/* What follows the product, with the indices and values that are asked for. */
enum chain {
    WITH_LOGARITHMS, /* argmax, or the indices of top_k; the values of top_k of log_softmax */
    OF_LOGARITHMS,   /* top_k of log_softmax */
    ELEMENTS,        /* top_k */
    CHAINS
};

struct form {
    int64_t m, k, n;
    enum heed_dtype weight; /* HEED_I8, HEED_Q8_0: rows are quantised on the fly */
    enum special special;
    uint32_t chosen;
    enum chain chain;
};

static struct {
    float x[MOST_M * MOST_K], weight[MOST_K * MOST_N], bias[MOST_N], scale[MOST_N];
} operands;

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

/* Element i of the weight. */
static void store(enum heed_dtype type, int64_t i, float value) {
    struct heed_q8_0 *block = (struct heed_q8_0 *)operands.weight + i / HEED_Q8_0_VALUES;
    const int8_t whole = (int8_t)lrintf(8.0f * value);
    if (type == HEED_I8)
        ((int8_t *)operands.weight)[i] = whole;
    else if (type == HEED_Q8_0)
        block->values[i % HEED_Q8_0_VALUES] = whole;
    else
        heedi_store(operands.weight, type, i, (double)value);
    if (type == HEED_Q8_0)
        block->scale = heed_f32_to_f16(0.125f);
}

static void fill(const struct form *form) {
    uint32_t bits = 7;
    for (int64_t i = 0; i < form->m * form->k; i++)
        operands.x[i] = form->special == CLOSE ? 0.0f : value_of(&bits);
    for (int64_t i = 0; i < form->n * form->k; i++)
        store(form->weight, i, value_of(&bits));
    for (int64_t i = 0; i < form->n; i++) {
        operands.scale[i] = 0.125f;
        operands.bias[i] = value_of(&bits);
        if (form->special == ALL_LOW || (form->special == SOME_LOW && i % 3 != 1))
            operands.bias[i] = -INFINITY;
        if (form->special == CLOSE)
            operands.bias[i] = ldexpf((float)i, -50);
    }
    if (form->special == A_NAN)
        operands.bias[form->n / 2] = NAN;
    if (form->special == A_HIGH)
        operands.bias[form->n - 1] = INFINITY;
}

/* `open` makes an output of the product and of its logarithms, so that nothing can be fused. */
static struct heed_graph *build(const struct support_device *device, const struct form *form,
                                bool open) {
    const int64_t x_dims[] = {form->m, form->k};
    const int64_t w_dims[] = {form->n, form->k / heed_dtype_values(form->weight)};
    const bool quantized = form->weight == HEED_I8 || form->weight == HEED_Q8_0;
    struct heed_graph *graph = NULL;
    heed_tensor x, logits, logs, greatest, best, next, index, scale = HEED_NO_TENSOR;
    support_ok(device->context, heed_graph_create(device->context, "choice", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, x_dims, 0, &x);
    const heed_tensor weight = constant(device, graph, operands.weight, form->weight, 2, w_dims);
    const heed_tensor bias = constant(device, graph, operands.bias, HEED_F32, 1, &form->n);
    if (form->weight == HEED_I8)
        scale = constant(device, graph, operands.scale, HEED_F32, 1, &form->n);
    if (quantized)
        heed_graph_quantized_linear(graph, NULL, x, weight, scale, bias, HEED_ACTIVATION_NONE,
                                    &logits);
    else
        heed_graph_linear(graph, NULL, x, weight, bias, HEED_ACTIVATION_NONE, &logits);
    if (form->chain == WITH_LOGARITHMS && form->chosen == 1)
        heed_graph_unary(graph, HEED_OP_ARGMAX, NULL, logits, &next);
    else if (form->chain != OF_LOGARITHMS)
        heed_graph_top_k(graph, NULL, logits, form->chosen, &greatest, &next);
    if (form->chain != ELEMENTS) {
        heed_graph_unary(graph, HEED_OP_LOG_SOFTMAX, NULL, logits, &logs);
        heed_graph_top_k(graph, NULL, logs, form->chosen, &best, &index);
    }
    heed_graph_output(graph, "next", form->chain == OF_LOGARITHMS ? index : next);
    heed_graph_output(graph, "best", form->chain == ELEMENTS ? greatest : best);
    if (open) {
        heed_graph_output(graph, "logits", logits);
        if (form->chain != ELEMENTS)
            heed_graph_output(graph, "logs", logs);
    }
    support_ok(device->context, heed_graph_freeze(graph));
    return graph;
}

/* ---- running ---- */

struct results {
    int32_t next[MOST_M * MOST_CHOSEN];
    float best[MOST_M * MOST_CHOSEN], logits[MOST_M * MOST_N], logs[MOST_M * MOST_N];
    uint64_t entries; /* of the profile, for one run */
};

static void run(const struct support_device *device, const struct form *form, bool open, int runs,
                struct results *results) {
    struct heed_graph *graph = build(device, form, open);
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    struct heed_profile *profile = NULL;
    const size_t column = (size_t)form->m * sizeof(float), all = column * (size_t)form->n;
    const size_t bytes = column * form->chosen;
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
        if (form->chain != ELEMENTS)
            memcpy(results->logs, heed_instance_output(instance, "logs", NULL), all);
    }
    results->entries = support_profile_runs(profile);
    heed_instance_destroy(instance);
    heed_profile_destroy(profile);
    heed_program_release(program);
    heed_graph_release(graph);
}

/* ---- judging ---- */

/* Whether element i of a row comes before element j; NaN is less than everything. */
static bool before(const float *row, int32_t i, int32_t j) {
    if (isnan(row[i]) != isnan(row[j]))
        return isnan(row[j]);
    return row[i] > row[j] || (!(row[i] < row[j]) && i < j);
}

/* The indices of the first elements of a row, in order. */
static void firsts(const float *row, int64_t n, uint32_t count, int32_t *found) {
    for (uint32_t i = 0; i < count; i++) {
        found[i] = -1;
        for (int32_t j = 0; j < n; j++)
            if ((i == 0 || before(row, found[i - 1], j)) &&
                (found[i] < 0 || before(row, j, found[i])))
                found[i] = j;
    }
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

/* The indices that are to be found for a row of the product. */
static void expected_of(const struct form *form, const float *logits, int32_t *expected) {
    firsts(logits, form->n, form->chosen, expected);
    if (form->chain != OF_LOGARITHMS)
        return;
    int64_t low = 0;
    bool all_nan = false; /* the logarithms, which are equal then */
    for (int64_t i = 0; i < form->n; i++) {
        low += logits[i] == -INFINITY;
        all_nan = all_nan || isnan(logits[i]) || logits[i] == INFINITY;
    }
    all_nan = all_nan || low == form->n;
    for (uint32_t i = 0; i < form->chosen; i++)
        if (all_nan)
            expected[i] = (int32_t)i;
        else if (form->special == CLOSE) /* the same ones, but now they are equal */
            expected[i] = (int32_t)(form->n - form->chosen + i);
}

static void agrees(const struct support_device *device, const struct form *form, int runs) {
    static const uint32_t entries[] = {[WITH_LOGARITHMS] = 4, [OF_LOGARITHMS] = 3, [ELEMENTS] = 2};
    static struct results fused, open;
    fill(form);
    run(device, form, true, 1, &open);
    run(device, form, false, runs, &fused);
    assert_int_equal(open.entries, entries[form->chain]);
    assert_int_equal(fused.entries, 1);
    if (form->chain != ELEMENTS)
        compare(device, form, open.logits, open.logs);
    for (int64_t row = 0; row < form->m; row++) {
        int32_t expected[MOST_CHOSEN];
        const float *logits = &open.logits[row * form->n];
        expected_of(form, logits, expected);
        for (uint32_t i = 0; i < form->chosen; i++) {
            const int64_t at = row * form->chosen + i;
            if (fused.next[at] != expected[i])
                fail_msg("chain %d, result %d of %d, row %d of %d x %d: expected %d, found %d, and "
                         "%d unfused",
                         (int)form->chain, (int)i, (int)form->chosen, (int)row, (int)form->m,
                         (int)form->n, (int)expected[i], (int)fused.next[at], (int)open.next[at]);
            if (form->special != CLOSE)
                assert_int_equal(open.next[at], expected[i]);
            if (form->chain == ELEMENTS)
                assert_memory_equal(&fused.best[at], &logits[expected[i]], sizeof(float));
            open.logs[row * form->n + expected[i]] = fused.best[at];
        }
    }
    if (form->chain != ELEMENTS)
        compare(device, form, open.logits, open.logs);
}

/* ---- tests ---- */

static void of_any_rows(void **state) {
    const struct support_device *device = *state;
    static const int64_t rows[] = {1, 3, 16, 17, MOST_M};
    support_need_device(device);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        agrees(device, &(struct form){rows[i], 24, 500, HEED_F32, NOTHING, 1, 0}, 2);
}

static void of_any_vocabulary(void **state) {
    const struct support_device *device = *state;
    static const int64_t columns[] = {1, 5, 32, 33, MOST_N};
    support_need_device(device);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        agrees(device, &(struct form){2, MOST_K, columns[i], HEED_F16, NOTHING, 1, 0}, 2);
        agrees(device, &(struct form){20, MOST_K, columns[i], HEED_F16, NOTHING, 1, 0}, 2);
    }
}

static void of_any_value(void **state) {
    const struct support_device *device = *state;
    support_need_device(device);
    for (enum special special = SOME_LOW; special <= A_HIGH; special++) {
        agrees(device, &(struct form){3, 24, 100, HEED_BF16, special, 1, 0}, 2);
        agrees(device, &(struct form){18, 24, 100, HEED_F32, special, 1, 0}, 2);
    }
}

/* Fewer columns than a block has, many blocks, and more results than blocks. */
static void of_any_count(void **state) {
    const struct support_device *device = *state;
    static const uint32_t counts[] = {1, 2, 4, 6, 8, 16};
    support_need_device(device);
    for (enum chain chain = 0; chain < CHAINS; chain++)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            const uint32_t chosen = counts[i];
            agrees(device, &(struct form){4, 24, MOST_N, HEED_F16, NOTHING, chosen, chain}, 2);
            agrees(device, &(struct form){4, 24, chosen, HEED_F16, NOTHING, chosen, chain}, 2);
            if (chosen == 1 || chosen == 6 || chosen == 16)
                agrees(device, &(struct form){37, 24, 350, HEED_BF16, NOTHING, chosen, chain}, 2);
        }
}

static void of_several_values(void **state) {
    const struct support_device *device = *state;
    support_need_device(device);
    for (enum chain chain = 0; chain < CHAINS; chain++)
        for (enum special special = SOME_LOW; special <= CLOSE; special++) {
            agrees(device, &(struct form){3, 24, 100, HEED_F32, special, 6, chain}, 2);
            agrees(device, &(struct form){20, 24, 100, HEED_F32, special, 6, chain}, 2);
            agrees(device, &(struct form){2, 24, 6, HEED_F32, special, 6, chain}, 2);
        }
}

/* Rows are packed by the workgroups that multiply them, or before where they are not in quads. */
static void of_quantized_rows(void **state) {
    const struct support_device *device = *state;
    static const struct form forms[] = {
        {1, 24, MOST_N, HEED_I8, NOTHING, 1, WITH_LOGARITHMS},
        {16, 40, 350, HEED_I8, NOTHING, 6, ELEMENTS},
        {3, 38, 100, HEED_I8, NOTHING, 6, ELEMENTS},
        {MOST_M, 24, 350, HEED_I8, SOME_LOW, 1, WITH_LOGARITHMS},
        {37, 24, 350, HEED_I8, NOTHING, 4, ELEMENTS},
        {4, 32, 500, HEED_Q8_0, NOTHING, 1, WITH_LOGARITHMS},
        {4, 32, 500, HEED_Q8_0, A_NAN, 4, ELEMENTS},
        {MOST_M, 32, 350, HEED_Q8_0, NOTHING, 4, ELEMENTS},
    };
    support_need_device(device);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        agrees(device, &forms[i], 2);
}

/* Others are left to an operator of their own. */
static void not_of_too_many(void **state) {
    const struct support_device *device = *state;
    static struct results results;
    support_need_device(device);
    const struct form form = {2, 24, 100, HEED_F32, NOTHING, MOST_CHOSEN, ELEMENTS};
    fill(&form);
    run(device, &form, false, 1, &results);
    assert_int_equal(results.entries, 2);
}

static void same_bits_every_time(void **state) {
    const struct support_device *device = *state;
    support_need_device(device);
    for (uint32_t chosen = 1; chosen <= 8; chosen += 7) {
        agrees(device, &(struct form){4, 24, MOST_N, HEED_F32, NOTHING, chosen, 0}, RUNS);
        agrees(device, &(struct form){40, 24, 300, HEED_F32, NOTHING, chosen, 0}, RUNS);
    }
}

/* The bits of a row do not depend on how many rows there are. */
static void same_bits_for_any_rows(void **state) {
    const struct support_device *device = *state;
    static struct results few, many;
    support_need_device(device);
    for (uint32_t chosen = 1; chosen <= 4; chosen += 3) {
        struct form form = {MOST_M, 24, 700, HEED_F32, NOTHING, chosen, OF_LOGARITHMS};
        fill(&form);
        run(device, &form, false, 1, &many);
        for (form.m = 1; form.m <= 32; form.m *= 2) {
            const size_t count = (size_t)form.m * chosen;
            run(device, &form, false, 1, &few);
            assert_memory_equal(few.next, many.next, count * sizeof *few.next);
            assert_memory_equal(few.best, many.best, count * sizeof *few.best);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_any_rows),
        cmocka_unit_test(of_any_vocabulary),
        cmocka_unit_test(of_any_value),
        cmocka_unit_test(of_any_count),
        cmocka_unit_test(of_several_values),
        cmocka_unit_test(of_quantized_rows),
        cmocka_unit_test(not_of_too_many),
        cmocka_unit_test(same_bits_every_time),
        cmocka_unit_test(same_bits_for_any_rows),
    };
    return cmocka_run_group_tests(tests, support_device_setup, support_device_teardown);
}
