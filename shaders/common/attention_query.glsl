/* SPDX-License-Identifier: Apache-2.0 */
/* What attention.comp and attention_split.comp do; they say which by ATTENTION_SPLIT. */
#include "params.h"
#include "common/workgroup.glsl"
#include "common/functions.glsl"
#include "common/floats.glsl"
#include "common/attention.glsl"

#if ATTENTION_SPLIT
layout(constant_id = HEED_ATTENTION_SPLITS) const uint SPLITS = 2;
#else
const uint SPLITS = 1;
#endif
const uint WIDTH = gl_WorkGroupSize.x;
const uint TILES = WIDTH / KEYS; /* that are in work at a time */
const uint GROUPS = ROOM / 4;    /* of four columns */

shared vec4 query[GROUPS];
shared float scores[WIDTH], weights[WIDTH];
shared uint rows[WIDTH]; /* of the keys, NONE: not visible */
/* Of each tile: its greatest score, sums of weights, sums of weighted values, and factors for the
 * sums of all tiles before it and for its own. */
shared float tile_greatest[TILES], tile_parts[TILES * LANES];
shared vec4 tile_values[TILES * GROUPS];
shared vec2 tile_factors[TILES];
shared vec4 sums[GROUPS];
shared float parts[LANES];
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
        sum = add_four_products(query[c / 4], four_of_k(at + c, it.d - c), sum);
    return scored(sum, bias);
}

/* Where what a query and a head have to do with each other lies. */
struct place_of_query {
    uint sequence, row, kv_head, base, bias;
};

/* Scores of WIDTH keys from `first` on, of which the query sees [begin, end). */
void score_keys(place_of_query at, uint first, uint begin, uint end) {
    const uint me = gl_LocalInvocationID.x, key = first + me;
    const uint row = key >= begin && key < end ? row_of(at.row, at.sequence, key) : NONE;
    float own = uintBitsToFloat(MINUS_INFINITY);
    if (row != NONE)
        own = score(place(it.k_offset, it.k_strides, row, at.kv_head, at.base + key),
                    at.bias + key * BIAS_STRIDE_KEY);
    scores[me] = own;
    rows[me] = row;
}

/* Weights of the keys, and greatest scores of the tiles. */
void weigh_keys() {
    const uint me = gl_LocalInvocationID.x, tile = me / KEYS;
    float greatest = uintBitsToFloat(MINUS_INFINITY);
    for (uint j = 0; j < KEYS; j++)
        greatest = scores[tile * KEYS + j] > greatest ? scores[tile * KEYS + j] : greatest;
    weights[me] = rows[me] == NONE ? 0.0 : weight_of(scores[me], greatest);
    if (me % KEYS == 0)
        tile_greatest[tile] = greatest;
}

/* Sums over the keys of each tile. As many invocations as there are groups of columns share one. */
void sum_tiles(place_of_query at, uint first) {
    const uint me = gl_LocalInvocationID.x, groups = (it.dv + 3) / 4;
    uint columns = WIDTH;
    while (columns / 2 >= max(groups, 1))
        columns /= 2;
    if (me < TILES * LANES) {
        precise float part = 0.0;
        for (uint j = 0; j < KEYS / LANES; j++)
            part += weights[me * (KEYS / LANES) + j];
        tile_parts[me] = part;
    }
    for (uint tile = me / columns; tile < TILES; tile += WIDTH / columns)
        for (uint i = me % columns; i < groups; i += columns) {
            precise vec4 sum = vec4(0.0);
            for (uint j = tile * KEYS; j < tile * KEYS + KEYS; j++)
                if (rows[j] != NONE) {
                    const uint from = place(it.v_offset, it.v_strides, rows[j], at.kv_head,
                                            at.base + first + j);
                    sum = fma(vec4(weights[j]), four_of_v(from + i * 4, it.dv - i * 4), sum);
                }
            tile_values[tile * GROUPS + i] = sum;
        }
}

