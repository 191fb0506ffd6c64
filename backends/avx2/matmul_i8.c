/* SPDX-License-Identifier: Apache-2.0 */
/* matmul with quantised rows (HEED_QUANTIZE_ROWS of ops.h), by i8 and q8_0 weights.
 *
 * The rows of a become i8, held as i16, and each pair of neighbours along k meets a pair of b in
 * one vpmaddwd: exact, where the instructions for 8-bit operands saturate.
 *
 *     b in panels of 16 columns        [k / 2][16][2] i8: a line of 32 bytes is widened to i16 once
 *     +---- 16 ----+                   and serves all rows of the tile; zeros beyond n and an odd k
 *     | k 0, k 1   |
 *     | k 2, k 3   |                   q8_0: the same, and an f32 scale per column and 32 lines of
 *     | ...        |                   k, [k / 32][16]
 *
 * 6 x 16 sums of i8, or 3 x 16 sums of a block and as many in f32 of q8_0, stay in registers. A
 * constant b is packed once, any other on the way. After the exact sums every element takes the few
 * roundings that ops.h fixes, so the bits before the activation are those of any backend. */
#include <string.h>

#include "functions.h"
#include "matmul_i8.h"
#include "vector.h"

enum {
    BLOCK_ROWS = 96,  /* rows of a piece */
    BLOCK_PANELS = 4, /* panels of a piece */
    I8_ROWS = 6,      /* of a register tile */
    Q8_0_ROWS = 3
};

struct work {
    const struct cpu_call *call;
    int64_t m, n, k, k_even;
    int64_t panels, row_pieces, panel_pieces;
    const struct avx2_i8_panels *b;
    const int16_t *rows;  /* [m][k_even] */
    const float *scales;  /* [m] */
    const float *b_scale; /* [n]; i8 */
    const float *bias;    /* [n] or NULL */
    enum heed_activation activation;
};

/* ---- quantising the rows of a ---- */

struct quantizing {
    const struct cpu_call *call;
    int64_t k, k_even;
    int16_t *rows;
    float *scales;
};

/* The greatest magnitude, an infinity, or a NaN if there is one: as integers, the magnitudes of
 * floats are in this order. */
static float greatest(const struct quantizing *work, int64_t offset, int64_t stride) {
    float buffer[CPU_BLOCK];
    __m256i most = _mm256_setzero_si256();
    for (int64_t p = 0; p < work->k; p += CPU_BLOCK) {
        const int64_t count = work->k - p < CPU_BLOCK ? work->k - p : CPU_BLOCK;
        const float *x = heedi_avx2_load_strided(&work->call->in[MATMUL_A], offset + p * stride,
                                                 stride, count, buffer);
        for (int64_t i = 0; i < count; i += 8)
            most = _mm256_max_epi32(most,
                                    _mm256_castps_si256(avx2_abs(vector_load(x + i, count - i))));
    }
    __m128i half = _mm_max_epi32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    return _mm_cvtss_f32(_mm_castsi128_ps(half));
}

static void quantize_range(void *arg, int64_t begin, int64_t end) {
    const struct quantizing *work = arg;
    const struct heed_tensor_desc *a = work->call->in[MATMUL_A].desc;
    const int64_t stride = a->strides[a->rank - 1];
    float buffer[CPU_BLOCK], factor;
    for (int64_t row = begin; row < end; row++) {
        const int64_t offset = heedi_cpu_offset(a, a->rank - 1, row);
        int16_t *target = work->rows + row * work->k_even;
        work->scales[row] = heed_quantize_scale(greatest(work, offset, stride), &factor);
        if (factor == 0.0f) { /* whatever the values are */
            memset(target, 0, (size_t)work->k_even * sizeof *target);
            continue;
        }
        if (work->k_even > work->k)
            target[work->k] = 0;
        for (int64_t p = 0; p < work->k; p += CPU_BLOCK) {
            const int64_t count = work->k - p < CPU_BLOCK ? work->k - p : CPU_BLOCK;
            const float *x = heedi_avx2_load_strided(&work->call->in[MATMUL_A], offset + p * stride,
                                                     stride, count, buffer);
            int64_t i = 0;
            for (; i + 8 <= count; i += 8) {
                const __m256i q =
                    _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), avx2_splat(factor)));
                _mm_storeu_si128(
                    (__m128i *)(void *)(target + p + i),
                    _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1)));
            }
            for (; i < count; i++)
                target[p + i] = (int16_t)heed_quantize(x[i], factor);
        }
    }
}

