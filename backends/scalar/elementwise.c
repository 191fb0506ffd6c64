/* SPDX-License-Identifier: Apache-2.0 */
/* add, mul, scale and the activations. Arithmetic in f32; add and mul of i32 wrap modulo 2^32. */
#include "scalar.h"

struct elementwise {
    const struct cpu_call *call;
    struct cpu_loop loop;
};

static void start(const struct cpu_call *call, int64_t cost, heed_range_fn fn) {
    struct elementwise work = {
        .call = call,
        .loop = heedi_cpu_loop(call->out[0].desc, call->in[0].desc, call->in[1].desc)};
    heedi_cpu_parallel(call, work.loop.units, cost * CPU_BLOCK, fn, &work);
}

/* ---- functions of one value ---- */

static void activation_range(void *arg, int64_t begin, int64_t end) {
    const struct elementwise *work = arg;
    const struct cpu_call *call = work->call;
    const enum heed_activation activation = heedi_cpu_activation(call->node);
    float x_buffer[CPU_BLOCK], y_buffer[CPU_BLOCK];
    for (int64_t i = begin; i < end; i++) {
        const struct cpu_unit at = heedi_cpu_unit_at(&work->loop, i);
        const float *x =
            heedi_scalar_load(&call->in[0], at.x[0], work->loop.strides[0][3], at.count, x_buffer);
        float *y = heedi_cpu_target(&call->out[0], at.y, y_buffer);
        heedi_cpu_activate(activation, y, x, at.count);
        heedi_scalar_store(&call->out[0], at.y, at.count, y);
    }
}

void heed_f32_activation__scalar(const struct cpu_call *call) {
    start(call, call->node->op == HEED_OP_RELU ? 1 : 32, activation_range);
}

static void scale_range(void *arg, int64_t begin, int64_t end) {
    const struct elementwise *work = arg;
    const struct cpu_call *call = work->call;
    const float factor = call->node->attrs.scale.factor;
    float x_buffer[CPU_BLOCK], y_buffer[CPU_BLOCK];
    for (int64_t i = begin; i < end; i++) {
        const struct cpu_unit at = heedi_cpu_unit_at(&work->loop, i);
        const float *x =
            heedi_scalar_load(&call->in[0], at.x[0], work->loop.strides[0][3], at.count, x_buffer);
        float *y = heedi_cpu_target(&call->out[0], at.y, y_buffer);
        for (int64_t j = 0; j < at.count; j++)
            y[j] = x[j] * factor;
        heedi_scalar_store(&call->out[0], at.y, at.count, y);
    }
}

void heed_f32_scale__scalar(const struct cpu_call *call) {
    start(call, 1, scale_range);
}

static const char *accept_unary(struct cpu_node *node) {
    node->kernel = node->op == HEED_OP_SCALE ? &heedi_scalar_kernels[SCALAR_SCALE]
                                             : &heedi_scalar_kernels[SCALAR_UNARY];
    return heedi_cpu_accept_float(node);
}

const struct cpu_operator heedi_scalar_unary = {.accept = accept_unary};
const struct cpu_operator heedi_scalar_scale = {.attrs_size = sizeof(struct heed_scale_attrs),
                                                .accept = accept_unary};
const struct cpu_operator heedi_scalar_gelu = {.attrs_size = sizeof(struct heed_gelu_attrs),
                                               .accept = accept_unary};

/* ---- functions of two values ---- */

static void binary_f32_range(void *arg, int64_t begin, int64_t end) {
    const struct elementwise *work = arg;
    const struct cpu_call *call = work->call;
    const bool add = call->node->op == HEED_OP_ADD;
    float a_buffer[CPU_BLOCK], b_buffer[CPU_BLOCK], y_buffer[CPU_BLOCK];
    for (int64_t i = begin; i < end; i++) {
        const struct cpu_unit at = heedi_cpu_unit_at(&work->loop, i);
        const float *a =
            heedi_scalar_load(&call->in[0], at.x[0], work->loop.strides[0][3], at.count, a_buffer);
        const float *b =
            heedi_scalar_load(&call->in[1], at.x[1], work->loop.strides[1][3], at.count, b_buffer);
        float *y = heedi_cpu_target(&call->out[0], at.y, y_buffer);
        if (add)
            for (int64_t j = 0; j < at.count; j++)
                y[j] = a[j] + b[j];
        else
            for (int64_t j = 0; j < at.count; j++)
                y[j] = a[j] * b[j];
        heedi_scalar_store(&call->out[0], at.y, at.count, y);
    }
}

static void binary_i32_range(void *arg, int64_t begin, int64_t end) {
    const struct elementwise *work = arg;
    const struct cpu_call *call = work->call;
    const bool add = call->node->op == HEED_OP_ADD;
    const uint32_t *a = call->in[0].data, *b = call->in[1].data;
    uint32_t *y = call->out[0].data;
    const int64_t a_stride = work->loop.strides[0][3], b_stride = work->loop.strides[1][3];
    for (int64_t i = begin; i < end; i++) {
        const struct cpu_unit at = heedi_cpu_unit_at(&work->loop, i);
        for (int64_t j = 0; j < at.count; j++) {
            const uint32_t left = a[at.x[0] + j * a_stride], right = b[at.x[1] + j * b_stride];
            y[at.y + j] = add ? left + right : left * right;
        }
    }
}

void heed_f32_add__scalar(const struct cpu_call *call) {
    start(call, 1, binary_f32_range);
}

void heed_f32_mul__scalar(const struct cpu_call *call) {
    start(call, 1, binary_f32_range);
}

void heed_i32_add__scalar(const struct cpu_call *call) {
    start(call, 1, binary_i32_range);
}

void heed_i32_mul__scalar(const struct cpu_call *call) {
    start(call, 1, binary_i32_range);
}

static const char *accept_binary(struct cpu_node *node) {
    const bool add = node->op == HEED_OP_ADD;
    if (node->in[0].desc.dtype == HEED_I32)
        node->kernel =
            add ? &heedi_scalar_kernels[SCALAR_ADD_I32] : &heedi_scalar_kernels[SCALAR_MUL_I32];
    else
        node->kernel =
            add ? &heedi_scalar_kernels[SCALAR_ADD_F32] : &heedi_scalar_kernels[SCALAR_MUL_F32];
    return heedi_cpu_accept_binary(node);
}

const struct cpu_operator heedi_scalar_binary = {.accept = accept_binary};
