/* SPDX-License-Identifier: Apache-2.0 */
/* The Vulkan backend ends a Transformer's sublayer, y = layer_norm(x w + bias + residual), in one
 * dispatch, whatever the shapes and types are. The result is what layer_norm's reference in double
 * precision says of the sum that the backend computes where the sum is an output: so the product
 * must have the same bits in both. */
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

enum { MOST_M = 140, MOST_K = 520, MOST_N = 300, RUNS = 100 };

/* ---- the graph ---- */

struct form {
    int64_t m, k, n;
    enum heed_dtype weight; /* HEED_I8, with scales, or HEED_Q8_0: rows quantised on the fly */
    enum heed_dtype others; /* bias, gamma and beta; NONE: f32, and no bias */
};

struct operands {
    float x[MOST_M * MOST_K], residual[MOST_M * MOST_N], values[MOST_K * MOST_N];
    float stored[MOST_K * MOST_N], bias[MOST_N], gamma[MOST_N], beta[MOST_N], scale[MOST_N];
};
static struct operands operands;

/* Numbers in [-1, 1). */
static void fill(float *values, size_t count, uint32_t seed) {
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(seed >> 8) * 0x1p-23f - 1.0f;
    }
}

static void store_block(struct heed_q8_0 *block, const float *values) {
    block->scale = heed_f32_to_f16(1.0f / 127.0f);
    for (int i = 0; i < HEED_Q8_0_VALUES; i++)
        block->values[i] = (int8_t)lrintf(127.0f * values[i]);
}

/* A constant of random numbers in `memory`, or of those of `values` where they are given. */
static heed_tensor constant(const struct support_device *device, struct heed_graph *graph,
                            void *memory, enum heed_dtype dtype, uint32_t rank, int64_t rows,
                            int64_t columns, uint32_t seed) {
    const int64_t dims[] = {rows, columns}, count = rank == 1 ? rows : rows * columns;
    const struct heed_tensor_desc desc = heed_desc(dtype, rank, dims);
    struct heed_weight *weight = NULL;
    heed_tensor tensor = HEED_NO_TENSOR;
    fill(operands.values, (size_t)(count * heed_dtype_values(dtype)), seed);
    for (int64_t i = 0; i < count; i++)
        if (dtype == HEED_I8)
            ((int8_t *)memory)[i] = (int8_t)lrintf(127.0f * operands.values[i]);
        else if (dtype == HEED_Q8_0)
            store_block((struct heed_q8_0 *)memory + i, &operands.values[i * HEED_Q8_0_VALUES]);
        else
            heedi_store(memory, dtype, i, (double)operands.values[i]);
    support_ok(device->context,
               heed_weight_create(device->context, "w", &desc, memory, NULL, NULL, &weight));
    heed_graph_constant(graph, weight, &tensor);
    heed_weight_release(weight);
    return tensor;
}

/* `open` makes an output of the sum, so that nothing can be fused. */
static struct heed_graph *build(const struct support_device *device, const struct form *form,
                                bool open) {
    const int64_t x_dims[] = {form->m, form->k}, r_dims[] = {form->m, form->n};
    const enum heed_dtype others = form->others != HEED_DTYPE_NONE ? form->others : HEED_F32;
    struct heed_graph *graph = NULL;
    heed_tensor x, residual, product = HEED_NO_TENSOR, sum, y, bias = HEED_NO_TENSOR;
    heed_tensor scale = HEED_NO_TENSOR;
    support_ok(device->context, heed_graph_create(device->context, "fuse", &graph));
    heed_graph_input(graph, "x", HEED_F32, 2, x_dims, 0, &x);
    heed_graph_input(graph, "residual", HEED_F32, 2, r_dims, 0, &residual);
    const heed_tensor weight = constant(device, graph, operands.stored, form->weight, 2, form->n,
                                        form->k / heed_dtype_values(form->weight), 1);
    if (form->others != HEED_DTYPE_NONE)
        bias = constant(device, graph, operands.bias, others, 1, form->n, 1, 2);
    if (form->weight == HEED_I8)
        scale = constant(device, graph, operands.scale, HEED_F32, 1, form->n, 1, 3);
    if (form->weight == HEED_I8 || form->weight == HEED_Q8_0)
        heed_graph_quantized_linear(graph, NULL, x, weight, scale, bias, HEED_ACTIVATION_NONE,
                                    &product);
    else
        heed_graph_linear(graph, NULL, x, weight, bias, HEED_ACTIVATION_NONE, &product);
    heed_graph_binary(graph, HEED_OP_ADD, NULL, form->m % 2 == 0 ? product : residual,
                      form->m % 2 == 0 ? residual : product, &sum);
    heed_graph_layer_norm(
        graph, NULL, sum, constant(device, graph, operands.gamma, others, 1, form->n, 1, 4),
        constant(device, graph, operands.beta, others, 1, form->n, 1, 5), 1e-5f, &y);
    heed_graph_output(graph, "y", y);
    if (open)
        heed_graph_output(graph, "sum", sum);
    support_ok(device->context, heed_graph_freeze(graph));
    return graph;
}