/* ---- register tiles ---- */

/* Rows [row, row + rows) of one panel. */
struct tile {
    const struct work *work;
    int64_t row, panel;
};

/* sums += the products of `lines` pairs along k from `a`, rows a_row apart, and from b. */
TILE_INLINE void multiply(__m256i sums[I8_ROWS][2], const int rows, const int16_t *a, int64_t a_row,
                          const int8_t *b, int64_t lines) {
    for (int64_t p = 0; p < lines; p++, a += 2, b += 2 * TILE_COLUMNS) {
        const __m256i left =
            _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)b));
        const __m256i right =
            _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(b + 16)));
        TILE_UNROLL
        for (int r = 0; r < rows; r++) {
            int32_t pair;
            memcpy(&pair, a + r * a_row, sizeof pair);
            const __m256i x = _mm256_set1_epi32(pair);
            sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(x, left));
            sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(x, right));
            /* without this gcc moves sums about and runs out of registers */
            __asm__("" : "+x"(sums[r][0]), "+x"(sums[r][1]));
        }
    }
}

/* Bias, activation and rounding of the last step of 16 columns of a row. */
static void finish_row(const struct work *work, int64_t row, int64_t column, __m256 sums[2]) {
    const struct cpu_operand *y = &work->call->out[0];
    const int64_t offset = row * work->n + column, left = work->n - column;
    const int64_t columns = left < TILE_COLUMNS ? left : TILE_COLUMNS;
    float buffer[CPU_BLOCK];
    float *target = heedi_cpu_target(y, offset, buffer);
    for (int64_t j = 0; j < columns; j += 8) {
        __m256 value = sums[j / 8];
        if (work->bias != NULL)
            value = _mm256_add_ps(value, vector_load(work->bias + column + j, columns - j));
        vector_store(target + j, columns - j, avx2_activate(work->activation, value));
    }
    if (target == buffer)
        heedi_avx2_store(y, offset, columns, buffer);
}

TILE_INLINE void tile_i8(const struct tile *it, const int rows) {
    const struct work *work = it->work;
    const int64_t column = it->panel * TILE_COLUMNS, left = work->n - column;
    __m256i sums[I8_ROWS][2];
    TILE_UNROLL
    for (int r = 0; r < rows; r++)
        sums[r][0] = sums[r][1] = _mm256_setzero_si256();
    multiply(sums, rows, work->rows + it->row * work->k_even, work->k_even,
             work->b->values + it->panel * work->k_even * TILE_COLUMNS, work->k_even / 2);
    const __m256 low = vector_load(work->b_scale + column, left);
    const __m256 high =
        left > 8 ? vector_load(work->b_scale + column + 8, left - 8) : _mm256_setzero_ps();
    TILE_UNROLL
    for (int r = 0; r < rows; r++) {
        const __m256 scale = avx2_splat(work->scales[it->row + r]);
        __m256 values[2] = {
            _mm256_mul_ps(_mm256_cvtepi32_ps(sums[r][0]), _mm256_mul_ps(scale, low)),
            _mm256_mul_ps(_mm256_cvtepi32_ps(sums[r][1]), _mm256_mul_ps(scale, high))};
        finish_row(work, it->row + r, column, values);
    }
}

TILE_INLINE void tile_q8_0(const struct tile *it, const int rows) {
    enum { LINES = HEED_Q8_0_VALUES / 2 };
    const struct work *work = it->work;
    const int64_t blocks = work->k / HEED_Q8_0_VALUES;
    const int16_t *a = work->rows + it->row * work->k_even;
    const int8_t *b = work->b->values + it->panel * work->k_even * TILE_COLUMNS;
    const float *scales = work->b->scales + it->panel * blocks * TILE_COLUMNS;
    __m256 totals[Q8_0_ROWS][2];
    TILE_UNROLL
    for (int r = 0; r < rows; r++)
        totals[r][0] = totals[r][1] = _mm256_setzero_ps();
    for (int64_t block = 0; block < blocks; block++) {
        __m256i sums[I8_ROWS][2];
        TILE_UNROLL
        for (int r = 0; r < rows; r++)
            sums[r][0] = sums[r][1] = _mm256_setzero_si256();
        multiply(sums, rows, a, work->k_even, b, LINES);
        TILE_UNROLL
        for (int r = 0; r < rows; r++)
            for (int j = 0; j < 2; j++)
                totals[r][j] =
                    _mm256_add_ps(totals[r][j], _mm256_mul_ps(_mm256_cvtepi32_ps(sums[r][j]),
                                                              _mm256_loadu_ps(scales + 8 * j)));
        a += HEED_Q8_0_VALUES;
        b += HEED_Q8_0_VALUES * TILE_COLUMNS;
        scales += TILE_COLUMNS;
    }
    TILE_UNROLL
    for (int r = 0; r < rows; r++) {
        const __m256 scale = avx2_splat(work->scales[it->row + r]);
        __m256 values[2] = {_mm256_mul_ps(totals[r][0], scale), _mm256_mul_ps(totals[r][1], scale)};
        finish_row(work, it->row + r, it->panel * TILE_COLUMNS, values);
    }
}

