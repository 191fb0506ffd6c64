/* SPDX-License-Identifier: Apache-2.0 */
/* The test of kernels that reduce rows by subgroups, whatever the size of these: softmax of rows of
 * ones and greatest values in changing places, and where the first of equal greatest values is. */
#include <math.h>

#include "instance.h"

/* Longer than the widest workgroup; ROWS shift what invocations hold. */
enum { ROWS = 4, LENGTH = 1000, ONES = 64 };

/* Greatest at LENGTH - 1 - 7 row - 15 i, i < ONES: some invocations have none of these, and the
 * last one has in one row the first. All others are less. */
static bool is_greatest(int row, int column) {
    const int distance = LENGTH - 1 - 7 * row - column;
    return distance >= 0 && distance % 15 == 0 && distance / 15 < ONES;
}

/* What rows are shifted by: a greatest value that is missed would show. */
static float level(int row) {
    return row % 2 == 0 ? -300.0f : 200.0f;
}

static enum heed_status run(struct heed_plugin *plugin, enum vk_form form, enum heed_op op,
                            float *x, void *y, struct heed_error *error) {
    const int64_t dims[] = {ROWS, LENGTH};
    const struct vk_trial trial = {
        .op = op,
        .input_count = 1,
        .in = {{heed_desc(HEED_F32, 2, dims), x}},
        .out = {op == HEED_OP_ARGMAX ? heed_desc(HEED_I32, 1, dims) : heed_desc(HEED_F32, 2, dims),
                y},
    };
    return heedi_vk_try(plugin, form, &trial, error);
}

enum heed_status heedi_vk_try_subgroups(struct heed_plugin *plugin, enum vk_form form,
                                        struct heed_error *error) {
    const struct heed_host *host = plugin->host;
    const int64_t count = (int64_t)ROWS * LENGTH;
    float *x = heedi_common_calloc(host, (size_t)count, 3 * sizeof *x);
    if (x == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory");
    float *y = x + count, *expected = y + count;
    for (int i = 0; i < count; i++) {
        expected[i] = is_greatest(i / LENGTH, i % LENGTH) ? 1.0f : 0.0f;
        x[i] = level(i / LENGTH) - (1.0f - expected[i]) * 150.0f;
    }
    int32_t indices[ROWS];
    float found[ROWS], first[ROWS];
    enum heed_status status = run(plugin, form, HEED_OP_SOFTMAX, x, y, error);
    for (int i = 0; i < count; i++) /* division may round */
        y[i] = rintf(y[i] * (float)ONES * 1024.0f) * 0x1p-10f;
    if (status == HEED_OK)
        status = heedi_vk_agree(plugin, y, expected, count, error);
    if (status == HEED_OK)
        status = run(plugin, form, HEED_OP_ARGMAX, x, indices, error);
    for (int row = 0; status == HEED_OK && row < ROWS; row++) {
        found[row] = (float)indices[row];
        first[row] = (float)(LENGTH - 1 - 7 * row - 15 * (ONES - 1));
    }
    if (status == HEED_OK)
        status = heedi_vk_agree(plugin, found, first, ROWS, error);
    heedi_common_free(host, x);
    return status;
}
