/* SPDX-License-Identifier: Apache-2.0 */
/* What the forms of attention share: bindings, which keys a query may see, and one order of sums,
 * so that the bits of a query do not depend on the form.
 *
 * Keys of a sequence are cut at multiples of KEYS. In such a tile, m is the greatest score that the
 * query sees; values are added by weights exp(score - m), key by key, from 0 on; the weights
 * themselves in LANES sums of neighbours. Tiles are merged one after another: with m' = max(M, m),
 * sums become sums exp(M - m') + those of the tile exp(m - m'). A tile of which the query sees
 * nothing changes no bit. */

#include "common/merge.glsl"

layout(constant_id = HEED_ATTENTION_TYPES) const uint TYPES = HEED_TYPE_F32 | HEED_TYPE_F32 << 4;
layout(constant_id = HEED_ATTENTION_BIAS_STRIDES) const uint BIAS_STRIDE_BATCH = 0;
layout(constant_id = HEED_ATTENTION_BIAS_STRIDES + 1) const uint BIAS_STRIDE_HEAD = 0;
layout(constant_id = HEED_ATTENTION_BIAS_STRIDES + 2) const uint BIAS_STRIDE_QUERY = 0;
layout(constant_id = HEED_ATTENTION_BIAS_STRIDES + 3) const uint BIAS_STRIDE_KEY = 0;
layout(constant_id = HEED_ATTENTION_ROOM) const uint ROOM = 64;
const uint LANES = HEED_ATTENTION_LANES;
const uint KEYS = HEED_ATTENTION_KEYS(ROOM);
const uint K_TYPE = TYPES & 15, V_TYPE = TYPES >> 4 & 15;
const uint BIAS_TYPE = TYPES >> 8 & 15; /* 0: none */
/* Rows of q, k and v lie on boundaries of 16 bytes, and have a multiple of these. */
const bool WIDE = (TYPES & HEED_ATTENTION_WIDE) != 0;

layout(binding = 0) readonly buffer Memory { uint memory[]; };
layout(binding = 0) readonly buffer WideMemory { uvec4 wide_memory[]; };
layout(binding = 1) readonly buffer K { uint k[]; };
layout(binding = 1) readonly buffer WideK { uvec4 wide_k[]; };
layout(binding = 2) readonly buffer V { uint v[]; };
layout(binding = 2) readonly buffer WideV { uvec4 wide_v[]; };
layout(binding = 3) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { heed_attention_params it; };

const uint NONE = 0xffffffffu;

int entry(uint table, uint index) {
    return int(memory[table + index]);
}

uint clamped(int value, uint low, uint high) {
    return value < 0 ? low : clamp(uint(value), low, high);
}

/* Stretch `index` of packed rows [0, total). */
void stretch(uint table, uint index, uint total, out uint base, out uint count) {
    base = clamped(entry(table, index), 0, total);
    count = min(clamped(entry(table, index + 1), base, total) - base, it.max_len);
}

/* How many keys `position` reaches over from `start`: start + position + 1, at least 0. */
uint reach(int start, uint position) {
    return start < 0 ? uint(max(int(position) + 1 + start, 0)) : uint(start) + position + 1;
}

/* The keys [begin, end) of a sequence that its query at `position` may see, where they are, and
 * their row; NONE: each has its own. False if there are none. */
bool find_keys(uint sequence, uint position, out uint row, out uint base, out uint begin,
               out uint end) {
    const bool by_key = (it.flags & HEED_ATTENTION_ROW_BY_KEY) != 0;
    row = by_key ? NONE : it.kv_row == NONE ? sequence : memory[it.kv_row + sequence];
    base = 0;
    begin = 0;
    end = it.keys;
    if (!by_key && row >= it.kv_rows) /* negative ones are great */
        return false;
    if (it.kv_offsets != NONE) {
        stretch(it.kv_offsets, row, it.keys, base, end);
        row = 0;
    }
    const uint reached =
        reach(it.q_start == NONE ? 0 : entry(it.q_start, sequence), position);
    if (it.key_len != NONE)
        end = clamped(entry(it.key_len, sequence), 0, end);
    if ((it.flags & HEED_ATTENTION_CAUSAL) != 0)
        end = min(end, reached);
    if (it.window > 0 && reached > it.window)
        begin = min(reached - it.window, end);
    return begin < end;
}

/* Where the elements of a key begin, in k or v with these strides. */
uint place(uint offset, uint strides[3], uint row, uint head, uint key) {
    return offset + row * strides[0] + head * strides[1] + key * strides[2];
}

/* Elements 4 (i % 2) to 4 (i % 2) + 3 of 16 bytes; all, where there are four. */
vec4 four_of(uint type, uvec4 words, uint i) {
    if (type == HEED_TYPE_F32)
        return uintBitsToFloat(words);
    const uvec2 pairs = (i & 1) == 0 ? words.xy : words.zw;
    if (type == HEED_TYPE_BF16)
        return uintBitsToFloat(uvec4(pairs.x << 16, pairs.x & 0xffff0000u, pairs.y << 16,
                                     pairs.y & 0xffff0000u));
    return vec4(unpackHalf2x16(pairs.x), unpackHalf2x16(pairs.y));
}

/* Elements `at` to at + 3 of a buffer; zeros from `count` > 0 on. */
#define FOUR_FROM(result, buffer, wide, type, at, count)                                           \
    if (WIDE)                                                                                      \
        result = four_of(type, wide[(at) >> (type == HEED_TYPE_F32 ? 2 : 3)], (at) >> 2);          \
    else                                                                                           \
        [[unroll]] for (uint n = 0; n < 4; n++) {                                                  \
            const uint from = (at) + min(n, (count) - 1);                                          \
            result[n] = n < (count) ? heed_float(type, buffer[heed_word(type, from)], from) : 0.0; \
        }

vec4 four_of_q(uint at, uint count) {
    vec4 result;
    FOUR_FROM(result, memory, wide_memory, HEED_TYPE_F32, at, count)
    return result;
}

vec4 four_of_k(uint at, uint count) {
    vec4 result;
    FOUR_FROM(result, k, wide_k, K_TYPE, at, count)
    return result;
}

vec4 four_of_v(uint at, uint count) {
    vec4 result;
    FOUR_FROM(result, v, wide_v, V_TYPE, at, count)
    return result;
}

/* The score of a sum of products; `bias` is the place of its bias. */
float scored(float sum, uint bias) {
    precise float score = sum * it.scale;
    if (BIAS_TYPE != 0)
        score = score + heed_float(BIAS_TYPE, memory[heed_word(BIAS_TYPE, bias)], bias);
    return score;
}
