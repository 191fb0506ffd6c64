/* SPDX-License-Identifier: Apache-2.0 */
/* advance: feeds the tokens that a decoding step chose back to the next one. A few numbers. */
#include "cpu.h"

enum { ROWS = 0, NEXT = 1 };

void heed_i32_advance__cpu(const struct cpu_call *call) {
    const struct cpu_operand *rows = &call->in[ROWS], *next = &call->in[NEXT];
    const struct heed_advance_attrs *attrs = &call->node->attrs.advance;
    const int64_t count = next->desc->dims[0];
    int32_t *y = call->out[0].data;
    for (int64_t i = 0; i < count; i++) {
        const int32_t token = heedi_cpu_load_i32(next, i * next->desc->strides[0]);
        int32_t column[HEED_ROWS_COUNT];
        for (int64_t row = 0; row < HEED_ROWS_COUNT; row++)
            column[row] =
                heedi_cpu_load_i32(rows, row * rows->desc->strides[0] + i * rows->desc->strides[1]);
        const int64_t position = column[HEED_ROWS_POSITION];
        const int32_t idle[HEED_ROWS_COUNT] = {-1, (int32_t)attrs->capacity, 0, -1, -1};
        const bool goes_on =
            token != attrs->eos && position >= 0 && position + 1 < (int64_t)attrs->capacity;
        column[HEED_ROWS_TOKEN] = token;
        column[HEED_ROWS_POSITION] = (int32_t)(position < INT32_MAX ? position + 1 : position);
        column[HEED_ROWS_KEY_LEN] = (int32_t)((uint32_t)column[HEED_ROWS_KEY_LEN] + 1u);
        for (int64_t row = 0; row < HEED_ROWS_COUNT; row++)
            y[row * count + i] = goes_on ? column[row] : idle[row];
    }
}

static const char *accept(struct cpu_node *node) {
    node->kernel = &heedi_cpu_kernels[CPU_ADVANCE];
    return heedi_common_accept_advance(&node->attrs.advance, &node->in[ROWS].desc,
                                       &node->in[NEXT].desc);
}

const struct cpu_operator heedi_cpu_advance = {.attrs_size = sizeof(struct heed_advance_attrs),
                                               .accept = accept};
