/* SPDX-License-Identifier: Apache-2.0 */
/* matmul with quantised rows (HEED_QUANTIZE_ROWS of ops.h), by i8 and q8_0 weights.
 *
 * vpdpbusd adds the products of four neighbours along k to an i32, exactly, but takes its first
 * operand unsigned. So the rows of a are held as q + 128, and sums start at -128 times the sum of
 * the column of b that they belong to, which packing has worked out:
 *
 *     sum_k (q_k + 128) b_k - 128 sum_k b_k = sum_k q_k b_k
 *
 * What is between may wrap modulo 2^32; the result fits, as ops.h shows.
 *
 *     b in panels of 16 columns        [k / 4][16][4] i8: a line is one register of 64 bytes
 *     +---- 16 ----+
 *     | k 0..3     |                   4 rows by 4 panels of i8 are summed in 16 registers; of q8_0
 *     | k 4..7     |                   4 rows by 1 panel, block by block, and as many sums in f32
 *     | ...        |
 *
 * After the exact sums every element takes the few roundings that ops.h fixes, so the bits before
 * the activation are those of any backend. */
#include <immintrin.h>
#include <string.h>

#include "avx512.h"

enum {
    BLOCK_ROWS = 96,  /* rows of a piece */
    BLOCK_PANELS = 4, /* panels of a piece */
    I8_ROWS = 4,      /* of a register tile */
    Q8_0_ROWS = 4
};

/* Loops with constant bounds must be written out for arrays to become registers. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define INLINE static inline __attribute__((always_inline))

/* AVX512_ROWS rows or fewer, from `first` on. */
struct work {
    const struct cpu_call *call;
    int64_t first, m, n, k, row_bytes;
    int64_t panels, panel_pieces;
    const struct avx512_panels *b;
    uint8_t *rows; /* [m][row_bytes], q + 128 */
    float *scales; /* [m] */
};

/* The first `count` of 16 lanes. */
INLINE __mmask16 lanes(int64_t count) {
    return (__mmask16)(count >= 16 ? 0xffffu : count <= 0 ? 0u : (1u << count) - 1u);
}

/* ---- quantising the rows of a ---- */

/* The greatest magnitude, an infinity, or a NaN if there is one: as integers, the magnitudes of
 * floats are in this order. */
static float greatest(const float *x, int64_t count) {
    __m512i most = _mm512_setzero_si512();
    for (int64_t i = 0; i < count; i += 16)
        most = _mm512_max_epi32(most, _mm512_castps_si512(_mm512_abs_ps(
                                          _mm512_maskz_loadu_ps(lanes(count - i), x + i))));
    const int32_t bits = _mm512_reduce_max_epi32(most);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void quantize_range(void *arg, int64_t begin, int64_t end) {
    const struct work *work = arg;
    const struct heed_tensor_desc *a = work->call->in[MATMUL_A].desc;
    for (int64_t row = begin; row < end; row++) {
        const float *x = (const float *)work->call->in[MATMUL_A].data +
                         heedi_cpu_offset(a, a->rank - 1, work->first + row);
        uint8_t *target = work->rows + row * work->row_bytes;
        float factor;
        work->scales[row] = heed_quantize_scale(greatest(x, work->k), &factor);
        memset(target, 128, (size_t)work->row_bytes);
        for (int64_t i = 0; factor != 0.0f && i < work->k; i += 16) {
            const __mmask16 mask = lanes(work->k - i);
            const __m512 product =
                _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), _mm512_set1_ps(factor));
            const __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(product), _mm512_set1_epi32(128));
            const __m128i bytes = _mm512_cvtepi32_epi8(q);
            if (mask == 0xffffu) /* stores under a mask are slow */
                _mm_storeu_si128((__m128i *)(void *)(target + i), bytes);
            else
                _mm_mask_storeu_epi8(target + i, mask, bytes);
        }
    }
}

/* ---- register tiles ---- */

/* Rows [row, row + rows) of a few panels from `panel` on. */
struct tile {
    const struct work *work;
    int64_t row, panel;
};

/* e^x as a power of two times e^r, |r| <= ln 2 / 2: ln 2 is taken off in two parts, the first exact
 * in 15 bits, and e^r = 1 + r + r^2 P(r), a minimax fit with an error of 1 ULP. */
INLINE __m512 exponential(__m512 x) {
    x = _mm512_max_ps(_mm512_set1_ps(-150.0f), _mm512_min_ps(_mm512_set1_ps(150.0f), x));
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504089f)),
                                          _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693145751953125f), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(1.42860677e-6f), r);
    __m512 p = _mm512_set1_ps(0.0013820137828588486f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.008368685841560364f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.04166827350854874f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.1666652113199234f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.4999999403953552f));
    p = _mm512_fmadd_ps(_mm512_mul_ps(r, r), p, r);
    return _mm512_scalef_ps(_mm512_add_ps(p, _mm512_set1_ps(1.0f)), n);
}

