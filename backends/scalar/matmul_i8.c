/* SPDX-License-Identifier: Apache-2.0 */
/* matmul with quantised rows (HEED_QUANTIZE_ROWS of ops.h): the rows of a become i8 with a scale
 * each, sums are exact in i32, and the few roundings after them are those that ops.h fixes, so that
 * the bits before the activation are the operator's, not this plugin's.
 *
 * Two passes over scratch memory: first all rows are quantised, held as i16 because that is what
 * vector units of every kind multiply and add in pairs; then pieces of ROWS rows and 16 columns are
 * computed, 4 rows by 1 column at a time, along k. b is used where it lies: the rows of trained
 * weights [n, k] are what a dot product wants. A b that lies otherwise is gathered in stretches. */
#include <math.h>
#include <string.h>

#include "matmul.h"

enum {
    A = MATMUL_A,
    B = MATMUL_B,
    COLUMNS = SCALAR_MATMUL_COLUMNS,
    TILE = SCALAR_MATMUL_TILE,
    ROWS = SCALAR_MATMUL_ROWS
};

struct quantized {
    struct scalar_matmul work;
    int16_t *rows; /* [batches * m][k] */
    float *scales; /* [batches * m] */
};

/* ---- quantising ---- */

static void quantize_row(const struct quantized *quantized, int64_t number, int64_t offset) {
    const struct scalar_matmul *work = &quantized->work;
    const struct cpu_operand *a = &work->call->in[A];
    int16_t *row = quantized->rows + number * work->shape.k;
    float buffer[CPU_BLOCK], greatest = 0.0f, factor;
    for (int64_t p = 0; p < work->shape.k; p += CPU_BLOCK) {
        const int64_t count = work->shape.k - p < CPU_BLOCK ? work->shape.k - p : CPU_BLOCK;
        const float *x =
            heedi_scalar_load(a, offset + p * work->shape.a_k, work->shape.a_k, count, buffer);
        for (int64_t i = 0; i < count; i++)
            if (!(fabsf(x[i]) <= greatest)) /* once a NaN, always a NaN */
                greatest = fabsf(x[i]) + 0.0f * greatest;
    }
    quantized->scales[number] = heed_quantize_scale(greatest, &factor);
    for (int64_t p = 0; p < work->shape.k; p += CPU_BLOCK) {
        const int64_t count = work->shape.k - p < CPU_BLOCK ? work->shape.k - p : CPU_BLOCK;
        const float *x =
            heedi_scalar_load(a, offset + p * work->shape.a_k, work->shape.a_k, count, buffer);
        for (int64_t i = 0; i < count; i++)
            row[p + i] = (int16_t)heed_quantize(x[i], factor);
    }
}

static void quantize_range(void *arg, int64_t begin, int64_t end) {
    const struct quantized *quantized = arg;
    const struct scalar_matmul *work = &quantized->work;
    for (int64_t number = begin; number < end; number++) {
        const int64_t batch = number / work->shape.m, row = number % work->shape.m;
        quantize_row(quantized, number,
                     batch / work->shape.batch_dims[1] * work->shape.a_batch[0] +
                         batch % work->shape.batch_dims[1] * work->shape.a_batch[1] +
                         row * work->shape.a_row);
    }
}

/* ---- micro-kernels ---- */

/* sums[r] += sum over p of rows[r * stride + p] * b[p] for 4 rows. */
static void dot_4x1(int32_t sums[TILE], const int16_t *rows, int64_t stride, const int8_t *b,
                    int64_t k) {
    const int16_t *a0 = rows, *a1 = rows + stride, *a2 = a1 + stride, *a3 = a2 + stride;
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (int64_t p = 0; p < k; p++) {
        const int16_t value = b[p];
        s0 += a0[p] * value;
        s1 += a1[p] * value;
        s2 += a2[p] * value;
        s3 += a3[p] * value;
    }
    sums[0] += s0;
    sums[1] += s1;
    sums[2] += s2;
    sums[3] += s3;
}

/* The same for one row. */
static void dot_1x1(int32_t *sum, const int16_t *row, const int8_t *b, int64_t k) {
    int32_t s = 0;
    for (int64_t p = 0; p < k; p++)
        s += row[p] * (int16_t)b[p];
    *sum += s;
}

/* ---- one piece: up to ROWS rows of one panel ---- */

struct piece {
    const struct quantized *quantized;
    struct scalar_finish finish;
    int64_t first, rows; /* in the list of quantised rows */
    int64_t b_offset;    /* of the panel's first column */
};

/* Elements [p, p + count) of column `column` of the piece, where they lie or gathered. */
static const int8_t *column_of(const struct piece *piece, int64_t column, int64_t p, int64_t count,
                               int8_t *buffer) {
    const struct scalar_matmul *work = &piece->quantized->work;
    const int8_t *b = (const int8_t *)work->call->in[B].data + piece->b_offset +
                      column * work->shape.b_n + p * work->shape.b_k;
    if (work->shape.b_k == 1)
        return b;
    for (int64_t i = 0; i < count; i++)
        buffer[i] = b[i * work->shape.b_k];
    return buffer;
}

