/* SPDX-License-Identifier: Apache-2.0 */
/* What attention.comp and attention_split.comp do; they say which by ATTENTION_SPLIT. */
#include "params.h"
#include "common/workgroup.glsl"
#include "common/functions.glsl"
#include "common/floats.glsl"
#include "common/reduce.glsl"
#include "common/attention.glsl"

layout(constant_id = HEED_ATTENTION_ROOM) const uint ROOM = HEED_ATTENTION_MOST_WIDTH;

#if ATTENTION_SPLIT
layout(constant_id = HEED_ATTENTION_SPLITS) const uint SPLITS = 2;
#else
const uint SPLITS = 1;
#endif

/* Each has room for d, dv and the width of the workgroup. */
shared vec4 query[ROOM / 4];
shared vec4 sums[ROOM]; /* of weighted values, four columns of each team */
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

/* The query, and zeros up to a multiple of four elements. */
void fill_query(uint at) {
    for (uint c = gl_LocalInvocationID.x * 4; c < it.d; c += gl_WorkGroupSize.x * 4)
        query[c / 4] = four_of_q(at + c, it.d - c);
}

float score(uint at, uint bias) {
    float sum = 0.0;
    for (uint c = 0; c < it.d; c += 4)
        sum += dot(query[c / 4], four_of_k(at + c, it.d - c));
    sum *= it.scale;
    if (BIAS_TYPE != 0)
        sum += heed_float(BIAS_TYPE, memory[heed_word(BIAS_TYPE, bias)], bias);
    return sum;
}

/* Leaves of the keys [begin, end) what lies in a workgroup's stretch of all that there may be. */
void cut_keys(uint split, inout uint begin, inout uint end) {
    const uint most = it.kv_offsets == NONE ? it.keys : min(it.keys, it.max_len);
    const uint span = (most + SPLITS - 1) / SPLITS;
    begin = max(begin, split * span);
    end = min(end, split * span + span);
}

void main() {
    const uint item = WORKGROUP / SPLITS;
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
    bool any = sequence != NONE && find_keys(sequence, position, row, base, begin, end);
    if (SPLITS > 1) {
        cut_keys(WORKGROUP % SPLITS, begin, end);
        any = any && begin < end;
    }
    const uint y_at = SPLITS > 1 ? WORKGROUP * (2 + it.dv) + 2 : it.y_offset + item * it.dv;
    const uint weight_count = it.weights == NONE          ? 0
                              : it.kv_offsets != NONE ? it.max_len
                                                      : it.keys;
    const uint weights_at = it.weights + item * weight_count;
    if (!any) {
        for (uint i = me; i < it.dv; i += width)
            y[y_at + i] = 0.0;
        for (uint i = me; i < weight_count; i += width)
            y[weights_at + i] = 0.0;
        if (SPLITS > 1 && me == 0) {
            y[y_at - 2] = uintBitsToFloat(MINUS_INFINITY);
            y[y_at - 1] = 0.0;
        }
        return;
    }
    fill_query(place(it.q_offset, it.q_strides, batch, head, t));
    const uint groups = (it.dv + 3) / 4; /* of columns */
    for (uint i = me; i < max(groups, width); i += width)
        sums[i] = vec4(0.0);
    uint columns = width; /* that a team takes at a time, in groups */
    while (columns / 2 >= max(groups, 1))
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
        for (uint i = me % columns; i < groups; i += columns) {
            vec4 sum = sums[team * columns + i] * correction;
            for (uint j = team; j < count; j += teams) {
                if (rows[j] == NONE)
                    continue;
                const uint at =
                    place(it.v_offset, it.v_strides, rows[j], kv_head, base + first + j) + i * 4;
                sum += weights[j] * four_of_v(at, it.dv - i * 4);
            }
            sums[team * columns + i] = sum;
        }
    }
    const float total = reduce_sum(part);
    for (uint i = me; i < it.dv; i += width) {
        float sum = sums[i / 4][i % 4];
        for (uint j = 1; j < teams; j++)
            sum += sums[j * columns + i / 4][i % 4];
        y[y_at + i] = SPLITS > 1 ? sum : total == 0.0 ? 0.0 : sum / total;
    }
    if (SPLITS > 1 && me == 0) {
        y[y_at - 2] = greatest;
        y[y_at - 1] = total;
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
