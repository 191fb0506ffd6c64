/* SPDX-License-Identifier: Apache-2.0 */
/* matmul: y = act((a b) * b_scale + bias).
 *
 * The result is cut into pieces of ROWS rows and 16 columns. For each the elements of b that it
 * needs lie in a panel, [k][16], so that the innermost loop runs over 16 neighbouring columns,
 * which compilers turn into vector instructions:
 *
 *     a: ROWS x k           panel: k x 16
 *     +--- k --->+          +- 16 -+
 *     |          |          |      |         4 x 16 sums at a time stay in registers
 *     +----------+          k      |
 *                           v------+
 *
 * A constant b is packed into panels once, [ceil(n / 16)][k][16] with zeros beyond n, and shared by
 * all programs; any other b is packed on the way, BLOCK_K rows of a panel at a time, into a buffer
 * on the stack. Either way, and however many rows there are, an element is summed in one order:
 * over ascending k in blocks of BLOCK_K, each block's sum then added to the one before. */
#include <string.h>

#include "matmul.h"

enum {
    A = MATMUL_A,
    B = MATMUL_B,
    BIAS = MATMUL_BIAS,
    B_SCALE = MATMUL_B_SCALE,
    COLUMNS = SCALAR_MATMUL_COLUMNS,
    TILE = SCALAR_MATMUL_TILE,
    ROWS = SCALAR_MATMUL_ROWS,
    BLOCK_K = CPU_BLOCK
};

/* A packed weight. Owned by the host, shared by programs. */
struct panels {
    const struct heed_host *host;
    int64_t n, k;
    float *data; /* [ceil(n / 16)][k][16] */
};

/* ---- micro-kernels ---- */

/* tile[r][j] = sum over p of rows[r][p] * panel[p][j], p ascending, for 4 rows: 8 columns at a
 * time, whose sums fill 8 of the 16 vector registers of x86-64. */
static void tile_4x16(float tile[TILE][COLUMNS], const float *const rows[TILE], const float *panel,
                      int64_t k) {
    enum { HALF = COLUMNS / 2 };
    const float *a0 = rows[0], *a1 = rows[1], *a2 = rows[2], *a3 = rows[3];
    for (int start = 0; start < COLUMNS; start += HALF) {
        float sums[TILE][HALF] = {{0}};
        const float *b = panel + start;
        for (int64_t p = 0; p < k; p++, b += COLUMNS) {
            for (int j = 0; j < HALF; j++)
                sums[0][j] += a0[p] * b[j];
            for (int j = 0; j < HALF; j++)
                sums[1][j] += a1[p] * b[j];
            for (int j = 0; j < HALF; j++)
                sums[2][j] += a2[p] * b[j];
            for (int j = 0; j < HALF; j++)
                sums[3][j] += a3[p] * b[j];
        }
        for (int r = 0; r < TILE; r++)
            memcpy(tile[r] + start, sums[r], sizeof sums[r]);
    }
}

/* The same for one row. */
static void tile_1x16(float tile[COLUMNS], const float *row, const float *panel, int64_t k) {
    float sums[COLUMNS] = {0};
    for (int64_t p = 0; p < k; p++, panel += COLUMNS)
        for (int j = 0; j < COLUMNS; j++)
            sums[j] += row[p] * panel[j];
    memcpy(tile, sums, sizeof sums);
}

/* ---- one piece: up to ROWS rows of one panel ---- */

struct scalar_finish heedi_scalar_matmul_finish(const struct scalar_matmul *work, int64_t panel) {
    const struct cpu_operand *bias = &work->call->in[BIAS];
    const struct cpu_operand *scale = &work->call->in[B_SCALE];
    const int64_t first = panel * COLUMNS, left = work->shape.n - first;
    struct scalar_finish finish = {.first = first,
                                   .columns = left < COLUMNS ? left : COLUMNS,
                                   .scaled = scale->desc != NULL,
                                   .biased = bias->desc != NULL};
    for (int64_t j = 0; j < finish.columns; j++) {
        if (finish.scaled)
            finish.scale[j] = heedi_scalar_load_one(scale, (first + j) * scale->desc->strides[0]);
        if (finish.biased)
            finish.bias[j] = heedi_scalar_load_one(bias, (first + j) * bias->desc->strides[0]);
    }
    return finish;
}

