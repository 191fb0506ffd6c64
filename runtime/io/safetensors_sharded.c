/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of models that are split over several safetensors files.
 *
 * model.safetensors.index.json holds {"metadata": {...}, "weight_map": {tensor: file}}; the files
 * lie in the same folder. */
#include <stdlib.h>
#include <string.h>

#include "runtime/io/safetensors.h"

struct index {
    struct heed_context *context;
    const char *path;
    const cJSON *map; /* weight_map */
    struct heedi_weights *weights;
};

/* A shard must be a plain file beside its index: no folder, no way out of it. */
static bool is_plain_name(const char *name) {
    return name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strpbrk(name, "/\\:") == NULL;
}

static int compare_strings(const void *a, const void *b) {
    const char *const *left = a;
    const char *const *right = b;
    return strcmp(*left, *right);
}

static enum heed_status open_shard(const struct index *index, const char *name) {
    struct heed_context *context = index->context;
    const char *slash = strrchr(index->path, '/');
    const int folder_length = slash == NULL ? 0 : (int)(slash - index->path + 1);
    char *path = heedi_asprintf(&context->env, "%.*s%s", folder_length, index->path, name);
    if (path == NULL)
        return heedi_fail_memory(context, name, (size_t)folder_length + strlen(name) + 1);
    struct heedi_source *source;
    enum heed_status status = heedi_source_map(context, path, &source);
    heedi_free(&context->env, path);
    if (status == HEED_OK)
        status = heedi_weights_add_source(context, index->weights, source);
    if (status == HEED_OK)
        status = heedi_safetensors_read_shard(context, index->weights, source);
    return status;
}

static enum heed_status open_shards(const struct index *index, const char **names) {
    size_t count = 0;
    for (const cJSON *item = index->map->child; item != NULL; item = item->next) {
        const char *name = cJSON_GetStringValue(item);
        if (name == NULL || !is_plain_name(name))
            return heedi_fail(index->context, HEED_ERROR_FORMAT,
                              "%s: 'weight_map' entry '%.200s' is '%.200s', expected the plain "
                              "name of a file in the same folder",
                              index->path, item->string, name == NULL ? "not a string" : name);
        names[count++] = name;
    }
    if (count > 0)
        qsort(names, count, sizeof *names, compare_strings);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(names[i - 1], names[i]) == 0)
            continue;
        const enum heed_status status = open_shard(index, names[i]);
        if (status != HEED_OK)
            return status;
    }
    return HEED_OK;
}

/* Every tensor of the map must have come from some shard. */
static enum heed_status check_complete(const struct index *index) {
    for (const cJSON *item = index->map->child; item != NULL; item = item->next)
        if (heedi_weights_find(index->weights, item->string) == NULL &&
            heedi_weights_unsupported(index->weights, item->string) == NULL)
            return heedi_fail(index->context, HEED_ERROR_FORMAT,
                              "%s: tensor '%.200s' is not in '%.200s' as 'weight_map' says",
                              index->path, item->string, item->valuestring);
    return HEED_OK;
}

static enum heed_status read_index(struct index *index, const cJSON *root) {
    struct heed_context *context = index->context;
    index->map = cJSON_GetObjectItemCaseSensitive(root, "weight_map");
    if (!cJSON_IsObject(index->map))
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: 'weight_map' is missing or not an object", index->path);
    const size_t count = (size_t)cJSON_GetArraySize(index->map);
    const char **names = heedi_calloc(&context->env, count, sizeof(const char *));
    if (names == NULL)
        return heedi_fail_memory(context, index->path, count * sizeof(const char *));
    enum heed_status status = heedi_weights_create(context, &index->weights);
    if (status == HEED_OK)
        status = open_shards(index, names);
    heedi_free(&context->env, names);
    if (status == HEED_OK)
        status = heedi_weights_finish(context, index->weights, index->path);
    if (status == HEED_OK)
        status = check_complete(index);
    return status;
}

enum heed_status heedi_safetensors_open_sharded(struct heed_context *context,
                                                const char *index_path,
                                                struct heedi_weights **weights) {
    *weights = NULL;
    cJSON *root = NULL;
    struct heedi_source *source;
    enum heed_status status = heedi_source_map(context, index_path, &source);
    if (status != HEED_OK)
        return status;
    if (source->bytes > HEEDI_SAFETENSORS_HEADER_LIMIT)
        (void)heedi_fail(context, HEED_ERROR_LIMIT, "%s: %zu bytes, at most %d are read",
                         index_path, source->bytes, HEEDI_SAFETENSORS_HEADER_LIMIT);
    else
        root = heedi_safetensors_parse_json(context, index_path, (const char *)source->data,
                                            source->bytes);
    if (root == NULL) {
        heedi_source_release(source);
        return HEED_ERROR_FORMAT;
    }
    struct index index = {.context = context, .path = index_path};
    status = read_index(&index, root);
    cJSON_Delete(root);
    heedi_source_release(source);
    if (status != HEED_OK)
        heedi_weights_close(index.weights);
    else
        *weights = index.weights;
    return status;
}
