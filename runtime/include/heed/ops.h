/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The operators: their identities, attributes and meaning.
 *
 * One list names every operator once. Shapes are written [outermost, ..., innermost]; `...` stands
 * for any leading dimensions. Inputs and outputs come in the order given. An optional input that is
 * absent has the index -1 in a node.
 *
 * Types: "float" means f32, f16 or bf16. Unless said otherwise every float input of an operator may
 * have its own float type, arithmetic is done in f32 or better, and the output has the type of the
 * first input. Index inputs are i32. Rounding of stored results is to nearest, ties to even.
 *
 * This header stands alone: plugins use it without linking anything. */
#ifndef HEED_OPS_H
#define HEED_OPS_H

#include <stdint.h>
#include <string.h>

#include "heed/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */
/** X(NAME, value, name). Values are part of the plugin interface and never change.
 *
 * Views (no data moves; plugins never see these as nodes, only the strides they lead to):
 *   reshape      x -> same elements in new dims; where strides do not allow a view, the graph
 *                inserts a copy first
 *   transpose    x -> y, y.dims[i] = x.dims[perm[i]]
 *   slice        x -> y, y.dims[i] = size[i], y[j] = x[start + j * step]
 *   broadcast    x -> y, dims of size 1 (and new leading ones) repeated, stride 0
 *
 * Composite or computed:
 *   matmul       a[..., m, k], b[..., k, n], bias?[n], b_scale?[n] -> y[..., m, n]
 *                y = act((a b) * b_scale + bias). transpose_a: a is [..., k, m]; transpose_b: b is
 *                [..., n, k] (the layout of trained weights). Leading dims broadcast against each
 *                other. b may be i8, then b_scale (f32) is required, else it must be absent; or a
 *                q8_0 constant [n, k / 32] with transpose_b. See enum heed_quantization.
 *   attention    q[b,h,tq,d], k[bk,hk,tk,d], v[bk,hk,tk,dv], bias?, key_len?, q_start?, kv_row?,
 *                q_offsets?, kv_offsets? -> y[b,h,tq,dv], weights?
 *                see struct heed_attention_attrs
 *   softmax      x[..., n] -> y: over the last dimension, n >= 1 (shifted by the maximum; a row
 *                that is all -inf gives zeros)
 *   log_softmax  x[..., n] -> y: over the last dimension, n >= 1 (a row that is all -inf gives NaN)
 *   layer_norm   x[..., n], gamma[n], beta[n] -> (x - mean) / sqrt(var + eps) * gamma + beta,
 *                biased variance, n >= 1 (Ba, Kiros, Hinton 2016)
 *   add, mul     a, b -> elementwise with broadcasting (right-aligned dims, equal or 1); both
 *                float, or both i32 (wraps modulo 2^32)
 *   scale        x -> x * factor
 *   relu, gelu, silu, tanh, sigmoid
 *                x -> f(x)   (gelu: Hendrycks and Gimpel 2016; silu: x * sigmoid(x), Elfwing et al.
 *                2018)
 *   embedding    table[v, n], ids[...], table_scale?[v] -> y[..., n], f32 unless out_dtype says
 *                otherwise; an id outside [0, v) gives zeros. table may be i8, then table_scale
 *                (f32) is required: y = table * scale. Or it is q8_0, [v, n / 32].
 *   positions    pos i32[...] -> y[..., n]: sinusoidal position vectors; pos outside [0, max_len)
 *                gives zeros (Vaswani et al. 2017; see struct heed_positions_attrs)
 *   concat       x0, x1, ... -> joined along `axis`; same type and other dims; 1 to 8 inputs
 *   copy         x -> contiguous copy, any type
 *   cast         x -> x in another type. float -> i32/i8: truncated toward zero, saturated,
 *                NaN -> 0
 *   argmax       x float[..., n] -> i32[...]: index of the greatest; the lowest index among equals;
 *                NaN counts as less than everything; n >= 1
 *   top_k        x float[..., n] -> values[..., k], indices i32[..., k]: the k greatest,
 *                descending, equals by ascending index; NaN counts as less than everything;
 *                1 <= k <= n
 *   cache_append state[r, cap, n], x[b, t, n], pos i32[b], row? i32[b] -> state': x[i, j] stored
 *                at state[row[i], pos[i] + j] (row absent: i). Elements that fall outside the state
 *                are dropped, so pos = cap marks an idle row. Updates the state in place: the input
 *                token may not be used again. No two rows of x may go to one row of the state. x is
 *                converted to the state's type.
 *   gather_rows  x[v, ...], index i32[m] -> y[m, ...]: y[i] = x[index[i]], zeros where the index is
 *                outside [0, v); any type
 *   advance      rows i32[5, b], next i32[b] -> rows' i32[5, b]: what a decoding step reads after
 *                the one that chose `next`; see struct heed_advance_attrs
 */
