/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of common/choice.glsl among the columns of a tile, as matmul.comp has them: a row of
 * each group of TM, TY of them in all, comes at a time, its columns beside each other in shared
 * memory. The includer defines slice_element(), element `at` of these rows, with its column. */
float slice_element(uint at, uint column);

void choose_slice(uint first_row, uint first_column) {
    const uint blocks = COLUMNS / CHOICE_BLOCK; /* of a row */
    for (uint i = gl_LocalInvocationID.x; i < TY * blocks * CHOICE_LANES; i += THREADS) {
        const uint from = i / CHOICE_LANES * CHOICE_BLOCK + i % CHOICE_LANES;
        const uint row = first_row + from / COLUMNS * TM;
        choice mine = NO_CHOICE;
        for (uint j = from; j < from + CHOICE_BLOCK; j += CHOICE_LANES) {
            const uint column = first_column + j % COLUMNS;
            if (column < it.n)
                mine = choice_add(mine, row, column, slice_element(j, column));
        }
        choice_put(i, mine);
    }
    barrier();
    for (uint i = gl_LocalInvocationID.x; i < TY * blocks; i += THREADS) {
        const uint row = first_row + i / blocks * TM;
        if (row < it.m)
            choice_store(row, first_column / CHOICE_BLOCK + i % blocks,
                         choice_of_lanes(i * CHOICE_LANES));
    }
}
