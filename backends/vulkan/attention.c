/* SPDX-License-Identifier: Apache-2.0 */
/* attention in all the forms of heed/ops.h: a workgroup per block of queries; where these are few,
 * or the form is rare, per query; where keys are many then, several for each query. */
#include <math.h>

#include "ranges.h"
#include "tune.h"

_Static_assert(sizeof(struct heed_attention_params) == HEED_PUSH_BYTES, "as the shader sees it");
_Static_assert(sizeof(struct heed_attention_combine_params) == 16, "as the shader sees it");

/* Fewer queries of a sequence than these are too few for a block, and too few workgroups for a GPU
 * where keys are many. Which form is taken changes no bit of a result. */
enum { FEW_QUERIES = 4, MANY_KEYS = 256 };

/* Numbers of shared memory for the sums of a workgroup's tiles. */
enum { MOST_SUMS = 16384 };

static const char *accept_tables(struct vk_node *node) {
    for (uint32_t i = HEED_ATTENTION_KEY_LEN; i <= HEED_ATTENTION_KV_OFFSETS; i++) {
        const struct vk_tensor *table = &node->in[i];
        if (!heedi_vk_present(table))
            continue;
        if (table->desc.dtype != HEED_I32)
            return "lengths, starts, rows and offsets must be i32";
        if (!heedi_vk_is_owned(table))
            return "lengths, starts, rows and offsets may not be constant";
        if (!heed_desc_contiguous(&table->desc))
            node->contiguous |= 1u << i;
    }
    return NULL;
}

static const char *accept(struct vk_node *node) {
    const struct heed_attention_attrs *attrs = &node->attrs.attention;
    const struct vk_tensor *bias = &node->in[HEED_ATTENTION_BIAS];
    if (attrs->score > HEED_SCORE_SCALED || attrs->causal > 1 || attrs->return_weights > 1)
        return "unknown kind of score, or value of a flag";
    if ((attrs->return_weights != 0) != heedi_vk_present(&node->out[1]) ||
        (heedi_vk_present(&node->out[1]) && node->out[1].desc.dtype != HEED_F32))
        return "weights must be f32, and there where they are asked for";
    for (uint32_t i = HEED_ATTENTION_Q; i <= HEED_ATTENTION_V; i++) {
        const struct heed_tensor_desc *desc = &node->in[i].desc;
        if (!heedi_vk_is_float(&node->in[i]) || desc->rank != 4)
            return "q, k and v must be of a float type and have four dimensions";
        if (desc->dims[3] > HEED_ATTENTION_MOST_WIDTH)
            return "the heads are too wide";
        if (desc->dims[3] > 1 && desc->strides[3] != 1)
            node->contiguous |= 1u << i;
    }
    if (node->in[HEED_ATTENTION_Q].desc.dtype != HEED_F32 || node->out[0].desc.dtype != HEED_F32)
        return "q and the result must be f32";
    if (!heedi_vk_is_owned(&node->in[HEED_ATTENTION_Q]))
        return "q may not be constant";
    if (heedi_vk_present(bias) && (!heedi_vk_is_float(bias) || !heedi_vk_is_owned(bias)))
        return "the bias must be of a float type and may not be constant";
    return accept_tables(node);
}

static void set_strides(uint32_t strides[3], const struct heed_tensor_desc *desc) {
    for (uint32_t i = 0; i < 3; i++)
        strides[i] = (uint32_t)desc->strides[i];
}

static void set_tables(struct heed_attention_params *params,
                       const struct heed_plugin_program *program, const struct vk_node *node,
                       const struct vk_binding *owned) {
    const struct heed_attention_attrs *attrs = &node->attrs.attention;
    const struct vk_tensor *kv_row = &node->in[HEED_ATTENTION_KV_ROW];
    const struct vk_tensor *q_offsets = &node->in[HEED_ATTENTION_Q_OFFSETS];
    const struct vk_tensor *kv_offsets = &node->in[HEED_ATTENTION_KV_OFFSETS];
    params->key_len = heedi_vk_place(program, owned, &node->in[HEED_ATTENTION_KEY_LEN]);
    params->q_start = heedi_vk_place(program, owned, &node->in[HEED_ATTENTION_Q_START]);
    params->kv_row = heedi_vk_place(program, owned, kv_row);
    params->q_offsets = heedi_vk_place(program, owned, q_offsets);
    params->kv_offsets = heedi_vk_place(program, owned, kv_offsets);
    params->sequences = heedi_vk_present(q_offsets) ? (uint32_t)q_offsets->desc.dims[0] - 1 : 0;
    params->kv_rows = heedi_vk_present(kv_offsets)
                          ? (uint32_t)kv_offsets->desc.dims[0] - 1
                          : (uint32_t)node->in[HEED_ATTENTION_K].desc.dims[0];
    params->flags =
        HEED_ATTENTION_GROUP * (params->heads / (uint32_t)node->in[HEED_ATTENTION_K].desc.dims[1]);
    if (attrs->causal != 0)
        params->flags |= HEED_ATTENTION_CAUSAL;
    if (heedi_vk_present(kv_row) && kv_row->desc.rank == 2)
        params->flags |= HEED_ATTENTION_ROW_BY_KEY;
}

