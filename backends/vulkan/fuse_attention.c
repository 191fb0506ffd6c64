/* SPDX-License-Identifier: Apache-2.0 */
/* Attention of a decoder's step as one dispatch: with the products that give q, k and v of its rows
 * and their way into the caches, or with that of q alone, where the keys are those of a source. */
#include <math.h>
#include <string.h>

#include "fuse.h"
#include "tune.h"

_Static_assert(sizeof(struct heed_attention_step_params) == 96, "as in the shaders");

enum { A = VK_MATMUL_A, B = VK_MATMUL_B, BIAS = VK_MATMUL_BIAS };
enum { STATE = 0, X = 1, POSITION = 2, ROW = 3 };    /* of cache_append */
enum { STEP_NODES = 6, CROSS_NODES = 2, PARTS = 3 }; /* of the groups; q, k and v */

/* More rows in a workgroup would leave a device idle that has few of them. */
enum { MOST_ROWS = 8 };

/* Mesa's device in software ends an invocation's loops, silently, after 65,535 turns in all. */
enum { SOFTWARE_MOST = 8192 };

/* ---- what is there ---- */

/* A table with an entry for each row, or none. */
static bool is_table(const struct vk_tensor *tensor, int64_t rows) {
    return !heedi_vk_present(tensor) ||
           (heedi_vk_is_owned(tensor) && tensor->desc.dtype == HEED_I32 &&
            heedi_vk_has_dims(tensor, 1, &rows) && heed_desc_contiguous(&tensor->desc));
}

/* Attention of one query for each row, of the product q, over what is not masked. */
static bool is_step(const struct vk_node *q, const struct vk_node *node) {
    const struct heed_attention_attrs *attrs = &node->attrs.attention;
    if (node->op != HEED_OP_ATTENTION || attrs->causal != 0 || attrs->window != 0 ||
        attrs->return_weights != 0)
        return false;
    const struct vk_tensor *k = &node->in[HEED_ATTENTION_K], *v = &node->in[HEED_ATTENTION_V];
    const struct vk_tensor *query = &node->in[HEED_ATTENTION_Q];
    const int64_t rows = q->out[0].desc.dims[0], n = q->out[0].desc.dims[1];
    const int64_t heads = query->desc.dims[1], d = query->desc.dims[3];
    const int64_t q_dims[] = {rows, heads, 1, d};
    const int64_t kv_dims[] = {k->desc.dims[0], heads, k->desc.dims[2], d};
    return heedi_vk_is_same(query, &q->out[0]) && heedi_vk_has_dims(query, 4, q_dims) &&
           heads * d == n && d > 0 && d % 4 == 0 && heed_desc_contiguous(&query->desc) &&
           heedi_vk_has_dims(k, 4, kv_dims) && heedi_vk_has_dims(v, 4, kv_dims) &&
           heed_desc_elems(&k->desc) > 0 && k->role == HEED_ROLE_STATE &&
           v->role == HEED_ROLE_STATE && k->desc.dtype == HEED_F32 && v->desc.dtype == HEED_F32 &&
           !heedi_vk_present(&node->in[HEED_ATTENTION_BIAS]) &&
           !heedi_vk_present(&node->in[HEED_ATTENTION_Q_START]) &&
           !heedi_vk_present(&node->in[HEED_ATTENTION_Q_OFFSETS]) &&
           is_table(&node->in[HEED_ATTENTION_KEY_LEN], rows) &&
           is_table(&node->in[HEED_ATTENTION_KV_ROW], rows) && heedi_vk_is_owned(&node->out[0]);
}

/* Whether a step's products are stored where its attention reads them: one row of x for each row,
 * columns split in heads. */
