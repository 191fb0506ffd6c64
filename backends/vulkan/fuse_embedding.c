/* SPDX-License-Identifier: Apache-2.0 */
/* embedding, scale where there is one, positions and add in one dispatch: the input of a decoder's
 * step, whose tokens and positions are rows of one table. */
#include "fuse.h"

struct params {
    struct heed_embedding_params embedding;
    struct heed_add_positions_params positions;
};
_Static_assert(sizeof(struct params) == 108, "as in the shader");

enum { TABLE = 0, IDS = 1, TABLE_SCALE = 2 };
enum { PLAIN_NODES = 3, SCALED_NODES = 4 };

/* The nodes of a group. */
struct group {
    const struct vk_node *words, *scale, *positions, *sum; /* scale: or NULL */
};

static struct group group_of(const struct vk_node *nodes, uint32_t count) {
    return (struct group){.words = nodes,
                          .scale = count == SCALED_NODES ? &nodes[1] : NULL,
                          .positions = &nodes[count - 2],
                          .sum = &nodes[count - 1]};
}

/* How many nodes a group from `first` on would have, by their operators; 0: it is none. */
static uint32_t count_of(const struct heed_plugin_program *program, uint32_t first) {
    const struct vk_node *nodes = &program->nodes[first];
    const uint32_t left = program->node_count - first;
    const uint32_t count = left > 1 && nodes[1].op == HEED_OP_SCALE ? SCALED_NODES : PLAIN_NODES;
    return left >= count && nodes[0].op == HEED_OP_EMBEDDING &&
                   nodes[count - 2].op == HEED_OP_POSITIONS && nodes[count - 1].op == HEED_OP_ADD
               ? count
               : 0;
}

/* Whether x and y are the same elements in the same order, x a result of the group. */
static bool is_whole(const struct vk_tensor *x, const struct vk_tensor *y) {
    return x->desc.rank == y->desc.rank && heedi_vk_has_dims(x, y->desc.rank, y->desc.dims) &&
           heed_desc_contiguous(&x->desc);
}

static uint32_t match(const struct heed_plugin_program *program, uint32_t first) {
    const uint32_t count = count_of(program, first), last = first + count - 1;
    if (count == 0)
        return 0;
    const struct group it = group_of(&program->nodes[first], count);
    const struct vk_tensor *words = &it.words->out[0], *vectors = &it.positions->out[0];
    const struct vk_tensor *ids = &it.words->in[IDS], *places = &it.positions->in[0];
    const struct vk_tensor *scaled = it.scale != NULL ? &it.scale->out[0] : words;
    const struct vk_tensor *a = &it.sum->in[0], *b = &it.sum->in[1], *y = &it.sum->out[0];
    const bool straight = heedi_vk_is_same(a, scaled) && heedi_vk_is_same(b, vectors);
    if ((!straight && (!heedi_vk_is_same(a, vectors) || !heedi_vk_is_same(b, scaled))) ||
        (it.scale != NULL && !heedi_vk_is_same(&it.scale->in[0], words)) ||
        !heedi_vk_is_inner(program, words, first, last) ||
        !heedi_vk_is_inner(program, scaled, first, last) ||
        !heedi_vk_is_inner(program, vectors, first, last) || !is_whole(a, y) || !is_whole(b, y) ||
        !is_whole(words, y) || !is_whole(vectors, y) || y->desc.dtype != HEED_F32 ||
        heed_desc_elems(&y->desc) == 0 || it.positions->attrs.positions.max_len == 0 ||
        heedi_vk_present(&it.words->in[TABLE_SCALE]) ||
        !heedi_vk_is_constant(&it.words->in[TABLE]) || ids->storage != places->storage ||
        !heedi_vk_has_dims(places, ids->desc.rank, ids->desc.dims))
        return 0;
    return count;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t first, uint32_t count,
                              struct heed_error *error) {
    const struct group it = group_of(&program->nodes[first], count);
    struct vk_binding vectors;
    const uint32_t width = heedi_vk_width(program->plugin);
    const uint32_t positions = (uint32_t)(it.positions - program->nodes);
    const enum heed_status status = heedi_vk_positions_table(program, positions, &vectors, error);
    if (status != HEED_OK)
        return status;
    struct params params = {
        .embedding = heedi_vk_embedding_params(it.words),
        .positions = {.rows = it.positions->attrs.positions.max_len,
                      .places_offset = (uint32_t)it.positions->in[0].offset_elems,
                      .factor = it.scale != NULL ? it.scale->attrs.scale.factor : 1.0f},
    };
    params.embedding.y_offset = (uint32_t)it.sum->out[0].offset_elems;
    heedi_vk_strides4(&it.positions->in[0].desc, params.positions.places_strides);
    const struct vk_request request = {
        .shader = VK_SHADER_EMBEDDING_POSITIONS,
        .constants =
            {[HEED_CONSTANT_WIDTH] = width, [1] = (uint32_t)it.words->in[TABLE].desc.dtype},
        .bindings = {heedi_vk_reads(&it.words->in[TABLE]), heedi_vk_reads(&it.words->in[IDS]),
                     vectors, heedi_vk_writes(&it.sum->out[0])},
        .groups = params.embedding.count / width + (params.embedding.count % width != 0),
        .push = &params,
        .push_bytes = sizeof params,
    };
    return heedi_vk_dispatch(program, first + count - 1, &request, error);
}

const struct vk_fusion heedi_vk_fuse_embedding = {
    .name = "embedding and positions", .match = match, .build = build};
