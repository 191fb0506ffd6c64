/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots: what a part reads, copied before it runs, and what it writes, copied afterwards.
 *
 * Inputs and outputs are small. States (key/value caches) are not: of them only the keys that
 * attention will look at and the rows that cache_append will store are copied, where the lengths
 * and positions that decide about it lie in the part's inputs; else all. */
#include <string.h>

#include "runtime/check/shadow.h"
#include "runtime/ops/op.h"

/* More pieces than this are one transfer from a device with memory of its own. */
enum { FEW_PIECES = 4 };

struct planning {
    const struct heedi_env *env;
    const struct heed_instance *instance;
    const struct heed_graph *graph;
    const struct heedi_compiled *part;
    struct heedi_snapshot *snapshot;
};

static bool add_piece(struct planning *planning, uint32_t binding, bool after, size_t offset,
                      size_t bytes) {
    struct heedi_snapshot *snapshot = planning->snapshot;
    const size_t capacity = 2 * snapshot->piece_capacity + 16;
    for (size_t i = snapshot->piece_count; i-- > 0;) {
        const struct heedi_shadow_piece *piece = &snapshot->pieces[i];
        if (piece->binding != binding || piece->after != after)
            break;
        if (piece->offset == offset && piece->bytes == bytes)
            return true; /* beams that share a row */
    }
    if (snapshot->piece_count == snapshot->piece_capacity) {
        struct heedi_shadow_piece *grown =
            heedi_grow(planning->env, snapshot->pieces, snapshot->piece_count, capacity,
                       sizeof *snapshot->pieces);
        if (grown == NULL)
            return false;
        snapshot->pieces = grown;
        snapshot->piece_capacity = capacity;
    }
    snapshot->pieces[snapshot->piece_count++] =
        (struct heedi_shadow_piece){binding, after, offset, bytes, NULL};
    snapshot->bytes += (bytes + 63) & ~(size_t)63;
    return true;
}

/* ---- what of a state is touched ---- */

/* Values that are there before the part runs: of a constant or an input. */
static const void *known_values(const struct planning *planning, heed_tensor tensor) {
    if (tensor == HEED_NO_TENSOR)
        return NULL;
    const struct heedi_tensor *it = &planning->graph->tensors[tensor];
    const struct heedi_tensor *owner = &planning->graph->tensors[it->storage];
    const char *start = NULL;
    if (owner->kind == HEEDI_TENSOR_CONSTANT)
        start = owner->weight->data;
    for (uint32_t b = 0; b < planning->part->binding_count; b++)
        if (planning->part->bindings[b].tensor == it->storage &&
            planning->part->bindings[b].role == HEED_ROLE_INPUT)
            start = (const char *)planning->instance->block +
                    heedi_program_boundary(planning->instance->program, it->storage)->offset;
    return start == NULL || it->desc.dtype != HEED_I32 || it->desc.rank != 1
               ? NULL
               : start + it->offset_elems * (int64_t)sizeof(int32_t);
}

static int64_t value_at(const struct planning *planning, heed_tensor tensor, const void *values,
                        int64_t i) {
    const struct heed_tensor_desc *desc = &planning->graph->tensors[tensor].desc;
    return (int64_t)heedi_load(values, HEED_I32, i * desc->strides[0]);
}

static heed_tensor input_of(const struct heedi_node *node, uint32_t i) {
    return i < node->input_count ? node->inputs[i] : HEED_NO_TENSOR;
}

/* The keys, or values, that attention looks at: of each row, the first key_len. false: not known.
 */
static bool plan_attention(struct planning *planning, uint32_t binding,
                           const struct heedi_node *node, heed_tensor keys) {
    const struct heedi_tensor *it = &planning->graph->tensors[keys];
    const struct heed_tensor_desc *desc = &it->desc;
    const heed_tensor length = input_of(node, HEED_ATTENTION_KEY_LEN);
    const heed_tensor row = input_of(node, HEED_ATTENTION_KV_ROW);
    const void *lengths = known_values(planning, length), *rows = known_values(planning, row);
    const int64_t size = (int64_t)heed_dtype_bytes(desc->dtype);
    if (lengths == NULL || (rows == NULL && row != HEED_NO_TENSOR) ||
        input_of(node, HEED_ATTENTION_KV_OFFSETS) != HEED_NO_TENSOR)
        return false;
    for (uint32_t d = 0; d < desc->rank; d++)
        if (desc->strides[d] < 0)
            return false;
    const int64_t count = planning->graph->tensors[length].desc.dims[0];
    for (int64_t i = 0; i < count; i++) {
        const int64_t most = desc->dims[2];
        int64_t used = value_at(planning, length, lengths, i);
        const int64_t at = rows != NULL ? value_at(planning, row, rows, i) : i;
        used = used > most ? most : used;
        if (used <= 0 || at < 0 || at >= desc->dims[0] || desc->dims[1] < 1 || desc->dims[3] < 1)
            continue;
        const int64_t first = it->offset_elems + at * desc->strides[0];
        const int64_t last = (used - 1) * desc->strides[2] +
                             (desc->dims[1] - 1) * desc->strides[1] +
                             (desc->dims[3] - 1) * desc->strides[3];
        if (!add_piece(planning, binding, false, (size_t)(first * size),
                       (size_t)((last + 1) * size)))
            return false;
    }
    return true;
}

