/* SPDX-License-Identifier: Apache-2.0 */
/* Which products the plugin runs, and how their operands lie. */
#include "openblas.h"

static const char *check(const struct cpu_node *node) {
    const struct heed_matmul_attrs *attrs = &node->attrs.matmul;
    const struct cpu_tensor *a = &node->in[MATMUL_A], *b = &node->in[MATMUL_B];
    const struct cpu_tensor *bias = &node->in[MATMUL_BIAS], *y = &node->out[0];
    if (attrs->activation > HEED_ACTIVATION_SIGMOID)
        return "unknown activation";
    if (attrs->transpose_a > 1 || attrs->transpose_b > 1)
        return "unknown way to transpose";
    if (!heedi_cpu_present(b))
        return "the second input is missing";
    if (a->desc.dtype != HEED_F32 || y->desc.dtype != HEED_F32)
        return "a and the result must be f32";
    if (!heedi_cpu_is_float(b) || heedi_cpu_present(&node->in[MATMUL_B_SCALE]))
        return "b must be of a float type";
    if (heedi_cpu_present(bias) && !heedi_cpu_is_float(bias))
        return "the bias must be of a float type";
    if (a->desc.rank < 2 || b->desc.rank < 2 || y->desc.rank < 2 ||
        (heedi_cpu_present(bias) && bias->desc.rank != 1))
        return "an operand has too few dimensions";
    return NULL;
}

/* The last two dimensions as the product sees them, and the strides of those of y in front, 0 where
 * `x` repeats. */
static struct openblas_matrix matrix_of(const struct heed_tensor_desc *x, uint32_t transpose,
                                        const struct heed_tensor_desc *y) {
    const uint32_t row = transpose ? x->rank - 1 : x->rank - 2;
    const uint32_t column = transpose ? x->rank - 2 : x->rank - 1;
    struct openblas_matrix matrix = {.row_stride = x->strides[row],
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

/* A product of two results is always faster here. A weight, though, other backends have packed
 * beforehand while CBLAS packs it at every call, which takes some rows to pay for. (Against
 * compiled C that uses SSE2, with kernels for AVX2 and AVX-512 and weights of 512 x 512 and 512 x
 * 2048: 1.1 times as fast with 8 rows, 1.3 with 12, 1.4 with 16, 2 and more from 64 on. One row is
 * another routine, sgemv: 1.4 times as fast from a cache, but half as fast from memory, where the
 * weights of a whole model are.) */
static const char *worth_it(const struct cpu_node *node, const struct openblas_product *product) {
    enum { ENOUGH_ROWS = 8 };
    return node->plugin->option || node->in[MATMUL_B].role != HEED_ROLE_CONSTANT ||
                   product->m >= ENOUGH_ROWS
               ? NULL
               : "nothing is gained with a weight and fewer than 8 rows";
}

/* NULL and all but the pieces, or why it cannot be run. */
static const char *lay_out_product(struct cpu_node *node, struct openblas_product *product) {
    const struct heed_matmul_attrs *attrs = &node->attrs.matmul;
    const struct heed_tensor_desc *a = &node->in[MATMUL_A].desc, *b = &node->in[MATMUL_B].desc;
    const struct heed_tensor_desc *y = &node->out[0].desc;
    product->m = y->dims[y->rank - 2];
    product->n = y->dims[y->rank - 1];
    product->k = a->dims[attrs->transpose_a ? a->rank - 2 : a->rank - 1];
    product->batch_dims[0] = y->rank > 3 ? y->dims[0] : 1;
    product->batch_dims[1] = y->rank > 2 ? y->dims[y->rank - 3] : 1;
    product->a = matrix_of(a, attrs->transpose_a, y);
    product->b = matrix_of(b, attrs->transpose_b, y);
    merge_batches(product);
    if (product->n > INT32_MAX || product->k > INT32_MAX)
        return "a dimension is larger than this OpenBLAS can count";
    if (!lay_out(&product->a, product->m, product->k))
        node->contiguous |= 1u << MATMUL_A;
    if (!lay_out(&product->b, product->k, product->n))
        node->contiguous |= 1u << MATMUL_B;
    return NULL;
}

static const char *accept(struct cpu_node *node) {
    struct openblas_product product = {.m = 0};
    const char *reason = check(node);
    if (reason == NULL)
        reason = lay_out_product(node, &product);
    if (reason == NULL)
        reason = worth_it(node, &product);
    if (reason != NULL)
        return reason;
    /* A b of another type than f32 is converted once, so it has to be a constant; and whole,
     * because the host keeps what is made of a weight by the weight's name. */
    const struct cpu_tensor *b = &node->in[MATMUL_B];
    if (b->desc.dtype != HEED_F32 && b->weight_id == 0)
        return "b is neither f32 nor a weight, which could be converted once";
    node->kernel = &heedi_openblas_kernels[product.m == 1 ? OPENBLAS_SGEMV : OPENBLAS_SGEMM];
    return NULL;
}

static enum heed_status prepare(struct heed_plugin *plugin, struct cpu_node *node,
                                struct heed_error *error) {
    const struct heed_host *host = plugin->host;
    const struct cpu_tensor *b = &node->in[MATMUL_B];
    void *object = NULL;
    struct openblas_product *product = heedi_common_calloc(host, 1, sizeof *product);
    if (product == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                                 "out of memory for the layout of %s", node->name);
    node->table = product;
    (void)lay_out_product(node, product); /* as when it was accepted */
    heedi_openblas_cut(product);
    if (b->desc.dtype == HEED_F32)
        return HEED_OK;
    const enum heed_status status =
        host->prepared_acquire(host->handle, b->weight_id, "f32_plain", heedi_openblas_convert,
                               heedi_openblas_converted_destroy, (void *)(uintptr_t)host, 0,
                               &node->prepared, &object, error);
    if (status == HEED_OK)
        product->converted = heedi_openblas_converted_data(object) +
                             b->offset_bytes / (int64_t)heed_dtype_bytes(b->desc.dtype);
    return status;
}

const struct cpu_operator heedi_openblas_matmul = {
    .attrs_size = sizeof(struct heed_matmul_attrs), .accept = accept, .prepare = prepare};
