/* SPDX-License-Identifier: Apache-2.0 */
/* cache_append: state[row[i], pos[i] + j] = x[i, j], in place; what falls outside is dropped. The
 * result is the whole state, converted to its type; exact where the types agree. */
#include "runtime/base/shape.h"
#include "runtime/ops/rows.h"

enum { STATE, X, POSITION, ROW };

static enum heed_status infer(struct heedi_call *call) {
    const struct heed_tensor_desc *state = call->inputs[STATE], *x = call->inputs[X];
    static const char *const names[] = {"state", "x", "pos", "row"};
    enum heed_status status = heedi_expect_rank(call, STATE, names[STATE], 3, 3);
    if (status == HEED_OK)
        status = heedi_expect_rank(call, X, names[X], 3, 3);
    if (status == HEED_OK)
        status = heedi_expect_float(call, STATE, names[STATE]);
    if (status == HEED_OK)
        status = heedi_expect_float(call, X, names[X]);
    for (uint32_t i = POSITION; i <= ROW && i < call->input_count && status == HEED_OK; i++) {
        if (call->inputs[i] == NULL)
            continue;
        status = heedi_expect_i32(call, i, names[i]);
        if (status == HEED_OK)
            status = heedi_expect_vector(call, i, names[i], x->dims[0], "the rows of x");
    }
    if (status != HEED_OK)
        return status;
    if (x->dims[2] != state->dims[2]) {
        struct heedi_shape_text a, b;
        return heedi_op_fail(call, HEED_ERROR_SHAPE, "x is %s, state is %s: the last dims differ",
                             heedi_shape_print(&a, x), heedi_shape_print(&b, state));
    }
    call->outputs[0] = *state;
    return HEED_OK;
}

static void cost(const struct heedi_call *call, struct heedi_cost *cost) {
    const struct heed_tensor_desc *state = call->inputs[STATE], *x = call->inputs[X];
    cost->flops = 0;
    cost->bytes =
        heedi_desc_bytes(x) + heedi_desc_elems(x) * (double)heed_dtype_bytes(state->dtype);
}

static void reference(const struct heedi_reference *reference) {
    const struct heedi_call *call = reference->call;
    const struct heed_tensor_desc *state = call->inputs[STATE], *x = call->inputs[X];
    const int64_t capacity = state->dims[1], width = state->dims[2];
    int64_t index[HEED_MAX_RANK] = {0};
    int64_t at = 0;
    if (heed_desc_elems(state) == 0)
        return;
    do {
        reference->out[0][at] =
            heedi_load(reference->data[STATE], state->dtype, heedi_offset(state, index));
        if (reference->magnitude[0] != NULL)
            reference->magnitude[0][at] = 0;
        at++;
    } while (heedi_next_index(state, index));
    for (int64_t i = 0; i < x->dims[0]; i++) {
        const struct heed_tensor_desc *rows = call->input_count > ROW ? call->inputs[ROW] : NULL;
        const int64_t row = heedi_load_index(rows, reference->data[ROW], i, i);
        const int64_t first =
            heedi_load_index(call->inputs[POSITION], reference->data[POSITION], i, 0);
        for (int64_t j = 0; j < x->dims[1]; j++) {
            if (row < 0 || row >= state->dims[0] || first + j < 0 || first + j >= capacity)
                continue;
            for (int64_t k = 0; k < width; k++)
                reference->out[0][(row * capacity + first + j) * width + k] =
                    heedi_load(reference->data[X], x->dtype,
                               i * x->strides[0] + j * x->strides[1] + k * x->strides[2]);
        }
    }
}

const struct heedi_op heedi_op_cache_append = {
    .op = HEED_OP_CACHE_APPEND,
    .name = "cache_append",
    .version = 1,
    .min_inputs = 3,
    .max_inputs = 4,
    .infer = infer,
    .cost = cost,
    .reference = reference,
};
