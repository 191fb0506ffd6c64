/* SPDX-License-Identifier: Apache-2.0 */
/* The operator table: one file per operator in this folder defines `heedi_op_<name>`.
 *
 * Everything here works on descriptions and host memory alone; it knows no processor. */
#ifndef HEEDI_OPS_OP_H
#define HEEDI_OPS_OP_H

#include <stdbool.h>

#include "heed/graph.h"
#include "heed/ops.h"
#include "runtime/base/context.h"

/* A node being checked or computed. */
struct heedi_call {
    enum heed_op op;
    const char *name;                                       /* of the node, for messages */
    const void *attrs;                                      /* full block of the operator */
    uint32_t input_count;                                   /* trailing absent ones included */
    const struct heed_tensor_desc *inputs[HEED_MAX_INPUTS]; /* NULL: absent */
    const char *input_names[HEED_MAX_INPUTS];
    uint32_t output_count;                             /* set by infer */
    struct heed_tensor_desc outputs[HEED_MAX_OUTPUTS]; /* set by infer */
    int64_t view_offset;                               /* view operators: set by infer, elements
                                                          from the first element of input 0 */
    struct heed_error *error;                          /* where infer says what is wrong */
    struct heed_context *context; /* lowering: what constants are made with; else NULL */
};

struct heedi_cost {
    double flops; /* multiply and add count 1 each */
    double bytes; /* read once and written once */
};

/* Operands of a reference computation. */
struct heedi_reference {
    const struct heedi_call *call;
    const void *data[HEED_MAX_INPUTS]; /* first element of each input, strides as in the desc */
    double *out[HEED_MAX_OUTPUTS];     /* contiguous results in double (indices too), caller's */
    /* Contiguous, may be NULL. For each element of a result the magnitude M such that an honest f32
     * computation errs by at most gamma(depth) * M (before output rounding); e.g. matmul: |a||b| +
     * |bias|. Filled beside out. 0 demands exactness. */
    double *magnitude[HEED_MAX_OUTPUTS];
};

struct heedi_op {
    enum heed_op op;
    const char *name;
    uint32_t version;
    uint32_t min_inputs, max_inputs;
    uint32_t attrs_size; /* 0: no attributes */
    bool view;
    /* Checks attributes, types and shapes; fills outputs. Messages start with the operator's and
     * the node's name and give expected and actual. */
    enum heed_status (*infer)(struct heedi_call *call);
    /* Upper cost at full capacity; NULL for views. */
    void (*cost)(const struct heedi_call *call, struct heedi_cost *cost);
    /* The meaning, in double precision, on the stored operands. NULL for views. Never fails: the
     * call was inferred before and dynamic values (ids, lengths) are clamped as ops.h states. */
    void (*reference)(const struct heedi_reference *reference);
    /* Length of the longest chain of roundings that ends in one element: the K of the bound
     * gamma(K) = K u / (1 - K u) (Higham, Accuracy and Stability, ch. 3). NULL: exact results. */
    double (*depth)(const struct heedi_call *call);
    /* Builds the same meaning from simpler operators in `graph`, scoped by the caller; inputs and
     * outputs as tensors of `graph`. HEED_ERROR_UNSUPPORTED when this form has no lowering. NULL
     * for operators that are not composite. */
    enum heed_status (*lower)(struct heed_graph *graph, const struct heedi_call *call,
                              const heed_tensor *inputs, heed_tensor *outputs);
};

#define HEEDI_OP_DECLARE(NAME, value, name) extern const struct heedi_op heedi_op_##name;
HEED_OP_LIST(HEEDI_OP_DECLARE)
#undef HEEDI_OP_DECLARE

/* The entry of an operator; NULL for an unknown one. */
const struct heedi_op *heedi_op_find(enum heed_op op);

/* Checks counts, presence and attribute size, then calls infer. */
enum heed_status heedi_op_infer(struct heedi_call *call);

/* Helpers shared by the operator files (runtime/ops/op.c). Each fails with a full message. */
enum heed_status(heedi_op_fail)(struct heedi_call *call, enum heed_status status,
                                const char *format, ...) HEEDI_PRINTF(3, 4);
bool heedi_is_float(enum heed_dtype dtype);
/* Right-aligned broadcasting of two shapes; HEED_ERROR_SHAPE if they do not fit. */
enum heed_status heedi_broadcast_shapes(struct heedi_call *call, const struct heed_tensor_desc *a,
                                        const struct heed_tensor_desc *b,
                                        struct heed_tensor_desc *result);
/* Element at a multi-index (rank entries) or at an element offset, widened. */
double heedi_load(const void *data, enum heed_dtype dtype, int64_t offset_elems);
/* `count` elements from that offset on, `stride` apart. */
void heedi_load_many(const void *data, enum heed_dtype dtype, int64_t offset_elems, int64_t stride,
                     int64_t count, double *values);
int64_t heedi_offset(const struct heed_tensor_desc *desc, const int64_t *index);
/* Steps a multi-index through dims in row-major order; false after the last. */
bool heedi_next_index(const struct heed_tensor_desc *desc, int64_t *index);

#endif
