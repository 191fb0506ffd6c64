/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Element types, tensor descriptions, views of memory, weights.
 *
 * This header stands alone: plugins use it without linking anything. */
#ifndef HEED_TENSOR_H
#define HEED_TENSOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "heed/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Most dimensions a tensor may have. */
#define HEED_MAX_RANK 4

/** Every element type: X(NAME, value, name, bytes per element). Values never change.
 *
 * An element of q8_0 is a block of 32 neighbouring values, struct heed_q8_0 (the format of that
 * name in GGUF files). Sizes and strides count blocks, so [n, k] values are a tensor [n, k / 32].
 * Constants alone have this type, and go straight to matmul and embedding. */
#define HEED_DTYPE_LIST(X)                                                                         \
    X(F32, 1, "f32", 4)                                                                            \
    X(F16, 2, "f16", 2)                                                                            \
    X(BF16, 3, "bf16", 2)                                                                          \
    X(I32, 4, "i32", 4)                                                                            \
    X(I8, 5, "i8", 1)                                                                              \
    X(Q8_0, 6, "q8_0", 34)

enum heed_dtype {
    HEED_DTYPE_NONE = 0,
#define HEED_DTYPE_ENUM(NAME, value, name, bytes) HEED_##NAME = value,
    HEED_DTYPE_LIST(HEED_DTYPE_ENUM)
#undef HEED_DTYPE_ENUM
};

/** Bytes of one element; 0 for an unknown type. */
static inline size_t heed_dtype_bytes(enum heed_dtype dtype) {
    switch (dtype) {
#define HEED_DTYPE_CASE(NAME, value, name, bytes)                                                  \
    case HEED_##NAME:                                                                              \
        return bytes;
        HEED_DTYPE_LIST(HEED_DTYPE_CASE)
#undef HEED_DTYPE_CASE
    case HEED_DTYPE_NONE:
        break;
    }
    return 0;
}

/** Values of a q8_0 block. */
#define HEED_Q8_0_VALUES 32

/** A block of q8_0: value i is values[i] * scale. */
struct heed_q8_0 {
    uint16_t scale; /**< f16 */
    int8_t values[HEED_Q8_0_VALUES];
};

/** Values in one element: 32 for q8_0, else 1. */
static inline int64_t heed_dtype_values(enum heed_dtype dtype) {
    return dtype == HEED_Q8_0 ? HEED_Q8_0_VALUES : 1;
}

/** Name of a type, "f32"; "?" for an unknown type. */
static inline const char *heed_dtype_name(enum heed_dtype dtype) {
    switch (dtype) {
#define HEED_DTYPE_CASE(NAME, value, name, bytes)                                                  \
    case HEED_##NAME:                                                                              \
        return name;
        HEED_DTYPE_LIST(HEED_DTYPE_CASE)
#undef HEED_DTYPE_CASE
    case HEED_DTYPE_NONE:
        break;
    }
    return "?";
}

/** What a tensor is: element type, sizes, and the distance between neighbours in elements.
 * dims[0] is the outermost dimension. Entries from `rank` on are 1 (dims) and 0 (strides).
 * A stride of 0 repeats one element (broadcast). Strides are never negative. A rank of 0 is a
 * scalar. A dimension of 0 means no elements and is legal unless an operator says otherwise. */
struct heed_tensor_desc {
    enum heed_dtype dtype;
    uint32_t rank;
    int64_t dims[HEED_MAX_RANK];
    int64_t strides[HEED_MAX_RANK];
};

/** Description with row-major ("contiguous") strides. `rank` <= HEED_MAX_RANK. The caller vouches
 * for the product of dims fitting in int64_t; graph and file functions check it themselves. (Where
 * it does not fit, strides wrap, so that such a description may be made first and refused then.) */
static inline struct heed_tensor_desc heed_desc(enum heed_dtype dtype, uint32_t rank,
                                                const int64_t *dims) {
    struct heed_tensor_desc desc;
    desc.dtype = dtype;
    desc.rank = rank;
    int64_t stride = 1;
    for (uint32_t i = rank; i < HEED_MAX_RANK; i++) {
        desc.dims[i] = 1;
        desc.strides[i] = 0;
    }
    for (uint32_t i = rank; i-- > 0;) {
        desc.dims[i] = dims[i];
        desc.strides[i] = stride;
        stride = (int64_t)((uint64_t)stride * (uint64_t)dims[i]);
    }
    return desc;
}

