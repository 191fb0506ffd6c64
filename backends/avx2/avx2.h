/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX2 plugin from the inside: what its files share beside backends/cpu. The avx512 plugin is
 * made of the same files, plugin.c excepted.
 *
 * plugin.c, operators.c and fuse.c are compiled for any x86-64, so that an older processor gets a
 * polite answer; all others for AVX2, FMA and F16C, and nothing in them runs unless the processor
 * has these. */
#ifndef HEEDI_AVX2_AVX2_H
#define HEEDI_AVX2_AVX2_H

#include "backends/cpu/cpu.h"

/* kernels.inc is the one list of kernels. */
enum avx2_kernel_id {
#define KERNEL(ID, function) AVX2_##ID,
#include "kernels.inc"
#undef KERNEL
    AVX2_KERNEL_COUNT
};
#define KERNEL(ID, function) void function(const struct cpu_call *call);
#include "kernels.inc"
#undef KERNEL
extern const struct cpu_kernel heedi_avx2_kernels[AVX2_KERNEL_COUNT];

extern const struct cpu_operator heedi_avx2_matmul, heedi_avx2_attention, heedi_avx2_softmax,
    heedi_avx2_log_softmax, heedi_avx2_layer_norm, heedi_avx2_binary, heedi_avx2_scale,
    heedi_avx2_gelu, heedi_avx2_unary, heedi_avx2_embedding, heedi_avx2_positions, heedi_avx2_cast,
    heedi_avx2_argmax, heedi_avx2_top_k, heedi_avx2_cache_append;

/* ---- operators.c ---- */
extern const struct cpu_operator *const heedi_avx2_operators[HEED_OP_COUNT_PLUS_ONE];
/* NULL, or why the kernels cannot run on this processor. */
const char *heedi_avx2_unusable(void);

/* ---- fuse.c ---- */
/* See struct cpu_backend. */
struct cpu_step heedi_avx2_fuse(const struct heed_plugin_program *program, uint32_t first);

/* ---- elements.c ---- */
/* `count` neighbouring elements from `offset` on as f32: a pointer to them where they lie, or to
 * `buffer` (count <= CPU_BLOCK) after conversion. */
const float *heedi_avx2_load(const struct cpu_operand *x, int64_t offset, int64_t count,
                             float *buffer);
/* The same for elements `stride` apart, also 0. */
const float *heedi_avx2_load_strided(const struct cpu_operand *x, int64_t offset, int64_t stride,
                                     int64_t count, float *buffer);
/* One element as f32. */
float heedi_avx2_load_one(const struct cpu_operand *x, int64_t offset);
/* Rounds to elements [offset, offset + count) of a contiguous result; see heedi_cpu_target. */
void heedi_avx2_store(const struct cpu_operand *y, int64_t offset, int64_t count,
                      const float *values);

#endif
