/* SPDX-License-Identifier: Apache-2.0 */
/* Vocabularies: an array of pieces by id and an open-addressing hash table of ids by piece. */
#include "models/text/vocabulary.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "runtime/base/arena.h"

/* Keeps ids, and twice their number, well inside int32_t. */
#define MAX_PIECES (1 << 24)

struct heedi_vocabulary {
    struct heedi_env env;
    struct heedi_arena arena;
    struct heedi_slice *pieces; /* [size] */
    int32_t size;
    int32_t *slots; /* [mask + 1] ids, -1: free; at most half full */
    uint32_t mask;
};

/* FNV-1a (Fowler, Noll, Vo), 32 bits. */
static uint32_t hash(const char *piece, size_t bytes) {
    uint32_t value = 2166136261u;
    for (size_t i = 0; i < bytes; i++)
        value = (value ^ (unsigned char)piece[i]) * 16777619u;
    return value;
}

/* The slot where `piece` is, or where it would go. */
static uint32_t probe(const struct heedi_vocabulary *vocabulary, const char *piece, size_t bytes) {
    uint32_t slot = hash(piece, bytes) & vocabulary->mask;
    for (;; slot = (slot + 1) & vocabulary->mask) {
        const int32_t id = vocabulary->slots[slot];
        if (id < 0)
            return slot;
        const struct heedi_slice *have = &vocabulary->pieces[id];
        if (have->bytes == bytes && memcmp(have->data, piece, bytes) == 0)
            return slot;
    }
}

static enum heed_status create_empty(struct heed_context *context, const char *file, size_t count,
                                     struct heedi_vocabulary **result) {
    if (count == 0 || count > MAX_PIECES)
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: expected 1 to %d vocabulary entries, found %zu", file, MAX_PIECES,
                          count);
    struct heedi_vocabulary *vocabulary = heedi_calloc(&context->env, 1, sizeof *vocabulary);
    if (!vocabulary)
        return heedi_fail_memory(context, "a vocabulary", sizeof *vocabulary);
    vocabulary->env = context->env;
    heedi_arena_init(&vocabulary->arena, &context->env);
    uint32_t slots = 16;
    while (slots < 2 * count)
        slots *= 2;
    vocabulary->mask = slots - 1;
    vocabulary->size = (int32_t)count;
    vocabulary->pieces = heedi_calloc(&context->env, count, sizeof *vocabulary->pieces);
    vocabulary->slots = heedi_calloc(&context->env, slots, sizeof *vocabulary->slots);
    if (!vocabulary->pieces || !vocabulary->slots) {
        heedi_vocabulary_destroy(vocabulary);
        return heedi_fail_memory(context, "a vocabulary", count * sizeof(struct heedi_slice));
    }
    for (uint32_t i = 0; i < slots; i++)
        vocabulary->slots[i] = -1;
    *result = vocabulary;
    return HEED_OK;
}

static enum heed_status insert(struct heed_context *context, const char *file,
                               struct heedi_vocabulary *vocabulary, const char *piece, size_t bytes,
                               int32_t id) {
    if (vocabulary->pieces[id].data)
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: id %d belongs to two entries, \"%s\" and \"%.*s\"", file, id,
                          vocabulary->pieces[id].data, (int)(bytes < 200 ? bytes : 200), piece);
    const uint32_t slot = probe(vocabulary, piece, bytes);
    if (vocabulary->slots[slot] >= 0)
        return heedi_fail(context, HEED_ERROR_FORMAT,
                          "%s: \"%.*s\" stands there twice, as ids %d and %d", file,
                          (int)(bytes < 200 ? bytes : 200), piece, vocabulary->slots[slot], id);
    char *copy = heedi_arena_alloc(&vocabulary->arena, bytes + 1, 1);
    if (!copy)
        return heedi_fail_memory(context, "a vocabulary entry", bytes + 1);
    if (bytes)
        memcpy(copy, piece, bytes);
    vocabulary->pieces[id].data = copy;
    vocabulary->pieces[id].bytes = bytes;
    vocabulary->slots[slot] = id;
    return HEED_OK;
}