/* clang-format on */
#define HEED_OP_LIST(X)                                                                            \
    X(MATMUL, 1, matmul)                                                                           \
    X(ATTENTION, 2, attention)                                                                     \
    X(SOFTMAX, 3, softmax)                                                                         \
    X(LOG_SOFTMAX, 4, log_softmax)                                                                 \
    X(LAYER_NORM, 5, layer_norm)                                                                   \
    X(ADD, 6, add)                                                                                 \
    X(MUL, 7, mul)                                                                                 \
    X(SCALE, 8, scale)                                                                             \
    X(RELU, 9, relu)                                                                               \
    X(GELU, 10, gelu)                                                                              \
    X(SILU, 11, silu)                                                                              \
    X(TANH, 12, tanh)                                                                              \
    X(SIGMOID, 13, sigmoid)                                                                        \
    X(EMBEDDING, 14, embedding)                                                                    \
    X(POSITIONS, 15, positions)                                                                    \
    X(CONCAT, 16, concat)                                                                          \
    X(SLICE, 17, slice)                                                                            \
    X(TRANSPOSE, 18, transpose)                                                                    \
    X(RESHAPE, 19, reshape)                                                                        \
    X(BROADCAST, 20, broadcast)                                                                    \
    X(COPY, 21, copy)                                                                              \
    X(CAST, 22, cast)                                                                              \
    X(ARGMAX, 23, argmax)                                                                          \
    X(TOP_K, 24, top_k)                                                                            \
    X(CACHE_APPEND, 25, cache_append)                                                              \
    X(GATHER_ROWS, 26, gather_rows)                                                                \
    X(ADVANCE, 27, advance)

enum heed_op {
    HEED_OP_NONE = 0,
#define HEED_OP_ENUM(NAME, value, name) HEED_OP_##NAME = value,
    HEED_OP_LIST(HEED_OP_ENUM)
#undef HEED_OP_ENUM
        HEED_OP_COUNT_PLUS_ONE
};

/** Most inputs and outputs of one node. */
#define HEED_MAX_INPUTS 9
#define HEED_MAX_OUTPUTS 2

/** Name of an operator, "matmul"; "?" for an unknown one. */
static inline const char *heed_op_name(enum heed_op op) {
    switch (op) {
#define HEED_OP_CASE(NAME, value, name)                                                            \
    case HEED_OP_##NAME:                                                                           \
        return #name;
        HEED_OP_LIST(HEED_OP_CASE)
#undef HEED_OP_CASE
    case HEED_OP_NONE:
    case HEED_OP_COUNT_PLUS_ONE:
        break;
    }
    return "?";
}

enum heed_activation {
    HEED_ACTIVATION_NONE = 0,
    HEED_ACTIVATION_RELU = 1,
    HEED_ACTIVATION_GELU_ERF = 2,
    HEED_ACTIVATION_GELU_TANH = 3,
    HEED_ACTIVATION_SILU = 4,
    HEED_ACTIVATION_TANH = 5,
    HEED_ACTIVATION_SIGMOID = 6
};

/** How matmul treats a where b is i8 or q8_0.
 *
 * HEED_QUANTIZE_NONE: a product of real numbers, (sum_k a_k b_k) * b_scale[n]; i8 only.
 *
 * HEED_QUANTIZE_ROWS: each row of a (the k elements that meet one column of b) becomes i8 on the
 * fly. The formula is fixed so that every backend has the same bits before the activation, whatever
 * the order of its sums. All steps are in f32, each rounded once to nearest, ties to even, without
 * contraction:
 *
 *   m       = max_k |a_k|
 *   scale_a = m / 127, factor = 127 / m      (heed_quantize_scale() has the special cases)
 *   q_k     = round(a_k * factor)            (heed_quantize(); |q_k| <= 127 by itself)
 *
 *   i8:     y = act((float)(sum_k q_k b[k,n]) * (scale_a * b_scale[n]) + bias[n])
 *   q8_0:   t = 0, then t = t + (float)s_j * d_j for the blocks j = 0, 1, ... of column n in
 *           this order, s_j = sum over its 32 values q_k b[k,n], d_j its scale;
 *           y = act(t * scale_a + bias[n])
 *
 * A maximum and a sum of integers do not depend on order, and everything else is one chain per
 * element. Sums fit in i32: k is at most HEED_QUANTIZE_MAX_K, as 127 * 128 * 2^17 < 2^31. An absent
 * bias adds nothing; k = 0 gives sums of 0. Outside the range of normal numbers (a product with a
 * scale below 2^-126), hardware that flushes denormals may differ. */
enum heed_quantization { HEED_QUANTIZE_NONE = 0, HEED_QUANTIZE_ROWS = 1 };

