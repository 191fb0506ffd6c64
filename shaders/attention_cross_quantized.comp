/* SPDX-License-Identifier: Apache-2.0 */
/* attention_cross with rows of x quantised for the product with weights of 8 bits, and scales of
 * rows and columns, or of blocks:
 *   q = quantised(x) Wq^T + bq; y = attention(q, K[row], V[row])
 *
 * Source:    Milakov and Gimelshein 2018, algorithm 3, as in attention.comp
 * Bindings:  0 weights (read, i8 or q8_0), bias (read, f32, f16 or bf16), scales of i8 (read, f32),
 *            in words, 1 k, 2 v (read, f32, elements of a row side by side), 3 all that the
 *            instance owns, as words: x f32, tables of i32 (read), y f32 (written)
 * Workgroup: as in attention_cross.comp; before the product, each row's team packs it
 * Dispatch:  heads * ceil(rows / ROWS)
 * Shared:    4 * (ROWS * D + SCRATCH) + 4 bytes, and ROWS * (k + 12) for packed rows
 * Needs:     nothing beyond Vulkan 1.1
 * Error:     none in q: the bits of matmul_quantized.comp; that of attention.comp in y */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "params.h"
#include "common/workgroup.glsl"
#include "common/floats.glsl"
#include "common/functions.glsl"
#define STEP_QUANTIZED 1
#define INTEGER_DOT 0
#define ATTENTION_APPENDS 0
#include "common/attention_step.glsl"