static void compute_i8(const struct piece *piece) {
    const struct quantized *quantized = piece->quantized;
    const struct scalar_matmul *work = &quantized->work;
    const struct scalar_finish *finish = &piece->finish;
    int32_t sums[COLUMNS][ROWS];
    int8_t buffer[CPU_BLOCK];
    memset(sums, 0, sizeof sums);
    const int64_t stretch = work->shape.b_k == 1 ? work->shape.k : CPU_BLOCK;
    for (int64_t p = 0; p < work->shape.k; p += stretch) {
        const int64_t count = work->shape.k - p < stretch ? work->shape.k - p : stretch;
        const int16_t *rows = quantized->rows + piece->first * work->shape.k + p;
        for (int64_t j = 0; j < finish->columns; j++) {
            const int8_t *b = column_of(piece, j, p, count, buffer);
            int64_t row = 0;
            for (; row + TILE <= piece->rows; row += TILE)
                dot_4x1(&sums[j][row], rows + row * work->shape.k, work->shape.k, b, count);
            for (; row < piece->rows; row++)
                dot_1x1(&sums[j][row], rows + row * work->shape.k, b, count);
        }
    }
    for (int64_t row = 0; row < piece->rows; row++) {
        const float scale = quantized->scales[piece->first + row];
        float line[COLUMNS];
        for (int64_t j = 0; j < finish->columns; j++)
            line[j] = (float)sums[j][row] * (scale * finish->scale[j]);
        heedi_scalar_matmul_store(work, finish, piece->first + row, line);
    }
}

static void compute_q8_0(const struct piece *piece) {
    const struct quantized *quantized = piece->quantized;
    const struct scalar_matmul *work = &quantized->work;
    const struct scalar_finish *finish = &piece->finish;
    const struct heed_q8_0 *b = (const struct heed_q8_0 *)work->call->in[B].data + piece->b_offset;
    for (int64_t row = 0; row < piece->rows; row++) {
        const int16_t *a = quantized->rows + (piece->first + row) * work->shape.k;
        const float scale = quantized->scales[piece->first + row];
        float line[COLUMNS];
        for (int64_t j = 0; j < finish->columns; j++) {
            const struct heed_q8_0 *blocks = b + j * work->shape.b_n;
            float total = 0.0f;
            for (int64_t p = 0; p < work->shape.k; p += HEED_Q8_0_VALUES, blocks++) {
                int32_t sum = 0;
                for (int i = 0; i < HEED_Q8_0_VALUES; i++)
                    sum += a[p + i] * (int16_t)blocks->values[i];
                total += (float)sum * heed_f16_to_f32(blocks->scale);
            }
            line[j] = total * scale;
        }
        heedi_scalar_matmul_store(work, finish, piece->first + row, line);
    }
}

static void quantized_range(void *arg, int64_t begin, int64_t end) {
    const struct quantized *quantized = arg;
    const struct scalar_matmul *work = &quantized->work;
    const bool blocks = work->call->in[B].desc->dtype == HEED_Q8_0;
    for (int64_t item = begin; item < end; item++) {
        const int64_t panel = item % work->column_panels;
        const int64_t chunk = item / work->column_panels % work->row_chunks;
        const int64_t batch = item / work->column_panels / work->row_chunks;
        const int64_t left = work->shape.m - chunk * ROWS;
        const struct piece piece = {
            .quantized = quantized,
            .finish = heedi_scalar_matmul_finish(work, panel),
            .first = batch * work->shape.m + chunk * ROWS,
            .rows = left < ROWS ? left : ROWS,
            .b_offset = batch / work->shape.batch_dims[1] * work->shape.b_batch[0] +
                        batch % work->shape.batch_dims[1] * work->shape.b_batch[1] +
                        panel * COLUMNS * work->shape.b_n,
        };
        if (blocks)
            compute_q8_0(&piece);
        else
            compute_i8(&piece);
    }
}

static void run(const struct cpu_call *call) {
    struct quantized quantized = {.work = heedi_scalar_matmul_work(call)};
    const struct scalar_matmul *work = &quantized.work;
    const int64_t rows = work->shape.batches * work->shape.m;
    quantized.scales = call->scratch;
    quantized.rows = (int16_t *)(void *)(quantized.scales + rows);
    if (rows == 0 || work->shape.n == 0)
        return;
    heedi_cpu_parallel(call, rows, 4 * work->shape.k, quantize_range, &quantized);
    heedi_cpu_parallel(call, work->shape.batches * work->row_chunks * work->column_panels,
                       (work->shape.m < ROWS ? work->shape.m : ROWS) * COLUMNS * work->shape.k,
                       quantized_range, &quantized);
}

void heed_i8_matmul_4x1__scalar(const struct cpu_call *call) {
    run(call);
}

void heed_q8_0_matmul_4x1__scalar(const struct cpu_call *call) {
    run(call);
}

/* Scratch memory for the quantised rows: as many as the result has. */
enum heed_status heedi_scalar_matmul_quantized_prepare(struct cpu_node *node,
                                                       struct heed_error *error) {
    const struct heed_tensor_desc *a = &node->in[A].desc, *y = &node->out[0].desc;
    const uint32_t inner = a->rank - (node->attrs.matmul.transpose_a ? 2 : 1);
    const uint64_t k = (uint64_t)a->dims[inner];
    uint64_t rows = 1;
    for (uint32_t i = 0; i + 1 < y->rank; i++)
        rows *= (uint64_t)y->dims[i]; /* fits: dims of a tensor */
    const uint64_t row_bytes = sizeof(float) + k * sizeof(int16_t);
    if (rows > SIZE_MAX / 2 / row_bytes)
        return heedi_common_fail(error, HEED_ERROR_LIMIT, "matmul %s: too many rows to quantise",
                                 node->name);
    node->scratch_bytes = (size_t)(rows * row_bytes);
    return HEED_OK;
}
