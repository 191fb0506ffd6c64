/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenBLAS backend: matrix products by CBLAS, everything else is left to others. This file says
 * what it runs and how exact it is; all else of the plugin interface is in backends/cpu. */
#include "openblas.h"

const struct cpu_kernel heedi_openblas_kernels[OPENBLAS_KERNEL_COUNT] = {
#define KERNEL(ID, function) [OPENBLAS_##ID] = {#function, function},
#include "kernels.inc"
#undef KERNEL
};

static const struct cpu_operator *const operators[HEED_OP_COUNT_PLUS_ONE] = {
    [HEED_OP_MATMUL] = &heedi_openblas_matmul,
};

static const struct cpu_backend backend = {
    .operators = operators,
    .unusable = heedi_openblas_unusable,
    .open = heedi_openblas_single_thread,
    .option = "claim=all", /* also where nothing is gained */
    .describe = heedi_openblas_describe,
    /* OpenBLAS states no bounds. Its kernels sum in f32, some with fused multiply-add, in an order
     * that depends on the kernel and the shape; what holds for any order holds for them. The C
     * library's functions, used for activations, are within 1 to 2. */
    .numeric = {.unit_roundoff = 0x1p-24f,
                .exp_ulp = 2.0f,
                .tanh_ulp = 2.0f,
                .erf_ulp = 2.0f,
                .accumulator = HEED_F32},
    .preference = 10,
};

CPU_BACKEND_ENTRY(openblas, "matrix products by OpenBLAS", backend)
