/* SPDX-License-Identifier: Apache-2.0 */
/* Drawing operands: forms, memory, values. */
#include "runtime/check/draw.h"

#include <math.h>
#include <string.h>

#include "runtime/ops/op.h"

/* ---- forms ---- */

static void draw_permutation(struct heedi_random *random, uint32_t rank, uint32_t *perm) {
    for (uint32_t i = 0; i < rank; i++)
        perm[i] = i;
    for (uint32_t i = rank; i-- > 1;) {
        const uint32_t j = (uint32_t)heedi_random_range(random, 0, i);
        const uint32_t kept = perm[i];
        perm[i] = perm[j];
        perm[j] = kept;
    }
}

static void draw_form(struct heedi_drawing *drawing, struct heedi_case_operand *operand) {
    struct heedi_random *random = &drawing->random;
    const uint32_t rank = operand->desc.rank;
    operand->source = !drawing->plain && heedi_random_chance(random, 40) ? HEEDI_SOURCE_CONSTANT
                                                                         : HEEDI_SOURCE_INPUT;
    operand->form = drawing->plain || rank == 0 || heedi_random_chance(random, 30)
                        ? HEEDI_FORM_PLAIN
                        : (enum heedi_form)heedi_random_range(random, 0, HEEDI_FORMS - 1);
    draw_permutation(random, rank, operand->perm);
    for (uint32_t i = 0; i < rank; i++) {
        operand->start[i] = heedi_random_range(random, 0, 2);
        operand->step[i] =
            operand->form == HEEDI_FORM_STEPPED ? heedi_random_range(random, 1, 3) : 1;
        operand->rest[i] = heedi_random_range(random, 0, 1);
        operand->repeated[i] = operand->desc.dims[i] > 1 && heedi_random_chance(random, 50);
    }
    if (operand->form == HEEDI_FORM_BROADCAST)
        drawing->it->random_data = false;
}

/* ---- memory ---- */

static struct heedi_case_operand *next_operand(struct heedi_drawing *drawing) {
    return &drawing->it->operands[drawing->it->operand_count++];
}

/* An operand with zero-filled memory. */
static struct heedi_case_operand *add_operand(struct heedi_drawing *drawing, enum heed_dtype dtype,
                                              uint32_t rank, const int64_t *dims,
                                              const char *axes) {
    struct heedi_case_operand *operand = next_operand(drawing);
    operand->desc = heed_desc(dtype, rank, dims);
    memcpy(operand->axes, axes, rank);
    draw_form(drawing, operand);
    const size_t bytes = heedi_operand_bytes(operand);
    operand->data = heedi_calloc(&drawing->context->env, bytes, 1);
    if (operand->data != NULL)
        return operand;
    drawing->status = heedi_fail_memory(drawing->context, "an operand", bytes);
    return NULL;
}

/* Makes the elements along repeated dimensions equal to the first. */
static void repeat(struct heedi_case_operand *operand) {
    const struct heed_tensor_desc *desc = &operand->desc;
    const size_t size = heed_dtype_bytes(desc->dtype);
    int64_t index[HEED_MAX_RANK] = {0}, at = 0;
    if (operand->form != HEEDI_FORM_BROADCAST || heed_desc_elems(desc) == 0)
        return;
    do {
        int64_t from = 0;
        for (uint32_t i = 0; i < desc->rank; i++)
            from += operand->repeated[i] ? 0 : index[i] * desc->strides[i];
        if (from != at)
            memcpy((char *)operand->data + (size_t)at * size,
                   (const char *)operand->data + (size_t)from * size, size);
        at++;
    } while (heedi_next_index(desc, index));
}

/* ---- values ---- */

/* Hides whole rows along the last dimension now and then: nothing is left to see in them. */
static void hide_rows(struct heedi_drawing *drawing, struct heedi_case_operand *operand) {
    const struct heed_tensor_desc *desc = &operand->desc;
    const int64_t width = desc->rank > 0 ? desc->dims[desc->rank - 1] : 1;
    const int64_t rows = width > 0 ? heed_desc_elems(desc) / width : 0;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t i = heedi_random_chance(&drawing->random, 25) ? 0 : width; i < width; i++)
            heedi_store(operand->data, desc->dtype, row * width + i, -INFINITY);
}

static void fill_float(struct heedi_drawing *drawing, struct heedi_case_operand *operand,
                       enum heedi_values values) {
    const int64_t elems = heed_desc_elems(&operand->desc);
    if (values != HEEDI_VALUES_NORMAL)
        drawing->it->random_data = false;
    for (int64_t i = 0; i < elems; i++)
        heedi_store(operand->data, operand->desc.dtype, i,
                    (double)heedi_random_value(&drawing->random, values));
    if (values == HEEDI_VALUES_MASK)
        hide_rows(drawing, operand);
    repeat(operand);
}

