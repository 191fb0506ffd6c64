/* SPDX-License-Identifier: Apache-2.0 */
/* The scalar backend: plain C11 that runs everywhere and that the other backends fall back to. This
 * file says which operators it runs; all else of the plugin interface is in backends/cpu. */
#include <stdio.h>

#include "scalar.h"

const struct cpu_kernel heedi_scalar_kernels[SCALAR_KERNEL_COUNT] = {
#define KERNEL(ID, function) [SCALAR_##ID] = {#function, function},
#include "kernels.inc"
#undef KERNEL
};

static const struct cpu_operator *const operators[HEED_OP_COUNT_PLUS_ONE] = {
    [HEED_OP_MATMUL] = &heedi_scalar_matmul,
    [HEED_OP_ATTENTION] = &heedi_scalar_attention,
    [HEED_OP_SOFTMAX] = &heedi_scalar_softmax,
    [HEED_OP_LOG_SOFTMAX] = &heedi_scalar_log_softmax,
    [HEED_OP_LAYER_NORM] = &heedi_scalar_layer_norm,
    [HEED_OP_ADD] = &heedi_scalar_binary,
    [HEED_OP_MUL] = &heedi_scalar_binary,
    [HEED_OP_SCALE] = &heedi_scalar_scale,
    [HEED_OP_RELU] = &heedi_scalar_unary,
    [HEED_OP_GELU] = &heedi_scalar_gelu,
    [HEED_OP_SILU] = &heedi_scalar_unary,
    [HEED_OP_TANH] = &heedi_scalar_unary,
    [HEED_OP_SIGMOID] = &heedi_scalar_unary,
    [HEED_OP_EMBEDDING] = &heedi_scalar_embedding,
    [HEED_OP_POSITIONS] = &heedi_scalar_positions,
    [HEED_OP_CONCAT] = &heedi_cpu_concat,
    [HEED_OP_COPY] = &heedi_cpu_copy,
    [HEED_OP_CAST] = &heedi_scalar_cast,
    [HEED_OP_ARGMAX] = &heedi_scalar_argmax,
    [HEED_OP_TOP_K] = &heedi_scalar_top_k,
    [HEED_OP_CACHE_APPEND] = &heedi_scalar_cache_append,
    [HEED_OP_GATHER_ROWS] = &heedi_cpu_gather_rows,
    [HEED_OP_ADVANCE] = &heedi_cpu_advance,
};

static void describe(char *text, size_t bytes) {
    snprintf(text, bytes, "portable C, no processor extensions");
}

static const struct cpu_backend backend = {
    .operators = operators,
    .describe = describe,
    /* glibc, musl and the BSD libraries document at most 1 to 2 for these functions. */
    .numeric = {.unit_roundoff = 0x1p-24f,
                .exp_ulp = 2.0f,
                .tanh_ulp = 2.0f,
                .erf_ulp = 2.0f,
                .accumulator = HEED_F32},
};

CPU_BACKEND_ENTRY(scalar, "portable C, one kernel per operator", backend)
