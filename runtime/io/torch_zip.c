/* SPDX-License-Identifier: Apache-2.0 */
/* Directory of a zip archive with stored entries (PKWARE APPNOTE 6.3, sections 4.3 to 4.5).
 *
 * From the end of the file: the end record; where its fields overflow, a locator and the zip64 end
 * record; they give the central directory, whose entries give each entry's local header, which is
 * followed by the data. */
#include <stdlib.h>
#include <string.h>

#include "runtime/io/bytes.h"
#include "runtime/io/torch.h"

enum {
    END_BYTES = 22,
    MAX_COMMENT_BYTES = 65535,
    LOCATOR_BYTES = 20,
    END64_BYTES = 56,
    CENTRAL_BYTES = 46,
    LOCAL_BYTES = 30,
    FLAG_ENCRYPTED = 1,
    FLAG_SIZES_FOLLOW = 8 /* the local header does not know the sizes */
};

#define END_SIGNATURE 0x06054b50u
#define LOCATOR_SIGNATURE 0x07064b50u
#define END64_SIGNATURE 0x06064b50u
#define CENTRAL_SIGNATURE 0x02014b50u
#define LOCAL_SIGNATURE 0x04034b50u
#define ZIP64_EXTRA 0x0001u

struct directory {
    uint64_t offset, bytes, count;
};

/* Sizes and place of an entry, whichever header they come from. */
struct sizes {
    uint64_t plain, packed, offset;
};

static enum heed_status damaged(struct heed_context *context, const struct heedi_source *source,
                                const char *complaint) {
    return heedi_fail(context, HEED_ERROR_FORMAT, "%s: damaged zip archive: %s", source->path,
                      complaint);
}

static enum heed_status find_end(struct heed_context *context, const struct heedi_source *source,
                                 size_t *position) {
    if (source->bytes >= END_BYTES) {
        const size_t last = source->bytes - END_BYTES;
        for (size_t comment = 0; comment <= last && comment <= MAX_COMMENT_BYTES; comment++) {
            const unsigned char *end = source->data + last - comment;
            if (heedi_load_u32(end) == END_SIGNATURE && heedi_load_u16(end + 20) == comment) {
                *position = last - comment;
                return HEED_OK;
            }
        }
    }
    return heedi_fail(context, HEED_ERROR_FORMAT,
                      "%s: not a zip archive, or truncated: it has no end record", source->path);
}

static enum heed_status find_directory(struct heed_context *context,
                                       const struct heedi_source *source,
                                       struct directory *directory) {
    size_t end = 0;
    enum heed_status status = find_end(context, source, &end);
    if (status != HEED_OK)
        return status;
    const unsigned char *record = source->data + end;
    if (heedi_load_u16(record + 4) != heedi_load_u16(record + 6))
        return damaged(context, source, "it is split over several volumes");
    directory->count = heedi_load_u16(record + 10);
    directory->bytes = heedi_load_u32(record + 12);
    directory->offset = heedi_load_u32(record + 16);
    uint64_t limit = end; /* the directory ends before */
    if (directory->count == UINT16_MAX || directory->bytes == UINT32_MAX ||
        directory->offset == UINT32_MAX) {
        if (end < LOCATOR_BYTES ||
            heedi_load_u32(source->data + end - LOCATOR_BYTES) != LOCATOR_SIGNATURE)
            return damaged(context, source, "the zip64 locator is missing");
        limit = heedi_load_u64(source->data + end - LOCATOR_BYTES + 8);
        if (limit > end - LOCATOR_BYTES || end - LOCATOR_BYTES - limit < END64_BYTES)
            return damaged(context, source, "the zip64 end record lies outside the file");
        record = source->data + limit;
        if (heedi_load_u32(record) != END64_SIGNATURE)
            return damaged(context, source, "the zip64 end record has a wrong signature");
        directory->count = heedi_load_u64(record + 32);
        directory->bytes = heedi_load_u64(record + 40);
        directory->offset = heedi_load_u64(record + 48);
    }
    if (directory->offset > limit || directory->bytes > limit - directory->offset)
        return damaged(context, source, "the directory lies outside the file");
    if (directory->count > directory->bytes / CENTRAL_BYTES)
        return damaged(context, source, "the directory is too small for its number of entries");
    return HEED_OK;
}

