/* SPDX-License-Identifier: Apache-2.0 */
/* add, mul, scale and the activations. Arithmetic in f32; add and mul of i32 wrap modulo 2^32. */
#include "avx2.h"
#include "functions.h"
#include "vector.h"

struct elementwise {
    const struct cpu_call *call;
    struct cpu_loop loop;
};

static void start(const struct cpu_call *call, int64_t cost, heed_range_fn fn) {
    struct elementwise work = {
        .call = call,
        .loop = heedi_cpu_loop(call->out[0].desc, call->in[0].desc, call->in[1].desc)};
    heedi_cpu_parallel(call, work.loop.units, cost * (CPU_BLOCK / 8), fn, &work);
}

/* The elements of operand `index` in a unit, as f32. */
static const float *load(const struct elementwise *work, const struct cpu_unit *at, int index,
                         float *buffer) {
    return heedi_avx2_load_strided(&work->call->in[index], at->x[index],
                                   work->loop.strides[index][HEED_MAX_RANK - 1], at->count, buffer);
}

/* ---- functions of one value ---- */

static void activation_range(void *arg, int64_t begin, int64_t end) {
    const struct elementwise *work = arg;
    const struct cpu_operand *result = &work->call->out[0];
    const enum heed_activation activation = heedi_cpu_activation(work->call->node);
    float x_buffer[CPU_BLOCK], y_buffer[CPU_BLOCK];
    for (int64_t i = begin; i < end; i++) {
        const struct cpu_unit at = heedi_cpu_unit_at(&work->loop, i);
        const float *x = load(work, &at, 0, x_buffer);
        float *y = heedi_cpu_target(result, at.y, y_buffer);
        for (int64_t j = 0; j < at.count; j += 8)
            vector_store(y + j, at.count - j,
                         avx2_activate(activation, vector_load(x + j, at.count - j)));
        heedi_avx2_store(result, at.y, at.count, y);
    }
}

void heed_f32_activation__avx2(const struct cpu_call *call) {
    start(call, call->node->op == HEED_OP_RELU ? 2 : 32, activation_range);
}

static void scale_range(void *arg, int64_t begin, int64_t end) {
    const struct elementwise *work = arg;
    const struct cpu_operand *result = &work->call->out[0];
    const __m256 factor = _mm256_set1_ps(work->call->node->attrs.scale.factor);
    float x_buffer[CPU_BLOCK], y_buffer[CPU_BLOCK];
    for (int64_t i = begin; i < end; i++) {
        const struct cpu_unit at = heedi_cpu_unit_at(&work->loop, i);
        const float *x = load(work, &at, 0, x_buffer);
        float *y = heedi_cpu_target(result, at.y, y_buffer);
        for (int64_t j = 0; j < at.count; j += 8)
            vector_store(y + j, at.count - j,
                         _mm256_mul_ps(vector_load(x + j, at.count - j), factor));
        heedi_avx2_store(result, at.y, at.count, y);
    }
}

void heed_f32_scale__avx2(const struct cpu_call *call) {
    start(call, 2, scale_range);
}

static const char *accept_unary(struct cpu_node *node) {
    node->kernel = node->op == HEED_OP_SCALE ? &heedi_avx2_kernels[AVX2_SCALE]
                                             : &heedi_avx2_kernels[AVX2_UNARY];
    return heedi_cpu_accept_float(node);
}

const struct cpu_operator heedi_avx2_unary = {.accept = accept_unary};
const struct cpu_operator heedi_avx2_scale = {.attrs_size = sizeof(struct heed_scale_attrs),
                                              .accept = accept_unary};
const struct cpu_operator heedi_avx2_gelu = {.attrs_size = sizeof(struct heed_gelu_attrs),
                                             .accept = accept_unary};

/* ---- functions of two values ---- */

static void binary_f32_range(void *arg, int64_t begin, int64_t end) {
    const struct elementwise *work = arg;
    const struct cpu_operand *result = &work->call->out[0];
    const bool add = work->call->node->op == HEED_OP_ADD;
    float a_buffer[CPU_BLOCK], b_buffer[CPU_BLOCK], y_buffer[CPU_BLOCK];
    for (int64_t i = begin; i < end; i++) {
        const struct cpu_unit at = heedi_cpu_unit_at(&work->loop, i);
        const float *a = load(work, &at, 0, a_buffer), *b = load(work, &at, 1, b_buffer);
        float *y = heedi_cpu_target(result, at.y, y_buffer);
        for (int64_t j = 0; j < at.count; j += 8) {
            const int64_t left = at.count - j;
            const __m256 x = vector_load(a + j, left), z = vector_load(b + j, left);
            vector_store(y + j, left, add ? _mm256_add_ps(x, z) : _mm256_mul_ps(x, z));
        }
        heedi_avx2_store(result, at.y, at.count, y);
    }
}

/* Compilers make vector instructions of this by themselves where the strides allow it. */
static void binary_i32_range(void *arg, int64_t begin, int64_t end) {
    const struct elementwise *work = arg;
    const struct cpu_call *call = work->call;
    const bool add = call->node->op == HEED_OP_ADD;
    const uint32_t *a = call->in[0].data, *b = call->in[1].data;
    uint32_t *y = call->out[0].data;
    const int64_t a_stride = work->loop.strides[0][HEED_MAX_RANK - 1];
    const int64_t b_stride = work->loop.strides[1][HEED_MAX_RANK - 1];
    for (int64_t i = begin; i < end; i++) {
        const struct cpu_unit at = heedi_cpu_unit_at(&work->loop, i);
        for (int64_t j = 0; j < at.count; j++) {
            const uint32_t left = a[at.x[0] + j * a_stride], right = b[at.x[1] + j * b_stride];
            y[at.y + j] = add ? left + right : left * right;
        }
    }
}

void heed_f32_add__avx2(const struct cpu_call *call) {
    start(call, 2, binary_f32_range);
}

void heed_f32_mul__avx2(const struct cpu_call *call) {
    start(call, 2, binary_f32_range);
}

void heed_i32_add__avx2(const struct cpu_call *call) {
    start(call, 8, binary_i32_range);
}

void heed_i32_mul__avx2(const struct cpu_call *call) {
    start(call, 8, binary_i32_range);
}

static const char *accept_binary(struct cpu_node *node) {
    const bool add = node->op == HEED_OP_ADD;
    if (node->in[0].desc.dtype == HEED_I32)
        node->kernel = add ? &heedi_avx2_kernels[AVX2_ADD_I32] : &heedi_avx2_kernels[AVX2_MUL_I32];
    else
        node->kernel = add ? &heedi_avx2_kernels[AVX2_ADD_F32] : &heedi_avx2_kernels[AVX2_MUL_F32];
    return heedi_cpu_accept_binary(node);
}

const struct cpu_operator heedi_avx2_binary = {.accept = accept_binary};