/* The rows that cache_append stores. false: not known. */
static bool plan_append(struct planning *planning, uint32_t binding,
                        const struct heedi_node *node) {
    const struct heed_tensor_desc *state = &planning->graph->tensors[node->inputs[0]].desc;
    const struct heed_tensor_desc *x = &planning->graph->tensors[node->inputs[1]].desc;
    const heed_tensor row = input_of(node, 3);
    const void *positions = known_values(planning, node->inputs[2]);
    const void *rows = known_values(planning, row);
    const int64_t width = state->dims[2] * (int64_t)heed_dtype_bytes(state->dtype);
    if (positions == NULL || (rows == NULL && row != HEED_NO_TENSOR))
        return false;
    for (int64_t i = 0; i < x->dims[0]; i++) {
        const int64_t at = rows != NULL ? value_at(planning, row, rows, i) : i;
        const int64_t position = value_at(planning, node->inputs[2], positions, i);
        const int64_t first = position > 0 ? position : 0;
        int64_t end = position + x->dims[1];
        end = end < state->dims[1] ? end : state->dims[1];
        if (at < 0 || at >= state->dims[0] || first >= end)
            continue;
        if (!add_piece(planning, binding, true, (size_t)((at * state->dims[1] + first) * width),
                       (size_t)((end - first) * width)))
            return false;
    }
    return true;
}

static bool touches(const struct planning *planning, const struct heedi_node *node, uint32_t input,
                    heed_tensor storage) {
    return node->inputs[input] != HEED_NO_TENSOR &&
           planning->graph->tensors[node->inputs[input]].storage == storage;
}

/* What the part's nodes do with a state; false where one of them may touch more than is known. */
static bool plan_state(struct planning *planning, uint32_t binding) {
    const heed_tensor storage = planning->part->bindings[binding].tensor;
    for (int after = 0; after < 2; after++) /* pieces of a kind beside each other */
        for (uint32_t n = 0; n < planning->part->node_count; n++) {
            const struct heedi_node *node = &planning->graph->nodes[planning->part->nodes[n]];
            for (uint32_t i = 0; i < node->input_count; i++) {
                if (!touches(planning, node, i, storage))
                    continue;
                const bool appends = node->op == HEED_OP_CACHE_APPEND && i == 0;
                const bool attends = node->op == HEED_OP_ATTENTION &&
                                     (i == HEED_ATTENTION_K || i == HEED_ATTENTION_V);
                if (!appends && !attends)
                    return false;
                if (appends && after && !plan_append(planning, binding, node))
                    return false;
                if (attends && !after && !plan_attention(planning, binding, node, node->inputs[i]))
                    return false;
            }
        }
    return true;
}

static bool plan(struct planning *planning) {
    struct heedi_snapshot *snapshot = planning->snapshot;
    for (uint32_t b = 0; b < planning->part->binding_count; b++) {
        const struct heedi_binding *binding = &planning->part->bindings[b];
        const size_t bytes =
            (size_t)heedi_storage_bytes(&planning->graph->tensors[binding->tensor].desc);
        const size_t pieces = snapshot->piece_count, total = snapshot->bytes;
        if (binding->role == HEED_ROLE_STATE) {
            if (plan_state(planning, b))
                continue;
            snapshot->piece_count = pieces;
            snapshot->bytes = total;
            if (!add_piece(planning, b, false, 0, bytes) || !add_piece(planning, b, true, 0, bytes))
                return false;
        } else if (!add_piece(planning, b, binding->role == HEED_ROLE_OUTPUT, 0, bytes)) {
            return false;
        }
    }
    return true;
}

struct heedi_snapshot *heedi_snapshot_plan(const struct heedi_env *env,
                                           struct heed_instance *instance, uint32_t part) {
    struct heedi_snapshot *snapshot = heedi_calloc(env, 1, sizeof *snapshot);
    if (snapshot == NULL)
        return NULL;
    struct planning planning = {.env = env,
                                .instance = instance,
                                .graph = instance->program->partition.graph,
                                .part = &instance->program->parts[part],
                                .snapshot = snapshot};
    snapshot->program = heed_program_retain(instance->program);
    snapshot->part = part;
    if (plan(&planning))
        return snapshot;
    heedi_snapshot_destroy(env, snapshot);
    return NULL;
}

