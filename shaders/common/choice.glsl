/* SPDX-License-Identifier: Apache-2.0 */
/* What follows a product in one dispatch: for each row the lowest index of its greatest element, as
 * argmax.comp, and the greatest of log_softmax of the row; the product itself is not written.
 *
 * Columns form blocks of CHOICE_BLOCK. Of each row and block, a workgroup leaves the greatest
 * element, its index, and the sum of exp(x - m), m being that element; the last workgroup of those
 * that share rows puts these together (Milakov and Gimelshein 2018). The order in which a row's
 * columns come together depends on their number alone: within a block, 8 lanes of columns 8 apart,
 * then the lanes; of blocks, 32 lanes of blocks 32 apart, then these by halves.
 *
 * The includer declares `it`, `choose` and the number THREADS of its invocations. */
#include "common/keys.glsl"

layout(binding = 3) coherent buffer Y { uint y[]; }; /* results, counters, then blocks' choices */
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

void choice_store(uint row, uint block, choice value) {
    const uint blocks = (it.n + CHOICE_BLOCK - 1) / CHOICE_BLOCK;
    const uint at = choose.blocks_offset + 3 * (row * blocks + block);
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

/* ---- rows ---- */

/* Puts the blocks of rows [first, end) together, `together` rows at a time: a power of two, at most
 * 8 and THREADS / 16. */
void choice_rows(uint first, uint end, uint together) {
    const uint blocks = (it.n + CHOICE_BLOCK - 1) / CHOICE_BLOCK;
    const uint t = gl_LocalInvocationID.x, lanes = THREADS / together, lane = t % lanes;
    const uint slot = t / lanes * CHOICE_SUMS;
    for (uint base = first; base < end; base += together) {
        const uint row = min(base + t / lanes, end - 1);
        for (uint i = lane; i < CHOICE_SUMS; i += lanes) {
            choice sum = NO_CHOICE;
            for (uint block = i; block < blocks; block += CHOICE_SUMS) {
                const uint at = choose.blocks_offset + 3 * (row * blocks + block);
                sum = choice_merge(sum, choice(y[at], y[at + 1], uintBitsToFloat(y[at + 2])));
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
        if (lane == 0 && base + t / lanes < end) {
            const choice all = choice_get(slot);
            precise const float shifted = uintBitsToFloat(all.bits) - shift_of(all.bits);
            const float log_sum = all.sum > 0.0 ? log(all.sum) : uintBitsToFloat(NOT_A_NUMBER);
            y[choose.index_offset + row] = all.index;
            y[choose.log_offset + row] = floatBitsToUint(shifted - log_sum);
        }
        barrier(); /* all has been read before the next rows come */
    }
}

/* After choice_store() of all that this workgroup has of rows [first, end); as norm_finish(). */
void choice_finish(uint first, uint end, uint together, uint counter, uint arrivals) {
    if (last_to_arrive(choose.counters_offset + counter, arrivals))
        choice_rows(first, end, together);
}