/* As the shader finds operands in what the binding shows. */
static struct heed_attention_params params_of(const struct heed_plugin_program *program,
                                              const struct vk_node *node,
                                              const struct vk_binding *owned,
                                              const struct vk_binding *results) {
    const struct heed_attention_attrs *attrs = &node->attrs.attention;
    const struct vk_tensor *q = &node->in[HEED_ATTENTION_Q];
    const struct vk_tensor *k = &node->in[HEED_ATTENTION_K];
    const struct vk_tensor *v = &node->in[HEED_ATTENTION_V];
    struct heed_attention_params params = {
        .batches = (uint32_t)q->desc.dims[0],
        .heads = (uint32_t)q->desc.dims[1],
        .queries = (uint32_t)q->desc.dims[2],
        .keys = (uint32_t)k->desc.dims[2],
        .d = (uint32_t)q->desc.dims[3],
        .dv = (uint32_t)v->desc.dims[3],
        .q_offset = heedi_vk_place(program, owned, q),
        .k_offset = (uint32_t)k->offset_elems,
        .v_offset = (uint32_t)v->offset_elems,
        .bias_offset = heedi_vk_place(program, owned, &node->in[HEED_ATTENTION_BIAS]),
        .y_offset = attrs->return_weights != 0 ? heedi_vk_place(program, results, &node->out[0])
                                               : (uint32_t)node->out[0].offset_elems,
        .weights = heedi_vk_place(program, results, &node->out[1]),
        .max_len = attrs->max_len,
        .window = attrs->window,
        .scale = 1.0f,
    };
    if (attrs->score == HEED_SCORE_SCALED)
        params.scale = attrs->scale != 0.0f ? attrs->scale : 1.0f / sqrtf((float)params.d);
    set_strides(params.q_strides, &q->desc);
    set_strides(params.k_strides, &k->desc);
    set_strides(params.v_strides, &v->desc);
    set_tables(&params, program, node, owned);
    return params;
}

/* Without keys there may be no memory for them. */
static struct vk_binding binding_of(const struct vk_tensor *tensor) {
    const struct vk_binding none = {.storage = VK_STORAGE_NONE};
    return heed_desc_elems(&tensor->desc) > 0 ? heedi_vk_reads(tensor) : none;
}

/* Whether rows of q, k or v begin on boundaries of 16 bytes and are multiples of these. */
static bool wide(const struct vk_tensor *tensor, uint32_t offset) {
    const struct heed_tensor_desc *desc = &tensor->desc;
    const uint32_t elems = 16 / (uint32_t)heed_dtype_bytes(desc->dtype);
    if (desc->dims[3] % elems != 0 || offset % elems != 0)
        return false;
    for (uint32_t i = 0; i < 3; i++)
        if (desc->dims[i] > 1 && desc->strides[i] % elems != 0)
            return false;
    return true;
}

static bool all_wide(const struct vk_node *node, const struct heed_attention_params *params) {
    return wide(&node->in[HEED_ATTENTION_Q], params->q_offset) &&
           wide(&node->in[HEED_ATTENTION_K], params->k_offset) &&
           wide(&node->in[HEED_ATTENTION_V], params->v_offset);
}

/* ---- queries one by one ---- */

/* Elements of arrays in shared memory: a power of two, so that few pipelines are needed. */
static uint32_t room_of(const struct heed_attention_params *params) {
    uint32_t room = 32;
    while (room < params->d || room < params->dv)
        room *= 2;
    return room;
}

uint32_t heedi_vk_attention_most(uint32_t room) {
    return MOST_SUMS / room;
}

/* As wide as there are keys or columns, within what the device was tuned to, and so far as there is
 * shared memory for sums of their tiles. */
