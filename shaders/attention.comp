/* SPDX-License-Identifier: Apache-2.0 */
/* attention: y[b, h, t] = sum_j w_j v[r, g, j], w = softmax_j(scale q[b, h, t] . k[r, g, j] + bias)
 * over the keys j that the query may see, and w where it is asked for; heed/ops.h has all the forms
 *
 * Source:    Milakov and Gimelshein 2018, algorithm 3, in blocks of keys as Dao et al. 2022:
 *            m' = max(m, scores), s' = s exp(m - m') + sum exp(scores - m'), y alike; y / s at last
 * Bindings:  0 all that the instance owns, as words: q f32, bias, tables of i32 (read); 1 k, 2 v
 *            (read, f32, f16 or bf16, elements of a row side by side); 3 y f32 (write, contiguous),
 *            or again all, with y and w
 * Workgroup: one query of one head. Each invocation scores one of a block of `width` keys; then
 *            each has a column of v, in as many teams as there is room for, which share the keys
 * Dispatch:  (batches x heads x queries, 1, 1)
 * Shared:    16 ROOM + 4 HEED_MAX_WIDTH + 4 bytes
 * Needs:     nothing
 * Error:     scores as sums of d products; sums over keys, rescaled once for each block */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "params.h"
#include "common/workgroup.glsl"
#include "common/functions.glsl"
#include "common/floats.glsl"
#include "common/reduce.glsl"
#include "common/attention.glsl"

layout(constant_id = HEED_ATTENTION_ROOM) const uint ROOM = HEED_ATTENTION_MOST_WIDTH;

/* Each has room for d, dv and the width of the workgroup. */
shared float query[ROOM];
shared float sums[ROOM]; /* of weighted values, one for each team */
shared float weights[ROOM];
shared uint rows[ROOM]; /* of the keys, NONE: not visible */
shared uint found;

/* The first sequence that has query t, NONE: none has. Any invocation may find it. */
uint find_sequence(uint t) {
    if (gl_LocalInvocationID.x == 0)
        found = NONE;
    barrier();
    for (uint i = gl_LocalInvocationID.x; i < it.sequences; i += gl_WorkGroupSize.x) {
        uint base, count;
        stretch(it.q_offsets, i, it.queries, base, count);
        if (t >= base && t - base < count)
            atomicMin(found, i);
    }
    barrier();
    return found;
}

/* Row of a key, where `row` is that of all or NONE; NONE: the key is not visible. */
uint row_of(uint row, uint sequence, uint key) {
    if (row != NONE)
        return row;
    const uint own = memory[it.kv_row + sequence * it.keys + key];
    return own < it.kv_rows ? own : NONE;
}

float score(uint at, uint bias) {
    float sum = 0.0;
    for (uint i = 0; i < it.d; i++)
        sum += query[i] * heed_float(K_TYPE, k[heed_word(K_TYPE, at + i)], at + i);
    sum *= it.scale;
    if (BIAS_TYPE != 0)
        sum += heed_float(BIAS_TYPE, memory[heed_word(BIAS_TYPE, bias)], bias);
    return sum;
}

void main() {
    const uint item = WORKGROUP;
    const uint me = gl_LocalInvocationID.x, width = gl_WorkGroupSize.x;
    const uint t = item % it.queries, head = item / it.queries % it.heads;
    const uint batch = item / it.queries / it.heads;
    if (batch >= it.batches)
        return;
    const uint kv_head = head / (it.flags / HEED_ATTENTION_GROUP);
    uint sequence = batch, position = t;
    if (it.q_offsets != NONE) {
        sequence = find_sequence(t);
        position = sequence == NONE ? 0 : t - clamped(entry(it.q_offsets, sequence), 0, it.queries);
    }
    uint row = 0, base = 0, begin = 0, end = 0;
    const bool any = sequence != NONE && find_keys(sequence, position, row, base, begin, end);
    const uint y_at = it.y_offset + item * it.dv;
    const uint weight_count = it.weights == NONE          ? 0
                              : it.kv_offsets != NONE ? it.max_len
                                                      : it.keys;
    const uint weights_at = it.weights + item * weight_count;
    if (!any) {
        for (uint i = me; i < it.dv; i += width)
            y[y_at + i] = 0.0;
        for (uint i = me; i < weight_count; i += width)
            y[weights_at + i] = 0.0;
        return;
    }
    const uint q_at = place(it.q_offset, it.q_strides, batch, head, t);
    for (uint i = me; i < it.d; i += width)
        query[i] = uintBitsToFloat(memory[q_at + i]);
    for (uint i = me; i < max(it.dv, width); i += width)
        sums[i] = 0.0;
    uint columns = width;
    while (columns / 2 >= max(it.dv, 1))
        columns /= 2;
    const uint teams = width / columns, team = me / columns;
    const uint bias = it.bias_offset + batch * BIAS_STRIDE_BATCH + head * BIAS_STRIDE_HEAD +
                      t * BIAS_STRIDE_QUERY;
    float greatest = uintBitsToFloat(MINUS_INFINITY), part = 0.0;
    barrier();
    for (uint first = begin; first < end; first += width) {
        const uint key = first + me;
        const uint own_row = key < end ? row_of(row, sequence, key) : NONE;
        float own = uintBitsToFloat(MINUS_INFINITY);
        if (own_row != NONE)
            own = score(place(it.k_offset, it.k_strides, own_row, kv_head, base + key),
                        bias + key * BIAS_STRIDE_KEY);
        const float block = reduce_max(own);
        const float before = greatest;
        greatest = block > greatest ? block : greatest;
        /* nothing but weights of 0 yet, or NaN where a score is */
        const float shift = floatBitsToUint(greatest) == MINUS_INFINITY ? 0.0 : greatest;
        const float correction = heed_exp(before - shift);
        const float weight = own_row == NONE ? 0.0 : heed_exp(own - shift);
        part = part * correction + weight;
        weights[me] = weight;
        rows[me] = own_row;
        barrier();
        const uint count = min(end - first, width);
        for (uint i = me % columns; i < it.dv; i += columns) {
            float sum = sums[team * columns + i] * correction;
            for (uint j = team; j < count; j += teams) {
                if (rows[j] == NONE)
                    continue;
                const uint at =
                    place(it.v_offset, it.v_strides, rows[j], kv_head, base + first + j) + i;
                sum += weights[j] * heed_float(V_TYPE, v[heed_word(V_TYPE, at)], at);
            }
            sums[team * columns + i] = sum;
        }
    }
    const float total = reduce_sum(part);
    for (uint i = me; i < it.dv; i += width) {
        float sum = sums[i];
        for (uint j = 1; j < teams; j++)
            sum += sums[j * columns + i];
        y[y_at + i] = total == 0.0 ? 0.0 : sum / total;
    }
    const float shift = floatBitsToUint(greatest) == MINUS_INFINITY ? 0.0 : greatest;
    for (uint key = me; key < weight_count; key += width) {
        const uint own_row = key >= begin && key < end ? row_of(row, sequence, key) : NONE;
        float weight = 0.0;
        if (own_row != NONE && total != 0.0)
            weight = heed_exp(score(place(it.k_offset, it.k_strides, own_row, kv_head, base + key),
                                    bias + key * BIAS_STRIDE_KEY) -
                              shift) /
                     total;
        y[weights_at + key] = weight;
    }
}
