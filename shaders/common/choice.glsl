/* SPDX-License-Identifier: Apache-2.0 */
/* What follows a product in one dispatch: of each row the indices of its CHOICE_K greatest elements
 * and, as choose.results says, these or their log_softmax, as top_k.comp (argmax.comp) and
 * softmax.comp.
 *
 * Columns form blocks of CHOICE_BLOCK. Of each row and block, a workgroup leaves the greatest
 * element, its index, and the sum of exp(x - m), m being that element; the last workgroup of those
 * that share rows puts these together (Milakov and Gimelshein 2018). The order in which a row's
 * columns come together depends on their number alone: within a block, 8 lanes of columns 8 apart,
 * then the lanes; of blocks, 32 lanes of blocks 32 apart, then these by halves.
 *
 * Where more than one is chosen, workgroups leave the elements too, of which few are read again:
 * those of the CHOICE_K blocks whose greatest elements come first. All that are chosen lie there,
 * as CHOICE_K elements come before those of any other block (Gaihre et al. 2021, "Dr. Top-k").
 * Both of the blocks and of their elements, each lane keeps the first CHOICE_K of its own, and what
 * the lanes keep is merged one by one.
 *
 * The includer declares `it`, `choose` and the number THREADS of its invocations. */
#include "common/keys.glsl"

layout(constant_id = HEED_MATMUL_CHOICE_K) const uint CHOICE_K = 1;

/* Results, counters, blocks' choices, then elements. */
layout(binding = 3) coherent buffer Y { uint y[]; };
#include "common/last.glsl"

const uint CHOICE_BLOCK = HEED_MATMUL_CHOICE_BLOCK, CHOICE_LANES = 8, CHOICE_SUMS = 32;
const uint MINUS_INFINITY = 0xff800000u, NOT_A_NUMBER = 0x7fc00000u;

/* The first of some elements, and the sum of exp(x - shift_of(bits)) over them. */
struct choice {
    uint bits, index;
    float sum;
};
const choice NO_CHOICE = choice(NOT_A_NUMBER, 0xffffffffu, 0.0);

/* Of at most 16 rows in lanes, of which at most 8 come together at a time. */
const uint CHOICE_ROOM = 256;
shared uint choice_bits[CHOICE_ROOM], choice_index[CHOICE_ROOM];
shared float choice_sum[CHOICE_ROOM];

void choice_put(uint at, choice value) {
    choice_bits[at] = value.bits;
    choice_index[at] = value.index;
    choice_sum[at] = value.sum;
}

choice choice_get(uint at) {
    return choice(choice_bits[at], choice_index[at], choice_sum[at]);
}

bool is_shifted(uint bits) {
    return (bits & 0x7fffffffu) <= 0x7f800000u && bits != MINUS_INFINITY;
}

/* Where all elements are minus infinity or NaN, exponentials are 0, or NaN, as they are. */
float shift_of(uint bits) {
    return is_shifted(bits) ? uintBitsToFloat(bits) : 0.0;
}

choice choice_of(float value, uint index) {
    const uint bits = floatBitsToUint(value);
    const uint magnitude = bits & 0x7fffffffu;
    const float sum = magnitude < 0x7f800000u  ? 1.0
                      : bits == MINUS_INFINITY ? 0.0
                                               : uintBitsToFloat(NOT_A_NUMBER);
    return choice(bits, index, sum);
}

choice choice_merge(choice a, choice b) {
    const bool a_first =
        comes_before(candidate(order_key(a.bits), a.index), candidate(order_key(b.bits), b.index));
    choice first = b, second = a;
    if (a_first) {
        first = a;
        second = b;
    }
    float sum = second.sum;
    if (is_shifted(second.bits)) {
        precise const float below = uintBitsToFloat(second.bits) - shift_of(first.bits);
        sum *= heed_exp(below);
    }
    precise const float both = first.sum + sum;
    return choice(first.bits, first.index, both);
}

