/* SPDX-License-Identifier: Apache-2.0 */
/* What attention_step.comp and attention_cross.comp share: the products of a few rows with the
 * weights of one head, and attention of one query for each row. Before it is included,
 * ATTENTION_APPENDS says whether keys and values are computed and stored, too, and STEP_QUANTIZED
 * whether rows are quantised for the products. */
#include "common/merge.glsl"

layout(constant_id = HEED_STEP_TYPES) const uint TYPES = HEED_TYPE_F32;
layout(constant_id = HEED_STEP_ROWS) const uint ROWS = 1;
layout(constant_id = HEED_STEP_D) const uint D = 64;
layout(constant_id = HEED_STEP_SCRATCH) const uint SCRATCH = 4096;
layout(constant_id = HEED_STEP_QUADS) const uint QUADS = 1;

const uint WEIGHT_TYPE = TYPES & 15, BIAS_TYPE = TYPES >> 4 & 15; /* 0: no bias */
#if ATTENTION_APPENDS
const uint PARTS = 3; /* q, k, v */
#else
const uint PARTS = 1;
#endif

layout(binding = 0) readonly buffer Weights { uint weights[]; };
layout(binding = 0) readonly buffer WideWeights { uvec4 wide_weights[]; };
layout(binding = 3) readonly buffer Memory { uint memory[]; };
layout(binding = 3) readonly buffer WideMemory { vec4 wide_memory[]; };
layout(binding = 3) buffer YBesideX { float y[]; };
#if ATTENTION_APPENDS
layout(binding = 1) buffer K { float k[]; };
layout(binding = 2) buffer V { float v[]; };
#endif
layout(binding = 1) readonly buffer WideK { vec4 wide_k[]; };
layout(binding = 2) readonly buffer WideV { vec4 wide_v[]; };
layout(push_constant) uniform Push { heed_attention_step_params it; };

const uint NONE = 0xffffffffu;

shared float own[ROWS * PARTS * D]; /* [row][q, k, v][i] */
shared float scratch[SCRATCH];      /* of the products, then of attention */
shared uint longest;                /* most keys that a row of the workgroup sees */

/* Workgroups are counted along rows first. */
uint row_groups() {
    return (it.rows + ROWS - 1) / ROWS;
}

/* The first row of the workgroup. */
uint first_row() {
    return WORKGROUP % row_groups() * ROWS;
}

/* ---- products ---- */

/* Each row has a team of invocations in all but the products. */
#define TEAM (gl_WorkGroupSize.x / ROWS)

/* In products, each invocation has HEED_STEP_TILE columns, COLUMNS apart, of all rows, and one
 * segment of p at a time. The sums of segments are added, ascending, by an owner for each, in
 * rounds of GROUP rows or columns. */
#define COLUMNS (gl_WorkGroupSize.x / LANES)
const uint LANES = HEED_STEP_LANES, PITCH = LANES + 1, TILE = HEED_STEP_TILE;
const uint SUMS = TILE * ROWS, GROUP = SUMS < HEED_STEP_GROUP ? SUMS : HEED_STEP_GROUP;
const uint ROUNDS = SUMS / GROUP;

/* Number of column `column` of the head, as rows of all weights are counted. */
uint weight_row(uint head, uint column) {
    return column / D * it.n + head * D + column % D;
}

/* Column `j` of an invocation whose first is given; the last again where there are no more. */
uint column_of(uint first, uint j) {
    return min(first + j * COLUMNS, PARTS * D - 1);
}

/* Where row `row` of x begins; the last one again where there are no more. */
uint x_row(uint row) {
    return it.x_offset + min(row, it.rows - 1) * it.k;
}

#if STEP_QUANTIZED
#include "common/step_quantized.glsl"
#else
#include "common/step_floats.glsl"
#endif

/* A sum of the head's column, complete: all that it lacks is the bias. */
void keep(uint head, uint row, uint column, TOTAL total) {
    const uint weight = weight_row(head, column);
    precise float value = product(total, row, weight);
    if (BIAS_TYPE != 0) {
        const uint at = it.bias_offset + weight;
        value = value + heed_float(BIAS_TYPE, weights[heed_word(BIAS_TYPE, at)], at);
    }
    own[row * PARTS * D + column] = value;
#if ATTENTION_APPENDS
    const uint index = first_row() + row;
    if (column < D || index >= it.rows)
        return;
    const uint position = memory[it.position + index];
    const uint to = it.kv_row == NONE ? index : memory[it.kv_row + index];
    if (to >= it.kv_rows || position >= it.keys) /* negative ones are great */
        return;
    if (column < 2 * D)
        k[it.k_offset + to * it.k_strides[0] + head * it.k_strides[1] +
          position * it.k_strides[2] + column - D] = value;
    else
        v[it.v_offset + to * it.v_strides[0] + head * it.v_strides[1] +
          position * it.v_strides[2] + column - 2 * D] = value;
#endif
}

