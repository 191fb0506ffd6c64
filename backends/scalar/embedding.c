/* SPDX-License-Identifier: Apache-2.0 */
/* embedding: rows of a table by id, widened to the type of the result; an i8 table is multiplied by
 * the scale of its row, a q8_0 block by its own. An id outside the table gives zeros. */
#include "scalar.h"

enum { TABLE = 0, IDS = 1, TABLE_SCALE = 2 };

/* Values [j, j + count) of a row of blocks; j is a multiple of a block's size. */
static const float *load_blocks(const struct cpu_operand *table, int64_t offset, int64_t j,
                                int64_t count, float *buffer) {
    const struct heed_q8_0 *blocks = table->data;
    for (int64_t i = 0; i < count; i++) {
        const struct heed_q8_0 *block =
            &blocks[offset + (j + i) / HEED_Q8_0_VALUES * table->desc->strides[1]];
        buffer[i] = (float)block->values[i % HEED_Q8_0_VALUES] * heed_f16_to_f32(block->scale);
    }
    return buffer;
}

static void embedding_range(void *arg, int64_t begin, int64_t end) {
    const struct cpu_call *call = arg;
    const struct cpu_operand *table = &call->in[TABLE], *ids = &call->in[IDS];
    const struct cpu_operand *scales = &call->in[TABLE_SCALE], *y = &call->out[0];
    const bool blocks = table->desc->dtype == HEED_Q8_0;
    const int64_t rows = table->desc->dims[0];
    const int64_t n = table->desc->dims[1] * heed_dtype_values(table->desc->dtype);
    const int64_t row_stride = table->desc->strides[0], stride = table->desc->strides[1];
    float x_buffer[CPU_BLOCK], y_buffer[CPU_BLOCK];
    for (int64_t i = begin; i < end; i++) {
        const int64_t id = heedi_cpu_load_i32(ids, heedi_cpu_offset(ids->desc, ids->desc->rank, i));
        if (id < 0 || id >= rows) {
            heedi_cpu_zero(y, i * n, n);
            continue;
        }
        const float scale = scales->desc != NULL
                                ? heedi_scalar_load_one(scales, id * scales->desc->strides[0])
                                : 1.0f;
        for (int64_t j = 0; j < n; j += CPU_BLOCK) {
            const int64_t count = n - j < CPU_BLOCK ? n - j : CPU_BLOCK;
            const float *values = blocks ? load_blocks(table, id * row_stride, j, count, x_buffer)
                                         : heedi_scalar_load(table, id * row_stride + j * stride,
                                                             stride, count, x_buffer);
            float *target = heedi_cpu_target(y, i * n + j, y_buffer);
            for (int64_t k = 0; k < count; k++)
                target[k] = values[k] * scale;
            heedi_scalar_store(y, i * n + j, count, target);
        }
    }
}

void heed_f32_embedding__scalar(const struct cpu_call *call) {
    heedi_cpu_parallel(call, heed_desc_elems(call->in[IDS].desc), call->in[TABLE].desc->dims[1],
                       embedding_range, (void *)(uintptr_t)call);
}

static const char *accept(struct cpu_node *node) {
    const bool quantised = node->in[TABLE].desc.dtype == HEED_I8;
    if (!heedi_cpu_present(&node->in[IDS]) || node->in[IDS].desc.dtype != HEED_I32)
        return "the ids must be i32";
    if (!quantised && node->in[TABLE].desc.dtype != HEED_Q8_0 &&
        !heedi_cpu_is_float(&node->in[TABLE]))
        return "the table must be of a float type, i8 or q8_0";
    if (quantised != heedi_cpu_is_float(&node->in[TABLE_SCALE]))
        return "an i8 table, and no other, has scales";
    if (!heedi_cpu_is_float(&node->out[0]))
        return "the result must be of a float type";
    if (node->in[TABLE].desc.rank != 2)
        return "the table must have two dimensions";
    node->kernel = &heedi_scalar_kernels[SCALAR_EMBEDDING];
    return NULL;
}

const struct cpu_operator heedi_scalar_embedding = {
    .attrs_size = sizeof(struct heed_embedding_attrs), .accept = accept};
