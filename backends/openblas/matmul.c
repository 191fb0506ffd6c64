/* SPDX-License-Identifier: Apache-2.0 */
/* matmul: y = act(a b + bias), cut into rectangles of y, one call of CBLAS for each:
 *
 *     a: m x k             b: k x n               y: m x n
 *     +--- k --->          +--[piece_columns]-+   +-----+-----+
 *     [piece_rows]    x    k                  | = |piece|     |
 *     |                    v                  |   +-----+-----+
 *
 * The size of a rectangle follows the shape of the product, so the calls are the same for any
 * number of threads. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "openblas.h"

/* ---- pieces ---- */

static int64_t pieces(int64_t count, int64_t size) {
    return count > 0 ? (count - 1) / size + 1 : 0;
}

/* Each call packs its rows of a and its columns of b again, so a piece has enough of them to share:
 * all rows up to ROWS, and columns, STEP at a time, until PIECE multiplications are reached. In all
 * that takes 2 to 7 % more than one call for the whole product. */
void heedi_openblas_cut(struct openblas_product *product) {
    enum { ROWS = 512, STEP = 128, PIECE = 1 << 22 };
    const int64_t rows = product->m < ROWS ? product->m : ROWS;
    const double per_column =
        (double)(rows > 0 ? rows : 1) * (double)(product->k > 0 ? product->k : 1);
    const double columns = ceil(PIECE / per_column / STEP) * STEP;
    product->piece_rows = ROWS;
    product->piece_columns = columns < OPENBLAS_COLUMNS ? (int64_t)columns : OPENBLAS_COLUMNS;
    product->row_pieces = pieces(product->m, product->piece_rows);
    product->column_pieces = pieces(product->n, product->piece_columns);
}

/* ---- what follows a product ---- */

/* Elements [0, count) of `source`, `stride` apart, as f32. */
static void convert(enum heed_dtype dtype, const void *source, int64_t stride, int64_t count,
                    float *target) {
    const float *f32 = source;
    const uint16_t *bits = source;
    switch (dtype) {
    case HEED_F32:
        for (int64_t i = 0; i < count; i++)
            target[i] = f32[i * stride];
        break;
    case HEED_F16:
        for (int64_t i = 0; i < count; i++)
            target[i] = heed_f16_to_f32(bits[i * stride]);
        break;
    case HEED_BF16:
        for (int64_t i = 0; i < count; i++)
            target[i] = heed_bf16_to_f32(bits[i * stride]);
        break;
    default: /* claims name no other type */
        break;
    }
}

static void finish(const struct cpu_call *call, float *y, int64_t first_column, int64_t rows,
                   int64_t columns) {
    const struct openblas_product *product = call->node->table;
    const struct cpu_operand *given = &call->in[MATMUL_BIAS];
    const enum heed_activation activation =
        (enum heed_activation)call->node->attrs.matmul.activation;
    float bias[OPENBLAS_COLUMNS];
    if (given->data == NULL && activation == HEED_ACTIVATION_NONE)
        return;
    if (given->data != NULL) {
        const int64_t stride = given->desc->strides[0];
        const int64_t bytes = (int64_t)heed_dtype_bytes(given->desc->dtype);
        convert(given->desc->dtype, (const char *)given->data + first_column * stride * bytes,
                stride, columns, bias);
    }
    for (int64_t i = 0; i < rows; i++, y += product->n) {
        if (given->data != NULL)
            for (int64_t j = 0; j < columns; j++)
                y[j] += bias[j];
        heedi_cpu_activate(activation, y, y, columns);
    }
}

/* ---- one piece ---- */

/* The sum of no products. */
static void clear(const struct openblas_product *product, float *y, int64_t rows, int64_t columns) {
    for (int64_t i = 0; i < rows; i++)
        memset(y + i * product->n, 0, (size_t)columns * sizeof *y);
}

static void multiply(const struct openblas_product *product, const float *a, const float *b,
                     float *y, int rows, int columns) {
    const struct openblas_matrix *left = &product->a, *right = &product->b;
    const int k = (int)product->k, ldb = (int)right->leading, ldy = (int)product->n;
    if (product->m == 1) {
        /* the row of a as a vector; b is packed by sgemm and only read by sgemv */
        const int step = left->turned ? (int)left->leading : 1;
        if (right->turned)
            cblas_sgemv(CblasRowMajor, CblasNoTrans, columns, k, 1.0f, b, ldb, a, step, 0.0f, y, 1);
        else
            cblas_sgemv(CblasRowMajor, CblasTrans, k, columns, 1.0f, b, ldb, a, step, 0.0f, y, 1);
    } else {
        cblas_sgemm(CblasRowMajor, left->turned ? CblasTrans : CblasNoTrans,
                    right->turned ? CblasTrans : CblasNoTrans, rows, columns, k, 1.0f, a,
                    (int)left->leading, b, ldb, 0.0f, y, ldy);
    }
}

