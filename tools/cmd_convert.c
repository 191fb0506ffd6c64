/* SPDX-License-Identifier: Apache-2.0 */
/* `heed convert`: a model as one GGUF file. */
#include "tools/os.h"
#include "tools/tool.h"

static int convert(struct heed_context *context, const struct heed_model *model,
                   const struct heedi_tool_options *options) {
    const struct heed_convert_options wanted = {
        .struct_size = sizeof wanted,
        .type = options->type,
    };
    heedi_tool_os_hold_interrupts();
    const enum heed_status status = heed_model_convert(context, model, options->output, &wanted);
    heedi_tool_os_release_interrupts();
    if (status == HEED_OK)
        return TOOL_OK;
    heedi_tool_message("%s", heed_last_error(context));
    return status == HEED_ERROR_IO || status == HEED_ERROR_NOT_FOUND ? TOOL_OUTPUT : TOOL_INTERNAL;
}

int heedi_tool_convert(const struct heedi_tool_options *options) {
    struct heed_context *context = NULL;
    struct heed_model *model = NULL;
    if (options->output == NULL) {
        heedi_tool_message("convert needs the file to write: -o FILE.gguf");
        return TOOL_USAGE;
    }
    int code = heedi_tool_context(options, &context);
    if (code == TOOL_OK)
        code = heedi_tool_model(context, options->arguments[0], &model);
    if (code == TOOL_OK)
        code = convert(context, model, options);
    heed_model_close(model);
    heed_context_destroy(context);
    return code;
}
