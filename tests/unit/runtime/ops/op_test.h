/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of operators share: one node at a time, its operands written out as literals.
 *
 *   struct op_case c;
 *   op_begin(&c, HEED_OP_ADD, NULL);
 *   op_give(&c, 0, HEED_F32, DIMS(2), V(1, 2));
 *   op_give(&c, 1, HEED_F16, DIMS(2), V(3, 4));
 *   op_run(&c);
 *   op_expect(&c, 0, V(4, 6));
 *   op_end(&c);
 *
 * Operands and results have memory of exactly their size, so that a sanitizer sees every step
 * outside. */
#ifndef HEED_TESTS_UNIT_RUNTIME_OPS_OP_TEST_H
#define HEED_TESTS_UNIT_RUNTIME_OPS_OP_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/ops/op.h"
#include "tests/support/evaluate.h"
#include "tests/support/memory.h"

/* A list of values, of dims: count and array, as two arguments. */
#define V(...)                                                                                     \
    (sizeof((const double[]){__VA_ARGS__}) / sizeof(double)), (const double[]) {                   \
        __VA_ARGS__                                                                                \
    }
#define DIMS(...)                                                                                  \
    (uint32_t)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]) {      \
        __VA_ARGS__                                                                                \
    }
#define NO_VALUES 0, NULL
#define SCALAR_DIMS 0, NULL

struct op_case {
    struct heedi_call call;
    struct heed_tensor_desc descs[HEED_MAX_INPUTS];
    void *data[HEED_MAX_INPUTS];
    double *out[HEED_MAX_OUTPUTS];
    double *magnitude[HEED_MAX_OUTPUTS];
    struct heed_error error;
};

static inline void op_begin(struct op_case *c, enum heed_op op, const void *attrs) {
    static const char *const names[HEED_MAX_INPUTS] = {"in0", "in1", "in2", "in3", "in4",
                                                       "in5", "in6", "in7", "in8"};
    memset(c, 0, sizeof *c);
    c->error.struct_size = (uint32_t)sizeof c->error;
    c->call.op = op;
    c->call.name = "node";
    c->call.attrs = attrs;
    c->call.error = &c->error;
    for (uint32_t i = 0; i < HEED_MAX_INPUTS; i++)
        c->call.input_names[i] = names[i];
}

static inline void op_end(struct op_case *c) {
    for (uint32_t i = 0; i < HEED_MAX_INPUTS; i++)
        free(c->data[i]);
    for (uint32_t i = 0; i < HEED_MAX_OUTPUTS; i++) {
        free(c->out[i]);
        free(c->magnitude[i]);
    }
}

static inline void op_store(void *data, enum heed_dtype dtype, size_t index, double value) {
    if (dtype == HEED_F32)
        ((float *)data)[index] = (float)value;
    else if (dtype == HEED_F16)
        ((uint16_t *)data)[index] = heed_f32_to_f16((float)value);
    else if (dtype == HEED_BF16)
        ((uint16_t *)data)[index] = heed_f32_to_bf16((float)value);
    else if (dtype == HEED_I32)
        ((int32_t *)data)[index] = (int32_t)value;
    else
        ((int8_t *)data)[index] = (int8_t)value;
}

/* Describes input `index` without memory. */
static inline void op_describe(struct op_case *c, uint32_t index, enum heed_dtype dtype,
                               uint32_t rank, const int64_t *dims) {
    c->descs[index] = heed_desc(dtype, rank, dims);
    c->call.inputs[index] = &c->descs[index];
    if (index >= c->call.input_count)
        c->call.input_count = index + 1;
}

/* Describes input `index` and fills it; contiguous, unless op_strides() follows. */
static inline void op_give(struct op_case *c, uint32_t index, enum heed_dtype dtype, uint32_t rank,
                           const int64_t *dims, size_t count, const double *values) {
    op_describe(c, index, dtype, rank, dims);
    c->data[index] = malloc(count * heed_dtype_bytes(dtype) + (count == 0));
    assert_non_null(c->data[index]);
    for (size_t i = 0; i < count; i++)
        op_store(c->data[index], dtype, i, values[i]);
}

static inline void op_strides(struct op_case *c, uint32_t index, uint32_t rank,
                              const int64_t *strides) {
    assert_int_equal(rank, c->descs[index].rank);
    memcpy(c->descs[index].strides, strides, rank * sizeof *strides);
}

