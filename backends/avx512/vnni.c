/* SPDX-License-Identifier: Apache-2.0 */
/* 8-bit products by VNNI in registers of 512 bits. */
#include "avx512.h"

#define I8_LANES 16
#define I8_UNIT 4
#include "backends/avx2/matmul_i8_tiles.inc"

const struct avx2_i8 heedi_avx512_vnni = {
    .unit = I8_UNIT,
    .layout_nk = "i8_quad16_nk",
    .layout_kn = "i8_quad16_kn",
    .i8 = &heedi_avx512_kernels[AVX512_I8],
    .q8_0 = &heedi_avx512_kernels[AVX512_Q8_0],
    .i8_tiles = I8_TILES,
    .q8_0_tiles = Q8_0_TILES,
};

void heed_i8_matmul_4x64__avx512(const struct cpu_call *call) {
    heedi_avx2_run_i8(call, &heedi_avx512_vnni);
}

void heed_q8_0_matmul_4x32__avx512(const struct cpu_call *call) {
    heedi_avx2_run_i8(call, &heedi_avx512_vnni);
}