/** Number of elements: the product of the dimensions (1 for a scalar). */
static inline int64_t heed_desc_elems(const struct heed_tensor_desc *desc) {
    int64_t elems = 1;
    for (uint32_t i = 0; i < desc->rank; i++)
        elems *= desc->dims[i];
    return elems;
}

/** 1 where the strides are those of heed_desc() (dimensions of size 1 may have any stride; a tensor
 * without elements is contiguous). */
static inline int heed_desc_contiguous(const struct heed_tensor_desc *desc) {
    int64_t stride = 1;
    for (uint32_t i = desc->rank; i-- > 0;) {
        if (desc->dims[i] == 0)
            return 1;
        if (desc->dims[i] != 1 && desc->strides[i] != stride)
            stride = -1;
        if (stride >= 0)
            stride *= desc->dims[i];
    }
    return stride >= 0;
}

/** A description and where element [0,0,..] is. Owns nothing. */
struct heed_tensor_view {
    struct heed_tensor_desc desc;
    void *data;
};

/** IEEE 754 binary16 to binary32, exact. */
static inline float heed_f16_to_f32(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    const uint32_t exponent = (half >> 10) & 0x1fu;
    uint32_t mantissa = half & 0x3ffu;
    uint32_t bits;
    float value;
    if (exponent == 0x1fu) {
        bits = sign | 0x7f800000u | (mantissa << 13);
    } else if (exponent != 0) {
        bits = sign | ((exponent + 112u) << 23) | (mantissa << 13);
    } else {
        /* zero or subnormal: mantissa * 2^-24, exact in binary32 */
        value = (float)mantissa * 5.9604644775390625e-08f;
        memcpy(&bits, &value, sizeof bits);
        bits |= sign;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

/** binary32 to IEEE 754 binary16, round to nearest, ties to even; overflow gives infinity; NaN
 * stays NaN (quiet). */
static inline uint16_t heed_f32_to_f16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)((bits >> 16) & 0x8000u);
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | ((bits >> 13) & 0x3ffu));
    if (bits >= 0x477ff000u) /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (bits < 0x33000001u) /* 2^-25 and below round to zero */
        return sign;
    uint32_t shift = 13, base;
    uint32_t mantissa = bits;
    if (bits < 0x38800000u) { /* subnormal result */
        shift = 126u - (bits >> 23);
        mantissa = (bits & 0x7fffffu) | 0x800000u;
        base = 0;
    } else {
        base = 0x38000000u; /* (127 - 15) << 23 */
    }
    mantissa -= base;
    const uint32_t half = 1u << (shift - 1);
    const uint32_t odd = (mantissa >> shift) & 1u;
    return (uint16_t)(sign | ((mantissa + half - 1u + odd) >> shift));
}

/** bfloat16 to binary32, exact. */
static inline float heed_bf16_to_f32(uint16_t value) {
    const uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

/** binary32 to bfloat16, round to nearest, ties to even; NaN stays NaN (quiet). */
static inline uint16_t heed_f32_to_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((bits >> 16) | 0x40u);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/** Called when the last reference to a weight goes. Any thread. */
typedef void (*heed_release_fn)(void *user);

/** A constant tensor with an identity: what the same weight is packed into on a device is made once
 * and shared by every program that uses it. Reference-counted; immutable; shared by threads. */
struct heed_weight;

/** Makes a weight over memory that the caller provides. `desc` must be contiguous and its elements
 * must stay readable and unchanged until `release(user)` is called (NULL: for ever). `name` is
 * copied. On failure `release` is not called. The caller owns one reference to *weight. */
HEED_API enum heed_status heed_weight_create(struct heed_context *context, const char *name,
                                             const struct heed_tensor_desc *desc, const void *data,
                                             heed_release_fn release, void *user,
                                             struct heed_weight **weight);
/** Adds a reference and returns `weight`. Any thread. */
HEED_API struct heed_weight *heed_weight_retain(struct heed_weight *weight);
/** Drops a reference; NULL is allowed. Any thread. */
HEED_API void heed_weight_release(struct heed_weight *weight);

#ifdef __cplusplus
}
#endif
#endif