/* Replaces the fields that a 32-bit header marks as overflown by those of its zip64 extra field, in
 * their fixed order. False if the extra field lacks one. */
static bool widen(struct sizes *sizes, const unsigned char *extra, size_t bytes) {
    uint64_t *fields[] = {&sizes->plain, &sizes->packed, &sizes->offset};
    const unsigned char *wide = NULL;
    size_t wide_bytes = 0;
    while (bytes >= 4 && wide == NULL) {
        const size_t length = heedi_load_u16(extra + 2);
        if (length > bytes - 4)
            return false;
        if (heedi_load_u16(extra) == ZIP64_EXTRA) {
            wide = extra + 4;
            wide_bytes = length;
        }
        extra += 4 + length;
        bytes -= 4 + length;
    }
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (*fields[i] != UINT32_MAX)
            continue;
        if (wide_bytes < 8)
            return false;
        *fields[i] = heedi_load_u64(wide);
        wide += 8;
        wide_bytes -= 8;
    }
    return true;
}

static enum heed_status entry_error(struct heed_context *context, const struct heedi_source *source,
                                    struct heedi_slice name, enum heed_status status,
                                    const char *complaint) {
    return heedi_fail(context, status, "%s: zip entry '%.*s' %s", source->path,
                      HEEDI_PRINT_SLICE(name), complaint);
}

/* Finds the data of an entry behind its local header, which must agree with the directory. */
static enum heed_status locate(struct heed_context *context, const struct heedi_source *source,
                               uint64_t limit, const struct sizes *sizes,
                               struct heedi_zip_entry *entry) {
    const enum heed_status wrong = HEED_ERROR_FORMAT;
    if (sizes->offset > limit || limit - sizes->offset < LOCAL_BYTES)
        return entry_error(context, source, entry->name, wrong, "begins outside the file");
    const unsigned char *local = source->data + sizes->offset;
    const uint64_t left = limit - sizes->offset - LOCAL_BYTES;
    if (heedi_load_u32(local) != LOCAL_SIGNATURE)
        return entry_error(context, source, entry->name, wrong, "has no local header");
    const size_t name_bytes = heedi_load_u16(local + 26), extra_bytes = heedi_load_u16(local + 28);
    if (name_bytes + extra_bytes > left || sizes->plain > left - name_bytes - extra_bytes)
        return entry_error(context, source, entry->name, wrong, "ends outside the file");
    if (name_bytes != entry->name.bytes ||
        memcmp(local + LOCAL_BYTES, entry->name.data, name_bytes) != 0 ||
        heedi_load_u16(local + 8) != 0)
        return entry_error(context, source, entry->name, wrong,
                           "has a local header that disagrees with the directory");
    struct sizes own = {.plain = heedi_load_u32(local + 22), .packed = heedi_load_u32(local + 18)};
    if ((heedi_load_u16(local + 6) & FLAG_SIZES_FOLLOW) == 0 &&
        (!widen(&own, local + LOCAL_BYTES + name_bytes, extra_bytes) || own.plain != sizes->plain ||
         own.packed != sizes->packed))
        return entry_error(context, source, entry->name, wrong,
                           "has a local header whose sizes disagree with the directory");
    entry->data = local + LOCAL_BYTES + name_bytes + extra_bytes;
    entry->bytes = (size_t)sizes->plain;
    return HEED_OK;
}