/* ---- running ---- */

struct results {
    float y[MOST_M * MOST_N], sum[MOST_M * MOST_N];
    uint64_t entries; /* of the profile, for one run */
};

static void run(const struct support_device *device, const struct form *form, bool open, int runs,
                struct results *results) {
    struct heed_graph *graph = build(device, form, open);
    struct heed_program *program = NULL;
    struct heed_instance *instance = NULL;
    struct heed_profile *profile = NULL;
    const size_t bytes = (size_t)(form->m * form->n) * sizeof(float);
    support_ok(device->context,
               heed_program_compile(device->context, device->executor, graph, &program));
    support_ok(device->context, heed_instance_create(device->context, program, &instance));
    support_ok(device->context, heed_profile_create(device->context, &profile));
    memcpy(heed_instance_input(instance, "x", NULL), operands.x,
           (size_t)(form->m * form->k) * sizeof(float));
    memcpy(heed_instance_input(instance, "residual", NULL), operands.residual, bytes);
    for (int i = 0; i < runs; i++) {
        heed_instance_set_profile(instance, i + 1 == runs ? profile : NULL);
        support_ok(device->context, heed_instance_run(device->context, instance));
        const float *y = heed_instance_output(instance, "y", NULL);
        if (i > 0 && memcmp(results->y, y, bytes) != 0)
            fail_msg("%d x %d x %d: run %d gives other bits than the first", (int)form->m,
                     (int)form->n, (int)form->k, i + 1);
        memcpy(results->y, y, bytes);
    }
    if (open)
        memcpy(results->sum, heed_instance_output(instance, "sum", NULL), bytes);
    results->entries = support_profile_runs(profile);
    heed_instance_destroy(instance);
    heed_profile_destroy(profile);
    heed_program_release(program);
    heed_graph_release(graph);
}

/* Whether `y` is what layer_norm makes of `sum`. */
static void compare(const struct support_device *device, const struct form *form, const float *sum,
                    const float *y) {
    const enum heed_dtype others = form->others != HEED_DTYPE_NONE ? form->others : HEED_F32;
    const int64_t dims[] = {form->m, form->n};
    const struct heed_tensor_desc x = heed_desc(HEED_F32, 2, dims);
    const struct heed_tensor_desc vector = heed_desc(others, 1, &form->n);
    const struct heed_layer_norm_attrs attrs = {.struct_size = sizeof attrs, .eps = 1e-5f};
    struct heed_error error = {.struct_size = sizeof error};
    struct heedi_call call = {.op = HEED_OP_LAYER_NORM,
                              .name = "norm",
                              .attrs = &attrs,
                              .input_count = 3,
                              .inputs = {&x, &vector, &vector},
                              .input_names = {"x", "gamma", "beta"},
                              .error = &error};
    const void *const inputs[HEED_MAX_INPUTS] = {sum, operands.gamma, operands.beta};
    const void *const outputs[HEED_MAX_OUTPUTS] = {y};
    struct heedi_verdict verdict;
    assert_int_equal(heedi_op_infer(&call), HEED_OK);
    support_ok(device->context, heedi_check_call(device->context, &call, inputs, outputs,
                                                 &device->numeric, false, &verdict));
    if (!verdict.agrees)
        fail_msg("element %lld: expected %.9g, found %.9g", (long long)verdict.index,
                 verdict.expected, verdict.actual);
}

