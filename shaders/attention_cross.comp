/* SPDX-License-Identifier: Apache-2.0 */
/* attention_cross: what a decoder's step attends of a source, whose keys are there:
 *   q = x Wq^T + bq; y = attention(q, K[row], V[row])
 *
 * Source:    Milakov and Gimelshein 2018, algorithm 3, as in attention.comp
 * Bindings:  0 weights and bias (read, each f32, f16 or bf16, in words), 1 k, 2 v (read, f32,
 *            elements of a row side by side), 3 all that the instance owns, as words: x f32,
 *            tables of i32 (read), y f32 (written)
 * Workgroup: ROWS rows of one head: first the products, as matmul_skinny.comp has them, then
 *            attention, with a team of invocations for each row
 * Dispatch:  heads * ceil(rows / ROWS)
 * Shared:    4 * (ROWS * D + SCRATCH) + 4 bytes
 * Needs:     nothing beyond Vulkan 1.1
 * Error:     that of matmul.comp in q, in y that of attention.comp: the same bits */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "params.h"
#include "common/workgroup.glsl"
#include "common/floats.glsl"
#include "common/functions.glsl"
#define STEP_QUANTIZED 0
#define ATTENTION_APPENDS 0
#include "common/attention_step.glsl"