INLINE __m512 activate(enum heed_activation activation, __m512 x) {
    const __m512 one = _mm512_set1_ps(1.0f), zero = _mm512_setzero_ps();
    if (activation == HEED_ACTIVATION_RELU)
        return _mm512_max_ps(zero, x); /* the second where one is NaN */
    if (activation == HEED_ACTIVATION_SILU)
        return _mm512_div_ps(x, _mm512_add_ps(one, exponential(_mm512_sub_ps(zero, x))));
    return x;
}

/* Bias and activation of 16 columns of a row. */
INLINE void finish(const struct work *work, int64_t row, int64_t column, __m512 value) {
    const struct cpu_call *call = work->call;
    const float *bias = call->in[MATMUL_BIAS].data;
    const __mmask16 mask = lanes(work->n - column);
    if (bias != NULL)
        value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, bias + column));
    value = activate((enum heed_activation)call->node->attrs.matmul.activation, value);
    float *target = (float *)call->out[0].data + (work->first + row) * work->n + column;
    if (mask == 0xffffu) /* stores under a mask are slow */
        _mm512_storeu_ps(target, value);
    else
        _mm512_mask_storeu_ps(target, mask, value);
}

/* sums += the products of `quads` of k, of rows row_bytes apart and panels panel_bytes apart. */
INLINE void multiply(__m512i sums[I8_ROWS][BLOCK_PANELS], const int rows, const int panels,
                     const uint8_t *a, int64_t row_bytes, const int8_t *b, int64_t panel_bytes,
                     int64_t quads) {
    for (int64_t p = 0; p < quads; p++) {
        __m512i line[BLOCK_PANELS];
        UNROLL
        for (int j = 0; j < panels; j++)
            line[j] = _mm512_load_si512(b + j * panel_bytes);
        UNROLL
        for (int r = 0; r < rows; r++) {
            int32_t quad;
            memcpy(&quad, a + r * row_bytes, sizeof quad);
            const __m512i x = _mm512_set1_epi32(quad);
            UNROLL
            for (int j = 0; j < panels; j++)
                sums[r][j] = _mm512_dpbusd_epi32(sums[r][j], x, line[j]);
            UNROLL
            for (int j = 0; j < panels; j++) /* without this gcc moves every sum about */
                __asm__("" : "+v"(sums[r][j]));
        }
        a += AVX512_QUAD;
        b += AVX512_COLUMNS * AVX512_QUAD;
    }
}

INLINE void tile_i8(const struct tile *it, const int rows, const int panels) {
    const struct work *work = it->work;
    const int64_t panel_bytes = work->b->quads * AVX512_COLUMNS * AVX512_QUAD;
    __m512i sums[I8_ROWS][BLOCK_PANELS];
    UNROLL
    for (int j = 0; j < panels; j++) {
        const __m512i start = _mm512_load_si512(work->b->starts + (it->panel + j) * AVX512_COLUMNS);
        UNROLL
        for (int r = 0; r < rows; r++)
            sums[r][j] = start;
    }
    multiply(sums, rows, panels, work->rows + it->row * work->row_bytes, work->row_bytes,
             work->b->values + it->panel * panel_bytes, panel_bytes, work->b->quads);
    UNROLL
    for (int j = 0; j < panels; j++) {
        const int64_t column = (it->panel + j) * AVX512_COLUMNS;
        const __m512 factors = _mm512_maskz_loadu_ps(
            lanes(work->n - column), (const float *)work->call->in[MATMUL_B_SCALE].data + column);
        UNROLL
        for (int r = 0; r < rows; r++) {
            const __m512 scale = _mm512_set1_ps(work->scales[it->row + r]);
            finish(work, it->row + r, column,
                   _mm512_mul_ps(_mm512_cvtepi32_ps(sums[r][j]), _mm512_mul_ps(scale, factors)));
        }
    }
}

INLINE void tile_q8_0(const struct tile *it, const int rows, const int panels) {
    enum { QUADS = HEED_Q8_0_VALUES / AVX512_QUAD };
    const struct work *work = it->work;
    const uint8_t *a = work->rows + it->row * work->row_bytes;
    const int8_t *b = work->b->values + it->panel * work->b->quads * AVX512_COLUMNS * AVX512_QUAD;
    const int64_t first = it->panel * work->b->blocks * AVX512_COLUMNS;
    __m512 totals[Q8_0_ROWS];
    (void)panels; /* one */
    UNROLL
    for (int r = 0; r < rows; r++)
        totals[r] = _mm512_setzero_ps();
    for (int64_t block = 0; block < work->b->blocks; block++) {
        const int64_t at = first + block * AVX512_COLUMNS;
        __m512i sums[I8_ROWS][BLOCK_PANELS];
        UNROLL
        for (int r = 0; r < rows; r++)
            sums[r][0] = _mm512_load_si512(work->b->starts + at);
        multiply(sums, rows, 1, a, work->row_bytes, b, 0, QUADS);
        const __m512 factors = _mm512_load_ps(work->b->scales + at);
        UNROLL
        for (int r = 0; r < rows; r++)
            totals[r] =
                _mm512_add_ps(totals[r], _mm512_mul_ps(_mm512_cvtepi32_ps(sums[r][0]), factors));
        a += HEED_Q8_0_VALUES;
        b += HEED_Q8_0_VALUES * AVX512_COLUMNS;
    }
    UNROLL
    for (int r = 0; r < rows; r++)
        finish(work, it->row + r, it->panel * AVX512_COLUMNS,
               _mm512_mul_ps(totals[r], _mm512_set1_ps(work->scales[it->row + r])));
}

