/* SPDX-License-Identifier: Apache-2.0 */
/* Cases as data, and the graphs that they stand for. */
#include "runtime/check/case.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/ops/op.h"

static const char *const form_names[HEEDI_FORMS] = {"plain", "transposed", "sliced", "stepped",
                                                    "broadcast"};
static const char *const source_names[] = {"absent", "input", "constant", "state"};

const char *heedi_form_name(enum heedi_form form) {
    return form_names[form];
}

const char *heedi_source_name(enum heedi_source source) {
    return source_names[source];
}

/* ---- operands ---- */

void heedi_store(void *data, enum heed_dtype dtype, int64_t index, double value) {
    switch (dtype) {
    case HEED_F32:
        ((float *)data)[index] = (float)value;
        break;
    case HEED_F16:
        ((uint16_t *)data)[index] = heed_f32_to_f16((float)value);
        break;
    case HEED_BF16:
        ((uint16_t *)data)[index] = heed_f32_to_bf16((float)value);
        break;
    case HEED_I32:
        ((int32_t *)data)[index] = (int32_t)fmin(fmax(value, INT32_MIN), INT32_MAX);
        break;
    case HEED_I8:
        ((int8_t *)data)[index] = (int8_t)fmin(fmax(value, INT8_MIN), INT8_MAX);
        break;
    case HEED_Q8_0:
    case HEED_DTYPE_NONE:
        break;
    }
}

enum { Q8_0_NUMBERS = 1 + HEED_Q8_0_VALUES };

int64_t heedi_operand_numbers(const struct heedi_case_operand *operand) {
    return heed_desc_elems(&operand->desc) * (operand->desc.dtype == HEED_Q8_0 ? Q8_0_NUMBERS : 1);
}

double heedi_load_number(const struct heedi_case_operand *operand, int64_t index) {
    if (operand->desc.dtype != HEED_Q8_0)
        return heedi_load(operand->data, operand->desc.dtype, index);
    const struct heed_q8_0 *block = (const struct heed_q8_0 *)operand->data + index / Q8_0_NUMBERS;
    const int64_t part = index % Q8_0_NUMBERS;
    return part == 0 ? (double)heed_f16_to_f32(block->scale) : (double)block->values[part - 1];
}

void heedi_store_number(struct heedi_case_operand *operand, int64_t index, double value) {
    struct heed_q8_0 *block = (struct heed_q8_0 *)operand->data + index / Q8_0_NUMBERS;
    const int64_t part = index % Q8_0_NUMBERS;
    if (operand->desc.dtype != HEED_Q8_0)
        heedi_store(operand->data, operand->desc.dtype, index, value);
    else if (part == 0)
        heedi_store(&block->scale, HEED_F16, 0, value);
    else
        heedi_store(block->values, HEED_I8, part - 1, value);
}

size_t heedi_operand_bytes(const struct heedi_case_operand *operand) {
    return (size_t)heed_desc_elems(&operand->desc) * heed_dtype_bytes(operand->desc.dtype);
}

struct heed_tensor_desc heedi_operand_storage(const struct heedi_case_operand *operand) {
    int64_t dims[HEED_MAX_RANK] = {0};
    for (uint32_t i = 0; i < operand->desc.rank; i++) {
        const int64_t dim = operand->desc.dims[i];
        if (operand->form == HEEDI_FORM_TRANSPOSED)
            dims[operand->perm[i]] = dim;
        else if (operand->form == HEEDI_FORM_BROADCAST)
            dims[i] = operand->repeated[i] ? 1 : dim;
        else if (operand->form == HEEDI_FORM_PLAIN)
            dims[i] = dim;
        else
            dims[i] = operand->start[i] + (dim > 0 ? (dim - 1) * operand->step[i] + 1 : 0) +
                      operand->rest[i];
    }
    return heed_desc(operand->desc.dtype, operand->desc.rank, dims);
}