static bool is_append(const struct vk_node *append, const struct vk_node *product,
                      const struct vk_tensor *kv) {
    if (append->op != HEED_OP_CACHE_APPEND)
        return false;
    const struct heed_tensor_desc *state = &append->in[STATE].desc;
    const int64_t rows = product->out[0].desc.dims[0], n = product->out[0].desc.dims[1];
    const int64_t x_dims[] = {rows, 1, n}, d = kv->desc.dims[3];
    const int64_t state_dims[] = {kv->desc.dims[0], kv->desc.dims[2], n};
    return heedi_vk_is_same(&append->in[X], &product->out[0]) &&
           heedi_vk_has_dims(&append->in[X], 3, x_dims) &&
           heed_desc_contiguous(&append->in[X].desc) && heedi_vk_is_same(&append->in[STATE], kv) &&
           heedi_vk_is_same(&append->out[0], kv) &&
           heedi_vk_has_dims(&append->in[STATE], 3, state_dims) &&
           append->in[STATE].desc.dtype == HEED_F32 && heed_desc_contiguous(state) &&
           append->in[STATE].offset_elems % 4 == 0 && heedi_vk_present(&append->in[POSITION]) &&
           is_table(&append->in[POSITION], rows) && is_table(&append->in[ROW], rows) &&
           (kv->desc.dims[0] == 1 || kv->desc.strides[0] == state->strides[0]) &&
           (kv->desc.dims[1] == 1 || kv->desc.strides[1] == d) &&
           (kv->desc.dims[2] == 1 || kv->desc.strides[2] == n);
}

/* ---- how it is cut ---- */

/* What a workgroup has of a head: products of its own, columns of each, and words of a row that is
 * quantised; 0: it is not. */
struct head {
    uint32_t parts, d, words;
};

struct shape {
    uint32_t width, rows, quads, scratch;
};

/* Keys of a tile, as attention sums them: each row has at least one tile in work. */
static uint32_t tile_of(uint32_t d) {
    const uint32_t room = d <= 32 ? 32 : d <= 64 ? 64 : 128;
    return HEED_ATTENTION_KEYS(room);
}

/* With `rows` in a workgroup of `width`; false: they are too many. */
static bool cut(const struct heed_plugin *plugin, const struct head *head, uint32_t rows,
                uint32_t width, struct shape *shape) {
    const uint32_t d = head->d, team = width / rows, tile = tile_of(d);
    const uint32_t sums = HEED_STEP_TILE * rows;
    const uint32_t group = sums < HEED_STEP_GROUP ? sums : HEED_STEP_GROUP;
    const uint32_t products = group * (width / HEED_STEP_LANES) * (HEED_STEP_LANES + 1);
    const uint32_t attention = 2 * width + width / tile * (HEED_ATTENTION_LANES + d);
    *shape = (struct shape){.width = width,
                            .rows = rows,
                            .quads = (d + 4 * team - 1) / (4 * team),
                            .scratch = products > attention ? products : attention};
    const uint64_t row = head->parts * d + (head->words > 0 ? (uint64_t)head->words + 3 : 0);
    return team >= tile &&
           4 * (rows * row + shape->scratch) + 4 <= plugin->device.limits.shared_bytes;
}

/* With `rows` in a workgroup that is as wide as may be, or half of it. */
static bool fits(const struct heed_plugin *plugin, const struct head *head, uint32_t rows,
                 struct shape *shape) {
    const uint32_t width = heedi_vk_width(plugin);
    return cut(plugin, head, rows, width, shape) || cut(plugin, head, rows, width / 2, shape);
}

/* As many rows as there are, up to eight, and as there is room for: weights are read once for all
 * of them. False: not even for one. */
static bool choose(const struct heed_plugin *plugin, const struct head *head, uint32_t count,
                   struct shape *shape) {
    uint32_t rows = 1;
    while (rows < count && rows < MOST_ROWS)
        rows *= 2;
    while (rows > 0 && !fits(plugin, head, rows, shape))
        rows /= 2;
    return rows > 0;
}

static void set_constants(const struct head *head, const struct shape *shape, uint32_t *constants) {
    constants[HEED_CONSTANT_WIDTH] = shape->width;
    constants[HEED_STEP_ROWS] = shape->rows;
    constants[HEED_STEP_D] = head->d;
    constants[HEED_STEP_SCRATCH] = shape->scratch;
    constants[HEED_STEP_QUADS] = shape->quads;
    constants[HEED_STEP_SEGMENTS] = head->words * 4 / HEED_MATMUL_SEGMENT;
}

