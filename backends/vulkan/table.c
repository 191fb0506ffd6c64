/* SPDX-License-Identifier: Apache-2.0 */
/* Tables that operators make themselves, such as vectors of positions: on the device once, for as
 * long as a program uses them. */
#include "vulkan.h"

/* A storage for a table to which the program has a reference, that is given back on failure. */
static enum heed_status add(struct heed_plugin_program *program, struct vk_weight *table,
                            int32_t *storage, struct heed_error *error) {
    const struct vk_storage made = {.bytes = table->bytes,
                                    .offset_bytes = -1,
                                    .binding = -1,
                                    .role = HEED_ROLE_CONSTANT,
                                    .weight = table,
                                    .table = table};
    const enum heed_status status = heedi_vk_add_storage(program, &made, storage, error);
    if (status != HEED_OK)
        heedi_vk_table_release(program->plugin, table);
    return status;
}

enum heed_status heedi_vk_find_table(struct heed_plugin_program *program, uint64_t key,
                                     int32_t *storage, struct heed_error *error) {
    struct heed_plugin *plugin = program->plugin;
    *storage = -1;
    pthread_mutex_lock(&plugin->pipeline_mutex);
    struct vk_weight *table = plugin->tables;
    while (table != NULL && table->key != key)
        table = table->next;
    if (table != NULL)
        table->references++;
    pthread_mutex_unlock(&plugin->pipeline_mutex);
    return table != NULL ? add(program, table, storage, error) : HEED_OK;
}

enum heed_status heedi_vk_table(struct heed_plugin_program *program, uint64_t key, const void *data,
                                uint64_t bytes, int32_t *storage, struct heed_error *error) {
    struct heed_plugin *plugin = program->plugin;
    struct vk_weight *table = NULL;
    const enum heed_status status = heedi_vk_weight_create(plugin, data, bytes, &table, error);
    if (status != HEED_OK)
        return status;
    /* another thread may have made the same in the meantime: then there are two */
    table->bytes = bytes;
    table->key = key;
    table->references = 1;
    pthread_mutex_lock(&plugin->pipeline_mutex);
    table->next = plugin->tables;
    plugin->tables = table;
    pthread_mutex_unlock(&plugin->pipeline_mutex);
    return add(program, table, storage, error);
}

void heedi_vk_table_release(struct heed_plugin *plugin, struct vk_weight *table) {
    if (table == NULL)
        return;
    pthread_mutex_lock(&plugin->pipeline_mutex);
    const bool last = --table->references == 0;
    for (struct vk_weight **at = &plugin->tables; last && *at != NULL; at = &(*at)->next)
        if (*at == table) {
            *at = table->next;
            break;
        }
    pthread_mutex_unlock(&plugin->pipeline_mutex);
    if (last)
        heedi_vk_weight_destroy(table);
}