typedef void (*tile_fn)(const struct tile *it);
#define TILE(kind, rows)                                                                           \
    static void kind##_##rows(const struct tile *it) {                                             \
        tile_##kind(it, rows);                                                                     \
    }
TILE(i8, 1)
TILE(i8, 2)
TILE(i8, 3)
TILE(i8, 4)
TILE(i8, 5)
TILE(i8, 6)
TILE(q8_0, 1)
TILE(q8_0, 2)
TILE(q8_0, 3)
static const tile_fn i8_tiles[I8_ROWS] = {i8_1, i8_2, i8_3, i8_4, i8_5, i8_6};
static const tile_fn q8_0_tiles[Q8_0_ROWS] = {q8_0_1, q8_0_2, q8_0_3};

/* ---- running ---- */

static void matmul_range(void *arg, int64_t begin, int64_t end) {
    const struct work *work = arg;
    const bool blocks = work->b->scales != NULL;
    const tile_fn *tiles = blocks ? q8_0_tiles : i8_tiles;
    const int64_t most = blocks ? Q8_0_ROWS : I8_ROWS;
    for (int64_t item = begin; item < end; item++) {
        const int64_t first_row = item / work->panel_pieces * BLOCK_ROWS;
        const int64_t first_panel = item % work->panel_pieces * BLOCK_PANELS;
        const int64_t rows = work->m - first_row < BLOCK_ROWS ? work->m - first_row : BLOCK_ROWS;
        for (int64_t i = 0; i < BLOCK_PANELS && first_panel + i < work->panels; i++)
            for (int64_t r = 0; r < rows; r += most) {
                const struct tile tile = {work, first_row + r, first_panel + i};
                tiles[(rows - r < most ? rows - r : most) - 1](&tile);
            }
    }
}

static float *take_floats(char **scratch, int64_t count) {
    float *floats = (float *)(void *)*scratch;
    *scratch += ((size_t)count * sizeof(float) + 63) / 64 * 64;
    return floats;
}

static void run(const struct cpu_call *call) {
    const struct cpu_operand *a = &call->in[MATMUL_A], *y = &call->out[0];
    const struct cpu_operand *bias = &call->in[MATMUL_BIAS];
    const int64_t k = a->desc->dims[a->desc->rank - 1], k_even = (k + 1) / 2 * 2;
    struct work work = {
        .call = call,
        .m = heedi_cpu_rows(y->desc),
        .n = y->desc->dims[y->desc->rank - 1],
        .k = k,
        .k_even = k_even,
        .b = call->node->packed,
        .b_scale = call->in[MATMUL_B_SCALE].data,
        .activation = (enum heed_activation)call->node->attrs.matmul.activation,
    };
    if (work.m == 0 || work.n == 0)
        return;
    char *scratch = call->scratch;
    float *scales = take_floats(&scratch, work.m), *widened = take_floats(&scratch, work.n);
    struct quantizing quantizing = {call, k, k_even, NULL, scales};
    if (bias->desc != NULL && bias->desc->dtype == HEED_F32)
        work.bias = bias->data;
    else if (bias->desc != NULL)
        for (int64_t i = 0; i < work.n; i += CPU_BLOCK) {
            const int64_t count = work.n - i < CPU_BLOCK ? work.n - i : CPU_BLOCK;
            heedi_avx2_load(bias, i, count, widened + i);
            work.bias = widened;
        }
    struct avx2_i8_panels packed;
    if (work.b == NULL) {
        scratch = heedi_avx2_pack_i8(call, k, work.n, scratch, &packed);
        work.b = &packed;
    }
    quantizing.rows = (int16_t *)(void *)scratch;
    work.rows = quantizing.rows;
    work.scales = scales;
    work.panels = (work.n + TILE_COLUMNS - 1) / TILE_COLUMNS;
    work.row_pieces = (work.m + BLOCK_ROWS - 1) / BLOCK_ROWS;
    work.panel_pieces = (work.panels + BLOCK_PANELS - 1) / BLOCK_PANELS;
    heedi_cpu_parallel(call, work.m, k, quantize_range, &quantizing);
    const int64_t rows = work.m < BLOCK_ROWS ? work.m : BLOCK_ROWS;
    heedi_cpu_parallel(call, work.row_pieces * work.panel_pieces,
                       (rows < 4 ? 4 : rows) * BLOCK_PANELS * k / 2, matmul_range, &work);
}

