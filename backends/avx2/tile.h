/* SPDX-License-Identifier: Apache-2.0 */
/* The micro-kernel of matmul and attention, to be specialised by its callers:
 *
 *     c[r][j] = start + sum over p of a[r][p] * b[p][j]        r < rows, j < 16 * panels
 *
 *     a: rows x k                b: panels of k x 16
 *     +---- k ---->+             +- 16 -+  +- 16 -+
 *     |            |             |      |  |      |        rows * panels * 2 sums stay in registers
 *     +------------+             k      |  k      |        (at most 12 of the 16 that there are)
 *                                v------+  v------+
 *
 * Every element is one chain of fused multiply-adds over ascending p, which starts at 0 or, to
 * continue a chain that was cut in k, at what c holds. So its bits do not depend on rows, panels,
 * or where k was cut. Functions are inlined with constant arguments, one specialisation per
 * register tile. */
#ifndef HEEDI_AVX2_TILE_H
#define HEEDI_AVX2_TILE_H

#include <immintrin.h>
#include <stdbool.h>

#include "heed/backend.h"

enum {
    TILE_ROWS = 6,     /* most rows of a register tile */
    TILE_COLUMNS = 16, /* of a panel */
    TILE_PANELS = 4    /* most panels of a register tile */
};

/* Loops with constant bounds must be written out for arrays to become registers. */
#if defined(__clang__)
#define TILE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define TILE_UNROLL _Pragma("GCC unroll 16")
#endif
#define TILE_INLINE static inline __attribute__((always_inline))

/* 8 elements of a float type as f32. */
TILE_INLINE __m256 tile_load(const void *b, int64_t offset, enum heed_dtype dtype) {
    if (dtype == HEED_F32)
        return _mm256_loadu_ps((const float *)b + offset);
    const __m128i half = _mm_loadu_si128((const __m128i *)((const uint16_t *)b + offset));
    if (dtype == HEED_F16)
        return _mm256_cvtph_ps(half);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

/* Rows of the next register tile where `rest` are left: tiles of about one height, 8 as 4 + 4,
 * since low ones leave multipliers idle. */
static inline int64_t tile_height(int64_t rest) {
    const int64_t tiles = (rest + TILE_ROWS - 1) / TILE_ROWS;
    return tiles > 1 ? (rest + tiles - 1) / tiles : rest;
}

struct tile_operands {
    float *c;
    int64_t c_row; /* distance of rows, in elements, as below */
    const float *a;
    int64_t a_row, a_k;
    const void *b;
    int64_t b_k, b_panel; /* distance of lines of a panel, and of panels */
    int64_t k;
    bool first; /* the chain starts at 0 */
    /* Bytes from each line of b to one that is wanted in the second cache; it may lie beyond b. */
    int64_t ahead;
};

TILE_INLINE void tile_multiply(const struct tile_operands *it, const int rows, const int panels,
                               const enum heed_dtype b_type, const int64_t b_k,
                               const bool prefetch) {
    __m256 sums[TILE_ROWS][2 * TILE_PANELS];
    TILE_UNROLL
    for (int r = 0; r < rows; r++)
        TILE_UNROLL
    for (int j = 0; j < 2 * panels; j++)
        sums[r][j] =
            it->first ? _mm256_setzero_ps() : _mm256_loadu_ps(it->c + r * it->c_row + 8 * j);
    const float *a = it->a;
    const char *b = (const char *)it->b;
    const int64_t bytes = b_type == HEED_F32 ? 4 : 2;
    const int64_t a_row = it->a_row, a_k = it->a_k, b_panel = it->b_panel * bytes;
    for (int64_t p = 0; p < it->k; p++) {
        if (prefetch)
            _mm_prefetch((const char *)((uintptr_t)b + (uintptr_t)it->ahead), _MM_HINT_T1);
        if (panels == 1) { /* b in two registers, rows of a pass by; else the other way round */
            const __m256 low = tile_load(b, 0, b_type), high = tile_load(b, 8, b_type);
            TILE_UNROLL
            for (int r = 0; r < rows; r++) {
                const __m256 x = _mm256_broadcast_ss(a + r * a_row);
                sums[r][0] = _mm256_fmadd_ps(x, low, sums[r][0]);
                sums[r][1] = _mm256_fmadd_ps(x, high, sums[r][1]);
            }
        } else {
            __m256 x[TILE_ROWS];
            TILE_UNROLL
            for (int r = 0; r < rows; r++)
                x[r] = _mm256_broadcast_ss(a + r * a_row);
            TILE_UNROLL
            for (int j = 0; j < 2 * panels; j++) {
                const __m256 line = tile_load(b + (j / 2) * b_panel, 8 * (j % 2), b_type);
                TILE_UNROLL
                for (int r = 0; r < rows; r++)
                    sums[r][j] = _mm256_fmadd_ps(x[r], line, sums[r][j]);
            }
        }
        a += a_k;
        b += b_k * bytes;
    }
    TILE_UNROLL
    for (int r = 0; r < rows; r++)
        TILE_UNROLL
    for (int j = 0; j < 2 * panels; j++)
        _mm256_storeu_ps(it->c + r * it->c_row + 8 * j, sums[r][j]);
}

#endif
