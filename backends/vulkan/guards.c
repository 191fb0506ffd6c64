/* SPDX-License-Identifier: Apache-2.0 */
/* HEED_VULKAN_GUARDS=on: writes beyond a tensor are found in the device's own memory.
 *
 * What the host sees of a run went through copies of just the bytes of a tensor, so that guard
 * zones around the host's memory tell nothing. With guards no two storages of an instance share
 * memory, a zone lies after each and after each state, and memory begins as NaNs. After every run
 * all is read back: a byte that belongs to no storage and has changed ends the run with
 * HEED_ERROR_INTERNAL, and a message that names the tensors on both sides. Descriptors are as they
 * are without guards; kernels that bind the whole memory at once are where drivers that cut
 * accesses off at the end of a descriptor see nothing. Slow: for checks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"

enum { UNTOUCHED = 0xff, ZONE = 0xa5 };

bool heedi_vk_wants_guards(void) {
    const char *given = getenv("HEED_VULKAN_GUARDS");
    return given != NULL && strcmp(given, "on") == 0;
}

/* Shaders write whole words. */
static uint64_t words(uint64_t bytes) {
    return (bytes + 3) / 4 * 4;
}

/* ---- the memory of instances ---- */

static void mark(unsigned char *image, uint64_t size, uint64_t from, uint64_t bytes) {
    if (from < size)
        memset(image + from, UNTOUCHED, bytes < size - from ? bytes : size - from);
}

/* What the memory holds before the first run: ZONE where nothing may write. */
static void draw_image(const struct heed_plugin_program *program, unsigned char *image) {
    const uint64_t size = program->instance_bytes;
    memset(image, ZONE, size);
    for (uint32_t i = 0; i < program->storage_count; i++)
        if (program->storages[i].offset_bytes >= 0)
            mark(image, size, (uint64_t)program->storages[i].offset_bytes,
                 words(program->storages[i].bytes));
    for (uint32_t i = 0; i < program->room_count; i++)
        mark(image, size, program->rooms[i].offset_bytes,
             program->rooms[i].bytes + program->rooms[i].tail_bytes);
}

enum heed_status heedi_vk_guards_make(struct heed_plugin_instance *instance,
                                      struct heed_error *error) {
    const struct heed_plugin_program *program = instance->program;
    const struct heed_plugin *plugin = program->plugin;
    if (!plugin->guards)
        return HEED_OK;
    instance->image = heedi_common_calloc(plugin->host, program->instance_bytes, 1);
    instance->found = heedi_common_calloc(plugin->host, program->instance_bytes, 1);
    if (instance->image == NULL || instance->found == NULL)
        return heedi_common_fail(error, HEED_ERROR_OUT_OF_MEMORY, "out of memory for guards");
    draw_image(program, instance->image);
    return heedi_vk_upload(program->plugin, &instance->memory, 0, instance->image,
                           program->instance_bytes, error);
}

/* The name of what has the storage as a result, or of the boundary. */
static const char *name_of(const struct heed_plugin_program *program, uint32_t storage) {
    const int32_t binding = program->storages[storage].binding;
    if (binding >= 0 && program->boundaries[binding].name != NULL)
        return program->boundaries[binding].name;
    for (uint32_t n = 0; n < program->node_count; n++)
        for (uint32_t i = 0; i < program->nodes[n].output_count; i++)
            if (program->nodes[n].out[i].storage == (int32_t)storage &&
                program->nodes[n].name != NULL)
                return program->nodes[n].name;
    return "scratch memory";
}

/* Says where byte `at` lies: after which storage, and before which. */
static enum heed_status tell(const struct heed_plugin_program *program, uint64_t at,
                             struct heed_error *error) {
    char before[112] = "", after[112] = "";
    uint64_t end = 0, begin = UINT64_MAX;
    for (uint32_t i = 0; i < program->storage_count; i++) {
        const struct vk_storage *storage = &program->storages[i];
        if (storage->offset_bytes < 0 || storage->bytes == 0)
            continue;
        const uint64_t from = (uint64_t)storage->offset_bytes, to = from + words(storage->bytes);
        if (to <= at && to >= end) {
            end = to;
            (void)snprintf(before, sizeof before, " %llu after the end of '%.64s'",
                           (unsigned long long)at - to + 1, name_of(program, i));
        }
        if (from > at && from < begin) {
            begin = from;
            (void)snprintf(after, sizeof after, "%s %llu before '%.64s'", end > 0 ? "," : "",
                           (unsigned long long)(from - at), name_of(program, i));
        }
    }
    return heedi_common_fail(error, HEED_ERROR_INTERNAL,
                             "guards: memory of no tensor was written, at byte%s%s", before, after);
}

static enum heed_status check_memory(const struct heed_plugin_instance *instance,
                                     struct heed_error *error) {
    const struct heed_plugin_program *program = instance->program;
    const enum heed_status status = heedi_vk_download(
        program->plugin, &instance->memory, 0, instance->found, program->instance_bytes, error);
    if (status != HEED_OK)
        return status;
    for (uint64_t at = 0; at < program->instance_bytes; at++)
        if (instance->image[at] == ZONE && instance->found[at] != ZONE)
            return tell(program, at, error);
    return HEED_OK;
}

/* ---- states ---- */

enum heed_status heedi_vk_guards_add(struct heed_plugin_state *state, struct heed_error *error) {
    unsigned char zone[VK_GUARD_BYTES];
    memset(zone, ZONE, sizeof zone);
    return !state->plugin->guards ? HEED_OK
                                  : heedi_vk_upload(state->plugin, &state->region,
                                                    words(state->bytes), zone, sizeof zone, error);
}

static enum heed_status check_state(const struct heed_plugin_state *state, const char *name,
                                    struct heed_error *error) {
    unsigned char zone[VK_GUARD_BYTES];
    const enum heed_status status = heedi_vk_download(
        state->plugin, &state->region, words(state->bytes), zone, sizeof zone, error);
    for (unsigned i = 0; status == HEED_OK && i < sizeof zone; i++)
        if (zone[i] != ZONE)
            return heedi_common_fail(error, HEED_ERROR_INTERNAL,
                                     "guards: memory of no tensor was written, at byte %u after "
                                     "the end of the state '%.100s'",
                                     i + 1, name != NULL ? name : "");
    return status;
}

enum heed_status heedi_vk_guards_check(const struct heed_plugin_instance *instance,
                                       struct heed_error *error) {
    const struct heed_plugin_program *program = instance->program;
    if (!program->plugin->guards)
        return HEED_OK;
    enum heed_status status = check_memory(instance, error);
    for (uint32_t i = 0; status == HEED_OK && i < program->boundary_count; i++)
        if (program->boundaries[i].tensor >= 0 && program->boundaries[i].role == HEED_ROLE_STATE)
            status = check_state(instance->states[i], program->boundaries[i].name, error);
    return status;
}

void heedi_vk_guards_destroy(struct heed_plugin_instance *instance) {
    heedi_common_free(instance->program->plugin->host, instance->image);
    heedi_common_free(instance->program->plugin->host, instance->found);
}