void heedi_scalar_matmul_store(const struct scalar_matmul *work, const struct scalar_finish *finish,
                               int64_t row, float *sums) {
    const struct cpu_node *node = work->call->node;
    if (finish->biased)
        for (int64_t j = 0; j < finish->columns; j++)
            sums[j] += finish->bias[j];
    heedi_cpu_activate((enum heed_activation)node->attrs.matmul.activation, sums, sums,
                       finish->columns);
    heedi_scalar_store(&work->call->out[0], row * work->shape.n + finish->first, finish->columns,
                       sums);
}

static void store_row(const struct scalar_matmul *work, const struct scalar_finish *finish,
                      int64_t row, float *sums) {
    if (finish->scaled)
        for (int64_t j = 0; j < finish->columns; j++)
            sums[j] *= finish->scale[j];
    heedi_scalar_matmul_store(work, finish, row, sums);
}

/* Rows [p, p + count) of a panel of b, to `buffer`. */
static void pack_on_the_way(const struct scalar_matmul *work, int64_t b_offset,
                            const struct scalar_finish *finish, int64_t p, int64_t count,
                            float *restrict buffer) {
    const struct cpu_operand *b = &work->call->in[B];
    float line_buffer[BLOCK_K];
    if (finish->columns < COLUMNS)
        memset(buffer, 0, (size_t)(count * COLUMNS) * sizeof *buffer);
    b_offset += p * work->shape.b_k + finish->first * work->shape.b_n;
    if (work->shape.b_n == 1) { /* lines of the panel are neighbours */
        for (int64_t i = 0; i < count; i++) {
            const float *line = heedi_scalar_load(b, b_offset + i * work->shape.b_k, 1,
                                                  finish->columns, line_buffer);
            memcpy(buffer + i * COLUMNS, line, (size_t)finish->columns * sizeof *buffer);
        }
        return;
    }
    for (int64_t j = 0; j < finish->columns; j++) {
        const float *line = heedi_scalar_load(b, b_offset + j * work->shape.b_n, work->shape.b_k,
                                              count, line_buffer);
        for (int64_t i = 0; i < count; i++)
            buffer[i * COLUMNS + j] = line[i];
    }
}

/* Where a piece finds its operands. */
struct piece {
    struct scalar_finish finish;
    int64_t batch;
    int64_t a_offset, b_offset; /* of the batch */
    const float *packed;        /* the panel, or NULL */
    float *buffer;              /* [BLOCK_K][16], for packing on the way */
    bool buffered;              /* the buffer already holds the whole panel */
};

/* `rows` (1 to TILE) rows of the result from `row` on. */
static void compute_tile(const struct scalar_matmul *work, struct piece *piece, int64_t row,
                         int rows) {
    float sums[TILE][COLUMNS] = {{0}}, tile[TILE][COLUMNS], row_buffers[TILE][BLOCK_K];
    for (int64_t p = 0; p < work->shape.k; p += BLOCK_K) {
        const int64_t count = work->shape.k - p < BLOCK_K ? work->shape.k - p : BLOCK_K;
        const float *lines[TILE];
        for (int r = 0; r < rows; r++)
            lines[r] = heedi_scalar_load(&work->call->in[A],
                                         piece->a_offset + (row + r) * work->shape.a_row +
                                             p * work->shape.a_k,
                                         work->shape.a_k, count, row_buffers[r]);
        const float *panel = piece->buffer;
        if (piece->packed != NULL)
            panel = piece->packed + p * COLUMNS;
        else if (!piece->buffered)
            pack_on_the_way(work, piece->b_offset, &piece->finish, p, count, piece->buffer);
        if (rows == TILE)
            tile_4x16(tile, lines, panel, count);
        else
            for (int r = 0; r < rows; r++)
                tile_1x16(tile[r], lines[r], panel, count);
        for (int r = 0; r < rows; r++)
            for (int j = 0; j < COLUMNS; j++)
                sums[r][j] += tile[r][j];
    }
    piece->buffered = work->shape.k <= BLOCK_K;
    for (int r = 0; r < rows; r++)
        store_row(work, &piece->finish, piece->batch * work->shape.m + row + r, sums[r]);
}