bool heedi_vk_step_shape(const struct heed_plugin *plugin, bool appends, uint32_t d, uint32_t k,
                         uint32_t rows, uint32_t *constants) {
    const struct head head = {.parts = appends ? PARTS : 1, .d = d, .words = k / 4};
    struct shape shape;
    if (!fits(plugin, &head, rows, &shape))
        return false;
    set_constants(&head, &shape, constants);
    return true;
}

/* ---- building ---- */

/* What shows x, the tables and the result of nodes of which q is the first. */
static bool find_owned(const struct heed_plugin_program *program, const struct vk_node *q,
                       const struct vk_node *attention, uint32_t parts, struct vk_binding *owned) {
    const struct vk_tensor *x = &q->in[A];
    const struct vk_tensor *const tensors[] = {x,
                                               &attention->in[HEED_ATTENTION_KEY_LEN],
                                               &attention->in[HEED_ATTENTION_KV_ROW],
                                               &attention->in[HEED_ATTENTION_KV_OFFSETS],
                                               parts == PARTS ? &q[PARTS].in[POSITION] : x,
                                               &attention->out[0]};
    const bool fits = heedi_vk_span(program, tensors, sizeof tensors / sizeof tensors[0], owned);
    owned->writes = true;
    return fits;
}

static struct heed_attention_step_params params_of(const struct heed_plugin_program *program,
                                                   const struct vk_node *q,
                                                   const struct vk_node *attention,
                                                   const struct vk_binding *owned) {
    const struct heed_attention_attrs *attrs = &attention->attrs.attention;
    const struct vk_tensor *x = &q->in[A];
    const struct vk_tensor *k = &attention->in[HEED_ATTENTION_K];
    const struct vk_tensor *v = &attention->in[HEED_ATTENTION_V];
    const struct vk_tensor *kv_offsets = &attention->in[HEED_ATTENTION_KV_OFFSETS];
    const uint32_t d = (uint32_t)k->desc.dims[3];
    struct heed_attention_step_params params = {
        .rows = (uint32_t)x->desc.dims[0],
        .heads = (uint32_t)k->desc.dims[1],
        .k = (uint32_t)x->desc.dims[1],
        .n = (uint32_t)k->desc.dims[1] * d,
        .x_offset = heedi_vk_place(program, owned, x),
        .y_offset = heedi_vk_place(program, owned, &attention->out[0]),
        .keys = (uint32_t)k->desc.dims[2],
        .kv_rows = (uint32_t)(heedi_vk_present(kv_offsets) ? kv_offsets->desc.dims[0] - 1
                                                           : k->desc.dims[0]),
        .k_offset = (uint32_t)k->offset_elems,
        .v_offset = (uint32_t)v->offset_elems,
        .key_len = heedi_vk_place(program, owned, &attention->in[HEED_ATTENTION_KEY_LEN]),
        .kv_row = heedi_vk_place(program, owned, &attention->in[HEED_ATTENTION_KV_ROW]),
        .kv_offsets = heedi_vk_place(program, owned, kv_offsets),
        .position = UINT32_MAX,
        .max_len = attrs->max_len,
        .scale = 1.0f,
    };
    if (attrs->score == HEED_SCORE_SCALED)
        params.scale = attrs->scale != 0.0f ? attrs->scale : 1.0f / sqrtf((float)d);
    for (uint32_t i = 0; i < 3; i++) {
        params.k_strides[i] = (uint32_t)k->desc.strides[i];
        params.v_strides[i] = (uint32_t)v->desc.strides[i];
    }
    return params;
}

static bool is_quantized(const struct vk_node *q) {
    return q->attrs.matmul.a_quantization != HEED_QUANTIZE_NONE;
}

/* Of the product q and as many others as make `parts`, and attention over k. */
static struct head head_of(const struct vk_node *q, const struct vk_tensor *k, uint32_t parts) {
    return (struct head){.parts = parts,
                         .d = (uint32_t)k->desc.dims[3],
                         .words = is_quantized(q) ? (uint32_t)q->in[A].desc.dims[1] / 4 : 0};
}