/** Most rows of b with HEED_QUANTIZE_ROWS. */
#define HEED_QUANTIZE_MAX_K 131072

/** scale_a of a row whose greatest magnitude is `greatest`, and what its elements are multiplied
 * with before rounding. A row without a value of 2^-100 or more becomes zeros with a scale of 0, so
 * that both quotients are normal numbers. A row with a NaN or an infinity (`greatest` must then be
 * either) becomes zeros with a scale of NaN, so that its results are NaN. */
static inline float heed_quantize_scale(float greatest, float *factor) {
    *factor = 0.0f;
    if (!(greatest <= 3.402823466e+38f))
        return greatest - greatest;  /* NaN */
    if (greatest < 7.888609052e-31f) /* 2^-100 */
        return 0.0f;
    *factor = 127.0f / greatest;
    return greatest / 127.0f;
}

/** round(value * factor), ties to even, from -127 to 127; 0 where factor is 0, whatever the value.
 * Adding 1.5 * 2^23 leaves a sum whose last bit weighs 1, and so rounds. To be compiled without
 * contraction, like all that takes part in this. */
static inline int32_t heed_quantize(float value, float factor) {
    const float product = value * factor;
    const float sum = product + 12582912.0f;
    int32_t bits;
    memcpy(&bits, &sum, sizeof bits);
    return factor == 0.0f ? 0 : bits - 0x4b400000;
}

/* Attribute blocks. Each starts with its own size; a field may be added at the end. All bytes that
 * are not fields are zero. */

struct heed_matmul_attrs {
    uint32_t struct_size;
    uint32_t transpose_a;
    uint32_t transpose_b;
    uint32_t activation;     /**< enum heed_activation */
    uint32_t out_dtype;      /**< enum heed_dtype, float; 0: the type of a */
    uint32_t a_quantization; /**< enum heed_quantization; not 0 only with an i8 or q8_0 b */
};

/** Inputs of attention, by index. */
enum {
    HEED_ATTENTION_Q = 0,
    HEED_ATTENTION_K = 1,
    HEED_ATTENTION_V = 2,
    HEED_ATTENTION_BIAS = 3,       /**< float, broadcastable to [b, h, tq, tk] */
    HEED_ATTENTION_KEY_LEN = 4,    /**< i32 [b] */
    HEED_ATTENTION_Q_START = 5,    /**< i32 [b] */
    HEED_ATTENTION_KV_ROW = 6,     /**< i32 [b] or [b, tk] */
    HEED_ATTENTION_Q_OFFSETS = 7,  /**< i32 [s + 1] */
    HEED_ATTENTION_KV_OFFSETS = 8, /**< i32 [s + 1] */
    HEED_ATTENTION_INPUTS = 9
};

enum heed_score_kind {
    HEED_SCORE_DOT = 0,   /**< q . k */
    HEED_SCORE_SCALED = 1 /**< scale * (q . k) */
};

/** Attention (Vaswani et al. 2017, eq. 1), one operator for all its uses:
 *
 *   y[i,h,t] = sum_j w[i,h,t,j] v[r,h/g,j],   w = softmax_j(score * (q[i,h,t] . k[r,h/g,j]) + bias)
 *
 * where g = h / hk (grouped heads; hk divides h), r = kv_row[i] (absent: i), and j runs over the
 * visible keys: j < key_len[i] (absent: tk; clamped to [0, tk]); if `causal`, j <= q_start[i] + t
 * (q_start absent: 0); if window > 0, j > q_start[i] + t - window. Keys that are not visible do not
 * take part at all (no minus infinity). A query that sees no key gives zeros, in y and in weights.
 *
 * kv_row of shape [b, tk] names a row for every key: key j of query row i is k[kv_row[i][j], ., j]
 * (the table of ancestors of a beam). A row outside [0, bk) makes the key invisible.
 *
 * Packed keys (kv_offsets present): bk is 1 and k is [1, hk, T, d]; row r is the stretch
 * T-positions kv_offsets[r] .. kv_offsets[r + 1] - 1, and tk stands for its length; s rows exist.
 * Packed queries (q_offsets present): b is 1 and q is [1, h, T, d]; sequence i is the stretch
 * q_offsets[i] .. q_offsets[i + 1] - 1, t counts from its start, and key_len, q_start, kv_row have
 * one entry per sequence. y beyond the last offset is zero. Offsets are ascending from >= 0 and are
 * clamped to T. `bias`, and kv_row of rank 2, are refused with packed keys or queries.
 *
 * With return_weights the second output is [b, h, tq, tk]; for packed keys its last dimension is
 * max_len. `max_len` is the upper bound of the length of any packed stretch (required > 0 when
 * kv_offsets or q_offsets is present); longer stretches are cut to it.
 *
 * The softmax is computed online (Milakov and Gimelshein 2018; Dao et al. 2022) except where
 * weights are returned. */
