/* SPDX-License-Identifier: Apache-2.0 */
/* gather_rows: y[i] = x[index[i]], zeros where the index is outside. Any type; nothing is
 * converted. */
#include "cpu.h"

enum { X = 0, INDEX = 1 };

static void gather_rows_range(void *arg, int64_t begin, int64_t end) {
    const struct cpu_call *call = arg;
    const struct cpu_operand *x = &call->in[X], *index = &call->in[INDEX], *y = &call->out[0];
    const size_t bytes = heed_dtype_bytes(x->desc->dtype);

    /* One row as a tensor of its own. */
    struct heed_tensor_desc row = *x->desc;
    for (uint32_t i = 0; i + 1 < row.rank; i++) {
        row.dims[i] = row.dims[i + 1];
        row.strides[i] = row.strides[i + 1];
    }
    row.rank--;
    const int64_t n = heed_desc_elems(&row);
    const int64_t width = row.rank > 0 ? row.dims[row.rank - 1] : 1;
    const int64_t stride = row.rank > 0 ? row.strides[row.rank - 1] : 1;
    if (n == 0)
        return;
    for (int64_t i = begin; i < end; i++) {
        const int64_t from = heedi_cpu_load_i32(index, i * index->desc->strides[0]);
        if (from < 0 || from >= x->desc->dims[0]) {
            heedi_cpu_zero(y, i * n, n);
            continue;
        }
        const char *source = (const char *)x->data + (size_t)(from * x->desc->strides[0]) * bytes;
        char *target = (char *)y->data + (size_t)(i * n) * bytes;
        for (int64_t j = 0; j < n / width; j++) {
            const int64_t offset = row.rank > 0 ? heedi_cpu_offset(&row, row.rank - 1, j) : 0;
            heedi_cpu_move(target + (size_t)(j * width) * bytes, source + (size_t)offset * bytes,
                           stride, width, bytes);
        }
    }
}

void heed_any_gather_rows__cpu(const struct cpu_call *call) {
    const int64_t rows = call->in[INDEX].desc->dims[0];
    const int64_t elems = heed_desc_elems(call->out[0].desc);
    heedi_cpu_parallel(call, rows, rows > 0 ? elems / rows : 0, gather_rows_range,
                       (void *)(uintptr_t)call);
}

static const char *accept(struct cpu_node *node) {
    if (!heedi_cpu_present(&node->in[INDEX]) || node->in[INDEX].desc.dtype != HEED_I32 ||
        node->in[INDEX].desc.rank != 1)
        return "the index must be i32 with one dimension";
    if (node->in[X].desc.rank < 1 || node->in[X].desc.dtype != node->out[0].desc.dtype)
        return "the result must have the type of the input, which must have a dimension";
    node->kernel = &heedi_cpu_kernels[CPU_GATHER_ROWS];
    return NULL;
}

const struct cpu_operator heedi_cpu_gather_rows = {.accept = accept};