/* The operand as a view of its storage: strides, and the offset of the first element. */
static int64_t view_of(const struct heedi_case_operand *operand,
                       const struct heed_tensor_desc *storage, int64_t strides[HEED_MAX_RANK]) {
    int64_t offset = 0;
    for (uint32_t i = 0; i < operand->desc.rank; i++) {
        const bool turned = operand->form == HEEDI_FORM_TRANSPOSED;
        strides[i] = storage->strides[turned ? operand->perm[i] : i];
        if (operand->form == HEEDI_FORM_BROADCAST && operand->repeated[i])
            strides[i] = 0;
        if (operand->form != HEEDI_FORM_SLICED && operand->form != HEEDI_FORM_STEPPED)
            continue;
        offset += operand->start[i] * strides[i];
        strides[i] *= operand->step[i];
    }
    return offset;
}

void heedi_operand_store(const struct heedi_case_operand *operand, void *storage) {
    const struct heed_tensor_desc desc = heedi_operand_storage(operand);
    const size_t size = heed_dtype_bytes(desc.dtype);
    const int64_t elems = heed_desc_elems(&desc), count = heed_desc_elems(&operand->desc);
    int64_t index[HEED_MAX_RANK] = {0};
    struct heed_tensor_desc view = operand->desc;
    if (operand->form == HEEDI_FORM_PLAIN) {
        memcpy(storage, operand->data, (size_t)elems * size);
        return;
    }
    const int64_t offset = view_of(operand, &desc, view.strides);
    memset(storage, 0xff, (size_t)elems * size); /* NaN in every float type */
    for (int64_t i = 0; !heedi_is_float(desc.dtype) && i < elems; i++)
        heedi_store(storage, desc.dtype, i, -0x1p31 + 9);
    for (int64_t i = 0; i < count; i++) {
        memcpy((char *)storage + (size_t)(offset + heedi_offset(&view, index)) * size,
               (const char *)operand->data + (size_t)i * size, size);
        (void)heedi_next_index(&view, index);
    }
}

/* ---- cases ---- */

enum heed_status heedi_case_copy(struct heed_context *context, const struct heedi_case *from,
                                 struct heedi_case *to) {
    *to = *from;
    for (uint32_t i = 0; i < HEED_MAX_INPUTS; i++)
        to->operands[i].data = NULL;
    for (uint32_t i = 0; i < from->operand_count; i++) {
        if (from->operands[i].source == HEEDI_SOURCE_ABSENT)
            continue;
        const size_t bytes = heedi_operand_bytes(&from->operands[i]);
        to->operands[i].data = heedi_calloc(&context->env, bytes, 1);
        if (to->operands[i].data == NULL) {
            heedi_case_clear(&context->env, to);
            return heedi_fail_memory(context, "a case", bytes);
        }
        memcpy(to->operands[i].data, from->operands[i].data, bytes);
    }
    return HEED_OK;
}

void heedi_case_clear(const struct heedi_env *env, struct heedi_case *it) {
    for (uint32_t i = 0; i < HEED_MAX_INPUTS; i++) {
        heedi_free(env, it->operands[i].data);
        it->operands[i].data = NULL;
    }
}

/* ---- graphs ---- */

static void add_view(struct heed_graph *graph, const struct heedi_case_operand *operand,
                     heed_tensor *tensor) {
    const uint32_t rank = operand->desc.rank;
    for (uint32_t i = operand->view_count; i-- > 0;)
        heed_graph_add(graph, operand->views[i].op, NULL, tensor, 1, operand->views[i].attrs,
                       tensor);
    if (operand->form == HEEDI_FORM_TRANSPOSED)
        heed_graph_transpose(graph, NULL, *tensor, operand->perm, tensor);
    else if (operand->form == HEEDI_FORM_BROADCAST)
        heed_graph_broadcast(graph, NULL, *tensor, rank, operand->desc.dims, tensor);
    else if (operand->form != HEEDI_FORM_PLAIN) {
        struct heed_slice_attrs slice = {.struct_size = sizeof slice};
        for (uint32_t i = 0; i < rank; i++) {
            slice.start[i] = operand->start[i];
            slice.size[i] = operand->desc.dims[i];
            slice.step[i] = operand->step[i];
        }
        heed_graph_add(graph, HEED_OP_SLICE, NULL, tensor, 1, &slice, tensor);
    }
}

