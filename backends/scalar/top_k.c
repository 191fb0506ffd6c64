/* SPDX-License-Identifier: Apache-2.0 */
/* top_k over the last dimension: the k greatest, descending, equals by ascending index; NaN is less
 * than everything.
 *
 * A heap of the k best seen so far, with the worst of them on top, lives in the row of indices that
 * is the result; sorting it in place gives the order. n log k comparisons and no other memory. */
#include "scalar.h"

struct top_k {
    const struct cpu_call *call;
    int64_t n, k, stride;
};

struct top_k_row {
    const struct cpu_operand *x;
    int64_t from, stride;
};

static float value_at(const struct top_k_row *row, int32_t index) {
    return heedi_scalar_load_one(row->x, row->from + index * row->stride);
}

/* Whether element i comes before element j in the result. */
static bool before(const struct top_k_row *row, int32_t i, int32_t j) {
    const float a = value_at(row, i), b = value_at(row, j);
    if (a != a || b != b)
        return (a != a) == (b != b) ? i < j : b != b;
    return a != b ? a > b : i < j;
}

/* Lets heap[0] sink to its place among `count`: no parent comes before its children. */
static void sink(const struct top_k_row *row, int32_t *heap, int64_t parent, int64_t count) {
    const int32_t moving = heap[parent];
    for (;;) {
        int64_t child = 2 * parent + 1;
        if (child >= count)
            break;
        if (child + 1 < count && before(row, heap[child], heap[child + 1]))
            child++;
        if (!before(row, moving, heap[child]))
            break;
        heap[parent] = heap[child];
        parent = child;
    }
    heap[parent] = moving;
}

static void top_k_row(const struct top_k *work, const struct top_k_row *row, int32_t *heap) {
    const int64_t k = work->k;
    for (int64_t i = 0; i < k; i++)
        heap[i] = (int32_t)i;
    for (int64_t i = k / 2; i-- > 0;)
        sink(row, heap, i, k);
    for (int64_t i = k; i < work->n; i++) {
        if (before(row, (int32_t)i, heap[0])) {
            heap[0] = (int32_t)i;
            sink(row, heap, 0, k);
        }
    }
    for (int64_t count = k; count > 1; count--) { /* the worst goes to the end */
        const int32_t worst = heap[0];
        heap[0] = heap[count - 1];
        heap[count - 1] = worst;
        sink(row, heap, 0, count - 1);
    }
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
    const struct heed_tensor_desc *x = &node->in[0].desc;
    if (!heedi_cpu_is_float(&node->in[0]) || x->rank < 1)
        return "the input must be of a float type and have a dimension";
    if (node->out[0].desc.dtype != x->dtype || !heedi_cpu_present(&node->out[1]) ||
        node->out[1].desc.dtype != HEED_I32)
        return "the results must be values of the input's type and i32 indices";
    if (node->attrs.top_k.k < 1 || node->attrs.top_k.k > (uint64_t)x->dims[x->rank - 1] ||
        x->dims[x->rank - 1] > INT32_MAX)
        return "k must be at least 1 and at most the last dimension";
    node->kernel = &heedi_scalar_kernels[SCALAR_TOP_K];
    return NULL;
}

const struct cpu_operator heedi_scalar_top_k = {.attrs_size = sizeof(struct heed_top_k_attrs),
                                                .accept = accept};
