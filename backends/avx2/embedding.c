/* SPDX-License-Identifier: Apache-2.0 */
/* embedding: rows of a table by id, widened or rounded to the type of the result. An id outside the
 * table gives zeros. */
#include "avx2.h"

enum { TABLE = 0, IDS = 1, TABLE_SCALE = 2 };

static void embedding_range(void *arg, int64_t begin, int64_t end) {
    const struct avx2_call *call = arg;
    const struct avx2_operand *table = &call->in[TABLE], *ids = &call->in[IDS];
    const struct avx2_operand *y = &call->out[0];
    const int64_t rows = table->desc->dims[0], n = table->desc->dims[1];
    const int64_t row_stride = table->desc->strides[0];
    float buffer[AVX2_BLOCK];
    for (int64_t i = begin; i < end; i++) {
        const int64_t id =
            heedi_avx2_load_i32(ids, heedi_avx2_offset(ids->desc, ids->desc->rank, i));
        if (id < 0 || id >= rows) {
            heedi_avx2_zero(y, i * n, n);
            continue;
        }
        for (int64_t j = 0; j < n; j += AVX2_BLOCK) {
            const int64_t count = n - j < AVX2_BLOCK ? n - j : AVX2_BLOCK;
            heedi_avx2_store(y, i * n + j, count,
                             heedi_avx2_load(table, id * row_stride + j, count, buffer));
        }
    }
}

void heed_f32_embedding__avx2(const struct avx2_call *call) {
    heedi_avx2_parallel(call, heed_desc_elems(call->in[IDS].desc),
                        call->in[TABLE].desc->dims[1] / 4, embedding_range,
                        (void *)(uintptr_t)call);
}

static const char *accept(struct avx2_node *node) {
    if (!heedi_avx2_present(&node->in[IDS]) || node->in[IDS].desc.dtype != HEED_I32)
        return "the ids must be i32";
    if (!heedi_avx2_is_float(&node->in[TABLE]) || heedi_avx2_present(&node->in[TABLE_SCALE]))
        return "the table must be of a float type and have no scales";
    if (!heedi_avx2_is_float(&node->out[0]))
        return "the result must be of a float type";
    if (node->in[TABLE].desc.rank != 2)
        return "the table must have two dimensions";
    heedi_avx2_want_lines(node, TABLE);
    node->kernel = AVX2_EMBEDDING;
    return NULL;
}

const struct avx2_operator heedi_avx2_embedding = {
    .attrs_size = sizeof(struct heed_embedding_attrs), .accept = accept};