void heedi_snapshot_destroy(const struct heedi_env *env, struct heedi_snapshot *snapshot) {
    if (snapshot == NULL)
        return;
    heed_program_release(snapshot->program);
    heedi_free(env, snapshot->pieces);
    heedi_free(env, snapshot->block);
    heedi_free(env, snapshot);
}

/* ---- copying ---- */

static struct heed_state *state_of(const struct heed_instance *instance, heed_tensor tensor) {
    for (uint32_t s = 0; s < instance->program->state_count; s++)
        if (instance->program->states[s].tensor == tensor)
            return instance->bound[s];
    return NULL;
}

/* Reads pieces of a state, all of one binding and kind: many of them by one transfer, where each
 * would be work for a device. */
static bool read_state(const struct heedi_env *env, struct heed_state *state,
                       const struct heedi_shadow_piece *pieces, size_t count) {
    struct heed_context quiet = {.env = *env, .error.struct_size = sizeof quiet.error};
    size_t begin = SIZE_MAX, end = 0;
    quiet.env.log = NULL;
    if ((state->device->info.flags & HEED_DEVICE_HOST_MEMORY) || count <= FEW_PIECES) {
        for (size_t i = 0; i < count; i++)
            if (heed_state_read(&quiet, state, pieces[i].offset, pieces[i].data, pieces[i].bytes) !=
                HEED_OK)
                return false;
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        begin = pieces[i].offset < begin ? pieces[i].offset : begin;
        end = pieces[i].offset + pieces[i].bytes > end ? pieces[i].offset + pieces[i].bytes : end;
    }
    unsigned char *hull = heedi_alloc_aligned(env, end - begin, 64);
    const bool read =
        hull != NULL && heed_state_read(&quiet, state, begin, hull, end - begin) == HEED_OK;
    for (size_t i = 0; read && i < count; i++)
        memcpy(pieces[i].data, hull + (pieces[i].offset - begin), pieces[i].bytes);
    heedi_free(env, hull);
    return read;
}

/* Where the instance has what is bound: in its block, or, of a series, among what is stacked. */
static const void *memory_of(struct heed_instance *instance, heed_tensor tensor, bool series) {
    const struct heedi_tensor *it = &instance->program->partition.graph->tensors[tensor];
    if (series)
        return it->output_name != NULL ? heed_instance_output_at(instance, it->output_name, 0, NULL)
                                       : NULL;
    return instance->block + heedi_program_boundary(instance->program, tensor)->offset;
}

static bool copy(const struct heedi_env *env, struct heedi_snapshot *snapshot,
                 struct heed_instance *instance, bool after) {
    const struct heedi_compiled *part = &snapshot->program->parts[snapshot->part];
    for (size_t i = 0, count; i < snapshot->piece_count; i += count) {
        struct heedi_shadow_piece *piece = &snapshot->pieces[i];
        const heed_tensor tensor = part->bindings[piece->binding].tensor;
        for (count = 1; i + count < snapshot->piece_count; count++)
            if (piece[count].binding != piece->binding || piece[count].after != piece->after)
                break;
        if (piece->after != after)
            continue;
        if (part->bindings[piece->binding].role == HEED_ROLE_STATE) {
            struct heed_state *state = state_of(instance, tensor);
            if (state == NULL || !read_state(env, state, piece, count))
                return false;
            continue;
        }
        const void *memory = memory_of(instance, tensor, after && snapshot->series);
        if (memory == NULL)
            piece->bytes = 0; /* of a series only what is stacked is kept */
        else if (piece->bytes > 0)
            memcpy(piece->data, memory, piece->bytes);
    }
    return true;
}

bool heedi_snapshot_before(const struct heedi_env *env, struct heedi_snapshot *snapshot,
                           struct heed_instance *instance) {
    size_t offset = 0;
    snapshot->block = heedi_alloc_aligned(env, snapshot->bytes + 64, 64);
    if (snapshot->block == NULL)
        return false;
    for (size_t i = 0; i < snapshot->piece_count; i++) {
        snapshot->pieces[i].data = snapshot->block + offset;
        offset += (snapshot->pieces[i].bytes + 63) & ~(size_t)63;
    }
    return copy(env, snapshot, instance, false);
}

bool heedi_snapshot_after(const struct heedi_env *env, struct heedi_snapshot *snapshot,
                          struct heed_instance *instance) {
    return copy(env, snapshot, instance, true);
}
