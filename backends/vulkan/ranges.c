/* SPDX-License-Identifier: Apache-2.0 */
/* Constants that are larger than what a storage buffer shows: bound in pieces of whole lines, such
 * as columns of a weight or rows of a table, by a dispatch for each. */
#include "fuse.h"

/* Where bindings may begin that count elements from their start: on boundaries of the device, and
 * of elements (those of q8_0 have 34 bytes). */
static uint64_t unit_of(const struct heed_plugin *plugin, const struct vk_lines *lines) {
    uint64_t a = plugin->device.limits.align_bytes > 256 ? plugin->device.limits.align_bytes : 256;
    uint64_t b = lines->elem_bytes;
    const uint64_t product = a * b;
    do { /* Euclid */
        const uint64_t rest = a % b;
        a = b;
        b = rest;
    } while (b != 0);
    return product / a;
}

uint64_t heedi_vk_lines_shown(const struct heed_plugin *plugin, const struct vk_lines *lines) {
    const uint64_t range = plugin->device.limits.range_bytes;
    const uint64_t line = lines->elems * lines->elem_bytes;
    const uint64_t around = unit_of(plugin, lines) + 4; /* what may be shown before and after */
    if (lines->total_bytes <= range || lines->count == 0)
        return lines->count;
    if (line + around > range)
        return 0;
    if (lines->stride == 0)
        return lines->count;
    const uint64_t most = 1 + (range - around - line) / (lines->stride * lines->elem_bytes);
    return most < lines->count ? most : lines->count;
}

uint32_t heedi_vk_show_lines(const struct heed_plugin *plugin, const struct vk_lines *lines,
                             uint64_t first, uint64_t count, struct vk_binding *binding) {
    if (lines->total_bytes <= plugin->device.limits.range_bytes)
        return (uint32_t)lines->offset;
    const uint64_t unit = unit_of(plugin, lines);
    const uint64_t from = (lines->offset + first * lines->stride) * lines->elem_bytes;
    const uint64_t to = from + ((count - 1) * lines->stride + lines->elems) * lines->elem_bytes;
    binding->offset_bytes = from / unit * unit;
    binding->bytes = (to - binding->offset_bytes + 3) / 4 * 4;
    /* line 0 lies that much before the binding: shaders count modulo 2^32 */
    return (uint32_t)(lines->offset - binding->offset_bytes / lines->elem_bytes);
}

bool heedi_vk_constants_fit(const struct heed_plugin_program *program, uint32_t first,
                            uint32_t count) {
    uint64_t bytes = 0;
    for (uint32_t i = first; i < first + count; i++)
        for (uint32_t j = 0; j < program->nodes[i].input_count; j++)
            if (heedi_vk_is_constant(&program->nodes[i].in[j]))
                bytes += (program->nodes[i].in[j].owner_bytes + 15) / 16 * 16;
    return bytes <= program->plugin->device.limits.range_bytes;
}

enum heed_status heedi_vk_check_ranges(const struct heed_plugin_program *program,
                                       struct heed_error *error) {
    const uint64_t range = program->plugin->device.limits.range_bytes;
    for (uint32_t i = 0; i < program->dispatch_count; i++)
        for (uint32_t j = 0; j < HEED_MAX_BINDINGS; j++) {
            const struct vk_dispatch *dispatch = &program->dispatches[i];
            const struct vk_binding *binding = &dispatch->bindings[j];
            if (binding->storage == VK_STORAGE_NONE)
                continue;
            const uint64_t bytes =
                binding->bytes > 0 ? binding->bytes : program->storages[binding->storage].bytes;
            if (bytes + binding->tail_bytes > range)
                return heedi_common_fail(
                    error, HEED_ERROR_LIMIT,
                    "node %s: what it binds takes %llu bytes, a storage buffer of this device "
                    "shows %llu",
                    program->nodes[dispatch->node].name, (unsigned long long)bytes,
                    (unsigned long long)range);
        }
    return HEED_OK;
}
