/* SPDX-License-Identifier: Apache-2.0 */
/* Quantised rows by AVX-VNNI: for processors that have it without AVX-512.
 *
 * Unverified: no such processor was at hand. The avx512 plugin compiles the same tiles for 256 bits
 * in the encoding of AVX-512 (its option "width=256"), and these are tested. */
#define I8_LANES 8
#define I8_UNIT 4
#include "matmul_i8_tiles.inc"

const struct avx2_i8 heedi_avx2_i8_vnni = {
    .unit = I8_UNIT,
    .layout_nk = "i8_quad16_nk",
    .layout_kn = "i8_quad16_kn",
    .i8 = &heedi_avx2_kernels[AVX2_MATMUL_I8_VNNI],
    .q8_0 = &heedi_avx2_kernels[AVX2_MATMUL_Q8_0_VNNI],
    .i8_tiles = I8_TILES,
    .q8_0_tiles = Q8_0_TILES,
};

void heed_i8_matmul_6x16__avxvnni(const struct cpu_call *call) {
    heedi_avx2_run_i8(call, &heedi_avx2_i8_vnni);
}

void heed_q8_0_matmul_3x16__avxvnni(const struct cpu_call *call) {
    heedi_avx2_run_i8(call, &heedi_avx2_i8_vnni);
}