static inline void op_infer(struct op_case *c) {
    const enum heed_status status = heedi_op_infer(&c->call);
    if (status != HEED_OK)
        fail_msg("%s: %s", heed_status_name(status), c->error.message);
}

/* Infers and computes. The results must not depend on whether magnitudes are asked for, and all
 * of them must be written. */
static inline void op_run(struct op_case *c) {
    const struct heedi_op *op = heedi_op_find(c->call.op);
    struct heedi_reference with = {.call = &c->call}, without = {.call = &c->call};
    struct heedi_cost cost = {-1, -1};
    op_infer(c);
    for (uint32_t i = 0; i < HEED_MAX_INPUTS; i++)
        with.data[i] = without.data[i] = c->data[i];
    for (uint32_t i = 0; i < c->call.output_count; i++) {
        const size_t bytes = (size_t)heed_desc_elems(&c->call.outputs[i]) * sizeof(double);
        with.out[i] = c->out[i] = malloc(bytes + (bytes == 0));
        with.magnitude[i] = c->magnitude[i] = malloc(bytes + (bytes == 0));
        without.out[i] = malloc(bytes + (bytes == 0));
        memset(with.out[i], 0x5a, bytes);
        memset(with.magnitude[i], 0x5a, bytes);
        memset(without.out[i], 0xa5, bytes);
    }
    op->reference(&with);
    op->reference(&without);
    for (uint32_t i = 0; i < c->call.output_count; i++) {
        const size_t elems = (size_t)heed_desc_elems(&c->call.outputs[i]);
        for (size_t e = 0; e < elems; e++) {
            const double a = with.out[i][e], b = without.out[i][e];
            if (!(a == b || (isnan(a) && isnan(b))))
                fail_msg("output %u, element %zu: %g or %g", i, e, a, b);
            assert_true(with.magnitude[i][e] >= 0 || !isfinite(a));
            /* not what the memory held; infinity says that there is no bound */
            assert_true(with.magnitude[i][e] < 1e100 || isinf(with.magnitude[i][e]) ||
                        !isfinite(a));
        }
        free(without.out[i]);
    }
    op->cost(&c->call, &cost);
    assert_true(cost.flops >= 0 && cost.bytes >= 0);
    if (op->depth != NULL)
        assert_true(op->depth(&c->call) >= 0);
}

static inline void op_is(const struct op_case *c, uint32_t output, enum heed_dtype dtype,
                         uint32_t rank, const int64_t *dims) {
    const struct heed_tensor_desc expected = heed_desc(dtype, rank, dims);
    assert_true(output < c->call.output_count);
    assert_memory_equal(&c->call.outputs[output], &expected, sizeof expected);
}

/* All elements of an output, to 12 digits; NaN and infinities exactly. */
static inline void op_expect(const struct op_case *c, uint32_t output, size_t count,
                             const double *values) {
    assert_int_equal(heed_desc_elems(&c->call.outputs[output]), count);
    for (size_t i = 0; i < count; i++) {
        const double actual = c->out[output][i], expected = values[i];
        const bool same = isnan(expected) ? isnan(actual)
                          : isinf(expected)
                              ? actual == expected
                              : fabs(actual - expected) <= 1e-12 * (1 + fabs(expected));
        if (!same)
            fail_msg("output %u, element %zu is %.17g, expected %.17g", output, i, actual,
                     expected);
    }
}

/* A view of input 0: its dims, strides and offset. */
static inline void op_is_view(const struct op_case *c, uint32_t rank, const int64_t *dims,
                              const int64_t *strides, int64_t offset) {
    const struct heed_tensor_desc *y = &c->call.outputs[0];
    assert_int_equal(c->call.output_count, 1);
    assert_int_equal(y->dtype, c->descs[0].dtype);
    assert_int_equal(y->rank, rank);
    for (uint32_t i = 0; i < HEED_MAX_RANK; i++) {
        assert_int_equal(y->dims[i], i < rank ? dims[i] : 1);
        assert_int_equal(y->strides[i], i < rank ? strides[i] : 0);
    }
    assert_int_equal(c->call.view_offset, offset);
}

/* What the node costs: operations, and bytes read and written. */
static inline void op_costs(struct op_case *c, double flops, double bytes) {
    struct heedi_cost cost = {-1, -1};
    op_infer(c);
    heedi_op_find(c->call.op)->cost(&c->call, &cost);
    if (cost.flops != flops || cost.bytes != bytes)
        fail_msg("costs %g operations and %g bytes, expected %g and %g", cost.flops, cost.bytes,
                 flops, bytes);
}

