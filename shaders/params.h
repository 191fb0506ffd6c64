/* SPDX-License-Identifier: Apache-2.0 */
/* What host and shaders agree on: the numbers of specialization constants and the blocks of push
 * constants, read by C and GLSL alike. A block is at most 128 bytes, which every device has; sizes
 * are in elements and offsets count elements of the binding that they belong to. */
#ifndef HEED_SHADERS_PARAMS_H
#define HEED_SHADERS_PARAMS_H

#ifdef VULKAN /* GLSL */
#define uint32_t uint
#else
#include <stdint.h>
#endif

#define HEED_MAX_BINDINGS 4   /* storage buffers of a shader */
#define HEED_MAX_CONSTANTS 9  /* specialization constants of a shader */
#define HEED_PUSH_BYTES 128

/* Most invocations of a workgroup: what shared memory is laid out for. */
#define HEED_MAX_WIDTH 256

/* Constant 0 of every shader is the width of a workgroup; the others are its own, from 1 on. */
#define HEED_CONSTANT_WIDTH 0

/* Element types of bindings, as specialization constants: enum heed_dtype. */
#define HEED_TYPE_F32 1
#define HEED_TYPE_F16 2
#define HEED_TYPE_BF16 3
#define HEED_TYPE_I32 4
#define HEED_TYPE_I8 5
#define HEED_TYPE_Q8_0 6

/* unary.comp, constant 1: what is computed; the first are enum heed_activation. */
#define HEED_UNARY_COPY 0
#define HEED_UNARY_RELU 1
#define HEED_UNARY_GELU_ERF 2
#define HEED_UNARY_GELU_TANH 3
#define HEED_UNARY_SILU 4
#define HEED_UNARY_TANH 5
#define HEED_UNARY_SIGMOID 6
#define HEED_UNARY_SCALE 7

/* binary.comp, constant 1. */
#define HEED_BINARY_ADD 0
#define HEED_BINARY_MUL 1

/* What follows a product: MATMUL_THEN of common/matmul.glsl and common/skinny.glsl. */
#define THEN_STORE 0
#define THEN_NORM 1
#define THEN_CHOICE 2

/* matmul.comp and matmul_skinny.comp. Both sum in one order, so that the bits of a row do not
 * depend on how many there are: k is cut into segments of HEED_MATMUL_SEGMENT; within one, products
 * are added one by one by fma, p ascending, from 0 on; the sums of segments are added one by one,
 * ascending, to 0. (fma rounds once or twice, as the device likes, but everywhere alike.) */
#define HEED_MATMUL_SEGMENT 32
#define HEED_MATMUL_TYPES 1 /* a + 16 b + 256 bias; bias 0: absent */
#define HEED_MATMUL_ACTIVATION 2
#define HEED_MATMUL_TX 3 /* of matmul.comp: a workgroup's invocations along columns, */
#define HEED_MATMUL_TY 4 /* and along rows, */
#define HEED_MATMUL_TM 5 /* and an invocation's rows and columns */
#define HEED_MATMUL_TN 6
#define HEED_MATMUL_ROWS 3 /* of the skinny forms: rows, a power of two, at most 16, */
#define HEED_MATMUL_WIDE 4    /* whether matmul_skinny.comp may load 16 bytes at a time */
#define HEED_MATMUL_LANES 5   /* their invocations along k, as many as rows at least, */
#define HEED_MATMUL_COLUMNS 6 /* and along columns */
#define HEED_MATMUL_STEP 8    /* elements that one of matmul_skinny.comp reads at a time */

/* y[batch, i, j]: contiguous; a batch has two indices, the second below `inner`. What b shows may
 * begin with a later column: then b_offset is less than 0, modulo 2^32. */
struct heed_matmul_params {
    uint32_t m, n, k, batches, inner;
    uint32_t a_row, a_k, b_k, b_n, bias_stride;
    uint32_t a_batch[2], b_batch[2];
    uint32_t a_offset, b_offset, bias_offset, y_offset;
    uint32_t scale_offset, scale_stride; /* of columns, with an i8 b */
    uint32_t column, columns;            /* the first of n that are computed, and how many */
    uint32_t bias_batch;                 /* from a batch's bias to the next, with floats */
};

/* A product followed by residual and layer_norm (common/norm.glsl): what follows
 * heed_matmul_params. Residual and y are contiguous, and so are gamma and beta, which lie with b.
 * Counters are counted in words from the start of y's binding. */
#define HEED_MATMUL_NORM_TYPES 7 /* gamma + 16 beta */
struct heed_norm_params {
    uint32_t residual_offset, gamma_offset, beta_offset, counters_offset;
    float eps;
};

/* A product followed by the choice of the k greatest of each row (common/choice.glsl): what follows
 * heed_matmul_params, in words from the start of y's binding. */
