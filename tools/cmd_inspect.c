/* SPDX-License-Identifier: Apache-2.0 */
/* `heed inspect`: configuration, tensors and sizes of a model. */
#include "tools/json.h"
#include "tools/tool.h"

struct report {
    cJSON *fields, *tensors; /* NULL: text */
    size_t tensor_count;
    double elems, bytes;
    bool out_of_memory;
};

static void take_field(void *user, const char *key, const char *value) {
    struct report *report = user;
    if (report->fields == NULL)
        printf("  %-34s %s\n", key, value);
    else if (!heedi_tool_json_string(report->fields, key, value))
        report->out_of_memory = true;
}

static bool add_tensor(cJSON *tensors, const char *name, const struct heed_tensor_desc *desc,
                       const int64_t *dims, double bytes) {
    cJSON *object = cJSON_CreateObject();
    if (heedi_tool_json_string(object, "name", name) &&
        heedi_tool_json_string(object, "type", heed_dtype_name(desc->dtype)) &&
        heedi_tool_json_i64s(object, "dims", dims, desc->rank) &&
        heedi_tool_json_number(object, "bytes", bytes) && cJSON_AddItemToArray(tensors, object))
        return true;
    cJSON_Delete(object);
    return false;
}

static void take_tensor(void *user, const char *name, const struct heed_tensor_desc *desc) {
    struct report *report = user;
    const double stored = (double)heed_desc_elems(desc);
    const double bytes = stored * (double)heed_dtype_bytes(desc->dtype);
    const double elems = stored * (double)heed_dtype_values(desc->dtype);
    int64_t dims[HEED_MAX_RANK]; /* of values, not of blocks */
    struct heedi_tool_size size;
    for (uint32_t i = 0; i < desc->rank; i++)
        dims[i] = desc->dims[i] * (i + 1 == desc->rank ? heed_dtype_values(desc->dtype) : 1);
    report->tensor_count++;
    report->elems += elems;
    report->bytes += bytes;
    if (report->tensors != NULL) {
        if (!add_tensor(report->tensors, name, desc, dims, bytes))
            report->out_of_memory = true;
        return;
    }
    printf("  %-52s %-4s %10s  [", name, heed_dtype_name(desc->dtype),
           heedi_tool_print_size(&size, bytes));
    for (uint32_t i = 0; i < desc->rank; i++)
        printf("%s%lld", i > 0 ? ", " : "", (long long)dims[i]);
    puts("]");
}

static int print_text(const struct heed_model *model) {
    struct report report = {0};
    struct heedi_tool_size size;
    puts("configuration");
    heed_model_describe(model, take_field, NULL, &report);
    puts("\ntensors");
    heed_model_describe(model, NULL, take_tensor, &report);
    printf("\n%zu tensors, %.0f elements, %s\n", report.tensor_count, report.elems,
           heedi_tool_print_size(&size, report.bytes));
    return TOOL_OK;
}

static int print_json(const struct heed_model *model) {
    cJSON *object = cJSON_CreateObject();
    struct report report = {0};
    char *json = NULL;
    report.fields = cJSON_AddObjectToObject(object, "configuration");
    report.tensors = cJSON_AddArrayToObject(object, "tensors");
    if (report.fields != NULL && report.tensors != NULL) {
        heed_model_describe(model, take_field, take_tensor, &report);
        if (!report.out_of_memory && heedi_tool_json_number(object, "elements", report.elems) &&
            heedi_tool_json_number(object, "bytes", report.bytes))
            json = cJSON_Print(object);
    }
    if (json != NULL)
        puts(json);
    else
        heedi_tool_message("out of memory");
    cJSON_Delete(object);
    cJSON_free(json);
    return json != NULL ? TOOL_OK : TOOL_INTERNAL;
}

int heedi_tool_inspect(const struct heedi_tool_options *options) {
    struct heed_context *context = NULL;
    struct heed_model *model = NULL;
    if (options->model != NULL && options->argument_count > 0) {
        heedi_tool_message("the model is named twice: --model %s and %s", options->model,
                           options->arguments[0]);
        return TOOL_USAGE;
    }
    int code = heedi_tool_context(options, &context);
    if (code == TOOL_OK)
        code = heedi_tool_model(
            context, options->argument_count > 0 ? options->arguments[0] : options->model, &model);
    if (code == TOOL_OK)
        code = options->json ? print_json(model) : print_text(model);
    heed_model_close(model);
    heed_context_destroy(context);
    return code;
}
