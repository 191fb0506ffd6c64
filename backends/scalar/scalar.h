/* SPDX-License-Identifier: Apache-2.0 */
/* The scalar plugin from the inside: what its files share beside backends/cpu. */
#ifndef HEEDI_SCALAR_SCALAR_H
#define HEEDI_SCALAR_SCALAR_H

#include "backends/cpu/cpu.h"

/* Partial sums kept by a reduction over contiguous elements: element i goes to sum i % 16. Divides
 * CPU_BLOCK. */
#define SCALAR_LANES 16

/* kernels.inc is the one list of kernels. */
enum scalar_kernel_id {
#define KERNEL(ID, function) SCALAR_##ID,
#include "kernels.inc"
#undef KERNEL
    SCALAR_KERNEL_COUNT
};
#define KERNEL(ID, function) void function(const struct cpu_call *call);
#include "kernels.inc"
#undef KERNEL
extern const struct cpu_kernel heedi_scalar_kernels[SCALAR_KERNEL_COUNT];

extern const struct cpu_operator heedi_scalar_matmul, heedi_scalar_attention, heedi_scalar_softmax,
    heedi_scalar_log_softmax, heedi_scalar_layer_norm, heedi_scalar_binary, heedi_scalar_scale,
    heedi_scalar_gelu, heedi_scalar_unary, heedi_scalar_embedding, heedi_scalar_positions,
    heedi_scalar_cast, heedi_scalar_argmax, heedi_scalar_top_k, heedi_scalar_cache_append;

/* ---- elements.c ---- */
/* `count` elements from `offset` on, `stride` apart, as f32: a pointer to them where they lie, or
 * to `buffer` (count <= CPU_BLOCK) after conversion. */
const float *heedi_scalar_load(const struct cpu_operand *x, int64_t offset, int64_t stride,
                               int64_t count, float *buffer);
/* One element as f32. */
float heedi_scalar_load_one(const struct cpu_operand *x, int64_t offset);
/* Rounds to elements [offset, offset + count) of a contiguous result; see heedi_cpu_target. */
void heedi_scalar_store(const struct cpu_operand *y, int64_t offset, int64_t count,
                        const float *values);

/* sum of x[i], and of x[i] * y[i], continued in `lanes`; heedi_scalar_fold adds the lanes up. A
 * `count` that is no multiple of SCALAR_LANES must be the last. */
void heedi_scalar_sum(float lanes[SCALAR_LANES], const float *x, int64_t count);
void heedi_scalar_dot(float lanes[SCALAR_LANES], const float *x, const float *y, int64_t count);
float heedi_scalar_fold(const float lanes[SCALAR_LANES]);

/* ---- softmax.c ---- */
/* Sum of exp(x[i] - *max) over a row of n elements, `stride` apart from element `from` on; *max is
 * the greatest of them, 0 if that is -inf. */
float heedi_scalar_sum_exp(const struct cpu_operand *x, int64_t from, int64_t stride, int64_t n,
                           float *max);

#endif