void multiply(uint head) {
    const uint t = gl_LocalInvocationID.x, lane = t % LANES, slot = t / LANES;
    for (uint first = 0; first < PARTS * D; first += COLUMNS * TILE) {
        precise TOTAL total[ROUNDS];
        [[unroll]] for (uint round = 0; round < ROUNDS; round++)
            total[round] = NOTHING;
        for (uint base = 0; base * HEED_MATMUL_SEGMENT < it.k; base += LANES) {
            precise float sums[SUMS];
            sum_segment(head, first + slot, base + lane, sums);
            [[unroll]] for (uint round = 0; round < ROUNDS; round++) {
                barrier(); /* sums before these have been read */
                [[unroll]] for (uint i = 0; i < GROUP; i++)
                    scratch[(i * COLUMNS + slot) * PITCH + lane] = sums[round * GROUP + i];
                barrier();
                if (t < GROUP * COLUMNS)
                    [[unroll]] for (uint i = 0; i < LANES; i++)
                        add_segment(total[round], scratch[t * PITCH + i]);
            }
        }
        [[unroll]] for (uint round = 0; round < ROUNDS; round++) {
            const uint sum = round * GROUP + t / COLUMNS;
            const uint column = first + sum / ROWS * COLUMNS + t % COLUMNS;
            if (t < GROUP * COLUMNS && column < PARTS * D)
                keep(head, sum % ROWS, column, total[round]);
        }
    }
    barrier();
}

/* ---- attention ---- */

/* The team of a row has a tile of KEYS keys, or several, in work at a time; the order of sums is
 * that of common/attention.glsl, and so are the bits of y. */
#define TILES (TEAM / KEYS)
const uint ROOM = D <= 32 ? 32 : D <= 64 ? 64 : 128;
const uint KEYS = HEED_ATTENTION_KEYS(ROOM), SHARES = HEED_ATTENTION_LANES;

/* Parts of `scratch`: scores and weights of the keys of all teams; of each tile its sums of
 * weights, and those of weighted values. */
#define SCORE(i) scratch[i]
#define WEIGHT(i) scratch[gl_WorkGroupSize.x + (i)]
#define SHARE(i) scratch[2 * gl_WorkGroupSize.x + (i)]
#define VALUE(i) scratch[2 * gl_WorkGroupSize.x + gl_WorkGroupSize.x / KEYS * SHARES + (i)]

int entry(uint table, uint index) {
    return int(memory[table + index]);
}

uint clamped(int value, uint low, uint high) {
    return value < 0 ? low : clamp(uint(value), low, high);
}

/* How many keys row `index` sees; where the first of them begins in k and v. */
uint find_keys(uint index, uint head, out uint k_at, out uint v_at) {
    uint row = it.kv_row == NONE ? index : memory[it.kv_row + index], base = 0, count = it.keys;
    k_at = v_at = 0;
    if (row >= it.kv_rows) /* negative ones are great */
        return 0;
    if (it.kv_offsets != NONE) {
        base = clamped(entry(it.kv_offsets, row), 0, it.keys);
        count = min(clamped(entry(it.kv_offsets, row + 1), base, it.keys) - base, it.max_len);
        row = 0;
    }
    if (it.key_len != NONE)
        count = clamped(entry(it.key_len, index), 0, count);
    k_at = it.k_offset + row * it.k_strides[0] + head * it.k_strides[1] + base * it.k_strides[2];
    v_at = it.v_offset + row * it.v_strides[0] + head * it.v_strides[1] + base * it.v_strides[2];
    return count;
}

/* Where row `index` stores its key, if it does, counted in the keys that it may see. */
uint appended(uint index) {
#if ATTENTION_APPENDS
    return memory[it.position + index];
#else
    return NONE;
#endif
}

vec4 own_quad(uint at) {
    return vec4(own[at], own[at + 1], own[at + 2], own[at + 3]);
}

/* Of q and the key at `at` or, where it is the row's own, just computed. */
float score(uint q_at, uint at, bool is_own) {
    float sum = 0.0;
    for (uint i = 0; i < D; i += 4) {
        vec4 right;
        if (is_own)
            right = own_quad(q_at + D + i);
        else
            right = wide_k[(at + i) >> 2];
        sum = add_four_products(own_quad(q_at + i), right, sum);
    }
    precise const float scaled = sum * it.scale;
    return scaled;
}

/* What a team knows of its row. */
struct team {
    uint first, lane;   /* invocations of the workgroup before it; of them, this one */
    uint q_at;          /* in `own` */
    uint k_at, v_at;    /* where the first key begins */
    uint end, own_key;  /* keys, and which of them is the row's own */
};

