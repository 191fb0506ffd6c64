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
/* Inputs of cache_append. */
enum { APPEND_STATE, APPEND_X, APPEND_POSITION, APPEND_ROW };

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

/* Values of an input of a node that decide what is visible; an absent one is known, too. */
struct known {
    heed_tensor tensor; /* HEED_NO_TENSOR: absent */
    const void *values;
};

static bool know(const struct planning *planning, const struct heedi_node *node, uint32_t input,
                 struct known *known) {
    known->tensor = input < node->input_count ? node->inputs[input] : HEED_NO_TENSOR;
    known->values = known_values(planning, known->tensor);
    return known->tensor == HEED_NO_TENSOR || known->values != NULL;
}

static int64_t value_at(const struct planning *planning, struct known known, int64_t i) {
    const struct heed_tensor_desc *desc = &planning->graph->tensors[known.tensor].desc;
    return (int64_t)heedi_load(known.values, HEED_I32, i * desc->strides[0]);
}

static int64_t clamp(int64_t value, int64_t most) {
    return value < 0 ? 0 : value > most ? most : value;
}

/* The keys, or values, that attention looks at: of each row, the first key_len; of packed ones, its
 * stretch. false: not known. */
static bool plan_attention(struct planning *planning, uint32_t binding,
                           const struct heedi_node *node, heed_tensor keys) {
    const struct heedi_tensor *it = &planning->graph->tensors[keys];
    const struct heed_tensor_desc *desc = &it->desc;
    const int64_t size = (int64_t)heed_dtype_bytes(desc->dtype), most = desc->dims[2];
    struct known length, row, offsets;
    if (!know(planning, node, HEED_ATTENTION_KEY_LEN, &length) ||
        !know(planning, node, HEED_ATTENTION_KV_ROW, &row) ||
        !know(planning, node, HEED_ATTENTION_KV_OFFSETS, &offsets) ||
        (length.values == NULL && row.values == NULL)) /* all of every row, it may be */
        return false;
    for (uint32_t d = 0; d < desc->rank; d++)
        if (desc->strides[d] < 0 || desc->dims[d] < 1)
            return false;
    const struct known *each = length.values != NULL ? &length : &row;
    const int64_t count = planning->graph->tensors[each->tensor].desc.dims[0];
    const int64_t rows = offsets.values != NULL
                             ? planning->graph->tensors[offsets.tensor].desc.dims[0] - 1
                             : desc->dims[0];
    for (int64_t i = 0; i < count; i++) {
        const int64_t at = row.values != NULL ? value_at(planning, row, i) : i;
        if (at < 0 || at >= rows)
            continue;
        int64_t begin = 0, end = most;
        if (offsets.values != NULL) {
            begin = clamp(value_at(planning, offsets, at), most);
            end = clamp(value_at(planning, offsets, at + 1), most);
        }
        if (length.values != NULL && value_at(planning, length, i) < end - begin)
            end = begin + value_at(planning, length, i);
        if (end <= begin)
            continue;
        const int64_t first = it->offset_elems + begin * desc->strides[2] +
                              (offsets.values != NULL ? 0 : at * desc->strides[0]);
        const int64_t span = (end - begin - 1) * desc->strides[2] +
                             (desc->dims[1] - 1) * desc->strides[1] +
                             (desc->dims[3] - 1) * desc->strides[3] + 1;
        if (!add_piece(planning, binding, false, (size_t)(first * size), (size_t)(span * size)))
            return false;
    }
    return true;
}

/* The rows that cache_append stores. false: not known. */
static bool plan_append(struct planning *planning, uint32_t binding,
                        const struct heedi_node *node) {
    const struct heed_tensor_desc *state =
        &planning->graph->tensors[node->inputs[APPEND_STATE]].desc;
    const struct heed_tensor_desc *x = &planning->graph->tensors[node->inputs[APPEND_X]].desc;
    struct known position, row;
    const int64_t width = state->dims[2] * (int64_t)heed_dtype_bytes(state->dtype);
    if (!know(planning, node, APPEND_POSITION, &position) ||
        !know(planning, node, APPEND_ROW, &row))
        return false;
    for (int64_t i = 0; i < x->dims[0]; i++) {
        const int64_t at = row.values != NULL ? value_at(planning, row, i) : i;
        const int64_t begin = value_at(planning, position, i);
        const int64_t first = clamp(begin, state->dims[1]);
        const int64_t end = clamp(begin + x->dims[1], state->dims[1]);
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

/* Plans what the part's nodes read of a state, or with `after` what they write. false where one of
 * them may touch more than is known. */
static bool plan_touched(struct planning *planning, uint32_t binding, bool after) {
    const heed_tensor storage = planning->part->bindings[binding].tensor;
    for (uint32_t n = 0; n < planning->part->node_count; n++) {
        const struct heedi_node *node = &planning->graph->nodes[planning->part->nodes[n]];
        for (uint32_t i = 0; i < node->input_count; i++) {
            const bool appends = node->op == HEED_OP_CACHE_APPEND && i == APPEND_STATE;
            const bool attends =
                node->op == HEED_OP_ATTENTION && (i == HEED_ATTENTION_K || i == HEED_ATTENTION_V);
            if (!touches(planning, node, i, storage) || appends != after)
                continue;
            if (appends ? !plan_append(planning, binding, node)
                        : !attends || !plan_attention(planning, binding, node, node->inputs[i]))
                return false;
        }
    }
    return true;
}

/* Instead of the pieces from `first` on, one of everything. */
static bool plan_whole(struct planning *planning, uint32_t binding, bool after, size_t first,
                       size_t total, size_t bytes) {
    planning->snapshot->piece_count = first;
    planning->snapshot->bytes = total;
    return add_piece(planning, binding, after, 0, bytes);
}

/* Where it is not known what is written, all is compared, so all has to be there before. */
static bool plan_state(struct planning *planning, uint32_t binding, size_t bytes) {
    const struct heedi_snapshot *snapshot = planning->snapshot;
    size_t first = snapshot->piece_count, total = snapshot->bytes;
    const bool known = plan_touched(planning, binding, true);
    if (!known && !plan_whole(planning, binding, true, first, total, bytes))
        return false;
    first = snapshot->piece_count;
    total = snapshot->bytes;
    return (known && plan_touched(planning, binding, false)) ||
           plan_whole(planning, binding, false, first, total, bytes);
}

static bool plan(struct planning *planning) {
    for (uint32_t b = 0; b < planning->part->binding_count; b++) {
        const struct heedi_binding *binding = &planning->part->bindings[b];
        const size_t bytes =
            (size_t)heedi_storage_bytes(&planning->graph->tensors[binding->tensor].desc);
        if (!(binding->role == HEED_ROLE_STATE
                  ? plan_state(planning, b, bytes)
                  : add_piece(planning, b, binding->role == HEED_ROLE_OUTPUT, 0, bytes)))
            return false;
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
    if (snapshot->block == NULL) {
        snapshot->block_bytes = snapshot->bytes + 64;
        snapshot->block = heedi_alloc_aligned(env, snapshot->block_bytes, 64);
    }
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