#if ATTENTION_SPLIT
/* Leaves the tiles to be merged by attention_combine.comp. */
void leave_tiles(bool any) {
    const uint me = gl_LocalInvocationID.x, pitch = HEED_ATTENTION_PART + it.dv;
    const uint to = WORKGROUP * TILES * pitch;
    if (me < TILES) {
        y[to + me * pitch] = any ? tile_greatest[me] : uintBitsToFloat(MINUS_INFINITY);
        if (!any)
            y[to + me * pitch + 1] = uintBitsToFloat(HEED_ATTENTION_UNSEEN);
    }
    if (!any)
        return;
    if (me < TILES * LANES)
        y[to + me / LANES * pitch + 1 + me % LANES] = tile_parts[me];
    for (uint i = me; i < TILES * GROUPS * 4; i += WIDTH) {
        const uint tile = i / (GROUPS * 4), c = i % (GROUPS * 4);
        if (c < it.dv)
            y[to + tile * pitch + HEED_ATTENTION_PART + c] = tile_values[i / 4][c % 4];
    }
}
#else
/* Merges the tiles into sums and parts, one after another. */
void merge_tiles(inout float greatest) {
    const uint me = gl_LocalInvocationID.x;
    float before = greatest; /* tile `me` */
    for (uint i = 0; i < TILES; i++) {
        before = i == me ? greatest : before;
        greatest = tile_greatest[i] > greatest ? tile_greatest[i] : greatest;
    }
    if (me < TILES)
        tile_factors[me] = factors_of(before, tile_greatest[me]);
    barrier();
    for (uint i = me; i < (it.dv + 3) / 4; i += WIDTH) {
        vec4 sum = sums[i];
        for (uint tile = 0; tile < TILES; tile++)
            sum = merged(sum, tile_values[tile * GROUPS + i], tile_factors[tile]);
        sums[i] = sum;
    }
    if (me < LANES) {
        float part = parts[me];
        for (uint tile = 0; tile < TILES; tile++)
            part = merged(part, tile_parts[tile * LANES + me], tile_factors[tile]);
        parts[me] = part;
    }
}

float total_weight() {
    precise float total = 0.0;
    for (uint i = 0; i < LANES; i++)
        total += parts[i];
    return total;
}

uint weight_count() {
    return it.weights == NONE ? 0 : it.kv_offsets != NONE ? it.max_len : it.keys;
}

/* Weights of all keys, where they are asked for. */
void write_weights(place_of_query at, uint to, uint begin, uint end, float greatest, float total) {
    for (uint key = gl_LocalInvocationID.x; key < weight_count(); key += WIDTH) {
        const uint row = key >= begin && key < end ? row_of(at.row, at.sequence, key) : NONE;
        float weight = 0.0;
        if (row != NONE && total != 0.0)
            weight = weight_of(score(place(it.k_offset, it.k_strides, row, at.kv_head,
                                           at.base + key),
                                     at.bias + key * BIAS_STRIDE_KEY),
                               greatest) /
                     total;
        y[to + key] = weight;
    }
}
#endif

void main() {
    const uint item = WORKGROUP / SPLITS, me = gl_LocalInvocationID.x;
    const uint t = item % it.queries, head = item / it.queries % it.heads;
    const uint batch = item / it.queries / it.heads;
    if (batch >= it.batches)
        return;
    uint position = t, begin = 0, end = 0;
    place_of_query at;
    at.sequence = batch;
    at.row = 0;
    at.base = 0;
    at.kv_head = head / (it.flags / HEED_ATTENTION_GROUP);
    at.bias = it.bias_offset + batch * BIAS_STRIDE_BATCH + head * BIAS_STRIDE_HEAD +
              t * BIAS_STRIDE_QUERY;
    if (it.q_offsets != NONE) {
        at.sequence = find_sequence(t);
        position = at.sequence == NONE
                       ? 0
                       : t - clamped(entry(it.q_offsets, at.sequence), 0, it.queries);
    }
    const bool any = at.sequence != NONE &&
                     find_keys(at.sequence, position, at.row, at.base, begin, end);
    fill_query(place(it.q_offset, it.q_strides, batch, head, t));
#if ATTENTION_SPLIT
    const uint first = WORKGROUP % SPLITS * WIDTH;
    const bool here = any && begin < first + WIDTH && end > first;
    if (here) { /* the same for all of the workgroup */
        barrier();
        score_keys(at, first, begin, end);
        barrier();
        weigh_keys();
        barrier();
        sum_tiles(at, first);
        barrier();
    }
    leave_tiles(here);
#else
    float greatest = uintBitsToFloat(MINUS_INFINITY);
    for (uint i = me; i < GROUPS; i += WIDTH)
        sums[i] = vec4(0.0);
    if (me < LANES)
        parts[me] = 0.0;
    for (uint first = any ? begin / KEYS * KEYS : end; first < end; first += WIDTH) {
        barrier();
        score_keys(at, first, begin, end);
        barrier();
        weigh_keys();
        barrier();
        sum_tiles(at, first);
        barrier();
        merge_tiles(greatest);
    }
    barrier();
    const float total = total_weight();
    for (uint i = me; i < it.dv; i += WIDTH)
        y[it.y_offset + item * it.dv + i] = total == 0.0 ? 0.0 : sums[i / 4][i % 4] / total;
    write_weights(at, it.weights + item * weight_count(), begin, end, greatest, total);
#endif
}
