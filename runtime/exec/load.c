/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a plugin and checking what it says of itself. */
#include <inttypes.h>
#include <string.h>

#include "runtime/base/os.h"
#include "runtime/exec/plugin.h"

/* A plugin's table can grow by minor versions, but not beyond reason. */
#define MAX_TABLE_BYTES 4096u

bool heedi_plugin_name_valid(const char *name) {
    const size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return length > 0 && length < HEEDI_PLUGIN_NAME_BYTES && name[length] == '\0';
}

struct heed_error heedi_plugin_error(void) {
    struct heed_error error;
    memset(&error, 0, sizeof error);
    error.struct_size = (uint32_t)sizeof error;
    return error;
}

enum heed_status heedi_plugin_status(enum heed_status status, struct heed_error *error) {
    error->message[sizeof error->message - 1] = '\0';
    for (char *c = error->message; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    if (strcmp(heed_status_name(status), "unknown status") == 0)
        return heedi_error(error, HEED_ERROR_INTERNAL, "the plugin returned the unknown status %d",
                           (int)status);
    if (status != HEED_OK && error->message[0] == '\0')
        return heedi_error(error, status, "%s", heed_status_text(status));
    return status;
}

/* Every function that a table must have. */
#define REQUIRED_FUNCTIONS(X)                                                                      \
    X(enumerate)                                                                                   \
    X(create)                                                                                      \
    X(destroy)                                                                                     \
    X(query)                                                                                       \
    X(compile)                                                                                     \
    X(program_destroy)                                                                             \
    X(instance_create)                                                                             \
    X(instance_destroy)                                                                            \
    X(bind)                                                                                        \
    X(bind_state)                                                                                  \
    X(submit)                                                                                      \
    X(wait)                                                                                        \
    X(state_create)                                                                                \
    X(state_destroy)                                                                               \
    X(state_write)                                                                                 \
    X(state_read)

static enum heed_status check_functions(const struct heed_backend *table,
                                        struct heed_error *error) {
#define CHECK_FUNCTION(function)                                                                   \
    if (table->function == NULL)                                                                   \
        return heedi_error(error, HEED_ERROR_FORMAT, "its table lacks the required function %s",   \
                           #function);
    REQUIRED_FUNCTIONS(CHECK_FUNCTION)
#undef CHECK_FUNCTION
    return HEED_OK;
}

/* Copies the table that the plugin returned; a minor version older than ours may end after the last
 * required function, a newer one may be longer. */
static enum heed_status read_table(const struct heed_backend *raw, struct heed_backend *table,
                                   struct heed_error *error) {
    const uint32_t least = (uint32_t)offsetof(struct heed_backend, get_extension);
    const uint32_t bytes = raw->struct_size;
    /* The first two fields are there in every version of the interface, for this check. */
    if (bytes < offsetof(struct heed_backend, abi_version) + sizeof raw->abi_version)
        return heedi_error(error, HEED_ERROR_FORMAT,
                           "its table is truncated: %" PRIu32 " bytes, expected at least %" PRIu32,
                           bytes, least);
    if (HEED_ABI_VERSION_MAJOR(raw->abi_version) != HEED_ABI_MAJOR)
        return heedi_error(
            error, HEED_ERROR_VERSION,
            "it was built for plugin interface %" PRIu32 ".%" PRIu32 ", this library has %u.%u",
            HEED_ABI_VERSION_MAJOR(raw->abi_version), HEED_ABI_VERSION_MINOR(raw->abi_version),
            HEED_ABI_MAJOR, HEED_ABI_MINOR);
    if (bytes < least || bytes > MAX_TABLE_BYTES)
        return heedi_error(error, HEED_ERROR_FORMAT,
                           "its table is %s: %" PRIu32 " bytes, expected %" PRIu32 " to %u",
                           bytes < least ? "truncated" : "too long", bytes, least, MAX_TABLE_BYTES);
    return heedi_read_struct(table, sizeof *table, raw, "its table", error);
}

enum heed_status heedi_plugin_read(heed_backend_entry_fn entry, const char *expected,
                                   struct heed_backend *table, struct heed_error *error) {
    const struct heed_backend *raw = entry(HEED_ABI_VERSION);
    if (raw == NULL)
        return heedi_error(error, HEED_ERROR_VERSION, "it does not serve plugin interface %u.%u",
                           HEED_ABI_MAJOR, HEED_ABI_MINOR);
    enum heed_status status = read_table(raw, table, error);
    if (status == HEED_OK)
        status = check_functions(table, error);
    if (status != HEED_OK)
        return status;
    if (table->name == NULL || !heedi_plugin_name_valid(table->name))
        return heedi_error(error, HEED_ERROR_FORMAT,
                           "its name must be 1 to %d lower-case letters, digits and '_'",
                           HEEDI_PLUGIN_NAME_BYTES - 1);
    if (strcmp(table->name, expected) != 0)
        return heedi_error(error, HEED_ERROR_FORMAT, "it calls itself '%s' where '%s' is expected",
                           table->name, expected);
    if (table->version == NULL)
        table->version = "";
    if (table->description == NULL)
        table->description = "";
    return HEED_OK;
}

enum heed_status heedi_plugin_load(const char *path, const char *expected,
                                   struct heed_backend *table, struct heed_error *error) {
    const enum heedi_file_kind kind = heedi_os_file_kind(path);
    if (kind == HEEDI_FILE_NONE)
        return heedi_error(error, HEED_ERROR_NOT_FOUND, "no such file");
    if (kind != HEEDI_FILE_REGULAR)
        return heedi_error(error, HEED_ERROR_FORMAT, "it is %s, not a file",
                           kind == HEEDI_FILE_DIRECTORY ? "a folder" : "a device or pipe");
    void *library = heedi_os_library_open(path, error);
    if (library == NULL)
        return heedi_plugin_status(HEED_ERROR_FORMAT, error);
    void *symbol = heedi_os_library_symbol(library, HEED_BACKEND_ENTRY_SYMBOL);
    enum heed_status status;
    if (symbol == NULL) {
        status = heedi_error(error, HEED_ERROR_FORMAT,
                             "it does not export the function %s: not a plugin of Heed",
                             HEED_BACKEND_ENTRY_SYMBOL);
    } else {
        /* C has no conversion between object and function pointers; POSIX vouches for the bits. */
        heed_backend_entry_fn entry;
        memcpy(&entry, &symbol, sizeof entry);
        status = heedi_plugin_read(entry, expected, table, error);
    }
    if (status != HEED_OK)
        heedi_os_library_close(library);
    return status;
}

/* Checks one answer of enumerate and makes its strings safe. */
static enum heed_status read_device(struct heed_device_info *info, struct heed_error *error) {
    info->name[sizeof info->name - 1] = '\0';
    info->description[sizeof info->description - 1] = '\0';
    info->identity[sizeof info->identity - 1] = '\0';
    if (info->type < HEED_DEVICE_CPU || info->type > HEED_DEVICE_OTHER)
        return heedi_error(error, HEED_ERROR_FORMAT, "device '%s' has the unknown type %" PRIu32,
                           info->name, info->type);
    if (info->plan_alignment == 0)
        info->plan_alignment = 64;
    const uint32_t alignment = info->plan_alignment;
    if ((alignment & (alignment - 1)) != 0 || alignment > 1u << 16)
        return heedi_error(error, HEED_ERROR_FORMAT,
                           "device '%s' asks for an alignment of %" PRIu32
                           " bytes, expected a power of two up to 65536",
                           info->name, alignment);
    return HEED_OK;
}

enum heed_status heedi_plugin_devices(const struct heed_backend *table,
                                      struct heed_device_info *devices, uint32_t capacity,
                                      uint32_t *count, struct heed_error *error) {
    for (uint32_t i = 0; i < capacity; i++) {
        memset(&devices[i], 0, sizeof devices[i]);
        devices[i].struct_size = (uint32_t)sizeof devices[i];
    }
    *count = 0;
    *error = heedi_plugin_error();
    enum heed_status status = heedi_plugin_status(
        table->enumerate(devices, sizeof *devices, capacity, count, error), error);
    if (status == HEED_OK && *count == 0 && error->message[0] == '\0')
        heedi_error(error, HEED_ERROR_NOT_FOUND, "it finds no device");
    if (*count > capacity)
        *count = capacity;
    for (uint32_t i = 0; status == HEED_OK && i < *count; i++)
        status = read_device(&devices[i], error);
    if (status != HEED_OK)
        *count = 0;
    return status;
}
