/* SPDX-License-Identifier: Apache-2.0 */
/* Which nodes the plugin runs, and how their operands lie. Query and compile look at a node through
 * the same function, so what was claimed can be compiled. */
#include <stdint.h>
#include <string.h>

#include "openblas.h"

enum { A = 0, B = 1, BIAS = 2, B_SCALE = 3, INPUTS = 4 };

const char *heedi_openblas_tensor(const struct heed_subgraph *subgraph, int32_t index,
                                  struct heed_subgraph_tensor *tensor) {
    if (index < 0 || (uint32_t)index >= subgraph->tensor_count)
        return "a tensor index is out of range";
    const struct heed_subgraph_tensor *given = heed_subgraph_tensor_at(subgraph, index);
    if (!heedi_openblas_read(tensor, sizeof *tensor, given, given->struct_size))
        return "a tensor holds a field that this version does not know";
    if (heed_dtype_bytes(tensor->desc.dtype) == 0)
        return "a tensor has an element type that this version does not know";
    if (tensor->desc.rank > HEED_MAX_RANK)
        return "a tensor has more dimensions than this version knows";
    if (tensor->storage < 0 || (uint32_t)tensor->storage >= subgraph->tensor_count)
        return "the storage of a tensor is out of range";
    return NULL;
}

/* ---- reading a node ---- */

struct reading {
    struct heed_matmul_attrs attrs;
    const char *name;
    struct heed_subgraph_tensor in[INPUTS], y;
    bool present[INPUTS];
};

static const char *read_node(const struct heed_subgraph *subgraph, uint32_t index,
                             struct reading *reading) {
    const struct heed_subgraph_node *entry = heed_subgraph_node_at(subgraph, index);
    struct heed_subgraph_node node;
    memset(reading, 0, sizeof *reading);
    if (!heedi_openblas_read(&node, sizeof node, entry, entry->struct_size))
        return "the node holds a field that this version does not know";
    if (node.op != HEED_OP_MATMUL)
        return "only matrix products are run here";
    if (node.op_version != 1)
        return "unknown version of the operator";
    if (node.input_count > INPUTS || node.output_count != 1)
        return "more inputs or outputs than this version knows";
    if (node.attrs == NULL || node.attrs_size < sizeof(uint32_t))
        return "the attributes are missing";
    if (!heedi_openblas_read(&reading->attrs, sizeof reading->attrs, node.attrs, node.attrs_size))
        return "the attributes hold a field that this version does not know";
    reading->name = node.name != NULL ? node.name : "";
    for (uint32_t i = 0; i < node.input_count; i++) {
        reading->present[i] = node.inputs[i] >= 0;
        const char *reason = reading->present[i]
                                 ? heedi_openblas_tensor(subgraph, node.inputs[i], &reading->in[i])
                                 : NULL;
        if (reason != NULL)
            return reason;
        if (reading->present[i] && reading->in[i].role == HEED_ROLE_STATE)
            return "an operand is a state, which is not kept here";
    }
    if (!reading->present[A] || !reading->present[B])
        return "the first or second input is missing";
    return heedi_openblas_tensor(subgraph, node.outputs[0], &reading->y);
}

static bool is_float(enum heed_dtype dtype) {
    return dtype == HEED_F32 || dtype == HEED_F16 || dtype == HEED_BF16;
}

static const char *check(const struct reading *reading) {
    const struct heed_matmul_attrs *attrs = &reading->attrs;
    if (attrs->activation > HEED_ACTIVATION_SIGMOID)
        return "unknown activation";
    if (attrs->transpose_a > 1 || attrs->transpose_b > 1)
        return "unknown way to transpose";
    if (reading->in[A].desc.dtype != HEED_F32 || reading->y.desc.dtype != HEED_F32)
        return "a and the result must be f32";
    if (!is_float(reading->in[B].desc.dtype) || reading->present[B_SCALE])
        return "b must be of a float type";
    if (reading->present[BIAS] && !is_float(reading->in[BIAS].desc.dtype))
        return "the bias must be of a float type";
    if (reading->in[A].desc.rank < 2 || reading->in[B].desc.rank < 2 || reading->y.desc.rank < 2 ||
        (reading->present[BIAS] && reading->in[BIAS].desc.rank != 1))
        return "an operand has too few dimensions";
    if (!heed_desc_contiguous(&reading->y.desc))
        return "the result is not contiguous";
    return NULL;
}

/* ---- layouts ---- */

static struct openblas_operand operand_of(const struct heed_subgraph_tensor *tensor) {
    return (struct openblas_operand){.dtype = tensor->desc.dtype,
                                     .storage = tensor->storage,
                                     .offset_elems = tensor->offset_elems};
}

/* The last two dimensions as the product sees them, and the strides of those of y in front, 0 where
 * `tensor` repeats. */
static struct openblas_matrix matrix_of(const struct heed_subgraph_tensor *tensor,
                                        uint32_t transpose, const struct heed_tensor_desc *y) {
    const struct heed_tensor_desc *x = &tensor->desc;
    const uint32_t row = transpose ? x->rank - 1 : x->rank - 2;
    const uint32_t column = transpose ? x->rank - 2 : x->rank - 1;
    struct openblas_matrix matrix = {.operand = operand_of(tensor),
                                     .row_stride = x->strides[row],
                                     .column_stride = x->strides[column]};
    for (uint32_t i = 0; i < 2; i++) {
        const int64_t dim = (int64_t)i + (int64_t)x->rank - HEED_MAX_RANK;
        if (dim >= 0 && i + y->rank >= HEED_MAX_RANK && x->dims[dim] != 1)
            matrix.batch[i] = x->strides[dim];
    }
    return matrix;
}

