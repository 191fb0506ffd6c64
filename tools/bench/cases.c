/* SPDX-License-Identifier: Apache-2.0 */
/* The table of operators and shapes.
 *
 * Shapes come from translation models: OPUS-MT (width 512, 8 heads of 64, inner width 2048,
 * vocabulary 58,101) and the small default model (width 128, 4 heads of 32, inner width 512,
 * vocabulary 4,001). One row of activations is one hypothesis of greedy search, 4 to 16 rows are
 * beams, 32 and more are the tokens of a sentence. */
#include "tools/bench/cases.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHAPES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ELEMENTWISE(NAME, forms)                                                                   \
    {                                                                                              \
        HEED_OP_##NAME, 2, 1, "rows x n", forms, "each element of [rows, n]",                      \
            SHAPES("32x2048", "1x2048", "512x2048")                                                \
    }

static const struct heedi_bench_op table[] = {
    {HEED_OP_MATMUL, 3, 6, "m x k x n", "bias relu gelu silu",
     "[m, k] times a weight [n, k], transposed; forms add a bias, and an activation",
     SHAPES("1x512x512", "1x512x58101", "4x512x2048", "32x512x2048:relu", "128x2048x512:bias",
            "512x512x512", "1x128x512", "1x512x2048", "1x2048x512", "2x512x512", "4x512x512",
            "8x512x512", "16x512x512", "16x512x2048", "4x512x58101", "32x512x512", "128x512x2048",
            "256x256x256", "1024x1024x1024", "2048x2048x2048")},
    {HEED_OP_ATTENTION, 5, 3, "b x h x tq x tk x d", "causal products causal-products",
     "b sequences, h heads, tq queries on tk keys of width d; form products: two matmuls and a "
     "softmax instead",
     SHAPES("1x8x32x32x64", "1x8x1x64x64", "1x8x256x256x64", "1x4x32x32x32", "8x8x1x64x64",
            "1x8x128x128x64", "1x8x1024x1024x64", "1x8x1024x1024x64:causal",
            "1x8x1024x1024x64:products", "1x8x1024x1024x64:causal-products")},
    {HEED_OP_SOFTMAX, 2, 1, "rows x n", "", "over the rows of [rows, n]",
     SHAPES("256x32", "8x64", "2048x256", "8192x1024")},
    {HEED_OP_LOG_SOFTMAX, 2, 1, "rows x n", "", "over the rows of [rows, n]",
     SHAPES("1x58101", "1x4001", "4x58101", "16x58101")},
    {HEED_OP_LAYER_NORM, 2, 2, "rows x n", "", "over the rows of [rows, n]",
     SHAPES("1x512", "32x512", "512x512", "512x1024")},
    {HEED_OP_ADD, 2, 1, "rows x n", "row", "[rows, n] and [rows, n]; form row: [rows, n] and [n]",
     SHAPES("32x512", "1x512", "512x512", "512x2048:row")},
    {HEED_OP_MUL, 2, 0, "rows x n", "row", "[rows, n] and [rows, n]; form row: [rows, n] and [n]",
     SHAPES("32x512", "512x512")},
    ELEMENTWISE(SCALE, ""),
    ELEMENTWISE(RELU, ""),
    ELEMENTWISE(GELU, "tanh"),
    ELEMENTWISE(SILU, ""),
    ELEMENTWISE(TANH, ""),
    ELEMENTWISE(SIGMOID, ""),
    {HEED_OP_EMBEDDING, 3, 1, "v x n x rows", "", "rows of a table [v, n]",
     SHAPES("58101x512x32", "58101x512x1")},
    {HEED_OP_POSITIONS, 2, 0, "rows x n", "", "position vectors of width n", SHAPES("32x512")},
    {HEED_OP_CONCAT, 2, 0, "rows x n", "", "two of [rows, n] side by side", SHAPES("32x512")},
    {HEED_OP_COPY, 3, 1, "t x h x d", "", "[t, h, d] to [h, t, d]", SHAPES("32x8x64", "512x8x64")},
    {HEED_OP_CAST, 2, 0, "rows x n", "", "f32 to f16; with a type given, that type to f32",
     SHAPES("32x512", "2048x512")},
    {HEED_OP_ARGMAX, 2, 1, "rows x n", "", "of each row of [rows, n]",
     SHAPES("1x58101", "1x4001", "32x58101")},
    {HEED_OP_TOP_K, 3, 1, "rows x n x k", "", "the k greatest of each row of [rows, n]",
     SHAPES("4x58101x8", "1x58101x4", "16x58101x8")},
    {HEED_OP_CACHE_APPEND, 3, 1, "rows x cap x n", "", "a row [n] to each of rows caches [cap, n]",
     SHAPES("8x64x512", "1x64x512", "32x256x512")},
    {HEED_OP_GATHER_ROWS, 3, 0, "v x n x rows", "", "rows of [v, n]",
     SHAPES("64x512x8", "512x512x32")},
    {HEED_OP_ADVANCE, 1, 0, "rows", "", "the next step's inputs of as many rows", SHAPES("32")},
};

size_t heedi_bench_ops(const struct heedi_bench_op **ops) {
    *ops = table;
    return sizeof table / sizeof *table;
}

const struct heedi_bench_op *heedi_bench_op_find(const char *name, size_t length) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const char *known = heed_op_name(table[i].op);
        if (strlen(known) == length && memcmp(known, name, length) == 0)
            return &table[i];
    }
    return NULL;
}

static bool parse_form(const struct heedi_bench_op *op, const char *text,
                       struct heedi_bench_shape *shape) {
    const size_t length = strlen(text);
    for (const char *form = op->forms; *form != '\0' && length > 0;) {
        const size_t known = strcspn(form, " ");
        if (known == length && memcmp(form, text, length) == 0 && length < sizeof shape->form) {
            memcpy(shape->form, text, length + 1);
            return true;
        }
        form += known + (form[known] == ' ');
    }
    return false;
}

bool heedi_bench_shape_parse(const struct heedi_bench_op *op, const char *text,
                             struct heedi_bench_shape *shape, char *error, size_t error_size) {
    const char *at = text;
    const int64_t most = INT64_C(1) << 40;
    int64_t elems = 1;
    memset(shape, 0, sizeof *shape);
    shape->op = op;
    for (uint32_t i = 0; i < op->rank; i++) {
        char *end = NULL;
        errno = 0;
        const long long dim = *at >= '1' && *at <= '9' ? strtoll(at, &end, 10) : 0;
        const bool last = i + 1 == op->rank;
        /* so that no product of the dimensions overflows */
        if (dim < 1 || errno != 0 || dim > most / elems ||
            (last ? *end != '\0' && *end != ':' : *end != 'x')) {
            snprintf(error, error_size,
                     "shape '%s' of %s: expected %s, whole numbers from 1 whose product is at "
                     "most 2^40",
                     text, heed_op_name(op->op), op->dims);
            return false;
        }
        elems *= dim;
        shape->dims[i] = dim;
        at = last ? end : end + 1;
    }
    if (*at == ':' && !parse_form(op, at + 1, shape)) {
        if (op->forms[0] != '\0')
            snprintf(error, error_size, "shape '%s' of %s: the forms are: %s", text,
                     heed_op_name(op->op), op->forms);
        else
            snprintf(error, error_size, "shape '%s' of %s: there are no forms", text,
                     heed_op_name(op->op));
        return false;
    }
    return true;
}