float greatest_of(uint tile) {
    float greatest = uintBitsToFloat(MINUS_INFINITY);
    for (uint j = tile; j < tile + KEYS; j++)
        greatest = SCORE(j) > greatest ? SCORE(j) : greatest;
    return greatest;
}

/* Scores and weights of TEAM keys from `first` on. */
void weigh_keys(team my, uint first) {
    const uint t = gl_LocalInvocationID.x, key = first + my.lane;
    float own_score = uintBitsToFloat(MINUS_INFINITY);
    if (key < my.end)
        own_score = score(my.q_at, my.k_at + key * it.k_strides[2], key == my.own_key);
    SCORE(t) = own_score;
    barrier();
    WEIGHT(t) = key < my.end ? weight_of(own_score, greatest_of(t / KEYS * KEYS)) : 0.0;
    barrier();
}

/* Sums over the keys of each of `count` tiles. As many invocations as there are groups of four
 * columns share one. */
void sum_tiles(team my, uint first, uint count) {
    uint columns = 1;
    while (columns < TEAM && columns * 4 < D)
        columns *= 2;
    if (my.lane < count * SHARES) {
        precise float share = 0.0;
        for (uint j = 0; j < KEYS / SHARES; j++)
            share += WEIGHT(my.first + my.lane * (KEYS / SHARES) + j);
        SHARE(my.first / KEYS * SHARES + my.lane) = share;
    }
    for (uint tile = my.lane / columns; tile < count; tile += TEAM / columns)
        for (uint c = my.lane % columns * 4; c < D; c += columns * 4) {
            precise vec4 sum = vec4(0.0);
            const uint last = min(tile * KEYS + KEYS, my.end - first);
            for (uint j = tile * KEYS; j < last; j++) {
                vec4 value;
                if (first + j == my.own_key)
                    value = own_quad(my.q_at + 2 * D + c);
                else
                    value = wide_v[(my.v_at + (first + j) * it.v_strides[2] + c) >> 2];
                sum = fma(vec4(WEIGHT(my.first + j)), value, sum);
            }
            [[unroll]] for (uint i = 0; i < 4; i++)
                VALUE((my.first / KEYS + tile) * D + c + i) = sum[i];
        }
}

vec4 value_quad(uint at) {
    return vec4(VALUE(at), VALUE(at + 1), VALUE(at + 2), VALUE(at + 3));
}

/* y of the rows and the head. */
void attend(uint head) {
    const uint t = gl_LocalInvocationID.x, row = t / TEAM, index = first_row() + row;
    team my = team(row * TEAM, t % TEAM, row * PARTS * D, 0, 0, 0, NONE);
    if (t == 0)
        longest = 0;
    barrier();
    if (index < it.rows) {
        my.end = find_keys(index, head, my.k_at, my.v_at);
        my.own_key = appended(index);
        atomicMax(longest, my.end);
    }
    barrier();
    const uint most = longest;
    vec4 sums[QUADS]; /* columns 4 (lane + TEAM i) and three more */
    [[unroll]] for (uint i = 0; i < QUADS; i++)
        sums[i] = vec4(0.0);
    float greatest = uintBitsToFloat(MINUS_INFINITY), share = 0.0; /* share `lane` of the weights */
    for (uint first = 0; first < most; first += TEAM) {
        const uint left = my.end > first ? my.end - first : 0;
        const uint count = min((left + KEYS - 1) / KEYS, TILES);
        weigh_keys(my, first);
        sum_tiles(my, first, count);
        barrier();
        for (uint i = 0; i < count; i++) {
            const uint tile = my.first / KEYS + i;
            const vec2 factors = factors_of(greatest, greatest_of(tile * KEYS));
            [[unroll]] for (uint j = 0; j < QUADS; j++) {
                const uint c = min((my.lane + TEAM * j) * 4, D - 4);
                sums[j] = merged(sums[j], value_quad(tile * D + c), factors);
            }
            if (my.lane < SHARES)
                share = merged(share, SHARE(tile * SHARES + my.lane), factors);
        }
        barrier();
    }
    if (my.lane < SHARES)
        SHARE(my.first / KEYS * SHARES + my.lane) = share;
    barrier();
    precise float total = 0.0;
    for (uint i = 0; i < SHARES; i++)
        total += SHARE(my.first / KEYS * SHARES + i);
    const uint y_at = it.y_offset + index * it.n + head * D;
    [[unroll]] for (uint i = 0; i < QUADS; i++) {
        const uint c = (my.lane + TEAM * i) * 4;
        if (index < it.rows && c < D)
            [[unroll]] for (uint j = 0; j < 4; j++)
                y[y_at + c + j] = total == 0.0 ? 0.0 : sums[i][j] / total;
    }
}

void main() {
    const uint head = WORKGROUP / row_groups();
    if (head >= it.heads) /* of the whole workgroup */
        return;
    prepare();
    multiply(head);
    attend(head);
}