/* Finds how CBLAS can take `rows` x `columns`; false where neither rows nor columns lie in one
 * stretch each, or they overlap. The stride along a dimension of 1 is free. */
static bool lay_out(struct openblas_matrix *matrix, int64_t rows, int64_t columns) {
    const int64_t least = columns > 1 ? columns : 1, least_turned = rows > 1 ? rows : 1;
    const int64_t row = rows > 1 ? matrix->row_stride : least;
    const int64_t column = columns > 1 ? matrix->column_stride : least_turned;
    if ((columns <= 1 || column == 1) && row >= least) {
        matrix->turned = false;
        matrix->leading = row;
    } else if ((rows <= 1 || row == 1) && column >= least_turned) {
        matrix->turned = true;
        matrix->leading = column;
    } else {
        return false;
    }
    return matrix->leading <= INT32_MAX;
}

/* Batches that share b and go on where the one before ended in a are more rows of it. */
static void merge_batches(struct openblas_product *product) {
    for (int i = 1; i >= 0; i--) {
        const int64_t count = product->batch_dims[i];
        if (product->b.batch[i] != 0 ||
            (count != 1 && product->a.batch[i] != product->m * product->a.row_stride))
            break;
        product->m *= count;
        product->batch_dims[i] = 1;
    }
}

/* A b of another type than f32 is converted once, so it has to be a constant; and whole, because
 * the host keeps what is made of a weight by the weight's name. */
static const char *convertible(const struct heed_subgraph *subgraph,
                               const struct heed_subgraph_tensor *b, uint64_t *weight_id) {
    struct heed_subgraph_tensor storage;
    const char *reason = heedi_openblas_tensor(subgraph, b->storage, &storage);
    if (reason != NULL)
        return reason;
    if (storage.role != HEED_ROLE_CONSTANT || storage.weight_id == 0 ||
        !heed_desc_contiguous(&storage.desc) || storage.desc.dtype != b->desc.dtype)
        return "b is neither f32 nor a weight, which could be converted once";
    *weight_id = storage.weight_id;
    return NULL;
}

/* A product of two results is always faster here. A weight, though, other backends have packed
 * beforehand while CBLAS packs it at every call, which takes some rows to pay for. (Against
 * compiled C that uses SSE2, with kernels for AVX2 and AVX-512 and weights of 512 x 512 and 512 x
 * 2048: 1.1 times as fast with 8 rows, 1.3 with 12, 1.4 with 16, 2 and more from 64 on. One row is
 * another routine, sgemv: 1.4 times as fast from a cache, but half as fast from memory, where the
 * weights of a whole model are.) */
static const char *worth_it(const struct heed_plugin *plugin,
                            const struct openblas_product *product, bool weight) {
    enum { ENOUGH_ROWS = 8 };
    return plugin->claim_all || !weight || product->m >= ENOUGH_ROWS
               ? NULL
               : "nothing is gained with a weight and fewer than 8 rows";
}

const char *heedi_openblas_accept(const struct heed_plugin *plugin,
                                  const struct heed_subgraph *subgraph, uint32_t index,
                                  struct openblas_product *product, uint32_t *contiguous) {
    struct reading reading;
    *contiguous = 0;
    memset(product, 0, sizeof *product);
    product->bias.storage = -1;
    const char *reason = read_node(subgraph, index, &reading);
    if (reason == NULL)
        reason = check(&reading);
    if (reason != NULL)
        return reason;
    const struct heed_tensor_desc *a = &reading.in[A].desc, *y = &reading.y.desc;
    product->name = reading.name;
    product->activation = (enum heed_activation)reading.attrs.activation;
    product->m = y->dims[y->rank - 2];
    product->n = y->dims[y->rank - 1];
    product->k = a->dims[reading.attrs.transpose_a ? a->rank - 2 : a->rank - 1];
    product->batch_dims[0] = y->rank > 3 ? y->dims[0] : 1;
    product->batch_dims[1] = y->rank > 2 ? y->dims[y->rank - 3] : 1;
    product->a = matrix_of(&reading.in[A], reading.attrs.transpose_a, y);
    product->b = matrix_of(&reading.in[B], reading.attrs.transpose_b, y);
    product->y = operand_of(&reading.y);
    if (reading.present[BIAS]) {
        product->bias = operand_of(&reading.in[BIAS]);
        product->bias_stride = reading.in[BIAS].desc.strides[0];
    }
    merge_batches(product);
    if (product->n > INT32_MAX || product->k > INT32_MAX)
        return "a dimension is larger than this OpenBLAS can count";
    reason = worth_it(plugin, product, reading.in[B].role == HEED_ROLE_CONSTANT);
    if (reason == NULL && product->b.operand.dtype != HEED_F32)
        reason = convertible(subgraph, &reading.in[B], &product->weight_id);
    if (reason != NULL)
        return reason;
    if (!lay_out(&product->a, product->m, product->k))
        *contiguous |= 1u << A;
    if (!lay_out(&product->b, product->k, product->n))
        *contiguous |= 1u << B;
    if (*contiguous != 0)
        return "an operand has neither rows nor columns in one stretch each";
    heedi_openblas_cut(product);
    return NULL;
}