static void matmul_range(void *arg, int64_t begin, int64_t end) {
    const struct scalar_matmul *work = arg;
    float buffer[BLOCK_K * COLUMNS];
    for (int64_t item = begin; item < end; item++) {
        const int64_t panel = item % work->column_panels;
        const int64_t chunk = item / work->column_panels % work->row_chunks;
        const int64_t batch = item / work->column_panels / work->row_chunks;
        const int64_t outer = batch / work->shape.batch_dims[1],
                      inner = batch % work->shape.batch_dims[1];
        struct piece piece = {
            .finish = heedi_scalar_matmul_finish(work, panel),
            .batch = batch,
            .a_offset = outer * work->shape.a_batch[0] + inner * work->shape.a_batch[1],
            .b_offset = outer * work->shape.b_batch[0] + inner * work->shape.b_batch[1],
            .packed = work->packed != NULL ? work->packed + panel * work->shape.k * COLUMNS : NULL,
            .buffer = buffer,
        };
        const int64_t first = chunk * ROWS;
        const int64_t last = first + ROWS < work->shape.m ? first + ROWS : work->shape.m;
        for (int64_t row = first; row < last; row += TILE)
            compute_tile(work, &piece, row, last - row < TILE ? (int)(last - row) : TILE);
    }
}

/* ---- shapes ---- */

struct scalar_matmul heedi_scalar_matmul_work(const struct cpu_call *call) {
    struct scalar_matmul work = {.call = call, .shape = heedi_cpu_matmul_shape(call->node)};
    work.row_chunks = (work.shape.m + ROWS - 1) / ROWS;
    work.column_panels = (work.shape.n + COLUMNS - 1) / COLUMNS;
    return work;
}

static void run(const struct cpu_call *call, const float *packed) {
    struct scalar_matmul work = heedi_scalar_matmul_work(call);
    work.packed = packed;
    const int64_t rows = work.shape.m < ROWS ? work.shape.m : ROWS;
    heedi_cpu_parallel(call, work.shape.batches * work.row_chunks * work.column_panels,
                       rows * COLUMNS * work.shape.k, matmul_range, &work);
}

void heed_f32_matmul_4x16__scalar(const struct cpu_call *call) {
    run(call, ((const struct panels *)call->node->packed)->data);
}

void heed_f32_matmul_4x16_strided__scalar(const struct cpu_call *call) {
    run(call, NULL);
}

/* ---- constant b ---- */

static void panels_destroy(void *object) {
    struct panels *panels = object;
    if (panels == NULL)
        return;
    const struct heed_host *host = panels->host;
    heedi_common_free(host, panels->data);
    heedi_common_free(host, panels);
}

struct pack_request {
    const struct heed_host *host;
    bool transposed; /* the weight is [n, k] */
};

static enum heed_status pack(void *arg, const struct heed_tensor_desc *desc, const void *data,
                             void **object, size_t *bytes, struct heed_error *error) {
    const struct pack_request *request = arg;
    struct panels *panels = heedi_common_calloc(request->host, 1, sizeof *panels);
    size_t elems = 0;
    if (panels == NULL)
        goto fail;
    panels->host = request->host;
    panels->n = desc->dims[request->transposed ? 0 : 1];
    panels->k = desc->dims[request->transposed ? 1 : 0];
    const int64_t n = panels->n, k = panels->k;
    elems = (size_t)((n + COLUMNS - 1) / COLUMNS) * COLUMNS * (size_t)k;
    panels->data = heedi_common_calloc(request->host, elems, sizeof *panels->data);
    if (panels->data == NULL)
        goto fail;
    const struct cpu_operand source = {.desc = desc, .data = (void *)(uintptr_t)data};
    const int64_t n_stride = request->transposed ? k : 1, k_stride = request->transposed ? 1 : n;
    float buffer[BLOCK_K];
    for (int64_t column = 0; column < n; column++) {
        float *target = panels->data + column / COLUMNS * k * COLUMNS + column % COLUMNS;
        for (int64_t p = 0; p < k; p += BLOCK_K) {
            const int64_t count = k - p < BLOCK_K ? k - p : BLOCK_K;
            const float *line = heedi_scalar_load(&source, column * n_stride + p * k_stride,
                                                  k_stride, count, buffer);
            for (int64_t i = 0; i < count; i++)
                target[(p + i) * COLUMNS] = line[i];
        }
    }
    *object = panels;
    *bytes = elems * sizeof *panels->data;
    return HEED_OK;

fail:
    panels_destroy(panels);
    return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                             "out of memory for a packed weight of %zu elements", elems);
}