static uint32_t width_of(const struct heed_plugin *plugin,
                         const struct heed_attention_params *params) {
    const uint32_t n = params->keys > params->dv ? params->keys : params->dv;
    const uint32_t room = heedi_vk_attention_most(room_of(params)),
                   tuned = plugin->tuning.attention;
    const uint32_t width = heedi_vk_row_width(plugin, n), most = room < tuned ? room : tuned;
    return width < most ? width : most;
}

/* ---- blocks of queries ---- */

/* Queries of a block: as few as hold a sequence, so that none is idle; 0: not in blocks. */
static uint32_t block_of(const struct vk_node *node, const struct heed_attention_params *params) {
    const uint32_t width = params->d > params->dv ? params->d : params->dv;
    const bool packed = params->q_offsets != UINT32_MAX;
    const uint32_t length =
        packed && params->max_len < params->queries ? params->max_len : params->queries;
    const uint32_t most = node->plugin->device.limits.workgroup / HEED_ATTENTION_LANES;
    uint32_t queries = width > HEED_ATTENTION_MOST_ROOM / 2 ? 16 : 32;
    if ((!packed && length < FEW_QUERIES) || width > HEED_ATTENTION_MOST_ROOM ||
        params->weights != UINT32_MAX || (params->flags & HEED_ATTENTION_ROW_BY_KEY) != 0)
        return 0;
    while (queries > 8 && (queries / 2 >= length || queries > most))
        queries /= 2;
    return queries <= most ? queries : 0;
}

static void in_blocks(const struct heed_attention_params *params, uint32_t queries,
                      struct vk_request *request) {
    request->shader = VK_SHADER_ATTENTION_BLOCK;
    request->constants[HEED_CONSTANT_WIDTH] = queries * HEED_ATTENTION_LANES;
    request->constants[HEED_ATTENTION_QUERIES] = queries;
    request->groups =
        (uint64_t)params->batches * params->heads * ((params->queries + queries - 1) / queries);
}

/* ---- keys shared by workgroups ---- */

/* What workgroups leave of all tiles. */
static uint64_t tiles_bytes(const struct heed_attention_params *params, uint64_t tiles) {
    return (uint64_t)params->batches * params->heads * params->queries * tiles *
           (HEED_ATTENTION_PART + (uint64_t)params->dv) * sizeof(float);
}

/* Workgroups of `width` keys for each query; 1: one has them all. */
static uint32_t splits_of(const struct heed_plugin_program *program,
                          const struct heed_attention_params *params, uint32_t width) {
    const bool packed = params->kv_offsets != UINT32_MAX && params->max_len < params->keys;
    const uint32_t keys = packed ? params->max_len : params->keys;
    if (params->queries >= FEW_QUERIES || keys <= MANY_KEYS || params->weights != UINT32_MAX)
        return 1;
    const uint32_t splits = keys / width + (keys % width != 0);
    const uint64_t bytes =
        tiles_bytes(params, (uint64_t)splits * width / HEED_ATTENTION_KEYS(room_of(params)));
    return bytes <= program->plugin->device.limits.range_bytes ? splits : 1;
}

/* Room for what the workgroups leave, in the memory of an instance. Attentions of one size follow
 * each other, and share one. */
static enum heed_status find_tiles(struct heed_plugin_program *program, uint64_t bytes,
                                   int32_t *storage, struct heed_error *error) {
    for (uint32_t i = 0; i < program->dispatch_count; i++) {
        const struct vk_dispatch *dispatch = &program->dispatches[i];
        *storage = dispatch->bindings[0].storage;
        if (dispatch->shader == VK_SHADER_ATTENTION_COMBINE &&
            program->storages[*storage].bytes == bytes)
            return HEED_OK;
    }
    const struct vk_storage tiles = {.bytes = bytes,
                                     .offset_bytes = heedi_vk_reserve(program, bytes),
                                     .binding = -1,
                                     .role = HEED_ROLE_INTERNAL,
                                     .first_node = -1,
                                     .last_node = INT32_MAX};
    return heedi_vk_add_storage(program, &tiles, storage, error);
}

