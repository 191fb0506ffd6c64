/* SPDX-License-Identifier: Apache-2.0 */
/* cast: between any two types. To a float type: to nearest, ties to even, rounded once. To an
 * integer type: truncated toward zero, saturated, NaN gives 0. */
#include "scalar.h"

struct cast {
    const struct cpu_call *call;
    struct cpu_loop loop;
};

/* A 32-bit integer as an f32 that rounds to bf16 as the integer itself would: bits below the 24
 * that f32 holds are gathered into the lowest of them (round to odd; Boldo and Melquiond 2008). f16
 * needs no such care: what it can hold is exact in f32. */
static float i32_to_odd(int32_t value) {
    const uint32_t magnitude = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    if (magnitude < 1u << 24)
        return (float)value;
    const uint32_t odd = (magnitude & ~0xffu) | ((magnitude & 0xffu) != 0 ? 0x100u : 0u);
    return value < 0 ? -(float)odd : (float)odd;
}

static int32_t saturate(float value, int32_t low, int32_t high) {
    if (value != value)
        return 0;
    if (value <= (float)low)
        return low;
    if (value >= (float)high) /* (float)INT32_MAX is 2^31 */
        return high;
    return (int32_t)value;
}

static void cast_to_integer(const struct cpu_call *call, const struct cpu_unit *at,
                            int64_t stride) {
    const struct cpu_operand *x = &call->in[0], *y = &call->out[0];
    int32_t *i32 = y->data;
    int8_t *i8 = y->data;
    float buffer[CPU_BLOCK];
    if (x->desc->dtype == HEED_I32) { /* not through f32, which holds 24 bits */
        for (int64_t i = 0; i < at->count; i++) {
            const int32_t value = heedi_cpu_load_i32(x, at->x[0] + i * stride);
            if (y->desc->dtype == HEED_I32)
                i32[at->y + i] = value;
            else
                i8[at->y + i] = (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
        }
        return;
    }
    const float *values = heedi_scalar_load(x, at->x[0], stride, at->count, buffer);
    for (int64_t i = 0; i < at->count; i++) {
        if (y->desc->dtype == HEED_I32)
            i32[at->y + i] = saturate(values[i], INT32_MIN, INT32_MAX);
        else
            i8[at->y + i] = (int8_t)saturate(values[i], -128, 127);
    }
}

static void cast_to_float(const struct cpu_call *call, const struct cpu_unit *at, int64_t stride) {
    const struct cpu_operand *x = &call->in[0], *y = &call->out[0];
    float buffer[CPU_BLOCK];
    if (x->desc->dtype == HEED_I32 && y->desc->dtype == HEED_BF16) {
        for (int64_t i = 0; i < at->count; i++)
            buffer[i] = i32_to_odd(heedi_cpu_load_i32(x, at->x[0] + i * stride));
        heedi_scalar_store(y, at->y, at->count, buffer);
        return;
    }
    heedi_scalar_store(y, at->y, at->count,
                       heedi_scalar_load(x, at->x[0], stride, at->count, buffer));
}

static void cast_range(void *arg, int64_t begin, int64_t end) {
    const struct cast *work = arg;
    const enum heed_dtype to = work->call->out[0].desc->dtype;
    for (int64_t i = begin; i < end; i++) {
        const struct cpu_unit at = heedi_cpu_unit_at(&work->loop, i);
        if (to == HEED_I32 || to == HEED_I8)
            cast_to_integer(work->call, &at, work->loop.strides[0][3]);
        else
            cast_to_float(work->call, &at, work->loop.strides[0][3]);
    }
}

void heed_any_cast__scalar(const struct cpu_call *call) {
    struct cast work = {.call = call,
                        .loop = heedi_cpu_loop(call->out[0].desc, call->in[0].desc, NULL)};
    heedi_cpu_parallel(call, work.loop.units, 4 * CPU_BLOCK, cast_range, &work);
}

static const char *accept(struct cpu_node *node) {
    if ((uint32_t)node->out[0].desc.dtype != node->attrs.cast.dtype)
        return "the result must have the type that the attributes name";
    node->kernel = &heedi_scalar_kernels[SCALAR_CAST];
    return NULL;
}

const struct cpu_operator heedi_scalar_cast = {.attrs_size = sizeof(struct heed_cast_attrs),
                                               .accept = accept};