struct heedi_case_operand *heedi_draw_float(struct heedi_drawing *drawing, enum heed_dtype dtype,
                                            uint32_t rank, const int64_t *dims, const char *axes,
                                            enum heedi_values values) {
    struct heedi_case_operand *operand = add_operand(drawing, dtype, rank, dims, axes);
    if (operand != NULL)
        fill_float(drawing, operand, values);
    return operand;
}

struct heedi_case_operand *heedi_draw_integer(struct heedi_drawing *drawing, enum heed_dtype dtype,
                                              uint32_t rank, const int64_t *dims, const char *axes,
                                              int64_t low, int64_t high) {
    struct heedi_case_operand *operand = add_operand(drawing, dtype, rank, dims, axes);
    const int64_t elems = operand != NULL ? heed_desc_elems(&operand->desc) : 0;
    for (int64_t i = 0; i < elems; i++)
        heedi_store(operand->data, dtype, i,
                    (double)heedi_random_range(&drawing->random, low, high));
    if (operand != NULL)
        repeat(operand);
    return operand;
}

/* Scales over two orders of magnitude, now and then none, and all values that there are. */
struct heedi_case_operand *heedi_draw_blocks(struct heedi_drawing *drawing, const int64_t dims[2],
                                             const char *axes) {
    struct heedi_random *random = &drawing->random;
    struct heedi_case_operand *operand = add_operand(drawing, HEED_Q8_0, 2, dims, axes);
    if (operand == NULL)
        return NULL;
    operand->source = HEEDI_SOURCE_CONSTANT;
    operand->form = HEEDI_FORM_PLAIN;
    struct heed_q8_0 *blocks = operand->data;
    const int64_t elems = heed_desc_elems(&operand->desc);
    const bool extreme = heedi_random_chance(random, 10); /* sums as large as they can be */
    for (int64_t i = 0; i < elems; i++) {
        const int64_t scale =
            heedi_random_chance(random, 3) ? 0 : heedi_random_range(random, 1, 99);
        heedi_store(&blocks[i].scale, HEED_F16, 0, 0.001 * (double)scale);
        for (int64_t j = 0; j < HEED_Q8_0_VALUES; j++)
            blocks[i].values[j] =
                (int8_t)(extreme ? INT8_MIN : heedi_random_range(random, INT8_MIN, INT8_MAX));
    }
    return operand;
}

void heedi_draw_given(struct heedi_drawing *drawing, int64_t count, const char *axes,
                      const int32_t *values) {
    struct heedi_case_operand *operand = add_operand(drawing, HEED_I32, 1, &count, axes);
    if (operand == NULL)
        return;
    const bool stepped = !drawing->plain && heedi_random_chance(&drawing->random, 40);
    operand->form = stepped ? HEEDI_FORM_STEPPED : HEEDI_FORM_PLAIN;
    operand->start[0] = 0;
    operand->step[0] = 2;
    operand->rest[0] = 1;
    memcpy(operand->data, values, (size_t)count * sizeof *values);
}

void heedi_draw_state(struct heedi_drawing *drawing, enum heed_dtype dtype, const int64_t dims[3],
                      const char *axes) {
    struct heedi_case_operand *operand = add_operand(drawing, dtype, 3, dims, axes);
    if (operand == NULL)
        return;
    operand->source = HEEDI_SOURCE_STATE;
    operand->form = HEEDI_FORM_PLAIN;
    fill_float(drawing, operand, HEEDI_VALUES_NORMAL);
}

void heedi_draw_absent(struct heedi_drawing *drawing) {
    next_operand(drawing)->source = HEEDI_SOURCE_ABSENT;
}

/* ---- cases ---- */

static const struct heedi_draw_operator *find(enum heed_op op) {
    for (size_t i = 0; i < heedi_draw_operator_count; i++)
        if (heedi_draw_operators[i].op == op)
            return &heedi_draw_operators[i];
    return NULL;
}

int64_t heedi_case_count(enum heed_op op) {
    const struct heedi_draw_operator *found = find(op);
    return found != NULL ? found->count : 0;
}

enum heed_status heedi_case_draw(struct heed_context *context, enum heed_op op, uint64_t seed,
                                 int64_t number, struct heedi_case *it) {
    const struct heedi_draw_operator *found = find(op);
    struct heedi_drawing drawing = {.context = context, .random = {seed}, .it = it};
    *it = (struct heedi_case){.op = op, .random_data = true};
    if (found == NULL)
        return heedi_fail(context, HEED_ERROR_UNSUPPORTED, "operator '%s' has no cases to draw",
                          heed_op_name(op));
    /* Every case has its own stream. */
    drawing.random.state = heedi_random_bits(&drawing.random) + (uint64_t)op;
    drawing.random.state = heedi_random_bits(&drawing.random) + (uint64_t)number;
    drawing.random.state = heedi_random_bits(&drawing.random);
    drawing.plain = heedi_random_chance(&drawing.random, 25);
    found->draw(&drawing);
    if (drawing.status == HEED_OK)
        it->attrs_size = heedi_op_find(op)->attrs_size;
    else
        heedi_case_clear(&context->env, it);
    return drawing.status;
}
