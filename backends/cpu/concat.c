/* SPDX-License-Identifier: Apache-2.0 */
/* concat: tensors of one type joined along an axis. */
#include "cpu.h"

/* The result is [outer, axis, inner...]: for each outer index, each input gives one stretch of
 * dims[axis] * inner neighbours. */
struct concat {
    const struct cpu_call *call;
    uint32_t axis;
    int64_t stretch; /* elements of the result per outer index */
};

/* Copies x[outer index, ...] to `target`, row by row. */
static void concat_one(const struct cpu_operand *x, uint32_t axis, int64_t outer, char *target) {
    const struct heed_tensor_desc *desc = x->desc;
    const size_t bytes = heed_dtype_bytes(desc->dtype);
    const char *source =
        (const char *)x->data + (size_t)heedi_cpu_offset(desc, axis, outer) * bytes;
    int64_t rows = 1;
    for (uint32_t i = axis; i + 1 < desc->rank; i++)
        rows *= desc->dims[i];
    const uint32_t last = desc->rank - 1;
    for (int64_t row = 0; row < rows; row++) {
        int64_t offset = 0, index = row;
        for (uint32_t i = last; i-- > axis;) {
            offset += index % desc->dims[i] * desc->strides[i];
            index /= desc->dims[i];
        }
        heedi_cpu_move(target, source + (size_t)offset * bytes, desc->strides[last],
                       desc->dims[last], bytes);
        target += (size_t)desc->dims[last] * bytes;
    }
}

static void concat_range(void *arg, int64_t begin, int64_t end) {
    const struct concat *work = arg;
    const struct cpu_call *call = work->call;
    const size_t bytes = heed_dtype_bytes(call->out[0].desc->dtype);
    for (int64_t outer = begin; outer < end; outer++) {
        char *target = (char *)call->out[0].data + (size_t)(outer * work->stretch) * bytes;
        for (uint32_t i = 0; i < call->node->input_count; i++) {
            const struct cpu_operand *x = &call->in[i];
            if (x->desc == NULL || heed_desc_elems(x->desc) == 0)
                continue;
            concat_one(x, work->axis, outer, target);
            size_t elems = 1;
            for (uint32_t d = work->axis; d < x->desc->rank; d++)
                elems *= (size_t)x->desc->dims[d];
            target += elems * bytes;
        }
    }
}

void heed_any_concat__cpu(const struct cpu_call *call) {
    const struct heed_tensor_desc *y = call->out[0].desc;
    struct concat work = {.call = call, .axis = call->node->attrs.concat.axis, .stretch = 1};
    int64_t outer = 1;
    for (uint32_t i = 0; i < y->rank; i++) {
        if (i < work.axis)
            outer *= y->dims[i];
        else
            work.stretch *= y->dims[i];
    }
    heedi_cpu_parallel(call, outer, work.stretch, concat_range, &work);
}

static const char *accept(struct cpu_node *node) {
    const struct heed_tensor_desc *y = &node->out[0].desc;
    if (node->attrs.concat.axis >= y->rank)
        return "the axis is not one of the result's";
    for (uint32_t i = 0; i < node->input_count; i++) {
        const struct cpu_tensor *x = &node->in[i];
        if (!heedi_cpu_present(x))
            continue;
        if (x->desc.dtype != y->dtype || x->desc.rank != y->rank)
            return "the inputs and the result must have one type and rank";
    }
    node->kernel = &heedi_cpu_kernels[CPU_CONCAT];
    return NULL;
}

const struct cpu_operator heedi_cpu_concat = {.attrs_size = sizeof(struct heed_concat_attrs),
                                              .accept = accept};
