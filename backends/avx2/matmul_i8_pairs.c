/* SPDX-License-Identifier: Apache-2.0 */
/* Quantised rows by vpmaddwd: pairs of i16, exact, where the instructions of AVX2 for 8-bit
 * operands saturate. A line of b is widened once and serves all rows of the tile. */
#define I8_LANES 8
#define I8_UNIT 2
#include "matmul_i8_tiles.inc"

const struct avx2_i8 heedi_avx2_i8_pairs = {
    .unit = I8_UNIT,
    .layout_nk = "i8_pair16_nk",
    .layout_kn = "i8_pair16_kn",
    .i8 = &heedi_avx2_kernels[AVX2_MATMUL_I8],
    .q8_0 = &heedi_avx2_kernels[AVX2_MATMUL_Q8_0],
    .i8_tiles = I8_TILES,
    .q8_0_tiles = Q8_0_TILES,
};

void heed_i8_matmul_6x16__avx2(const struct cpu_call *call) {
    heedi_avx2_run_i8(call, &heedi_avx2_i8_pairs);
}

void heed_q8_0_matmul_3x16__avx2(const struct cpu_call *call) {
    heedi_avx2_run_i8(call, &heedi_avx2_i8_pairs);
}
