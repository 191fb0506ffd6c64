/* SPDX-License-Identifier: Apache-2.0 */
/* advance: what a decoding step reads, from what the one before read and chose.
 *
 *   y[., i] = (next[i], position + 1, key_len + 1, cache_row, source_row)
 *
 * or an idle column where the hypothesis has ended or no position is left: see struct
 * heed_advance_attrs. Integers; exact. */
#include "runtime/base/shape.h"
#include "runtime/ops/rows.h"

enum { ROWS, NEXT };

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_advance_attrs *attrs = call->attrs;
    const struct heed_tensor_desc *rows = call->inputs[ROWS];
    enum heed_status status = heedi_expect_i32(call, ROWS, "rows");
    if (status == HEED_OK)
        status = heedi_expect_rank(call, ROWS, "rows", 2, 2);
    if (status == HEED_OK)
        status = heedi_expect_i32(call, NEXT, "next");
    if (status == HEED_OK)
        status = heedi_expect_vector(call, NEXT, "next", rows->dims[1], "the columns of rows");
    if (status != HEED_OK)
        return status;
    if (rows->dims[0] != HEED_ROWS_COUNT) {
        struct heedi_shape_text text;
        return heedi_op_fail(call, HEED_ERROR_SHAPE, "rows is %s, expected %d rows",
                             heedi_shape_print(&text, rows), HEED_ROWS_COUNT);
    }
    if (attrs->capacity < 1 || attrs->capacity > INT32_MAX)
        return heedi_op_fail(call, HEED_ERROR_INVALID_ARGUMENT,
                             "capacity is %u, expected 1 to 2^31 - 1", attrs->capacity);
    call->outputs[0] = heed_desc(HEED_I32, 2, rows->dims);
    return HEED_OK;
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    cost->flops = 2 * (double)call->inputs[NEXT]->dims[0];
    cost->bytes = heedi_call_bytes(call);
}

static int64_t element(const struct heedi_reference *reference, int64_t row, int64_t column) {
    const struct heed_tensor_desc *rows = reference->call->inputs[ROWS];
    const int64_t index[HEED_MAX_RANK] = {row, column};
    return (int64_t)heedi_load(reference->data[ROWS], HEED_I32, heedi_offset(rows, index));
}

static void reference(const struct heedi_reference *reference) {
    const struct heedi_call *call = reference->call;
    const struct heed_advance_attrs *attrs = call->attrs;
    const int64_t count = call->inputs[NEXT]->dims[0], capacity = attrs->capacity;
    for (int64_t i = 0; i < count; i++) {
        const int64_t next = heedi_load_index(call->inputs[NEXT], reference->data[NEXT], i, 0);
        const int64_t position = element(reference, HEED_ROWS_POSITION, i);
        const int64_t key_len = element(reference, HEED_ROWS_KEY_LEN, i);
        int64_t column[HEED_ROWS_COUNT] = {-1, capacity, 0, -1, -1};
        if (next != attrs->eos && position >= 0 && position + 1 < capacity) {
            column[HEED_ROWS_TOKEN] = next;
            column[HEED_ROWS_POSITION] = position + 1;
            column[HEED_ROWS_KEY_LEN] = key_len == INT32_MAX ? INT32_MIN : key_len + 1;
            column[HEED_ROWS_CACHE_ROW] = element(reference, HEED_ROWS_CACHE_ROW, i);
            column[HEED_ROWS_SOURCE_ROW] = element(reference, HEED_ROWS_SOURCE_ROW, i);
        }
        for (int64_t row = 0; row < HEED_ROWS_COUNT; row++) {
            reference->out[0][row * count + i] = (double)column[row];
            if (reference->magnitude[0] != NULL)
                reference->magnitude[0][row * count + i] = 0;
        }
    }
}

const struct heedi_op heedi_op_advance = {
    .op = HEED_OP_ADVANCE,
    .name = "advance",
    .version = 1,
    .min_inputs = 2,
    .max_inputs = 2,
    .attrs_size = sizeof(struct heed_advance_attrs),
    .infer = infer,
    .cost = cost,
    .reference = reference,
};
