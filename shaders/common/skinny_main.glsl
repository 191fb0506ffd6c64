/* SPDX-License-Identifier: Apache-2.0 */
/* What skinny.glsl and matmul_quantized_skinny.glsl do with their products: COLUMNS columns of up
 * to ROWS rows are stored, or what MATMUL_THEN says follows them; for a choice, several times as
 * many columns, one after the other.
 *
 * The includer has product_of(batch, first), and BEGIN_PRODUCTS(batch) for what comes before the
 * first of them. */
void main() {
    const uint passes = MATMUL_THEN == THEN_CHOICE ? HEED_MATMUL_CHOICE_BLOCK / COLUMNS : 1;
    const uint width = COLUMNS * passes, groups = (it.columns + width - 1) / width;
    const uint batch = WORKGROUP / groups;
    if (batch >= it.batches) /* of the whole workgroup */
        return;
    const uint t = gl_LocalInvocationID.x, first = it.column + WORKGROUP % groups * width;
    const uint row = t / COLUMNS, column = first + t % COLUMNS, end = it.column + it.columns;
    BEGIN_PRODUCTS(batch);

#if MATMUL_THEN == THEN_CHOICE
    choice mine = NO_CHOICE;
    for (uint i = 0; i < passes; i++) {
        const float value = product_of(batch, first + i * COLUMNS);
        if (column + i * COLUMNS < end)
            mine = choice_add(mine, row, column + i * COLUMNS, value);
    }
    if (t < ROWS * COLUMNS)
        choice_put(t, mine);
    barrier();
    if (t < it.m)
        choice_store(t, first / width, choice_of_lanes(t * COLUMNS));
    choice_finish(0, it.m, min(ROWS, THREADS / 16), 0, groups);
#else
    const float value = product_of(batch, first);
    const bool mine = row < it.m && column < end;
#if MATMUL_THEN == THEN_NORM
    if (mine)
        norm_store(row, column, value);
    norm_finish(0, it.m, min(ROWS, THREADS / 16), 0, groups);
#else
    if (mine)
        y[it.y_offset + (batch * it.m + row) * it.n + column] = heed_activate(ACTIVATION, value);
#endif
#endif
}