static enum heed_status in_splits(struct heed_plugin_program *program, uint32_t index,
                                  uint32_t splits, struct vk_request *request,
                                  struct heed_error *error) {
    const struct heed_attention_params *params = request->push;
    const struct heed_attention_combine_params combine = {
        .rows = (uint32_t)request->groups,
        .tiles = splits * request->constants[HEED_CONSTANT_WIDTH] /
                 HEED_ATTENTION_KEYS(request->constants[HEED_ATTENTION_ROOM]),
        .n = params->dv,
        .y_offset = params->y_offset,
    };
    const uint64_t bytes = tiles_bytes(params, combine.tiles);
    int32_t tiles = VK_STORAGE_NONE;
    enum heed_status status = find_tiles(program, bytes, &tiles, error);
    if (status != HEED_OK)
        return status;
    const struct vk_request last = {
        .shader = VK_SHADER_ATTENTION_COMBINE,
        .constants = {[HEED_CONSTANT_WIDTH] = heedi_vk_row_width(program->plugin, combine.n)},
        .bindings = {{.storage = tiles}, request->bindings[3]},
        .groups = combine.rows,
        .push = &combine,
        .push_bytes = sizeof combine,
    };
    request->shader = VK_SHADER_ATTENTION_SPLIT;
    request->constants[HEED_ATTENTION_SPLITS] = splits;
    request->bindings[3] = (struct vk_binding){.storage = tiles, .writes = true};
    request->groups *= splits;
    status = heedi_vk_dispatch(program, index, request, error);
    return status == HEED_OK ? heedi_vk_dispatch(program, index, &last, error) : status;
}

/* One dispatch, or two, for operands that have been found. */
static enum heed_status add(struct heed_plugin_program *program, uint32_t index,
                            const struct vk_node *node, const struct vk_binding *owned,
                            const struct vk_binding *results, struct heed_error *error) {
    const struct vk_tensor *k = &node->in[HEED_ATTENTION_K], *v = &node->in[HEED_ATTENTION_V];
    const struct vk_tensor *bias = &node->in[HEED_ATTENTION_BIAS];
    const struct heed_attention_params params = params_of(program, node, owned, results);
    const bool nothing = heed_desc_elems(&node->out[0].desc) == 0 && params.weights == UINT32_MAX;
    const uint32_t width = width_of(program->plugin, &params);
    struct vk_request request = {
        .shader = VK_SHADER_ATTENTION,
        .constants = {[HEED_CONSTANT_WIDTH] = width,
                      [HEED_ATTENTION_TYPES] = (uint32_t)k->desc.dtype | (uint32_t)v->desc.dtype
                                                                             << 4,
                      [HEED_ATTENTION_ROOM] = room_of(&params)},
        .bindings = {*owned, binding_of(k), binding_of(v), *results},
        .groups = nothing ? 0 : (uint64_t)params.batches * params.heads * params.queries,
        .push = &params,
        .push_bytes = sizeof params,
    };
    const uint32_t queries = block_of(node, &params), splits = splits_of(program, &params, width);
    if (all_wide(node, &params))
        request.constants[HEED_ATTENTION_TYPES] |= HEED_ATTENTION_WIDE;
    if (heedi_vk_present(bias)) {
        request.constants[HEED_ATTENTION_TYPES] |= (uint32_t)bias->desc.dtype << 8;
        heedi_vk_strides4(&bias->desc, &request.constants[HEED_ATTENTION_BIAS_STRIDES]);
    }
    if (queries == 0 && splits > 1 && !nothing)
        return in_splits(program, index, splits, &request, error);
    if (queries > 0 && !nothing)
        in_blocks(&params, queries, &request);
    return heedi_vk_dispatch(program, index, &request, error);
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t index,
                              struct heed_error *error) {
    struct vk_node node = program->nodes[index];
    struct vk_shared owned = {.tensors = {&node.in[HEED_ATTENTION_Q]}, .count = 1};
    struct vk_shared results = {.tensors = {&node.out[0], &node.out[1]}, .count = 2};
    for (uint32_t i = HEED_ATTENTION_BIAS; i <= HEED_ATTENTION_KV_OFFSETS; i++)
        owned.tensors[owned.count++] = &node.in[i];
    owned.read_count = owned.count;
    enum heed_status status = heedi_vk_share(program, index, &owned, error);
    if (heedi_vk_present(&node.out[1])) {
        if (status == HEED_OK)
            status = heedi_vk_share(program, index, &results, error);
    } else {
        results.binding = heedi_vk_writes(&node.out[0]);
    }
    if (status == HEED_OK)
        status = add(program, index, &node, &owned.binding, &results.binding, error);
    return status == HEED_OK ? heedi_vk_part(program, index, &results, error) : status;
}

const struct vk_operator heedi_vk_attention = {
    .attrs_size = sizeof(struct heed_attention_attrs), .accept = accept, .build = build};