/* Reads the central header at *at and moves *at behind it. */
static enum heed_status read_central(struct heed_context *context,
                                     const struct heedi_source *source,
                                     const struct directory *directory, uint64_t *at,
                                     struct heedi_zip_entry *entry) {
    const uint64_t left = directory->offset + directory->bytes - *at;
    const unsigned char *central = source->data + *at;
    if (left < CENTRAL_BYTES || heedi_load_u32(central) != CENTRAL_SIGNATURE)
        return damaged(context, source, "the directory ends early");
    const size_t name_bytes = heedi_load_u16(central + 28);
    const size_t extra_bytes = heedi_load_u16(central + 30);
    const size_t whole = CENTRAL_BYTES + name_bytes + extra_bytes + heedi_load_u16(central + 32);
    if (whole > left)
        return damaged(context, source, "the directory ends inside an entry");
    entry->name = (struct heedi_slice){(const char *)central + CENTRAL_BYTES, name_bytes};
    if ((heedi_load_u16(central + 8) & FLAG_ENCRYPTED) != 0)
        return entry_error(context, source, entry->name, HEED_ERROR_UNSUPPORTED, "is encrypted");
    struct sizes sizes = {.plain = heedi_load_u32(central + 24),
                          .packed = heedi_load_u32(central + 20),
                          .offset = heedi_load_u32(central + 42)};
    if (!widen(&sizes, central + CENTRAL_BYTES + name_bytes, extra_bytes))
        return entry_error(context, source, entry->name, HEED_ERROR_FORMAT,
                           "has a damaged extra field");
    if (heedi_load_u16(central + 10) != 0 || sizes.plain != sizes.packed)
        return entry_error(context, source, entry->name, HEED_ERROR_UNSUPPORTED,
                           "is compressed; PyTorch stores its entries uncompressed");
    *at += whole;
    return locate(context, source, directory->offset, &sizes, entry);
}

static int compare_entries(const void *a, const void *b) {
    const struct heedi_slice left = ((const struct heedi_zip_entry *)a)->name;
    const struct heedi_slice right = ((const struct heedi_zip_entry *)b)->name;
    const int order =
        memcmp(left.data, right.data, left.bytes < right.bytes ? left.bytes : right.bytes);
    return order != 0 ? order : (left.bytes > right.bytes) - (left.bytes < right.bytes);
}

static enum heed_status read_entries(struct heed_context *context,
                                     const struct heedi_source *source,
                                     const struct directory *directory, struct heedi_zip *zip) {
    uint64_t at = directory->offset;
    for (zip->count = 0; zip->count < directory->count; zip->count++) {
        const enum heed_status status =
            read_central(context, source, directory, &at, &zip->entries[zip->count]);
        if (status != HEED_OK)
            return status;
    }
    if (zip->count > 0)
        qsort(zip->entries, zip->count, sizeof *zip->entries, compare_entries);
    for (size_t i = 1; i < zip->count; i++)
        if (compare_entries(&zip->entries[i - 1], &zip->entries[i]) == 0)
            return entry_error(context, source, zip->entries[i].name, HEED_ERROR_FORMAT,
                               "is there twice");
    return HEED_OK;
}

enum heed_status heedi_zip_open(struct heed_context *context, const struct heedi_source *source,
                                struct heedi_zip *zip) {
    struct directory directory = {0, 0, 0};
    enum heed_status status = find_directory(context, source, &directory);
    *zip = (struct heedi_zip){NULL, 0};
    if (status != HEED_OK)
        return status;
    zip->entries = heedi_calloc(&context->env, (size_t)directory.count, sizeof *zip->entries);
    if (zip->entries == NULL)
        return heedi_fail_memory(context, source->path,
                                 (size_t)directory.count * sizeof *zip->entries);
    status = read_entries(context, source, &directory, zip);
    if (status != HEED_OK)
        heedi_zip_close(context, zip);
    return status;
}

void heedi_zip_close(struct heed_context *context, struct heedi_zip *zip) {
    heedi_free(&context->env, zip->entries);
    *zip = (struct heedi_zip){NULL, 0};
}

/* Orders an entry's name against folder + name. */
static int compare_to_entry(const struct heedi_slice *parts, struct heedi_slice name) {
    for (int part = 0; part < 2; part++) {
        const size_t shared = parts[part].bytes < name.bytes ? parts[part].bytes : name.bytes;
        const int order = memcmp(parts[part].data, name.data, shared);
        if (order != 0)
            return order;
        if (shared < parts[part].bytes)
            return 1;
        name.data += shared;
        name.bytes -= shared;
    }
    return name.bytes > 0 ? -1 : 0;
}

static int compare_key(const void *key, const void *entry) {
    return compare_to_entry(key, ((const struct heedi_zip_entry *)entry)->name);
}

const struct heedi_zip_entry *heedi_zip_find(const struct heedi_zip *zip, struct heedi_slice folder,
                                             struct heedi_slice name) {
    const struct heedi_slice parts[2] = {folder, name};
    if (zip->count == 0)
        return NULL;
    return bsearch(parts, zip->entries, zip->count, sizeof *zip->entries, compare_key);
}
