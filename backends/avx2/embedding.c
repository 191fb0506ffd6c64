/* SPDX-License-Identifier: Apache-2.0 */
/* embedding: rows of a table by id, widened or rounded to the type of the result; an i8 table is
 * multiplied by the scale of its row, a q8_0 block by its own. An id outside the table gives zeros.
 */
#include "avx2.h"
#include "vector.h"

enum { TABLE = 0, IDS = 1, TABLE_SCALE = 2 };

/* Values [j, j + count) of a row of i8 or q8_0 that begins at `row`; j is a multiple of a block. */
static const float *widen(const void *row, bool blocks, int64_t j, int64_t count, float scale,
                          float *buffer) {
    for (int64_t i = 0; i < count; i += HEED_Q8_0_VALUES) {
        const struct heed_q8_0 *block = (const struct heed_q8_0 *)row + (j + i) / HEED_Q8_0_VALUES;
        const int8_t *values = blocks ? block->values : (const int8_t *)row + j + i;
        const float factor = blocks ? heed_f16_to_f32(block->scale) : scale;
        if (count - i < HEED_Q8_0_VALUES) {
            for (int64_t p = 0; p < count - i; p++)
                buffer[i + p] = (float)values[p] * factor;
            break;
        }
        for (int64_t p = 0; p < HEED_Q8_0_VALUES; p += 8) {
            const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)(values + p));
            _mm256_storeu_ps(buffer + i + p,
                             _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
                                           _mm256_set1_ps(factor)));
        }
    }
    return buffer;
}

static void embedding_range(void *arg, int64_t begin, int64_t end) {
    const struct cpu_call *call = arg;
    const struct cpu_operand *table = &call->in[TABLE], *ids = &call->in[IDS];
    const struct cpu_operand *y = &call->out[0];
    const struct cpu_operand *scales = &call->in[TABLE_SCALE];
    const enum heed_dtype dtype = table->desc->dtype;
    const int64_t rows = table->desc->dims[0], n = table->desc->dims[1] * heed_dtype_values(dtype);
    const int64_t row_stride = table->desc->strides[0];
    float buffer[CPU_BLOCK];
    for (int64_t i = begin; i < end; i++) {
        const int64_t id = heedi_cpu_load_i32(ids, heedi_cpu_offset(ids->desc, ids->desc->rank, i));
        if (id < 0 || id >= rows) {
            heedi_cpu_zero(y, i * n, n);
            continue;
        }
        const void *row =
            (const char *)table->data + id * row_stride * (int64_t)heed_dtype_bytes(dtype);
        const float scale = scales->desc != NULL
                                ? heedi_avx2_load_one(scales, id * scales->desc->strides[0])
                                : 1.0f;
        for (int64_t j = 0; j < n; j += CPU_BLOCK) {
            const int64_t count = n - j < CPU_BLOCK ? n - j : CPU_BLOCK;
            const float *values = dtype == HEED_I8 || dtype == HEED_Q8_0
                                      ? widen(row, dtype == HEED_Q8_0, j, count, scale, buffer)
                                      : heedi_avx2_load(table, id * row_stride + j, count, buffer);
            heedi_avx2_store(y, i * n + j, count, values);
        }
    }
}

void heed_f32_embedding__avx2(const struct cpu_call *call) {
    heedi_cpu_parallel(call, heed_desc_elems(call->in[IDS].desc), call->in[TABLE].desc->dims[1] / 4,
                       embedding_range, (void *)(uintptr_t)call);
}

static const char *accept(struct cpu_node *node) {
    if (!heedi_cpu_present(&node->in[IDS]) || node->in[IDS].desc.dtype != HEED_I32)
        return "the ids must be i32";
    const enum heed_dtype dtype = node->in[TABLE].desc.dtype;
    if (!heedi_cpu_is_float(&node->in[TABLE]) && dtype != HEED_I8 && dtype != HEED_Q8_0)
        return "the table must be of a float type, i8 or q8_0";
    if ((dtype == HEED_I8) != heedi_cpu_present(&node->in[TABLE_SCALE]) ||
        (dtype == HEED_I8 && node->in[TABLE_SCALE].desc.dtype != HEED_F32))
        return "an i8 table, and no other, has f32 scales";
    if (!heedi_cpu_is_float(&node->out[0]))
        return "the result must be of a float type";
    if (node->in[TABLE].desc.rank != 2)
        return "the table must have two dimensions";
    heedi_cpu_want_lines(node, TABLE);
    node->kernel = &heedi_avx2_kernels[AVX2_EMBEDDING];
    return NULL;
}

const struct cpu_operator heedi_avx2_embedding = {.attrs_size = sizeof(struct heed_embedding_attrs),
                                                  .accept = accept};