typedef void (*tile_fn)(const struct tile *it);
#define TILE(kind, rows, panels)                                                                   \
    static void kind##_##rows##x##panels(const struct tile *it) {                                  \
        tile_##kind(it, rows, panels);                                                             \
    }
TILE(i8, 1, 1)
TILE(i8, 2, 1)
TILE(i8, 3, 1)
TILE(i8, 4, 1)
TILE(i8, 1, 4)
TILE(i8, 2, 4)
TILE(i8, 3, 4)
TILE(i8, 4, 4)
TILE(q8_0, 1, 1)
TILE(q8_0, 2, 1)
TILE(q8_0, 3, 1)
TILE(q8_0, 4, 1)
static const tile_fn i8_tiles[I8_ROWS] = {i8_1x1, i8_2x1, i8_3x1, i8_4x1};
static const tile_fn i8_wide[I8_ROWS] = {i8_1x4, i8_2x4, i8_3x4, i8_4x4};
static const tile_fn q8_0_tiles[Q8_0_ROWS] = {q8_0_1x1, q8_0_2x1, q8_0_3x1, q8_0_4x1};

/* ---- running ---- */

static void matmul_range(void *arg, int64_t begin, int64_t end) {
    const struct work *work = arg;
    const bool blocks = work->b->scales != NULL;
    const int64_t most = blocks ? Q8_0_ROWS : I8_ROWS;
    for (int64_t item = begin; item < end; item++) {
        const int64_t first_row = item / work->panel_pieces * BLOCK_ROWS;
        const int64_t first_panel = item % work->panel_pieces * BLOCK_PANELS;
        const int64_t rows = work->m - first_row < BLOCK_ROWS ? work->m - first_row : BLOCK_ROWS;
        const bool wide = !blocks && first_panel + BLOCK_PANELS <= work->panels;
        const tile_fn *tiles = blocks ? q8_0_tiles : wide ? i8_wide : i8_tiles;
        for (int64_t i = 0; i < BLOCK_PANELS && first_panel + i < work->panels;
             i += wide ? BLOCK_PANELS : 1)
            for (int64_t r = 0; r < rows; r += most) {
                const struct tile tile = {work, first_row + r, first_panel + i};
                tiles[(rows - r < most ? rows - r : most) - 1](&tile);
            }
    }
}

/* parallel_for over `count` items of about `cost` cycles each, in pieces worth a thread's while. */
static void parallel(const struct heed_host *host, int64_t count, int64_t cost, heed_range_fn fn,
                     void *arg) {
    enum { PIECE_CYCLES = 16384 };
    const int64_t grain = cost < PIECE_CYCLES ? PIECE_CYCLES / (cost > 0 ? cost : 1) : 1;
    host->parallel_for(host->handle, count, grain, fn, arg);
}

static void run(const struct cpu_call *call) {
    const struct heed_host *host = call->host;
    const struct avx512_panels *b = call->node->packed;
    const int64_t m = heedi_cpu_rows(call->out[0].desc);
    struct work work = {
        .call = call,
        .n = b->n,
        .k = b->k,
        .row_bytes = b->quads * AVX512_QUAD,
        .panels = (b->n + AVX512_COLUMNS - 1) / AVX512_COLUMNS,
        .b = b,
        .rows = (uint8_t *)call->scratch + AVX512_ROWS * sizeof(float),
        .scales = call->scratch,
    };
    work.panel_pieces = (work.panels + BLOCK_PANELS - 1) / BLOCK_PANELS;
    for (; work.n > 0 && work.first < m; work.first += AVX512_ROWS) {
        const int64_t left = m - work.first;
        work.m = left < AVX512_ROWS ? left : AVX512_ROWS;
        const int64_t rows = work.m < BLOCK_ROWS ? work.m : BLOCK_ROWS;
        parallel(host, work.m, work.k / 2, quantize_range, &work);
        parallel(host, (work.m + BLOCK_ROWS - 1) / BLOCK_ROWS * work.panel_pieces,
                 (rows < 4 ? 4 : rows) * BLOCK_PANELS * work.k / AVX512_QUAD, matmul_range, &work);
    }
}

void heed_i8_matmul_4x64__avx512(const struct cpu_call *call) {
    run(call);
}

void heed_q8_0_matmul_4x16__avx512(const struct cpu_call *call) {
    run(call);
}
