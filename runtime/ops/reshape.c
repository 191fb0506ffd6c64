/* SPDX-License-Identifier: Apache-2.0 */
/* reshape: the same elements in the same row-major order under new dims; a view where the strides
 * allow one. Where they do not, infer answers HEED_ERROR_UNSUPPORTED and the graph copies first. */
#include <inttypes.h>

#include "runtime/base/shape.h"
#include "runtime/ops/op.h"

/* Strides of `y` over the memory of `x`. Groups of neighbouring dims of x that are contiguous among
 * themselves may be cut anew; y's dims must tile these groups. False if they do not. */
static bool view_strides(const struct heed_tensor_desc *x, struct heed_tensor_desc *y) {
    uint32_t i = 0, j = 0;
    while (i < x->rank || j < y->rank) {
        /* Take the smallest stretches of both, from here on, with equal products. */
        const uint32_t first_left = i, first_right = j;
        int64_t left = i < x->rank ? x->dims[i++] : 1;
        int64_t right = j < y->rank ? y->dims[j++] : 1;
        while (left != right) {
            if (left < right) {
                if (i == x->rank)
                    return false;
                left *= x->dims[i++];
            } else {
                if (j == y->rank)
                    return false;
                right *= y->dims[j++];
            }
        }
        int64_t stride = 0;    /* of the innermost dim of x's stretch that is larger than 1 */
        int64_t expected = -1; /* of the next one outwards; not known yet */
        for (uint32_t k = i; k-- > first_left;) {
            if (x->dims[k] == 1)
                continue;
            if (expected < 0)
                stride = x->strides[k];
            else if (x->strides[k] != expected)
                return false;
            expected = x->strides[k] * x->dims[k];
        }
        for (uint32_t k = j; k-- > first_right;) {
            y->strides[k] = stride;
            stride *= y->dims[k];
        }
    }
    return true;
}

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_shape_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *x = call->inputs[0];
    struct heedi_shape_text from, to;
    if (attrs->rank > HEED_MAX_RANK)
        return heedi_op_fail(call, HEED_ERROR_SHAPE, "new rank is %u, at most %d", attrs->rank,
                             HEED_MAX_RANK);
    int64_t dims[HEED_MAX_RANK] = {0};
    int64_t known = 1;
    const int64_t elems = heed_desc_elems(x);
    int32_t unknown = -1;
    for (uint32_t i = 0; i < attrs->rank; i++) {
        dims[i] = attrs->dims[i];
        if (dims[i] == -1 && unknown < 0)
            unknown = (int32_t)i;
        else if (dims[i] < 0 || !heedi_mul_i64(known, dims[i], &known))
            return heedi_op_fail(call, HEED_ERROR_SHAPE,
                                 "new dimension %" PRIu32 " is %" PRId64
                                 ", expected a size, or -1 once",
                                 i, dims[i]);
    }
    if (unknown >= 0) {
        if (known == 0 || elems % known != 0)
            return heedi_op_fail(call, HEED_ERROR_SHAPE,
                                 "%s cannot be divided by the known %" PRId64 " elements",
                                 heedi_shape_print(&from, x), known);
        dims[unknown] = elems / known;
    }
    struct heed_tensor_desc y = heed_desc(x->dtype, attrs->rank, dims);
    if (heed_desc_elems(&y) != elems)
        return heedi_op_fail(call, HEED_ERROR_SHAPE, "%s and %s differ in size",
                             heedi_shape_print(&from, x), heedi_shape_print(&to, &y));
    if (!heed_desc_contiguous(x) && !view_strides(x, &y))
        return heedi_op_fail(call, HEED_ERROR_UNSUPPORTED, "the strides of %s allow no view as %s",
                             heedi_shape_print(&from, x), heedi_shape_print(&to, &y));
    call->outputs[0] = y;
    return HEED_OK;
}

const struct heedi_op heedi_op_reshape = {
    .op = HEED_OP_RESHAPE,
    .name = "reshape",
    .version = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs_size = sizeof(struct heed_shape_attrs),
    .view = true,
    .infer = infer,
};
