/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX-512 plugin from the inside: what its files share beside backends/cpu.
 *
 * It runs matrix products with quantised rows by constant i8 and q8_0 weights (HEED_QUANTIZE_ROWS
 * of ops.h) and leaves everything else to the backends after it, of which avx2 is the natural one.
 *
 * matmul.c is compiled for AVX-512 F, BW, DQ, VL and VNNI, and nothing in it runs unless the
 * processor has these; the other files for any x86-64. */
#ifndef HEEDI_AVX512_AVX512_H
#define HEEDI_AVX512_AVX512_H

#include "backends/cpu/cpu.h"

enum {
    AVX512_COLUMNS = 16, /* of a panel of b */
    AVX512_QUAD = 4,     /* neighbours along k that one instruction multiplies and adds */
    AVX512_ROWS = 192    /* of a, quantised at a time: bounds the memory of every product */
};

/* Inputs of matmul. */
enum { MATMUL_A = 0, MATMUL_B = 1, MATMUL_BIAS = 2, MATMUL_B_SCALE = 3 };

/* A packed weight. Owned by the host, shared by programs. `block` is all of k, or 32 of q8_0. */
struct avx512_panels {
    const struct heed_host *host;
    int64_t n, k, quads; /* quads: of k, rounded up */
    int64_t blocks;
    int8_t *values;  /* [panels][quads][16][4], zeros beyond n and k */
    int32_t *starts; /* [panels][blocks][16]: -128 times the sum of the block's column */
    float *scales;   /* [panels][blocks][16] of q8_0, else NULL */
};

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

/* ---- claim.c ---- */
extern const struct cpu_operator heedi_avx512_matmul;

/* ---- pack.c ---- */
/* Panels of a weight: see heed_prepare_fn. */
struct avx512_packing {
    const struct heed_host *host;
    bool transposed; /* the weight is [n, k] */
};
enum heed_status heedi_avx512_pack(void *arg, const struct heed_tensor_desc *desc, const void *data,
                                   void **object, size_t *bytes, struct heed_error *error);
void heedi_avx512_panels_destroy(void *object);

#endif