static enum heed_status add_operand(struct heed_context *context,
                                    const struct heedi_case_operand *operand, uint32_t index,
                                    struct heedi_case_graph *built) {
    const struct heed_tensor_desc storage = heedi_operand_storage(operand);
    heed_tensor *tensor = &built->inputs[index];
    char name[16];
    enum heed_status status = HEED_OK;
    const size_t bytes = (size_t)heed_desc_elems(&storage) * heed_dtype_bytes(storage.dtype);
    built->storage_bytes[index] = bytes;
    built->storages[index] = heedi_calloc(&context->env, bytes, 1);
    if (built->storages[index] == NULL)
        return heedi_fail_memory(context, "an operand", bytes);
    heedi_operand_store(operand, built->storages[index]);
    (void)snprintf(name, sizeof name, "x%u", (unsigned)index);
    if (operand->source == HEEDI_SOURCE_CONSTANT) {
        struct heed_weight *weight = NULL;
        status = heed_weight_create(context, name, &storage, built->storages[index], NULL, NULL,
                                    &weight);
        if (status == HEED_OK)
            heed_graph_constant(built->graph, weight, tensor);
        heed_weight_release(weight);
    } else if (operand->source == HEEDI_SOURCE_STATE) {
        heed_graph_state(built->graph, name, storage.dtype, storage.rank, storage.dims, tensor);
    } else {
        heed_graph_input(built->graph, name, storage.dtype, storage.rank, storage.dims,
                         operand->bound, tensor);
    }
    if (status == HEED_OK)
        add_view(built->graph, operand, tensor);
    return status;
}

enum heed_status heedi_case_build(struct heed_context *context, const struct heedi_case *it,
                                  struct heedi_case_graph *built) {
    static const char *const names[HEED_MAX_OUTPUTS] = {"y0", "y1"};
    const bool state = it->operand_count > 0 && it->operands[0].source == HEEDI_SOURCE_STATE;
    *built = (struct heedi_case_graph){.outputs = {HEED_NO_TENSOR, HEED_NO_TENSOR}};
    enum heed_status status = heed_graph_create(context, "check", &built->graph);
    for (uint32_t i = 0; status == HEED_OK && i < it->operand_count; i++) {
        built->inputs[i] = HEED_NO_TENSOR;
        if (it->operands[i].source != HEEDI_SOURCE_ABSENT)
            status = add_operand(context, &it->operands[i], i, built);
    }
    if (status == HEED_OK)
        status = heed_graph_add(built->graph, it->op, "node", built->inputs, it->operand_count,
                                it->attrs_size > 0 ? &it->attrs : NULL, built->outputs);
    for (uint32_t i = 0; status == HEED_OK && !state && i < HEED_MAX_OUTPUTS; i++)
        if (built->outputs[i] != HEED_NO_TENSOR)
            status = heed_graph_output(built->graph, names[i], built->outputs[i]);
    if (status == HEED_OK)
        status = heed_graph_freeze(built->graph);
    if (status != HEED_OK)
        heedi_case_graph_clear(&context->env, built);
    return status;
}

void heedi_case_graph_clear(const struct heedi_env *env, struct heedi_case_graph *built) {
    heed_graph_release(built->graph);
    built->graph = NULL;
    for (uint32_t i = 0; i < HEED_MAX_INPUTS; i++) {
        heedi_free(env, built->storages[i]);
        built->storages[i] = NULL;
    }
}