/* (integer dot products are proven in products, whose code for them it shares) */
static enum vk_shader shader_of(const struct heed_plugin_program *program, const struct vk_node *q,
                                bool appends) {
    if (!is_quantized(q))
        return appends ? VK_SHADER_ATTENTION_STEP : VK_SHADER_ATTENTION_CROSS;
    if (heedi_vk_proven(program, VK_FORM_DOT))
        return appends ? VK_SHADER_ATTENTION_STEP_QUANTIZED_DOT
                       : VK_SHADER_ATTENTION_CROSS_QUANTIZED_DOT;
    return appends ? VK_SHADER_ATTENTION_STEP_QUANTIZED : VK_SHADER_ATTENTION_CROSS_QUANTIZED;
}

/* One dispatch for `parts` products, from node `first` on, and attention, node `last`. */
static enum heed_status add(struct heed_plugin_program *program, uint32_t first, uint32_t last,
                            uint32_t parts, const struct vk_binding *owned,
                            struct heed_attention_step_params *params, struct heed_error *error) {
    const struct vk_node *nodes = &program->nodes[first], *attention = &program->nodes[last];
    const struct vk_tensor *k = &attention->in[HEED_ATTENTION_K];
    const struct head head = head_of(nodes, k, parts);
    const bool appends = parts == PARTS;
    struct shape shape;
    struct vk_packed packed;
    if (!choose(program->plugin, &head, params->rows, &shape))
        return heedi_common_fail(error, HEED_ERROR_INTERNAL, "%s: no room", attention->name);
    const enum heed_status status = heedi_vk_pack_products(program, first, parts, &packed, error);
    if (status != HEED_OK)
        return status;
    params->bias_offset = packed.bias_offset;
    params->scale_offset = packed.scale_offset;
    struct vk_request request = {
        .shader = shader_of(program, nodes, appends),
        .bindings = {{.storage = packed.storage},
                     {.storage = k->storage, .writes = appends},
                     {.storage = attention->in[HEED_ATTENTION_V].storage, .writes = appends},
                     *owned},
        .groups = (uint64_t)params->heads * ((params->rows + shape.rows - 1) / shape.rows),
        .push = params,
        .push_bytes = sizeof *params,
    };
    set_constants(&head, &shape, request.constants);
    request.constants[HEED_STEP_TYPES] =
        (uint32_t)nodes->in[B].desc.dtype + 16 * (uint32_t)nodes->in[BIAS].desc.dtype;
    return heedi_vk_dispatch(program, last, &request, error);
}

/* Whether the device can run what fits. */
static bool has_room(const struct heed_plugin_program *program, const struct vk_node *q,
                     const struct vk_node *attention, uint32_t parts) {
    const struct heed_plugin *plugin = program->plugin;
    const struct vk_tensor *k = &attention->in[HEED_ATTENTION_K];
    const struct head head = head_of(q, k, parts);
    const bool endless = !plugin->device.software || (k->desc.dims[2] <= SOFTWARE_MOST &&
                                                      q->in[A].desc.dims[1] <= SOFTWARE_MOST);
    struct shape shape;
    struct vk_binding owned;
    return endless && find_owned(program, q, attention, parts, &owned) &&
           choose(plugin, &head, 1, &shape);
}

/* ---- a step over what has been generated ---- */

