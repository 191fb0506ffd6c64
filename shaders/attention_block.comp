/* SPDX-License-Identifier: Apache-2.0 */
/* attention for several queries of a sequence: what attention.comp computes, with keys and values
 * read once for a block of queries
 *
 * Source:    Dao et al. 2022, algorithm 1, with blocks of keys innermost; common/attention.glsl
 * Bindings:  0 all that the instance owns, as words: q f32, bias, tables of i32 (read); 1 k, 2 v
 *            (read, f32, f16 or bf16, elements of a row side by side); 3 y f32 (write, contiguous)
 * Workgroup: QUERIES neighbouring queries of one head, in turn for each sequence that they belong
 *            to, and KEYS keys at a time: a tile of 2 queries and KEYS / 8 keys of scores for each
 *            invocation, then LANES invocations for the exponentials of a query, then a tile of
 *            ROOM / 16 queries and four columns of y
 * Dispatch:  batches x heads x ceil(queries / QUERIES)
 * Shared:    16 (QUERIES + KEYS) (ROOM / 4 + 1) + 4 QUERIES (KEYS + 7) + 16 bytes, at most 16,016
 * Needs:     nothing
 * Error:     scores as sums of d products; sums over keys, rescaled once for each tile */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "params.h"
#include "common/workgroup.glsl"
#include "common/functions.glsl"
#include "common/floats.glsl"
#include "common/attention.glsl"

layout(constant_id = HEED_ATTENTION_QUERIES) const uint QUERIES = 32;
const uint PITCH = ROOM / 4 + 1;    /* one more, so that readers of it do not meet in one bank */
const uint SCORES_PITCH = KEYS + 4; /* likewise */
/* What an invocation has: keys, with two queries each; queries of y, and how far apart they are. */
const uint KEY_LANES = 8, TILE_KEYS = KEYS / KEY_LANES;
const uint TILE_QUERIES = ROOM / 16, TILE_STEP = QUERIES / TILE_QUERIES;

/* The weight of a key that a query must not see: -1. */
const uint HIDDEN = 0xbf800000u;

shared vec4 queries[QUERIES * PITCH];
shared vec4 tile[KEYS * PITCH]; /* of keys, then of values */
shared float scores[QUERIES * SCORES_PITCH]; /* then weights, at last parts of sums */
shared vec2 corrections[QUERIES]; /* factors_of() each */
shared uint sequences[QUERIES];
/* Of the queries of a sequence that see keys: least begin, greatest end, and the opposite. */
shared uint low, high, all_low, all_high;

uint me() {
    return gl_LocalInvocationID.x;
}

void fill_queries(uint batch, uint head, uint first) {
    for (uint i = me(); i < QUERIES * (ROOM / 4); i += QUERIES * LANES) {
        const uint t = i / (ROOM / 4), c = i % (ROOM / 4) * 4;
        vec4 value = vec4(0.0);
        if (first + t < it.queries && c < it.d)
            value = four_of_q(place(it.q_offset, it.q_strides, batch, head, first + t) + c,
                              it.d - c);
        queries[t * PITCH + c / 4] = value;
    }
}

/* Keys or values `first` to first + KEYS - 1 into the tile; zeros for those that nobody sees, which
 * may be anything in memory. */
void fill_keys(uint start, uint first) {
    for (uint i = me(); i < KEYS * (ROOM / 4); i += QUERIES * LANES) {
        const uint key = first + i / (ROOM / 4), c = i % (ROOM / 4) * 4;
        vec4 value = vec4(0.0);
        if (key >= low && key < high && c < it.d)
            value = four_of_k(start + key * it.k_strides[2] + c, it.d - c);
        tile[i / (ROOM / 4) * PITCH + c / 4] = value;
    }
}

void fill_values(uint start, uint first) {
    for (uint i = me(); i < KEYS * (ROOM / 4); i += QUERIES * LANES) {
        const uint key = first + i / (ROOM / 4), c = i % (ROOM / 4) * 4;
        vec4 value = vec4(0.0);
        if (key >= low && key < high && c < it.dv)
            value = four_of_v(start + key * it.v_strides[2] + c, it.dv - c);
        tile[i / (ROOM / 4) * PITCH + c / 4] = value;
    }
}