static void agrees(const struct support_device *device, const struct form *form, int runs) {
    static struct results fused, open;
    fill(operands.x, (size_t)(form->m * form->k), 99);
    fill(operands.residual, (size_t)(form->m * form->n), 77);
    run(device, form, true, 1, &open);
    run(device, form, false, runs, &fused);
    assert_int_equal(open.entries, 3);
    assert_int_equal(fused.entries, 1);
    compare(device, form, open.sum, open.y);
    compare(device, form, open.sum, fused.y);
}

/* ---- tests ---- */

static void of_any_rows(void **state) {
    const struct support_device *device = *state;
    static const int64_t rows[] = {1, 3, 16, 17, 70};
    support_need_device(device);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        agrees(device, &(struct form){rows[i], 64, 96, HEED_F32, HEED_F32}, 2);
}

static void of_any_width(void **state) {
    const struct support_device *device = *state;
    static const int64_t widths[][2] = {{1, 1}, {33, 5}, {100, 130}, {MOST_K, MOST_N}};
    support_need_device(device);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        agrees(device, &(struct form){2, widths[i][0], widths[i][1], HEED_F32, HEED_F32}, 2);
        agrees(device, &(struct form){19, widths[i][0], widths[i][1], HEED_F32, HEED_F32}, 2);
    }
}

static void of_any_type(void **state) {
    const struct support_device *device = *state;
    static const struct form forms[] = {
        {3, 40, 96, HEED_F16, HEED_F16},
        {20, 40, 96, HEED_F16, HEED_DTYPE_NONE},
        {3, 40, 96, HEED_BF16, HEED_F32},
        {5, 40, 96, HEED_F32, HEED_DTYPE_NONE},
    };
    support_need_device(device);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        agrees(device, &forms[i], 2);
}

/* Rows are packed by the workgroups that multiply them; by a dispatch before these where there are
 * many of them, or not in quads. */
static void of_quantized_rows(void **state) {
    const struct support_device *device = *state;
    static const struct form forms[] = {
        {1, 64, 96, HEED_I8, HEED_F32},           {3, 40, 96, HEED_I8, HEED_F32},
        {16, MOST_K, 96, HEED_I8, HEED_F16},      {33, 40, 96, HEED_I8, HEED_BF16},
        {70, 36, MOST_N, HEED_I8, HEED_F32},      {6, 64, 96, HEED_I8, HEED_DTYPE_NONE},
        {3, 38, 96, HEED_I8, HEED_F32},           {MOST_M, 64, 96, HEED_I8, HEED_F32},
        {2, 512, MOST_N, HEED_Q8_0, HEED_F32},    {16, 64, 96, HEED_Q8_0, HEED_F16},
        {70, 96, 96, HEED_Q8_0, HEED_DTYPE_NONE}, {MOST_M, 32, 96, HEED_Q8_0, HEED_F32},
    };
    support_need_device(device);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        agrees(device, &forms[i], 2);
}

/* Whichever workgroup is the last, a hundred times. */
static void same_bits_every_time(void **state) {
    const struct support_device *device = *state;
    support_need_device(device);
    agrees(device, &(struct form){4, 64, MOST_N, HEED_F32, HEED_F32}, RUNS);
    agrees(device, &(struct form){70, 64, 96, HEED_F32, HEED_F32}, RUNS);
    agrees(device, &(struct form){5, 64, MOST_N, HEED_I8, HEED_F32}, RUNS);
    agrees(device, &(struct form){70, 64, 96, HEED_Q8_0, HEED_F32}, RUNS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_any_rows),          cmocka_unit_test(of_any_width),
        cmocka_unit_test(of_any_type),          cmocka_unit_test(of_quantized_rows),
        cmocka_unit_test(same_bits_every_time),
    };
    return cmocka_run_group_tests(tests, support_device_setup, support_device_teardown);
}