/* Products q, k and v, cache_append of k and of v, attention. */
static uint32_t match_step(const struct heed_plugin_program *program, uint32_t first) {
    if (program->node_count - first < STEP_NODES)
        return 0;
    const struct vk_node *node = &program->nodes[first];
    const struct vk_node *attention = &node[STEP_NODES - 1];
    const struct vk_node *append_k = &node[PARTS], *append_v = &node[PARTS + 1];
    if (heedi_vk_products(program, first, PARTS) != PARTS || !is_step(node, attention))
        return 0;
    for (uint32_t i = 0; i < PARTS; i++)
        if (!heedi_vk_is_inner(program, &node[i].out[0], first, first + STEP_NODES - 1))
            return 0;
    /* Other workgroups store keys of other rows at the same time. As these go to other rows of the
     * state, none is missed where attention reads the row that its own goes to. */
    const bool together =
        is_append(append_k, &node[1], &attention->in[HEED_ATTENTION_K]) &&
        is_append(append_v, &node[2], &attention->in[HEED_ATTENTION_V]) &&
        heedi_vk_is_same(&append_k->in[POSITION], &append_v->in[POSITION]) &&
        heedi_vk_is_same(&append_k->in[ROW], &append_v->in[ROW]) &&
        heedi_vk_is_same(&append_k->in[ROW], &attention->in[HEED_ATTENTION_KV_ROW]) &&
        !heedi_vk_present(&attention->in[HEED_ATTENTION_KV_OFFSETS]) &&
        attention->in[HEED_ATTENTION_K].storage != attention->in[HEED_ATTENTION_V].storage;
    return together && has_room(program, node, attention, PARTS) ? STEP_NODES : 0;
}

static enum heed_status build_step(struct heed_plugin_program *program, uint32_t first,
                                   uint32_t count, struct heed_error *error) {
    const struct vk_node *nodes = &program->nodes[first], *append = &nodes[PARTS];
    const struct vk_node *attention = &nodes[count - 1];
    struct vk_binding owned;
    (void)find_owned(program, nodes, attention, PARTS, &owned);
    struct heed_attention_step_params params = params_of(program, nodes, attention, &owned);
    const uint32_t strides[] = {(uint32_t)append->in[STATE].desc.strides[0],
                                params.n / params.heads, params.n};
    memcpy(params.k_strides, strides, sizeof strides);
    memcpy(params.v_strides, strides, sizeof strides);
    params.position = heedi_vk_place(program, &owned, &append->in[POSITION]);
    return add(program, first, first + count - 1, PARTS, &owned, &params, error);
}

const struct vk_fusion heedi_vk_fuse_attention_step = {
    .name = "attention step", .match = match_step, .build = build_step};

/* ---- a step over a source ---- */

/* Whether rows of k or v begin on boundaries of 16 bytes, elements side by side. */
static bool is_wide(const struct vk_tensor *tensor) {
    const struct heed_tensor_desc *desc = &tensor->desc;
    return tensor->offset_elems % 4 == 0 && desc->strides[0] % 4 == 0 &&
           desc->strides[1] % 4 == 0 && desc->strides[2] % 4 == 0 && desc->strides[3] == 1;
}

static uint32_t match_cross(const struct heed_plugin_program *program, uint32_t first) {
    if (program->node_count - first < CROSS_NODES)
        return 0;
    const struct vk_node *node = &program->nodes[first], *attention = &node[1];
    const struct vk_tensor *kv_offsets = &attention->in[HEED_ATTENTION_KV_OFFSETS];
    if (heedi_vk_products(program, first, 1) != 1 || !is_step(node, attention) ||
        !heedi_vk_is_inner(program, &node->out[0], first, first + 1) ||
        !is_wide(&attention->in[HEED_ATTENTION_K]) || !is_wide(&attention->in[HEED_ATTENTION_V]))
        return 0;
    if (heedi_vk_present(kv_offsets) &&
        (!heedi_vk_is_owned(kv_offsets) || !heed_desc_contiguous(&kv_offsets->desc)))
        return 0;
    return has_room(program, node, attention, 1) ? CROSS_NODES : 0;
}

static enum heed_status build_cross(struct heed_plugin_program *program, uint32_t first,
                                    uint32_t count, struct heed_error *error) {
    const struct vk_node *nodes = &program->nodes[first];
    struct vk_binding owned;
    (void)find_owned(program, nodes, &nodes[1], 1, &owned);
    struct heed_attention_step_params params = params_of(program, nodes, &nodes[1], &owned);
    return add(program, first, first + count - 1, 1, &owned, &params, error);
}

const struct vk_fusion heedi_vk_fuse_attention_cross = {
    .name = "attention cross", .match = match_cross, .build = build_cross};
