/* SPDX-License-Identifier: Apache-2.0 */
/* matmul of halves by matrices that a subgroup has together: y[i, j] = act(sum_p a[i, p] b[p, j] +
 * bias[j]), for batches; what is not f16 is rounded to it. The extension that NVIDIA made
 * first; for the one of Khronos: matmul_coop_khr.comp.
 *
 * Bindings:  0 a, 1 b, 2 bias (read, any strides, each of any float type; in words), 3 y f32
 *            (written, contiguous)
 * Workgroup: a tile of rows and columns, TILES * M and TILES * N for each of 1 or 4 subgroups,
 *            which must be full; pieces of a and b, 2 K of p at a time, lie in shared memory
 * Dispatch:  batches * ceil(m / rows) * ceil(columns / columns of a tile)
 * Shared:    4 * (K + 4) * (rows + columns) + 4 * SUBGROUPS * M * N
 * Needs:     VK_NV_cooperative_matrix with f16 times f16 into f32
 * Error:     products are exact; sums of f32 in an order, and with a rounding, that the device
 *            chooses; then bias and activation. A test comes before the first use (selftest.c) */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_NV_cooperative_matrix : require
#define MATRIX_A fcoopmatNV<16, gl_ScopeSubgroup, M, K>
#define MATRIX_B fcoopmatNV<16, gl_ScopeSubgroup, K, N>
#define MATRIX_SUM fcoopmatNV<32, gl_ScopeSubgroup, M, N>
#define ZERO MATRIX_SUM(0.0)
#define READ_A(matrix, words, at, stride) coopMatLoadNV(matrix, words, at, stride, false)
#define READ_B(matrix, words, at, stride) coopMatLoadNV(matrix, words, at, stride, true)
#define MULTIPLY_ADD(a, b, sum) coopMatMulAddNV(a, b, sum)
#define WRITE(matrix, floats, at, stride) coopMatStoreNV(matrix, floats, at, stride, false)
#include "common/matmul_coop.glsl"