/* ---- blocks ---- */

uint choice_blocks() {
    return (it.n + CHOICE_BLOCK - 1) / CHOICE_BLOCK;
}

/* Where an element lies, if more than one is chosen. */
uint choice_element(uint row, uint column) {
    return choose.blocks_offset + 3 * it.m * choice_blocks() + row * it.n + column;
}

/* Adds an element, with a column of the product; rows from it.m on are nobody's. Every element has
 * to be added by one invocation. */
choice choice_add(choice sum, uint row, uint column, float value) {
    if (CHOICE_K > 1 && row < it.m)
        y[choice_element(row, column)] = floatBitsToUint(value);
    return choice_merge(sum, choice_of(value, column));
}

void choice_store(uint row, uint block, choice value) {
    const uint at = choose.blocks_offset + 3 * (row * choice_blocks() + block);
    y[at] = value.bits;
    y[at + 1] = value.index;
    y[at + 2] = floatBitsToUint(value.sum);
}

/* What the lanes of a row and block have put side by side, from `first` on. */
choice choice_of_lanes(uint first) {
    choice all = choice_get(first);
    for (uint i = 1; i < CHOICE_LANES; i++)
        all = choice_merge(all, choice_get(first + i));
    return all;
}

/* ---- more than one of a row ---- */

/* What this lane keeps, in order. Lanes from CHOICE_SUMS on keep nothing. */
candidate choice_kept[CHOICE_K];

void choice_keep_none() {
    [[unroll]] for (uint i = 0; i < CHOICE_K; i++)
        choice_kept[i] = NO_CANDIDATE;
}

void choice_keep(candidate next) {
    if (!comes_before(next, choice_kept[CHOICE_K - 1]))
        return;
    [[unroll]] for (uint i = 0; i < CHOICE_K; i++)
        if (comes_before(next, choice_kept[i])) {
            const candidate behind = choice_kept[i];
            choice_kept[i] = next;
            next = behind;
        }
}

/* The first CHOICE_K of what the lanes of a row keep: number i, to lane i. All must call. */
candidate choice_kept_first(uint slot, uint lane, uint lanes) {
    const uint keepers = min(lanes, CHOICE_SUMS);
    candidate mine = NO_CANDIDATE;
    for (uint i = 0; i < CHOICE_K; i++) {
        barrier(); /* what lay there has been read */
        if (lane < keepers) {
            choice_bits[slot + lane] = choice_kept[0].key;
            choice_index[slot + lane] = choice_kept[0].index;
        }
        barrier();
        candidate first = NO_CANDIDATE;
        for (uint j = 0; j < keepers; j++) {
            const candidate other = candidate(choice_bits[slot + j], choice_index[slot + j]);
            if (comes_before(other, first))
                first = other;
        }
        if (lane == i)
            mine = first;
        if (first.index == choice_kept[0].index) {
            [[unroll]] for (uint j = 1; j < CHOICE_K; j++)
                choice_kept[j - 1] = choice_kept[j];
            choice_kept[CHOICE_K - 1] = NO_CANDIDATE;
        }
    }
    return mine;
}

/* The first CHOICE_K of a row, number i to lane i, where lanes keep their blocks. All must call. */
candidate choice_first(uint row, uint slot, uint lane, uint lanes) {
    const candidate block = choice_kept_first(slot, lane, lanes);
    barrier();
    if (lane < CHOICE_K)
        choice_index[slot + lane] = block.index;
    barrier();
    choice_keep_none();
    for (uint i = 0; i < CHOICE_K; i++) {
        const uint start = choice_index[slot + i] / CHOICE_BLOCK * CHOICE_BLOCK;
        for (uint j = lane; j < CHOICE_BLOCK; j += lanes) /* none where there are fewer blocks */
            if (start + j < it.n)
                choice_keep(candidate(order_key(y[choice_element(row, start + j)]), start + j));
    }
    return choice_kept_first(slot, lane, lanes);
}