static void matmul_range(void *arg, int64_t begin, int64_t end) {
    const struct cpu_call *call = arg;
    const struct openblas_product *product = call->node->table;
    const struct openblas_matrix *a = &product->a, *b = &product->b;
    const float *left = call->in[MATMUL_A].data;
    const float *right = product->converted != NULL ? product->converted : call->in[MATMUL_B].data;
    for (int64_t item = begin; item < end; item++) {
        const int64_t batch = item / product->column_pieces / product->row_pieces;
        const int64_t outer = batch / product->batch_dims[1],
                      inner = batch % product->batch_dims[1];
        const int64_t row =
            item / product->column_pieces % product->row_pieces * product->piece_rows;
        const int64_t column = item % product->column_pieces * product->piece_columns;
        const int64_t rows_left = product->m - row, columns_left = product->n - column;
        const int64_t rows = rows_left < product->piece_rows ? rows_left : product->piece_rows;
        const int64_t columns =
            columns_left < product->piece_columns ? columns_left : product->piece_columns;
        float *y = (float *)call->out[0].data + (batch * product->m + row) * product->n + column;
        if (product->k > 0)
            multiply(product,
                     left + outer * a->batch[0] + inner * a->batch[1] + row * a->row_stride,
                     right + outer * b->batch[0] + inner * b->batch[1] + column * b->column_stride,
                     y, (int)rows, (int)columns);
        else
            clear(product, y, rows, columns);
        finish(call, y, column, rows, columns);
    }
}

static void run(const struct cpu_call *call) {
    const struct openblas_product *product = call->node->table;
    const int64_t rows = product->m < product->piece_rows ? product->m : product->piece_rows;
    const int64_t columns =
        product->n < product->piece_columns ? product->n : product->piece_columns;
    const int64_t count = product->batch_dims[0] * product->batch_dims[1] * product->row_pieces *
                          product->column_pieces;
    const double cost = (double)rows * (double)columns * (double)product->k + 1;
    enum { STRETCH = 1 << 16 }; /* multiplications worth waking a thread for */
    const int64_t grain = cost < STRETCH ? (int64_t)(STRETCH / cost) : 1;
    if (count > 0)
        call->host->parallel_for(call->host->handle, count, grain, matmul_range,
                                 (void *)(uintptr_t)call);
}

void heed_f32_matmul_sgemm__openblas(const struct cpu_call *call) {
    run(call);
}

/* One row: the profile shall tell it apart. */
void heed_f32_matmul_sgemv__openblas(const struct cpu_call *call) {
    run(call);
}

/* ---- weights of other types ---- */

struct converted {
    const struct heed_host *host;
    float *data;
};

const float *heedi_openblas_converted_data(const void *object) {
    return ((const struct converted *)object)->data;
}

enum heed_status heedi_openblas_convert(void *arg, const struct heed_tensor_desc *desc,
                                        const void *data, void **object, size_t *bytes,
                                        struct heed_error *error) {
    const struct heed_host *host = arg;
    const int64_t count = heed_desc_elems(desc);
    struct converted *made = heedi_common_calloc(host, 1, sizeof *made);
    if (made == NULL)
        goto fail;
    made->host = host;
    made->data = heedi_common_calloc(host, (size_t)count, sizeof *made->data);
    if (made->data == NULL)
        goto fail;
    convert(desc->dtype, data, 1, count, made->data);
    *object = made;
    *bytes = (size_t)count * sizeof *made->data;
    return HEED_OK;

fail:
    heedi_openblas_converted_destroy(made);
    return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                             "out of memory for a converted weight of %lld elements",
                             (long long)count);
}

void heedi_openblas_converted_destroy(void *object) {
    struct converted *converted = object;
    if (converted == NULL)
        return;
    const struct heed_host *host = converted->host;
    heedi_common_free(host, converted->data);
    heedi_common_free(host, converted);
}