static enum heed_status prepare(struct heed_plugin *plugin, struct cpu_node *node,
                                struct heed_error *error) {
    struct pack_request request = {.host = plugin->host};
    void *object = NULL;
    if (node->attrs.matmul.a_quantization == HEED_QUANTIZE_ROWS)
        return heedi_scalar_matmul_quantized_prepare(node, error);
    if (!heedi_cpu_matmul_constant(node, &request.transposed))
        return HEED_OK;
    const enum heed_status status = plugin->host->prepared_acquire(
        plugin->host->handle, node->in[MATMUL_B].weight_id,
        request.transposed ? "f32_panel16_nk" : "f32_panel16_kn", pack, panels_destroy, &request, 0,
        &node->prepared, &object, error);
    if (status != HEED_OK)
        return status;
    node->packed = object;
    node->kernel = &heedi_scalar_kernels[SCALAR_MATMUL_PANEL];
    return HEED_OK;
}

static const char *accept(struct cpu_node *node) {
    const struct heed_matmul_attrs *attrs = &node->attrs.matmul;
    const bool quantised = node->in[B].desc.dtype == HEED_I8;
    const bool blocks = node->in[B].desc.dtype == HEED_Q8_0;
    if (attrs->activation > HEED_ACTIVATION_SIGMOID)
        return "unknown activation";
    if (attrs->transpose_a > 1 || attrs->transpose_b > 1)
        return "unknown way to transpose";
    if (!heedi_cpu_is_float(&node->in[A]) || !heedi_cpu_is_float(&node->out[0]))
        return "a and the result must be of a float type";
    if (attrs->a_quantization > HEED_QUANTIZE_ROWS)
        return "unknown way to quantise a";
    if (!quantised && !blocks && !heedi_cpu_is_float(&node->in[B]))
        return "b must be of a float type, i8 or q8_0";
    if (attrs->a_quantization == HEED_QUANTIZE_ROWS ? !quantised && !blocks : blocks)
        return "quantised rows of a need an i8 or q8_0 b, and q8_0 needs them";
    if (blocks && (attrs->transpose_b != 1 || !heed_desc_contiguous(&node->in[B].desc)))
        return "a q8_0 b must be contiguous and transposed";
    if (quantised != heedi_cpu_is_float(&node->in[B_SCALE]))
        return "b_scale must be given for an i8 b, and for no other";
    if (heedi_cpu_present(&node->in[BIAS]) && !heedi_cpu_is_float(&node->in[BIAS]))
        return "the bias must be of a float type";
    if (node->in[A].desc.rank < 2 || node->in[B].desc.rank < 2 || node->out[0].desc.rank < 2)
        return "a, b and the result must have at least two dimensions";
    node->kernel = &heedi_scalar_kernels[SCALAR_MATMUL_STRIDED];
    if (attrs->a_quantization == HEED_QUANTIZE_ROWS)
        node->kernel = blocks ? &heedi_scalar_kernels[SCALAR_MATMUL_Q8_0]
                              : &heedi_scalar_kernels[SCALAR_MATMUL_I8];
    return NULL;
}

const struct cpu_operator heedi_scalar_matmul = {
    .attrs_size = sizeof(struct heed_matmul_attrs), .accept = accept, .prepare = prepare};