/* infer fails with this status, and its message has these words. */
static inline void op_fails(struct op_case *c, enum heed_status status, const char *words) {
    const enum heed_status actual = heedi_op_infer(&c->call);
    if (actual != status || strstr(c->error.message, words) == NULL)
        fail_msg("expected %s \"%s\", got %s \"%s\"", heed_status_name(status), words,
                 heed_status_name(actual), c->error.message);
    assert_non_null(strstr(c->error.message, heed_op_name(c->call.op)));
    assert_non_null(strstr(c->error.message, "node"));
}

/* A graph of this one node, whose operands are inputs. */
static inline struct heed_graph *op_graph(const struct op_case *c, struct heed_context *context) {
    struct heed_graph *graph = NULL;
    heed_tensor inputs[HEED_MAX_INPUTS], outputs[HEED_MAX_OUTPUTS];
    assert_int_equal(heed_graph_create(context, "one", &graph), HEED_OK);
    for (uint32_t i = 0; i < c->call.input_count; i++) {
        const struct heed_tensor_desc *desc = c->call.inputs[i];
        inputs[i] = HEED_NO_TENSOR;
        if (desc == NULL)
            continue;
        assert_true(heed_desc_contiguous(desc));
        heed_graph_input(graph, c->call.input_names[i], desc->dtype, desc->rank, desc->dims, 0,
                         &inputs[i]);
    }
    heed_graph_add(graph, c->call.op, c->call.name, inputs, c->call.input_count, c->call.attrs,
                   outputs);
    for (uint32_t i = 0; i < c->call.output_count; i++)
        heed_graph_output(graph, i == 0 ? "y0" : "y1", outputs[i]);
    if (heed_graph_freeze(graph) != HEED_OK)
        fail_msg("%s", heed_last_error(context));
    return graph;
}

/* The node's lowering gives what op_run() gave, to `tolerance` (relative above 1). */
static inline void op_lowers(const struct op_case *c, double tolerance) {
    static struct test_log log; /* keeps it off the screen */
    struct heed_context *context = test_context(NULL, &log, HEED_LOG_ERROR);
    assert_non_null(context);
    struct heed_graph *graph = op_graph(c, context);
    struct heed_graph *lowered = evaluate_lowered(context, graph, c->call.op);
    struct evaluation run;
    const void *inputs[HEED_MAX_INPUTS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->call.input_count; i++)
        if (c->call.inputs[i] != NULL)
            inputs[count++] = c->data[i];
    evaluate_begin(&run, lowered, inputs);
    for (uint32_t i = 0; i < c->call.output_count; i++) {
        const heed_tensor y = evaluate_find(lowered, i == 0 ? "y0" : "y1");
        assert_memory_equal(&lowered->tensors[y].desc, &c->call.outputs[i],
                            sizeof c->call.outputs[i]);
        for (int64_t e = 0; e < heed_desc_elems(&c->call.outputs[i]); e++) {
            const double actual = evaluate_element(&run, y, e), expected = c->out[i][e];
            if (!(fabs(actual - expected) <= tolerance * fmax(1, fabs(expected))) &&
                !(isnan(actual) && isnan(expected)))
                fail_msg("lowered output %u, element %d is %.9g, expected %.9g", i, (int)e, actual,
                         expected);
        }
    }
    evaluate_end(&run);
    heed_graph_release(lowered);
    heed_graph_release(graph);
    heed_context_destroy(context);
}

/* This form of the node has no lowering. */
static inline void op_lowers_not(struct op_case *c, const char *words) {
    static struct test_log log; /* keeps it off the screen */
    struct heed_context *context = test_context(NULL, &log, HEED_LOG_ERROR);
    assert_non_null(context);
    op_infer(c);
    struct heed_graph *graph = op_graph(c, context), *lowered = NULL;
    const unsigned char lower[] = {1};
    assert_int_equal(graph->node_count, 1);
    assert_int_equal(heedi_graph_rewrite(context, graph, lower, NULL, &lowered),
                     HEED_ERROR_UNSUPPORTED);
    assert_null(lowered);
    assert_non_null(strstr(heed_last_error(context), words));
    assert_non_null(strstr(heed_last_error(context), c->call.name));
    heed_graph_release(graph);
    heed_context_destroy(context);
}

#endif