struct heed_attention_attrs {
    uint32_t struct_size;
    uint32_t score; /**< enum heed_score_kind */
    float scale;    /**< used by HEED_SCORE_SCALED; 0 means 1 / sqrt(d) */
    uint32_t causal;
    uint32_t window; /**< 0: unlimited */
    uint32_t return_weights;
    uint32_t max_len;
};

struct heed_layer_norm_attrs {
    uint32_t struct_size;
    float eps; /**< > 0 */
};

struct heed_scale_attrs {
    uint32_t struct_size;
    float factor;
};

struct heed_gelu_attrs {
    uint32_t struct_size;
    uint32_t tanh_form; /**< 0: x/2 (1 + erf(x/sqrt 2)); 1: x/2 (1 + tanh(sqrt(2/pi)(x + 0.044715
                           x^3))) */
};

struct heed_embedding_attrs {
    uint32_t struct_size;
    uint32_t out_dtype; /**< enum heed_dtype, float; 0: f32 */
};

enum heed_positions_form {
    /** y[i] = sin(p / 10000^(2i/n)) for i < n/2, then the cosines (Hugging Face Marian) */
    HEED_POSITIONS_HALVES = 0,
    /** the same halves with the exponent i / (n/2 - 1) (native Marian, tensor2tensor) */
    HEED_POSITIONS_HALVES_T2T = 1,
    /** sine and cosine alternate: y[2i], y[2i+1] (Vaswani et al. 2017) */
    HEED_POSITIONS_INTERLEAVED = 2
};

struct heed_positions_attrs {
    uint32_t struct_size;
    uint32_t form;  /**< enum heed_positions_form */
    uint32_t width; /**< n, even, >= 2 (>= 4 for HALVES_T2T) */
    uint32_t max_len;
};

struct heed_concat_attrs {
    uint32_t struct_size;
    uint32_t axis;
};

struct heed_slice_attrs {
    uint32_t struct_size;
    uint32_t reserved;
    int64_t start[HEED_MAX_RANK];
    int64_t size[HEED_MAX_RANK];
    int64_t step[HEED_MAX_RANK]; /**< 0 means 1 */
};

struct heed_transpose_attrs {
    uint32_t struct_size;
    uint32_t perm[HEED_MAX_RANK];
};

/** For reshape and broadcast: the new dimensions. One entry of a reshape may be -1 (inferred). */
struct heed_shape_attrs {
    uint32_t struct_size;
    uint32_t rank;
    int64_t dims[HEED_MAX_RANK];
};

struct heed_cast_attrs {
    uint32_t struct_size;
    uint32_t dtype; /**< enum heed_dtype */
};

struct heed_top_k_attrs {
    uint32_t struct_size;
    uint32_t k;
};

/** Rows of the table that a decoding step reads; a column is a hypothesis. */
enum {
    HEED_ROWS_TOKEN = 0,      /**< its newest token */
    HEED_ROWS_POSITION = 1,   /**< where that token's keys go in the cache */
    HEED_ROWS_KEY_LEN = 2,    /**< keys that it sees */
    HEED_ROWS_CACHE_ROW = 3,  /**< its row of the cache */
    HEED_ROWS_SOURCE_ROW = 4, /**< its source sentence */
    HEED_ROWS_COUNT = 5
};

/** Feeds the chosen tokens back. Column i of the result is
 *
 *   (next[i], position + 1, key_len + 1, cache_row, source_row)
 *
 * or, where next[i] == eos, position < 0 or position + 1 >= capacity, an idle one, whose keys go
 * nowhere and which sees none: (-1, capacity, 0, -1, -1). So an idle column stays idle. key_len + 1
 * wraps modulo 2^32. */
struct heed_advance_attrs {
    uint32_t struct_size;
    int32_t eos;       /**< the token that ends a hypothesis; one outside the vocabulary: none */
    uint32_t capacity; /**< positions of the cache, at most 2^31 - 1 */
};

/** Room for the block of any operator but views, which plugins never see. All their fields are of
 * 32 bits. */
union heed_op_attrs {
    uint32_t words[8]; /**< the first is struct_size */
    struct heed_matmul_attrs matmul;
    struct heed_attention_attrs attention;
    struct heed_layer_norm_attrs layer_norm;
    struct heed_scale_attrs scale;
    struct heed_gelu_attrs gelu;
    struct heed_embedding_attrs embedding;
    struct heed_positions_attrs positions;
    struct heed_concat_attrs concat;
    struct heed_cast_attrs cast;
    struct heed_top_k_attrs top_k;
    struct heed_advance_attrs advance;
};

#ifdef __cplusplus
}
#endif
#endif
