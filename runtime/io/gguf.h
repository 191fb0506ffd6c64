/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of the GGUF format that its reader and its writer share
 * (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). */
#ifndef HEEDI_IO_GGUF_H
#define HEEDI_IO_GGUF_H

#include <string.h>

#include "runtime/io/weights.h"

enum { HEEDI_GGUF_VERSION = 3, HEEDI_GGUF_DEFAULT_ALIGNMENT = 32 };
#define HEEDI_GGUF_MAGIC "GGUF"
#define HEEDI_GGUF_ALIGNMENT_KEY "general.alignment"

/* Tensor types: X(number, name, elements per block, bytes per block, ours). Those that Heed does
 * not read are known for their names and sizes. */
#define HEEDI_GGUF_TYPE_LIST(X)                                                                    \
    X(0, "F32", 1, 4, HEED_F32)                                                                    \
    X(1, "F16", 1, 2, HEED_F16)                                                                    \
    X(2, "Q4_0", 32, 18, HEED_DTYPE_NONE)                                                          \
    X(3, "Q4_1", 32, 20, HEED_DTYPE_NONE)                                                          \
    X(6, "Q5_0", 32, 22, HEED_DTYPE_NONE)                                                          \
    X(7, "Q5_1", 32, 24, HEED_DTYPE_NONE)                                                          \
    X(8, "Q8_0", 32, 34, HEED_Q8_0)                                                                \
    X(9, "Q8_1", 32, 36, HEED_DTYPE_NONE)                                                          \
    X(10, "Q2_K", 256, 84, HEED_DTYPE_NONE)                                                        \
    X(11, "Q3_K", 256, 110, HEED_DTYPE_NONE)                                                       \
    X(12, "Q4_K", 256, 144, HEED_DTYPE_NONE)                                                       \
    X(13, "Q5_K", 256, 176, HEED_DTYPE_NONE)                                                       \
    X(14, "Q6_K", 256, 210, HEED_DTYPE_NONE)                                                       \
    X(15, "Q8_K", 256, 292, HEED_DTYPE_NONE)                                                       \
    X(24, "I8", 1, 1, HEED_I8)                                                                     \
    X(25, "I16", 1, 2, HEED_DTYPE_NONE)                                                            \
    X(26, "I32", 1, 4, HEED_I32)                                                                   \
    X(27, "I64", 1, 8, HEED_DTYPE_NONE)                                                            \
    X(28, "F64", 1, 8, HEED_DTYPE_NONE)                                                            \
    X(30, "BF16", 1, 2, HEED_BF16)

/* Bytes of a scalar metadata value, 0 for strings, arrays and unknown types. */
static inline size_t heedi_gguf_scalar_bytes(uint32_t type) {
    switch (type) {
    case HEEDI_META_U8:
    case HEEDI_META_I8:
    case HEEDI_META_BOOL:
        return 1;
    case HEEDI_META_U16:
    case HEEDI_META_I16:
        return 2;
    case HEEDI_META_U32:
    case HEEDI_META_I32:
    case HEEDI_META_F32:
        return 4;
    case HEEDI_META_U64:
    case HEEDI_META_I64:
    case HEEDI_META_F64:
        return 8;
    default:
        return 0;
    }
}

#endif
