/* SPDX-License-Identifier: Apache-2.0 */
/* matmul: what there is to know of a product before it is computed. */
#include "matmul.h"

/* Strides of the dimensions of y before the last two, 0 where x repeats. */
static void batch_strides(const struct heed_tensor_desc *y, const struct heed_tensor_desc *x,
                          int64_t strides[2]) {
    for (uint32_t i = 0; i < 2; i++) {
        const int64_t dim = (int64_t)i + (int64_t)x->rank - HEED_MAX_RANK;
        strides[i] =
            dim >= 0 && i + y->rank >= HEED_MAX_RANK && x->dims[dim] != 1 ? x->strides[dim] : 0;
    }
}

struct cpu_matmul_shape heedi_cpu_matmul_shape(const struct cpu_node *node) {
    const struct heed_matmul_attrs *attrs = &node->attrs.matmul;
    const struct heed_tensor_desc *a = &node->in[MATMUL_A].desc, *b = &node->in[MATMUL_B].desc;
    const struct heed_tensor_desc *y = &node->out[0].desc;
    const uint32_t a_last = a->rank - 1, b_last = b->rank - 1;
    struct cpu_matmul_shape it = {
        .m = y->dims[y->rank - 2],
        .n = y->dims[y->rank - 1],
        .k = a->dims[attrs->transpose_a ? a_last - 1 : a_last],
        .a_row = a->strides[attrs->transpose_a ? a_last : a_last - 1],
        .a_k = a->strides[attrs->transpose_a ? a_last - 1 : a_last],
        .b_k = b->strides[attrs->transpose_b ? b_last : b_last - 1],
        .b_n = b->strides[attrs->transpose_b ? b_last - 1 : b_last],
        .batch_dims = {y->rank > 3 ? y->dims[0] : 1, y->rank > 2 ? y->dims[y->rank - 3] : 1},
    };
    batch_strides(y, a, it.a_batch);
    batch_strides(y, b, it.b_batch);
    for (int i = 1; i >= 0; i--) {
        if (it.b_batch[i] != 0 || (it.batch_dims[i] != 1 && it.a_batch[i] != it.m * it.a_row))
            break;
        it.m *= it.batch_dims[i];
        it.batch_dims[i] = 1;
    }
    it.batches = it.batch_dims[0] * it.batch_dims[1];
    return it;
}

bool heedi_cpu_matmul_constant(const struct cpu_node *node, bool *transposed) {
    bool turned = false;
    if (!heedi_cpu_whole_weight(&node->in[MATMUL_B], &turned))
        return false;
    *transposed = (node->attrs.matmul.transpose_b != 0) != turned;
    return true;
}
