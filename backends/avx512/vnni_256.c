/* SPDX-License-Identifier: Apache-2.0 */
/* 8-bit products by VNNI in registers of 256 bits, with the option "width=256": for processors that
 * slow down when they use wider ones. Beside the encoding it is what avx2 has for AVX-VNNI. */
#include "avx512.h"

#define I8_LANES 8
#define I8_UNIT 4
#include "backends/avx2/matmul_i8_tiles.inc"

const struct avx2_i8 heedi_avx512_vnni_256 = {
    .unit = I8_UNIT,
    .layout_nk = "i8_quad16_nk",
    .layout_kn = "i8_quad16_kn",
    .i8 = &heedi_avx512_kernels[AVX512_I8_256],
    .q8_0 = &heedi_avx512_kernels[AVX512_Q8_0_256],
    .i8_tiles = I8_TILES,
    .q8_0_tiles = Q8_0_TILES,
};

void heed_i8_matmul_6x16__avx512(const struct cpu_call *call) {
    heedi_avx2_run_i8(call, &heedi_avx512_vnni_256);
}

void heed_q8_0_matmul_3x16__avx512(const struct cpu_call *call) {
    heedi_avx2_run_i8(call, &heedi_avx512_vnni_256);
}
