/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX-512 plugin from the inside. It has the operators and kernels of the avx2 plugin (a copy
 * of its own: no processor with AVX-512 lacks AVX2), and 8-bit products by VNNI. */
#ifndef HEEDI_AVX512_AVX512_H
#define HEEDI_AVX512_AVX512_H

#include "backends/avx2/matmul_i8.h"

/* kernels.inc is the one list of kernels. */
enum avx512_kernel_id {
#define KERNEL(ID, function) AVX512_##ID,
#include "kernels.inc"
#undef KERNEL
    AVX512_KERNEL_COUNT
};
#define KERNEL(ID, function) void function(const struct cpu_call *call);
#include "kernels.inc"
#undef KERNEL
extern const struct cpu_kernel heedi_avx512_kernels[AVX512_KERNEL_COUNT];

/* Products with quantised rows by registers of 512 bits, and of 256. */
extern const struct avx2_i8 heedi_avx512_vnni, heedi_avx512_vnni_256;

#endif
