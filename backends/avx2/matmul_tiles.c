/* SPDX-License-Identifier: Apache-2.0 */
/* The register tiles of matmul: specialisations of the micro-kernel in tile.h. */
#include "matmul_tiles.h"

/* With one panel, lines to come are asked for: loads alone do not reach far enough past the
 * arithmetic for the processor to find them by itself (119 MB of weights at m = 4, 5 and 6: 1.5
 * times as fast). With several, which is for fewer rows, it does, and asking only costs. */
/* a where it lies: rows a_row apart, neighbours along k. */
#define DIRECT(rows, panels, dtype, suffix)                                                        \
    static void direct_##rows##x##panels##_##suffix(const struct tile_operands *given) {           \
        struct tile_operands it = *given;                                                          \
        it.a_k = 1;                                                                                \
        tile_multiply(&it, rows, panels, dtype, TILE_COLUMNS, (panels) == 1);                      \
    }
/* a in strips [k][6]. */
#define STRIP(rows, dtype, suffix)                                                                 \
    static void strip_##rows##_##suffix(const struct tile_operands *given) {                       \
        struct tile_operands it = *given;                                                          \
        it.a_row = 1;                                                                              \
        it.a_k = TILE_ROWS;                                                                        \
        tile_multiply(&it, rows, 1, dtype, TILE_COLUMNS, true);                                    \
    }
#define TYPE(dtype, suffix)                                                                        \
    DIRECT(1, 1, dtype, suffix)                                                                    \
    DIRECT(2, 1, dtype, suffix)                                                                    \
    DIRECT(3, 1, dtype, suffix)                                                                    \
    DIRECT(4, 1, dtype, suffix)                                                                    \
    DIRECT(5, 1, dtype, suffix)                                                                    \
    DIRECT(6, 1, dtype, suffix)                                                                    \
    DIRECT(1, 4, dtype, suffix)                                                                    \
    DIRECT(2, 3, dtype, suffix)                                                                    \
    DIRECT(3, 2, dtype, suffix)                                                                    \
    STRIP(1, dtype, suffix)                                                                        \
    STRIP(2, dtype, suffix)                                                                        \
    STRIP(3, dtype, suffix)                                                                        \
    STRIP(4, dtype, suffix)                                                                        \
    STRIP(5, dtype, suffix)                                                                        \
    STRIP(6, dtype, suffix)                                                                        \
    static const struct matmul_tiles tiles_##suffix = {                                            \
        .direct = {direct_1x1_##suffix, direct_2x1_##suffix, direct_3x1_##suffix,                  \
                   direct_4x1_##suffix, direct_5x1_##suffix, direct_6x1_##suffix},                 \
        .wide = {direct_1x4_##suffix, direct_2x3_##suffix, direct_3x2_##suffix},                   \
        .strip = {strip_1_##suffix, strip_2_##suffix, strip_3_##suffix, strip_4_##suffix,          \
                  strip_5_##suffix, strip_6_##suffix}};

TYPE(HEED_F32, f32)
TYPE(HEED_F16, f16)
TYPE(HEED_BF16, bf16)

const struct matmul_tiles *heedi_avx2_matmul_tiles(enum heed_dtype b_type) {
    return b_type == HEED_F32 ? &tiles_f32 : b_type == HEED_F16 ? &tiles_f16 : &tiles_bf16;
}
