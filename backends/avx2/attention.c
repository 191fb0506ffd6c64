/* SPDX-License-Identifier: Apache-2.0 */
/* attention, in all the forms that heed/ops.h describes, a tile of 64 keys at a time with the
 * softmax computed online (Milakov and Gimelshein 2018, algorithm 3; in tiles as Dao et al. 2022):
 *
 *     m' = max(m, max of the tile's scores)
 *     s' = s exp(m - m') + sum exp(score - m')
 *     y' = y exp(m - m') + sum exp(score - m') v
 *
 * and y / s at the end. Where weights are asked for, a second pass computes the scores again and
 * stores exp(score - m) / s; so y has the same bits with and without them.
 *
 * A piece of work is up to 144 neighbouring queries of one sequence and head, whose keys are packed
 * a tile at a time on the stack; one or two queries, as in decoding, read keys where they lie.
 * Tiles begin at multiples of 64 keys of the sequence, so the bits of a query depend neither on its
 * neighbours nor on where the sequence stands. */
#include <math.h>
#include <string.h>

#include "attention.h"
#include "functions.h"
#include "vector.h"

/* A loop over the queries of all sequences and heads, `block` of them at a time. */
struct attention_loop {
    struct cpu_attention work;
    int64_t block;
};

/* Queries [first, last) of one sequence, which begins at query `base`. */
static void attend_sequence(const struct cpu_attention *work, int64_t batch, int64_t head,
                            int64_t sequence, int64_t base, int64_t first, int64_t last) {
    const int64_t *q = work->q->desc->strides, *k = work->k->desc->strides;
    const int64_t *v = work->v->desc->strides;
    struct attention_run run;
    struct cpu_attention_keys keys;
    run.rows = last - first;
    run.sequence = sequence;
    run.item = (batch * work->heads + head) * work->queries + first;
    if (run.rows <= 0 || !heedi_cpu_attention_keys(work, sequence, &keys))
        return;
    run.row = keys.row;
    const int64_t kv_head = head / work->group;
    run.q_offset = batch * q[0] + head * q[1] + first * q[2];
    run.k_offset = kv_head * k[1] + keys.base * k[2];
    run.v_offset = kv_head * v[1] + keys.base * v[2];
    run.bias_offset = batch * work->bias_strides[0] + head * work->bias_strides[1] +
                      first * work->bias_strides[2];
    for (int64_t r = 0; r < run.rows; r++)
        heedi_cpu_attention_range(work, &keys, first - base + r, &run.begin[r], &run.end[r]);
    heedi_avx2_attend(work, &run);
}

/* Blocks of queries: [batch][head][block]. */
static void attention_range(void *arg, int64_t begin, int64_t end) {
    const struct attention_loop *loop = arg;
    const struct cpu_attention *work = &loop->work;
    const struct cpu_operand *y = &work->call->out[0], *weights = &work->call->out[1];
    const int64_t blocks = (work->queries + loop->block - 1) / loop->block;
    for (int64_t item = begin; item < end; item++) {
        const int64_t head = item / blocks % work->heads, batch = item / blocks / work->heads;
        const int64_t first = item % blocks * loop->block;
        const int64_t last =
            first + loop->block < work->queries ? first + loop->block : work->queries;
        const int64_t row = (batch * work->heads + head) * work->queries + first;
        heedi_cpu_zero(y, row * work->dv, (last - first) * work->dv);
        if (weights->desc != NULL)
            heedi_cpu_zero(weights, row * work->weights_len, (last - first) * work->weights_len);
        if (work->q_offsets->desc == NULL) {
            attend_sequence(work, batch, head, batch, 0, first, last);
            continue;
        }
        for (int64_t i = 0; i + 1 < work->q_offsets->desc->dims[0]; i++) {
            int64_t base = 0, length = 0;
            if (heedi_cpu_attention_stretch(work, work->q_offsets, i, work->queries, &base,
                                            &length))
                attend_sequence(work, batch, head, i, base, base > first ? base : first,
                                base + length < last ? base + length : last);
        }
    }
}

void heed_f32_attention_online__avx2(const struct cpu_call *call) {
    struct attention_loop loop = {.work = heedi_cpu_attention(call)};
    const struct cpu_attention *work = &loop.work;
    /* Keys are packed once for all queries of a piece: the more the better. */
    const int64_t width = work->d > work->dv ? work->d : work->dv;
    loop.block = width <= ATTENTION_WIDTH / 2 ? ATTENTION_ROWS : ATTENTION_ROWS / 2;
    const int64_t blocks = (work->queries + loop.block - 1) / loop.block;
    const int64_t rows = work->queries < loop.block ? work->queries : loop.block;
    heedi_cpu_parallel(call, work->q->desc->dims[0] * work->heads * blocks,
                       rows * work->visible * (work->d + work->dv + 32) / 12, attention_range,
                       &loop);
}

static const char *accept(struct cpu_node *node) {
    const char *reason = heedi_cpu_accept_attention(node);
    if (reason != NULL)
        return reason;
    if (node->in[HEED_ATTENTION_Q].desc.dims[3] > ATTENTION_WIDTH ||
        node->in[HEED_ATTENTION_V].desc.dims[3] > ATTENTION_WIDTH)
        return "heads are wider than 128";
    for (uint32_t i = HEED_ATTENTION_Q; i <= HEED_ATTENTION_V; i++)
        heedi_cpu_want_lines(node, i);
    node->kernel = &heedi_avx2_kernels[AVX2_ATTENTION];
    return NULL;
}

const struct cpu_operator heedi_avx2_attention = {.attrs_size = sizeof(struct heed_attention_attrs),
                                                  .accept = accept};