#define HEED_MATMUL_CHOICE_BLOCK 32 /* columns; those of a workgroup are whole blocks */
#define HEED_MATMUL_CHOICE_K 7      /* how many are chosen of a row, */
#define HEED_MATMUL_CHOICE_MOST 16  /* and the most of them */
/* What is chosen: the greatest elements; the same, but values are their log_softmax; the greatest
 * of log_softmax, in which different elements may have become equal. */
#define HEED_CHOICE_ELEMENTS 0
#define HEED_CHOICE_WITH_LOGARITHMS 1
#define HEED_CHOICE_OF_LOGARITHMS 2
struct heed_choice_params {
    uint32_t index_offset, value_offset, counters_offset; /* indices and values: [m, k] */
    uint32_t blocks_offset; /* three words for each row and block; if k > 1, then the product */
    uint32_t results;       /* HEED_CHOICE_... */
};

/* matmul_quantized*.comp: how columns of b lie in memory. Their HEED_MATMUL_TYPES have an a of 0
 * where rows are packed already; then a_row counts words. */
#define HEED_MATMUL_ALONG 8

/* matmul_coop_*.comp: rows, columns and depth of a matrix, how many subgroups, and how many
 * matrices of sums along each side of what one subgroup has. */
#define HEED_COOP_M 3
#define HEED_COOP_N 4
#define HEED_COOP_K 5
#define HEED_COOP_SUBGROUPS 6
#define HEED_COOP_TILES 2

/* quantize_rows.comp: rows of `pitch` words, in batches of m. */
struct heed_quantize_rows_params {
    uint32_t rows, m, inner, k, pitch;
    uint32_t a_offset, a_row, a_k, a_batch[2];
    uint32_t n, scale_offset, scale_stride; /* of columns; n 0: there are none */
};

/* attention.comp and its forms: constants, the widest heads, and bits of `flags`. */
#define HEED_ATTENTION_TYPES 1        /* k + 16 v + 256 bias; bias 0: absent; + WIDE */
#define HEED_ATTENTION_WIDE 4096      /* loads of 16 bytes */
#define HEED_ATTENTION_ROOM 2         /* a power of two, 32, d and dv at least */
#define HEED_ATTENTION_BIAS_STRIDES 3 /* four of them */
#define HEED_ATTENTION_MOST_WIDTH 512
/* Keys are summed in tiles, their weights in some sums (common/attention.glsl). */
#define HEED_ATTENTION_KEYS(room) (1024 / ((room) < 128 ? (room) : 128))
#define HEED_ATTENTION_LANES 4
/* Of attention_block.comp: ROOM is 32, 64 or 128; queries of a workgroup, 8, 16 or 32, and at most
 * 16 with a ROOM of 128; each has HEED_ATTENTION_LANES invocations. */
#define HEED_ATTENTION_QUERIES 7
#define HEED_ATTENTION_MOST_ROOM 128
/* attention_split.comp: workgroups that share the keys of a query, at least 2. What they leave of a
 * tile, before its values: the greatest score, and sums of weights, of which the first is
 * HEED_ATTENTION_UNSEEN where there is nothing to be merged. */
#define HEED_ATTENTION_SPLITS 7
#define HEED_ATTENTION_PART (1 + HEED_ATTENTION_LANES)
#define HEED_ATTENTION_UNSEEN 0xbf800000u /* -1 */
#define HEED_ATTENTION_CAUSAL 1
#define HEED_ATTENTION_ROW_BY_KEY 2 /* kv_row has an entry for each key */
#define HEED_ATTENTION_GROUP 4      /* times heads of q per head of k */

/* q, the bias and the tables lie in what the instance owns, and are counted from its start, and so
 * are y and the weights where these are asked for; what is absent has the greatest offset. Strides
 * are those of batches or rows, heads, times. */
struct heed_attention_params {
    uint32_t batches, heads, queries, keys, d, dv;
    uint32_t q_offset, q_strides[3], k_offset, k_strides[3], v_offset, v_strides[3];
    uint32_t bias_offset, y_offset, weights;
    uint32_t key_len, q_start, kv_row, q_offsets, kv_offsets;
    uint32_t sequences, kv_rows; /* stretches of packed queries; of packed keys, or rows of k */
    uint32_t flags, window, max_len;
    float scale;
};
struct heed_attention_combine_params {
    uint32_t rows, tiles, n, y_offset;
};

