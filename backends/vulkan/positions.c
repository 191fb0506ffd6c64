/* SPDX-License-Identifier: Apache-2.0 */
/* positions: sinusoidal position vectors (Vaswani et al. 2017, sec. 3.5), as rows of a table that
 * is computed in double and rounded once when the program is compiled. */
#include <math.h>

#include "vulkan.h"

/* A longer table takes more memory and time than it is worth: 64 MB. */
enum { MOST_ELEMS = 1 << 24 };

static const char *accept(struct vk_node *node) {
    const struct heed_positions_attrs *attrs = &node->attrs.positions;
    const char *reason =
        heedi_common_accept_positions(attrs, &node->in[0].desc, &node->out[0].desc);
    if (reason != NULL)
        return reason;
    if ((uint64_t)attrs->width * attrs->max_len > MOST_ELEMS ||
        (uint64_t)attrs->width * 8 > node->plugin->device.limits.range_bytes)
        return "there are too many positions for a table";
    return NULL;
}

/* table[p, i] */
static void fill(const struct heed_positions_attrs *attrs, float *table) {
    const uint32_t n = attrs->width, half = n / 2;
    const bool interleaved = attrs->form == HEED_POSITIONS_INTERLEAVED;
    for (uint32_t i = 0; i < half; i++) {
        const double wavelength = heedi_common_wavelength(attrs, i);
        const size_t sine = interleaved ? 2 * i : i, cosine = interleaved ? sine + 1 : sine + half;
        for (uint32_t p = 0; p < attrs->max_len; p++) {
            table[(size_t)p * n + sine] = (float)sin(p / wavelength);
            table[(size_t)p * n + cosine] = (float)cos(p / wavelength);
        }
    }
}

enum heed_status heedi_vk_positions_table(struct heed_plugin_program *program, uint32_t index,
                                          struct vk_binding *table, struct heed_error *error) {
    const struct vk_node *node = &program->nodes[index];
    const struct heed_positions_attrs *attrs = &node->attrs.positions;
    const struct heed_host *host = program->plugin->host;
    const size_t elems = (size_t)attrs->width * attrs->max_len;
    /* numbers up to MOST_ELEMS, as none of them is 0 */
    const uint64_t key =
        (uint64_t)attrs->form << 60 | (uint64_t)attrs->width << 30 | attrs->max_len;
    *table = (struct vk_binding){.storage = VK_STORAGE_NONE};
    if (elems == 0)
        return HEED_OK;
    enum heed_status status = heedi_vk_find_table(program, key, &table->storage, error);
    if (status != HEED_OK || table->storage >= 0)
        return status;
    float *data = heedi_common_calloc(host, elems, sizeof *data);
    if (data == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY,
                                 "out of memory for the positions of %s", node->name);
    fill(attrs, data);
    status = heedi_vk_table(program, key, data, elems * sizeof *data, &table->storage, error);
    heedi_common_free(host, data);
    return status;
}

static enum heed_status build(struct heed_plugin_program *program, uint32_t index,
                              struct heed_error *error) {
    const struct heed_positions_attrs *attrs = &program->nodes[index].attrs.positions;
    struct vk_binding table;
    const enum heed_status status = heedi_vk_positions_table(program, index, &table, error);
    return status != HEED_OK
               ? status
               : heedi_vk_look_up(program, index, table, attrs->max_len, attrs->width, error);
}

const struct vk_operator heedi_vk_positions = {
    .attrs_size = sizeof(struct heed_positions_attrs), .accept = accept, .build = build};