/* ---- rows ---- */

/* Among results 0 .. CHOICE_K of a row, of which lane i has number i, how many come before this
 * one. All must call. */
uint choice_place(candidate mine, uint slot, uint lane) {
    barrier();
    if (lane < CHOICE_K) {
        choice_bits[slot + lane] = mine.key;
        choice_index[slot + lane] = mine.index;
    }
    barrier();
    uint place = 0;
    for (uint i = 0; i < CHOICE_K; i++)
        if (comes_before(candidate(choice_bits[slot + i], choice_index[slot + i]), mine))
            place++;
    return place;
}

/* Lane i writes result i of a row, where `all` is known of it; `bits` and `index` are those of the
 * element chosen. All must call. */
void choice_write(uint row, bool there, choice all, uint bits, uint index, uint slot, uint lane) {
    uint place = lane;
    if (choose.results != HEED_CHOICE_ELEMENTS) {
        precise const float shifted = uintBitsToFloat(bits) - shift_of(all.bits);
        const float log_sum = all.sum > 0.0 ? log(all.sum) : uintBitsToFloat(NOT_A_NUMBER);
        bits = floatBitsToUint(shifted - log_sum);
    }
    if (choose.results == HEED_CHOICE_OF_LOGARITHMS) {
        if ((bits & 0x7fffffffu) > 0x7f800000u)
            index = lane; /* then all logarithms are NaN, and equal */
        place = choice_place(candidate(order_key(bits), index), slot, lane);
    }
    if (lane < CHOICE_K && there) {
        y[choose.index_offset + row * CHOICE_K + place] = index;
        y[choose.value_offset + row * CHOICE_K + place] = bits;
    }
}

/* Puts the blocks of rows [first, end) together, `together` rows at a time: a power of two, at most
 * 8 and THREADS / 16, so that a row has as many lanes as results. */
void choice_rows(uint first, uint end, uint together) {
    const uint blocks = choice_blocks();
    const uint t = gl_LocalInvocationID.x, lanes = THREADS / together, lane = t % lanes;
    const uint slot = t / lanes * CHOICE_SUMS;
    for (uint base = first; base < end; base += together) {
        const uint row = min(base + t / lanes, end - 1);
        choice_keep_none();
        for (uint i = lane; i < CHOICE_SUMS; i += lanes) {
            choice sum = NO_CHOICE;
            for (uint block = i; block < blocks; block += CHOICE_SUMS) {
                const uint at = choose.blocks_offset + 3 * (row * blocks + block);
                const choice next = choice(y[at], y[at + 1], uintBitsToFloat(y[at + 2]));
                sum = choice_merge(sum, next);
                if (CHOICE_K > 1)
                    choice_keep(candidate(order_key(next.bits), next.index));
            }
            choice_put(slot + i, sum);
        }
        barrier();
        for (uint half_width = CHOICE_SUMS / 2; half_width > 0; half_width /= 2) {
            for (uint i = lane; i < half_width; i += lanes)
                choice_put(slot + i,
                           choice_merge(choice_get(slot + i), choice_get(slot + i + half_width)));
            barrier();
        }
        const choice all = choice_get(slot);
        uint bits = all.bits, index = all.index;
        if (CHOICE_K > 1) {
            index = choice_first(row, slot, lane, lanes).index;
            bits = lane < CHOICE_K ? y[choice_element(row, index)] : NOT_A_NUMBER;
        }
        choice_write(row, base + t / lanes < end, all, bits, index, slot, lane);
        barrier(); /* all has been read before the next rows come */
    }
}

/* After choice_store() of all that this workgroup has of rows [first, end); as norm_finish(). */
void choice_finish(uint first, uint end, uint together, uint counter, uint arrivals) {
    if (last_to_arrive(choose.counters_offset + counter, arrivals))
        choice_rows(first, end, together);
}