void heed_i8_matmul_6x16__avx2(const struct cpu_call *call) {
    run(call);
}

void heed_q8_0_matmul_3x16__avx2(const struct cpu_call *call) {
    run(call);
}

static bool add_bytes(size_t *bytes, int64_t rows, int64_t columns, size_t size) {
    size_t more = 0;
    if (__builtin_mul_overflow((size_t)rows, (size_t)columns, &more) ||
        __builtin_mul_overflow(more, size, &more) || more > SIZE_MAX / 4 - *bytes)
        return false;
    *bytes += (more + 63) / 64 * 64;
    return true;
}

/* Scratch, in this order: scales of rows, the bias in f32, a packed b, quantised rows. */
enum heed_status heedi_avx2_prepare_i8(struct heed_plugin *plugin,
                                       const struct heed_subgraph *subgraph, struct cpu_node *node,
                                       struct heed_error *error) {
    const struct avx2_i8_panels *panels = NULL;
    const enum heed_status status =
        heedi_avx2_acquire_i8_panels(plugin, subgraph, node, &panels, error);
    if (status != HEED_OK)
        return status;
    node->packed = panels;
    const struct heed_tensor_desc *y = &node->out[0].desc, *a = &node->in[MATMUL_A].desc;
    const int64_t m = heedi_cpu_rows(y), n = y->dims[y->rank - 1];
    const int64_t k = a->dims[a->rank - 1], k_even = (k + 1) / 2 * 2;
    const int64_t wide = (n + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    size_t *bytes = &node->scratch_bytes;
    if (add_bytes(bytes, m, 1, sizeof(float)) && add_bytes(bytes, n, 1, sizeof(float)) &&
        (panels != NULL || (add_bytes(bytes, wide, k_even, 1) &&
                            add_bytes(bytes, wide, k / HEED_Q8_0_VALUES, sizeof(float)))) &&
        add_bytes(bytes, m, k_even, sizeof(int16_t)))
        return HEED_OK;
    return heedi_cpu_fail(error, HEED_ERROR_LIMIT, "%s: the quantised rows are too large",
                          node->name);
}

const char *heedi_avx2_accept_i8(struct cpu_node *node) {
    const struct cpu_tensor *b = &node->in[MATMUL_B], *scale = &node->in[MATMUL_B_SCALE];
    const bool blocks = b->desc.dtype == HEED_Q8_0;
    if (!blocks && b->desc.dtype != HEED_I8)
        return "quantised rows of a need an i8 or q8_0 b";
    if (blocks ? heedi_cpu_present(scale)
               : !heedi_cpu_present(scale) || scale->desc.dtype != HEED_F32)
        return "f32 scales must be given for an i8 b, and for no other";
    if (b->desc.rank != 2 || node->attrs.matmul.transpose_a != 0)
        return "with quantised rows, b must have two dimensions and a not be transposed";
    if (blocks && (node->attrs.matmul.transpose_b != 1 || !heed_desc_contiguous(&b->desc)))
        return "a q8_0 b must be contiguous and transposed";
    heedi_cpu_want_lines(node, MATMUL_BIAS);
    heedi_cpu_want_lines(node, MATMUL_B_SCALE);
    node->kernel =
        blocks ? &heedi_avx2_kernels[AVX2_MATMUL_Q8_0] : &heedi_avx2_kernels[AVX2_MATMUL_I8];
    return NULL;
}
