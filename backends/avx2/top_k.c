/* SPDX-License-Identifier: Apache-2.0 */
/* top_k over the last dimension, by a heap of the k best seen so far. Eight elements at a time are
 * held against the worst of the heap, and only what is better than that is looked at one by one:
 * for k much smaller than n, a few k log(n / k) elements of a row in random order. */
#include "top_k.h"

#include "backends/cpu/top_k.h"
#include "vector.h"

/* Elements [i, i + count) as they are compared. */
static const float *load(const struct top_k_row *row, int64_t i, int64_t count, float *buffer) {
    const float *x = heedi_avx2_load(row->x, row->from + i, count, buffer);
    if (!row->logs)
        return x;
    for (int64_t j = 0; j < count; j += 8) {
        const __m256 shifted =
            _mm256_sub_ps(vector_load(x + j, count - j), _mm256_set1_ps(row->max));
        vector_store(buffer + j, count - j, _mm256_sub_ps(shifted, _mm256_set1_ps(row->log_sum)));
    }
    return buffer;
}

float heedi_avx2_top_k_value(const struct top_k_row *row, int32_t index) {
    float value = 0.0f;
    return *load(row, index, 1, &value);
}

static float ranked_value(const void *row, int32_t index) {
    return heedi_avx2_top_k_value(row, index);
}

/* Which of 8 elements (bit i: x[i]) come before one of the value `worst` and a lower index. */
static unsigned better(const float *x, int64_t count, float worst) {
    const __m256 value = vector_select(count, vector_load(x, count), __builtin_nanf(""));
    const __m256 hits = worst != worst ? _mm256_cmp_ps(value, value, _CMP_ORD_Q)
                                       : _mm256_cmp_ps(value, _mm256_set1_ps(worst), _CMP_GT_OQ);
    return (unsigned)_mm256_movemask_ps(hits);
}

void heedi_avx2_top_k_row(const struct top_k_row *row, int64_t k, int32_t *heap) {
    const struct cpu_ranking ranking = {.value = ranked_value, .row = row};
    float buffer[CPU_BLOCK];
    cpu_heap_begin(ranking, heap, k);
    for (int64_t i = k, count; i < row->n; i += count) {
        const int64_t rest = row->n - i, most = row->greatest != NULL ? CHOICE_BLOCK : CPU_BLOCK;
        float worst = heedi_avx2_top_k_value(row, heap[0]);
        count = most - i % most;
        count = rest < count ? rest : count;
        if (row->greatest != NULL && worst == worst &&
            !(top_k_compared(row, row->greatest[i / CHOICE_BLOCK]) > worst))
            continue;
        const float *x = load(row, i, count, buffer);
        for (int64_t j = 0; j < count; j += 8) {
            for (unsigned hits = better(x + j, count - j, worst); hits != 0; hits &= hits - 1) {
                const int32_t index = (int32_t)(i + j) + __builtin_ctz(hits);
                /* refused where a hit of the same eight has raised the mark */
                if (cpu_heap_offer(ranking, heap, k, index))
                    worst = heedi_avx2_top_k_value(row, heap[0]);
            }
        }
    }
    cpu_heap_sort(ranking, heap, k);
}

static void top_k_range(void *arg, int64_t begin, int64_t end) {
    const struct cpu_call *call = arg;
    const struct cpu_operand *x = &call->in[0];
    const int64_t k = call->node->attrs.top_k.k;
    for (int64_t i = begin; i < end; i++) {
        const struct top_k_row row = {.x = x,
                                      .from = heedi_cpu_offset(x->desc, x->desc->rank - 1, i),
                                      .n = x->desc->dims[x->desc->rank - 1]};
        int32_t *indices = (int32_t *)call->out[1].data + i * k;
        heedi_avx2_top_k_row(&row, k, indices);
        for (int64_t j = 0; j < k; j++) {
            const float value = heedi_avx2_top_k_value(&row, indices[j]);
            heedi_avx2_store(&call->out[0], i * k + j, 1, &value);
        }
    }
}

void heed_f32_top_k__avx2(const struct cpu_call *call) {
    const struct heed_tensor_desc *x = call->in[0].desc;
    heedi_cpu_parallel(call, heedi_cpu_rows(x), x->dims[x->rank - 1], top_k_range,
                       (void *)(uintptr_t)call);
}

/* Room for what the fused choice needs: the greatest of blocks, and results, which it writes last.
 */
static enum heed_status prepare(struct heed_plugin *plugin, struct cpu_node *node,
                                struct heed_error *error) {
    (void)plugin, (void)error;
    const struct heed_tensor_desc *x = &node->in[0].desc;
    const int64_t greatest = heedi_cpu_rows(x) * choice_blocks(x->dims[x->rank - 1]);
    node->scratch_bytes =
        (size_t)heed_desc_elems(&node->out[1].desc) * (sizeof(int32_t) + sizeof(float)) +
        (size_t)greatest * sizeof(float);
    return HEED_OK;
}

static const char *accept(struct cpu_node *node) {
    const char *reason = heedi_cpu_accept_top_k(node);
    if (reason != NULL)
        return reason;
    heedi_cpu_want_lines(node, 0);
    node->kernel = &heedi_avx2_kernels[AVX2_TOP_K];
    return NULL;
}

const struct cpu_operator heedi_avx2_top_k = {
    .attrs_size = sizeof(struct heed_top_k_attrs), .accept = accept, .prepare = prepare};
