/* SPDX-License-Identifier: Apache-2.0 */
/* top_k over the last dimension, by a heap of the k best seen so far: n log k comparisons and no
 * other memory. */
#include "backends/cpu/top_k.h"
#include "scalar.h"

struct top_k {
    const struct cpu_call *call;
    int64_t n, k, stride;
};

struct top_k_row {
    const struct cpu_operand *x;
    int64_t from, stride;
};

static float value_at(const void *arg, int32_t index) {
    const struct top_k_row *row = arg;
    return heedi_scalar_load_one(row->x, row->from + index * row->stride);
}

static void top_k_row(const struct top_k *work, const struct top_k_row *row, int32_t *heap) {
    const struct cpu_ranking ranking = {.value = value_at, .row = row};
    cpu_heap_begin(ranking, heap, work->k);
    float worst = value_at(row, heap[0]);
    for (int64_t i = work->k; i < work->n; i++)
        if (!(value_at(row, (int32_t)i) <= worst) &&
            cpu_heap_offer(ranking, heap, work->k, (int32_t)i))
            worst = value_at(row, heap[0]);
    cpu_heap_sort(ranking, heap, work->k);
}

static void top_k_range(void *arg, int64_t begin, int64_t end) {
    const struct top_k *work = arg;
    const struct cpu_operand *x = &work->call->in[0], *values = &work->call->out[0];
    int32_t *indices = work->call->out[1].data;
    for (int64_t i = begin; i < end; i++) {
        const struct top_k_row row = {.x = x,
                                      .from = heedi_cpu_offset(x->desc, x->desc->rank - 1, i),
                                      .stride = work->stride};
        int32_t *heap = indices + i * work->k;
        top_k_row(work, &row, heap);
        for (int64_t j = 0; j < work->k; j++) {
            const float value = value_at(&row, heap[j]);
            heedi_scalar_store(values, i * work->k + j, 1, &value);
        }
    }
}

void heed_f32_top_k__scalar(const struct cpu_call *call) {
    const struct heed_tensor_desc *x = call->in[0].desc;
    struct top_k work = {.call = call,
                         .n = x->dims[x->rank - 1],
                         .k = call->node->attrs.top_k.k,
                         .stride = x->strides[x->rank - 1]};
    heedi_cpu_parallel(call, heedi_cpu_rows(x), 8 * work.n, top_k_range, &work);
}

static const char *accept(struct cpu_node *node) {
    node->kernel = &heedi_scalar_kernels[SCALAR_TOP_K];
    return heedi_cpu_accept_top_k(node);
}

const struct cpu_operator heedi_scalar_top_k = {.attrs_size = sizeof(struct heed_top_k_attrs),
                                                .accept = accept};