enum heed_status heedi_vocabulary_create(struct heed_context *context, const char *file,
                                         const struct heedi_slice *pieces, size_t count,
                                         struct heedi_vocabulary **result) {
    struct heedi_vocabulary *vocabulary = NULL;
    enum heed_status status = create_empty(context, file, count, &vocabulary);
    for (size_t i = 0; status == HEED_OK && i < count; i++)
        status = insert(context, file, vocabulary, pieces[i].data, pieces[i].bytes, (int32_t)i);
    if (status != HEED_OK) {
        heedi_vocabulary_destroy(vocabulary);
        return status;
    }
    *result = vocabulary;
    return HEED_OK;
}

static enum heed_status insert_all(struct heed_context *context, const char *file,
                                   struct heedi_vocabulary *vocabulary, const cJSON *root) {
    const cJSON *entry;
    cJSON_ArrayForEach(entry, root) {
        if (!cJSON_IsNumber(entry))
            return heedi_fail(context, HEED_ERROR_FORMAT,
                              "%s: entry \"%.200s\": expected a number as its id", file,
                              entry->string);
        const double id = entry->valuedouble;
        if (!(id >= 0 && id < vocabulary->size) || floor(id) != id)
            return heedi_fail(
                context, HEED_ERROR_FORMAT,
                "%s: entry \"%.200s\": expected an id from 0 to %d (%d entries), found %.17g", file,
                entry->string, vocabulary->size - 1, vocabulary->size, id);
        const enum heed_status status =
            insert(context, file, vocabulary, entry->string, strlen(entry->string), (int32_t)id);
        if (status != HEED_OK)
            return status;
    }
    /* As many entries as ids, each id in range and none twice: no id is without an entry. */
    return HEED_OK;
}

enum heed_status heedi_vocabulary_parse(struct heed_context *context, const char *file,
                                        const char *json, size_t bytes,
                                        struct heedi_vocabulary **result) {
    struct heedi_vocabulary *vocabulary = NULL;
    enum heed_status status;
    size_t count = 0;
    const cJSON *entry;
    cJSON *root = cJSON_ParseWithLength(json, bytes);
    if (!cJSON_IsObject(root)) {
        status = heedi_fail(context, HEED_ERROR_FORMAT,
                            "%s: expected a JSON object of pieces and ids", file);
        goto done;
    }
    cJSON_ArrayForEach(entry, root) count++;
    status = create_empty(context, file, count, &vocabulary);
    if (status == HEED_OK)
        status = insert_all(context, file, vocabulary, root);
done:
    cJSON_Delete(root);
    if (status != HEED_OK) {
        heedi_vocabulary_destroy(vocabulary);
        return status;
    }
    *result = vocabulary;
    return HEED_OK;
}

void heedi_vocabulary_destroy(struct heedi_vocabulary *vocabulary) {
    if (!vocabulary)
        return;
    const struct heedi_env env = vocabulary->env;
    heedi_arena_clear(&vocabulary->arena);
    heedi_free(&env, vocabulary->pieces);
    heedi_free(&env, vocabulary->slots);
    heedi_free(&env, vocabulary);
}

int32_t heedi_vocabulary_size(const struct heedi_vocabulary *vocabulary) {
    return vocabulary->size;
}

int32_t heedi_vocabulary_find(const struct heedi_vocabulary *vocabulary, const char *piece,
                              size_t bytes) {
    return vocabulary->slots[probe(vocabulary, piece, bytes)];
}

struct heedi_slice heedi_vocabulary_piece(const struct heedi_vocabulary *vocabulary, int32_t id) {
    return vocabulary->pieces[id];
}

const struct heedi_slice *heedi_vocabulary_pieces(const struct heedi_vocabulary *vocabulary) {
    return vocabulary->pieces;
}
