/* SPDX-License-Identifier: Apache-2.0 */
/* `heed devices`: what can compute here. */
#include <stdlib.h>

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
    if (!verbose)
        return;
    printf("    version      %s\n    plugin       %s\n", device->version,
           device->path[0] != '\0' ? device->path : "linked in");
    printf("    arithmetic   unit roundoff %.3g, exp within %.3g ulp, tanh %.3g, erf %.3g\n",
           (double)numeric->unit_roundoff, (double)numeric->exp_ulp, (double)numeric->tanh_ulp,
           (double)numeric->erf_ulp);
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
                heedi_tool_json_number(object, "memory_bytes", (double)info->memory_bytes);
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
