/* SPDX-License-Identifier: Apache-2.0 */
/* `heed devices`: what can compute here. */
#include <stdlib.h>
#include <string.h>

#include "tools/json.h"
#include "tools/tool.h"

struct listing {
    const struct heedi_tool_options *options;
    cJSON *array; /* NULL: text */
    size_t usable;
    bool out_of_memory;
};

const char *heedi_tool_device_type(uint32_t type) {
    switch (type) {
    case HEED_DEVICE_CPU:
        return "cpu";
    case HEED_DEVICE_GPU_INTEGRATED:
        return "integrated gpu";
    case HEED_DEVICE_GPU_DISCRETE:
        return "discrete gpu";
    case HEED_DEVICE_SOFTWARE:
        return "software";
    default:
        return "other";
    }
}

/* A line "name: text" of a report. */
struct report_line {
    const char *name, *text;
    int name_bytes, text_bytes;
};

/* Takes the line at *at; false at the end. What has another form has an empty name. */
static bool next_line(const char **at, struct report_line *line) {
    const size_t length = strcspn(*at, "\n"), name = strcspn(*at, ":\n");
    const size_t text = name < length ? name + 1 + strspn(*at + name + 1, " ") : 0;
    if (length == 0)
        return false;
    *line = (struct report_line){.name = *at,
                                 .name_bytes = name < length ? (int)name : 0,
                                 .text = *at + text,
                                 .text_bytes = text < length ? (int)(length - text) : 0};
    *at += length + ((*at)[length] == '\n' ? 1 : 0);
    return true;
}

static void print_device(const struct heed_device *device, bool verbose) {
    const struct heed_device_info *info = &device->info;
    const struct heed_numeric_profile *numeric = &info->numeric;
    struct heedi_tool_size size;
    printf("%s:%u  %s%s%s  (%s", device->backend, (unsigned)device->index, info->name,
           info->description[0] != '\0' ? ": " : "", info->description,
           heedi_tool_device_type(info->type));
    if (info->memory_bytes > 0)
        printf(", %s", heedi_tool_print_size(&size, (double)info->memory_bytes));
    puts(")");
    struct report_line line;
    for (const char *at = device->report; next_line(&at, &line);)
        printf("    %-12.*s %.*s\n", line.name_bytes, line.name, line.text_bytes, line.text);
    if (!verbose)
        return;
    printf("    version      %s\n    plugin       %s\n", device->version,
           device->path[0] != '\0' ? device->path : "linked in");
    printf("    arithmetic   unit roundoff %.3g, exp within %.3g ulp, tanh %.3g, erf %.3g\n",
           (double)numeric->unit_roundoff, (double)numeric->exp_ulp, (double)numeric->tanh_ulp,
           (double)numeric->erf_ulp);
}

bool heedi_tool_json_report(cJSON *parent, const char *report) {
    struct report_line line;
    cJSON *object = report[0] != '\0' ? cJSON_AddObjectToObject(parent, "report") : parent;
    if (object == NULL)
        return false;
    for (const char *at = report; next_line(&at, &line);) {
        char name[32], text[1024];
        (void)snprintf(name, sizeof name, "%.*s", line.name_bytes, line.name);
        (void)snprintf(text, sizeof text, "%.*s", line.text_bytes, line.text);
        if (!heedi_tool_json_string(object, name, text))
            return false;
    }
    return true;
}

static bool add_device(cJSON *array, const struct heed_device *device, const char *reason) {
    cJSON *object = cJSON_CreateObject();
    const struct heed_device_info *info = &device->info;
    bool added = heedi_tool_json_string(object, "backend", device->backend) &&
                 heedi_tool_json_string(object, "plugin", device->path);
    if (reason != NULL)
        added = added && heedi_tool_json_string(object, "unusable", reason);
    else
        added = added && heedi_tool_json_number(object, "device", device->index) &&
                heedi_tool_json_string(object, "name", info->name) &&
                heedi_tool_json_string(object, "type", heedi_tool_device_type(info->type)) &&
                heedi_tool_json_string(object, "version", device->version) &&
                heedi_tool_json_string(object, "description", info->description) &&
                heedi_tool_json_number(object, "memory_bytes", (double)info->memory_bytes) &&
                heedi_tool_json_report(object, device->report);
    if (added && cJSON_AddItemToArray(array, object))
        return true;
    cJSON_Delete(object);
    return false;
}

static void take_device(void *user, const struct heed_device *device, const char *reason) {
    struct listing *listing = user;
    if (reason == NULL)
        listing->usable++;
    if (listing->array != NULL) {
        if (!add_device(listing->array, device, reason))
            listing->out_of_memory = true;
    } else if (reason == NULL) {
        print_device(device, listing->options->verbose);
    } else {
        printf("%s  not usable: %s\n", device->backend[0] != '\0' ? device->backend : device->path,
               reason);
    }
}

int heedi_tool_devices(const struct heedi_tool_options *options) {
    struct heed_context *context = NULL;
    struct listing listing = {.options = options};
    char *json = NULL;
    int code = heedi_tool_context(options, &context);
    if (code != TOOL_OK)
        return code;
    listing.array = options->json ? cJSON_CreateArray() : NULL;
    listing.out_of_memory = options->json && listing.array == NULL;
    if (heed_devices(context, NULL, take_device, &listing) != HEED_OK) {
        heedi_tool_message("%s", heed_last_error(context));
        code = TOOL_INTERNAL;
    } else if (options->json) {
        json = listing.out_of_memory ? NULL : cJSON_Print(listing.array);
        if (json != NULL)
            puts(json);
        else
            heedi_tool_message("out of memory");
        code = json != NULL ? TOOL_OK : TOOL_INTERNAL;
    }
    if (code == TOOL_OK && listing.usable == 0) {
        heedi_tool_message("no usable backend: no plugin was found in the installation or in "
                           "HEED_PLUGIN_PATH");
        code = TOOL_NO_BACKEND;
    }
    cJSON_free(json);
    cJSON_Delete(listing.array);
    heed_context_destroy(context);
    return code;
}
