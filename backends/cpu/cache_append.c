/* SPDX-License-Identifier: Apache-2.0 */
/* cache_append: where each step of each row goes. What falls outside the state is dropped. */
#include "cpu.h"

enum { STATE = 0, X = 1, POSITION = 2, ROW = 3 };

void heedi_cpu_append(const struct cpu_call *call, int64_t begin, int64_t end,
                      cpu_append_fn append) {
    const struct heed_tensor_desc *state = call->in[STATE].desc, *x = call->in[X].desc;
    const struct cpu_operand *positions = &call->in[POSITION], *rows = &call->in[ROW];
    for (int64_t item = begin; item < end; item++) {
        const int64_t i = item / x->dims[1], j = item % x->dims[1];
        const int64_t position = heedi_cpu_load_i32(positions, i * positions->desc->strides[0]) + j;
        const int64_t row =
            rows->desc != NULL ? heedi_cpu_load_i32(rows, i * rows->desc->strides[0]) : i;
        if (row >= 0 && row < state->dims[0] && position >= 0 && position < state->dims[1])
            append(call, i * x->strides[0] + j * x->strides[1],
                   row * state->strides[0] + position * state->strides[1]);
    }
}

const char *heedi_cpu_accept_cache_append(const struct cpu_node *node) {
    if (!heedi_cpu_present(&node->in[X]) || node->in[STATE].desc.rank != 3 ||
        node->in[X].desc.rank != 3)
        return "the state and what is appended must have three dimensions";
    if (!heedi_cpu_is_float(&node->in[STATE]) || !heedi_cpu_is_float(&node->in[X]))
        return "the state and what is appended must be of float types";
    if (!heedi_cpu_present(&node->in[POSITION]) || node->in[POSITION].desc.dtype != HEED_I32 ||
        (heedi_cpu_present(&node->in[ROW]) && node->in[ROW].desc.dtype != HEED_I32))
        return "positions and rows must be i32";
    return NULL;
}