/* attention_step*.comp and attention_cross*.comp. */
#define HEED_STEP_TYPES 1    /* weights + 16 bias; bias 0: absent */
#define HEED_STEP_ROWS 2     /* of a workgroup, a power of two, at most HEED_STEP_LANES */
#define HEED_STEP_D 3        /* of a head, a multiple of 4 */
#define HEED_STEP_SCRATCH 4  /* numbers of shared memory, beside the products */
#define HEED_STEP_QUADS 5    /* times four columns of y that an invocation has */
#define HEED_STEP_SEGMENTS 6 /* of quantised rows: k / HEED_MATMUL_SEGMENT */
#define HEED_STEP_LANES 16   /* invocations along k in products, */
#define HEED_STEP_TILE 4     /* columns of each, */
#define HEED_STEP_GROUP 8    /* and how many of its sums are exchanged at a time */

/* x [rows, k] times the weights [n, k] of q, or of q, k and v one after the other, with their
 * biases behind all of them, and the scales of i8 behind these; then attention, y [rows, n]. x, y
 * and the tables, one entry for each row, lie in what the instance owns and are counted from its
 * start; tables that are absent have the greatest offset. Strides of k and v are those of rows,
 * heads, times. */
struct heed_attention_step_params {
    uint32_t rows, heads, k, n;
    uint32_t x_offset, bias_offset, scale_offset, y_offset;
    uint32_t keys, kv_rows;
    uint32_t k_offset, k_strides[3], v_offset, v_strides[3];
    uint32_t key_len, kv_row, kv_offsets, position;
    uint32_t max_len;
    float scale;
};

/* A row of x begins where its number, taken apart by `dims`, leads; its elements are x_stride
 * apart. */
struct heed_row_params { /* of softmax.comp and argmax.comp */
    uint32_t rows, n;
    uint32_t dims[4], x_strides[4], x_stride;
    uint32_t x_offset, y_offset;
};
struct heed_layer_norm_params {
    uint32_t rows, n;
    uint32_t dims[4], x_strides[4], x_stride;
    uint32_t x_offset, gamma_offset, gamma_stride, beta_offset, beta_stride, y_offset;
    float eps;
};

/* y[i] = f(x[i]): y is contiguous, x has any strides. */
struct heed_unary_params {
    uint32_t count;
    uint32_t dims[4]; /* of y; leading ones are 1 */
    uint32_t x_strides[4];
    uint32_t x_offset, y_offset;
    float factor; /* of HEED_UNARY_SCALE */
};

/* y[i] = f(a[i], b[i]): y is contiguous, a and b broadcast to it. */
struct heed_binary_params {
    uint32_t count;
    uint32_t dims[4];
    uint32_t a_strides[4], b_strides[4];
    uint32_t a_offset, b_offset, y_offset;
};

/* Row r of y is that row of the table which id r names; ids have any strides. Rows of y whose ids
 * are not among those shown are left to other dispatches. */
struct heed_embedding_params {
    uint32_t count, n; /* elements of y and of a row of it */
    uint32_t dims[4], ids_strides[4];
    uint32_t rows, row_stride, column_stride; /* of the table; of q8_0 in blocks */
    uint32_t first, shown;                    /* rows of it that the binding shows */
    uint32_t table_offset, ids_offset, scale_offset, scale_stride, y_offset;
};

/* What embedding_positions.comp adds: vectors of positions, rows of n. */
struct heed_add_positions_params {
    uint32_t rows, places_offset, places_strides[4];
    float factor;
};

/* y[i] = x[i], i over dims; of cast.comp too, where y is contiguous. */
struct heed_copy_params {
    uint32_t count;
    uint32_t dims[4];
    uint32_t x_strides[4], y_strides[4];
    uint32_t x_offset, y_offset;
};

/* k results of each row, [rows, k]. */
struct heed_top_k_params {
    uint32_t rows, n, k;
    uint32_t dims[4], x_strides[4], x_stride;
    uint32_t x_offset, values_offset, indices_offset;
};

/* x[i, j, c], c < n, j < steps, goes to state[row[i], pos[i] + j, c]. */
struct heed_cache_append_params {
    uint32_t count, steps, n;
    uint32_t rows, capacity; /* of the state */
    uint32_t state_strides[3], x_strides[3];
    uint32_t state_offset, x_offset, pos_offset, pos_stride, row_offset, row_stride;
};

/* y[i, ...] = x[index[i], ...]; dims and x_strides are those of a row. */
struct heed_gather_rows_params {
    uint32_t count, n; /* elements of y and of a row */
    uint32_t dims[4], x_strides[4];
    uint32_t rows, row_stride; /* of x */
    uint32_t x_offset, index_offset, index_stride, y_offset;
};

/* A column of the table [HEED_ROWS_COUNT, count] each. */
struct heed_advance_params {
    uint32_t count;
    uint32_t eos, capacity; /* the bits of an int */
    uint32_t rows_offset, row_stride, column_stride;
    uint32_t next_offset, next_stride, y_offset;
};

#ifdef VULKAN
#undef uint32_t
#endif
#endif