/* The first sequence that has each query of the block, NONE: none has. */
void find_sequences(uint first) {
    if (me() < QUERIES)
        sequences[me()] = NONE;
    barrier();
    const uint t = first + me() % QUERIES;
    for (uint i = me() / QUERIES; i < it.sequences; i += LANES) {
        uint base, count;
        stretch(it.q_offsets, i, it.queries, base, count);
        if (t >= base && t - base < count)
            atomicMin(sequences[me() % QUERIES], i);
    }
}

/* The place of a bias; that of another where there is none. */
uint place_of_bias(uint batch, uint head, uint t, uint key) {
    return it.bias_offset + batch * BIAS_STRIDE_BATCH + head * BIAS_STRIDE_HEAD +
           min(t, it.queries - 1) * BIAS_STRIDE_QUERY + min(key, it.keys - 1) * BIAS_STRIDE_KEY;
}

/* Scores of all queries and the keys of the tile. */
void score_keys(uint batch, uint head, uint first_query, uint first_key) {
    float sums[2][TILE_KEYS];
    [[unroll]] for (uint i = 0; i < 2; i++)
        [[unroll]] for (uint j = 0; j < TILE_KEYS; j++)
            sums[i][j] = 0.0;
    const uint t = me() / KEY_LANES, key = me() % KEY_LANES;
    for (uint c = 0; c < (it.d + 3) / 4; c++) {
        const vec4 a[2] = {queries[t * PITCH + c], queries[(t + QUERIES / 2) * PITCH + c]};
        [[unroll]] for (uint j = 0; j < TILE_KEYS; j++) {
            const vec4 b = tile[(key + j * KEY_LANES) * PITCH + c];
            [[unroll]] for (uint i = 0; i < 2; i++)
                sums[i][j] = add_four_products(a[i], b, sums[i][j]);
        }
    }
    [[unroll]] for (uint i = 0; i < 2; i++)
        [[unroll]] for (uint j = 0; j < TILE_KEYS; j++) {
            const uint own = t + i * (QUERIES / 2), other = key + j * KEY_LANES;
            scores[own * SCORES_PITCH + other] = scored(
                sums[i][j], place_of_bias(batch, head, first_query + own, first_key + other));
        }
}

/* What one of the LANES invocations of a query knows: the greatest score so far, its part of the
 * sum of weights, and its weights of this tile. */
struct softmax_state {
    float greatest, part;
    float weights[KEYS / LANES];
};

/* The next tile, of which the query sees keys [begin, end). */
vec2 next_weights(inout softmax_state state, uint first, uint begin, uint end, float hidden) {
    const uint own = me() / LANES, lane = me() % LANES;
    float greatest = uintBitsToFloat(MINUS_INFINITY);
    [[unroll]] for (uint j = 0; j < KEYS; j++) {
        const float score = scores[own * SCORES_PITCH + j];
        if (first + j >= begin && first + j < end && score > greatest)
            greatest = score;
    }
    precise float part = 0.0;
    [[unroll]] for (uint j = 0; j < KEYS / LANES; j++) {
        const uint key = lane * (KEYS / LANES) + j;
        const bool seen = first + key >= begin && first + key < end;
        state.weights[j] =
            seen ? weight_of(scores[own * SCORES_PITCH + key], greatest) : hidden;
        if (seen)
            part += state.weights[j];
    }
    const vec2 factors = factors_of(state.greatest, greatest);
    state.part = merged(state.part, part, factors);
    return factors;
}

/* Adds the tile of values to y, by its weights. Some keys are HIDDEN only where it is `mixed`. */
void add_values(inout vec4 y_tile[TILE_QUERIES], bool mixed) {
    const uint c = me() % (ROOM / 4), t = me() / (ROOM / 4);
    precise vec4 sums[TILE_QUERIES];
    [[unroll]] for (uint i = 0; i < TILE_QUERIES; i++)
        sums[i] = vec4(0.0);
    if (mixed) {
        for (uint j = 0; j < KEYS; j++) {
            const vec4 value = tile[j * PITCH + c];
            [[unroll]] for (uint i = 0; i < TILE_QUERIES; i++) {
                const float weight = scores[(t + i * TILE_STEP) * SCORES_PITCH + j];
                if (floatBitsToUint(weight) != HIDDEN)
                    sums[i] = fma(vec4(weight), value, sums[i]);
            }
        }
    } else {
        for (uint j = 0; j < KEYS; j += 4) {
            vec4 values[4];
            [[unroll]] for (uint n = 0; n < 4; n++)
                values[n] = tile[(j + n) * PITCH + c];
            [[unroll]] for (uint i = 0; i < TILE_QUERIES; i++)
                [[unroll]] for (uint n = 0; n < 4; n++)
                    sums[i] = fma(vec4(scores[(t + i * TILE_STEP) * SCORES_PITCH + j + n]),
                                  values[n], sums[i]);
        }
    }
    [[unroll]] for (uint i = 0; i < TILE_QUERIES; i++)
        y_tile[i] = merged(y_tile[i], sums[i], corrections[t + i * TILE_STEP]);
}

