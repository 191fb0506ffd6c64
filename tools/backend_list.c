/* SPDX-License-Identifier: Apache-2.0 */
/* Reading lists of backends: which devices their entries name. */
#include <string.h>

#include "tools/tool.h"

size_t heedi_tool_entry_length(const char *list) {
    size_t length = 0;
    for (int depth = 0; list[length] != '\0' && (list[length] != ',' || depth > 0); length++)
        depth += (list[length] == '(') - (list[length] == ')' && depth > 0);
    return length;
}

const char *heedi_tool_entry_name(const char *entry, size_t length) {
    static const char prefix[] = "heed-backend-";
    const char *name = entry;
    for (size_t i = 0; i < length && entry[i] != '('; i++)
        if (entry[i] == '/')
            name = entry + i + 1;
    const size_t left = (size_t)(entry + length - name);
    return left > strlen(prefix) && memcmp(name, prefix, strlen(prefix)) == 0
               ? name + strlen(prefix)
               : name;
}

void heedi_tool_device_entry(const struct heed_device *device, char entry[TOOL_DEVICE_ENTRY]) {
    if (device->index == 0)
        snprintf(entry, TOOL_DEVICE_ENTRY, "%s", device->backend);
    else
        snprintf(entry, TOOL_DEVICE_ENTRY, "%s:%u", device->backend, (unsigned)device->index);
}

static bool is(const char *entry, size_t length, const char *name) {
    return strlen(name) == length && memcmp(entry, name, length) == 0;
}

bool heedi_tool_entry_names(const char *entry, const struct heed_device *device) {
    const size_t length = strcspn(entry, ",(");
    char numbered[TOOL_DEVICE_ENTRY];
    snprintf(numbered, sizeof numbered, "%s:%u", device->backend, (unsigned)device->index);
    return is(entry, length, numbered) ||
           (device->index == 0 &&
            (is(entry, length, device->backend) || is(entry, length, device->path)));
}