/* The ranges of keys of a sequence's queries, together; `seen`: this invocation's query has one. */
void join_ranges(bool seen, uint begin, uint end) {
    barrier(); /* those before have been read */
    if (me() == 0) {
        low = NONE;
        all_high = NONE;
        high = 0;
        all_low = 0;
    }
    barrier();
    if (seen && me() % LANES == 0) {
        atomicMin(low, begin);
        atomicMax(high, end);
        atomicMax(all_low, begin);
        atomicMin(all_high, end);
    }
    barrier();
}

void main() {
    const uint blocks = (it.queries + QUERIES - 1) / QUERIES, item = WORKGROUP;
    const uint first = item % blocks * QUERIES, head = item / blocks % it.heads;
    const uint batch = item / blocks / it.heads;
    if (batch >= it.batches)
        return;
    const uint kv_head = head / (it.flags / HEED_ATTENTION_GROUP);
    const uint own = me() / LANES, count = min(QUERIES, it.queries - first);
    const bool packed_queries = it.q_offsets != NONE;
    softmax_state state;
    state.greatest = uintBitsToFloat(MINUS_INFINITY);
    state.part = 0.0;
    vec4 y_tile[TILE_QUERIES];
    [[unroll]] for (uint i = 0; i < TILE_QUERIES; i++)
        y_tile[i] = vec4(0.0);
    fill_queries(batch, head, first);
    if (packed_queries)
        find_sequences(first);
    barrier();
    for (uint from = 0, to = 0; from < count; from = to) { /* queries of one sequence */
        const uint sequence = packed_queries ? sequences[from] : batch;
        for (to = packed_queries ? from + 1 : count; to < count && sequences[to] == sequence;)
            to++;
        if (sequence == NONE)
            continue;
        const uint position =
            first + own -
            (packed_queries ? clamped(entry(it.q_offsets, sequence), 0, it.queries) : 0);
        uint row, base, begin, end;
        const bool seen =
            find_keys(sequence, position, row, base, begin, end) && own >= from && own < to;
        if (!seen)
            end = begin;
        join_ranges(seen, begin, end);
        const bool alone = from == 0 && to == count;
        const uint k_at = place(it.k_offset, it.k_strides, row, kv_head, base);
        const uint v_at = place(it.v_offset, it.v_strides, row, kv_head, base);
        for (uint key = low == NONE ? high : low / KEYS * KEYS; key < high; key += KEYS) {
            const bool mixed =
                !alone || max(key, low) < all_low || min(key + KEYS, high) > all_high;
            fill_keys(k_at, key);
            barrier();
            score_keys(batch, head, first, key);
            barrier();
            fill_values(v_at, key);
            const vec2 correction =
                next_weights(state, key, begin, end, mixed ? uintBitsToFloat(HIDDEN) : 0.0);
            barrier();
            [[unroll]] for (uint j = 0; j < KEYS / LANES; j++)
                scores[own * SCORES_PITCH + me() % LANES * (KEYS / LANES) + j] = state.weights[j];
            if (me() % LANES == 0)
                corrections[own] = correction;
            barrier();
            add_values(y_tile, mixed);
            barrier();
        }
    }
    barrier();
    scores[me()] = state.part;
    barrier();
    const uint c = me() % (ROOM / 4) * 4;
    [[unroll]] for (uint i = 0; i < TILE_QUERIES; i++) {
        const uint t = me() / (ROOM / 4) + i * TILE_STEP;
        precise float total = 0.0;
        [[unroll]] for (uint j = 0; j < LANES; j++)
            total += scores[t * LANES + j];
        const uint to = it.y_offset + (item / blocks * it.queries + first + t) * it.dv + c;
        [[unroll]] for (uint n = 0; n < 4; n++)
            if (t < count && c + n < it.dv)
                y[to + n] = total == 0.0 ? 0.0 : y_tile[i][n] / total;
    }
}
