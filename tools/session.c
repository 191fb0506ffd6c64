/* SPDX-License-Identifier: Apache-2.0 */
/* Messages, contexts and models, as every verb needs them. */
#include <stdarg.h>

#include "tools/tool.h"

void heedi_tool_message(const char *format, ...) {
    va_list arguments;
    heedi_tool_progress_hide();
    fputs("heed: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static void log_line(void *user, enum heed_log_level level, const char *line) {
    (void)user;
    (void)level;
    heedi_tool_message("%s", line);
}

int heedi_tool_context(const struct heedi_tool_options *options, struct heed_context **context) {
    const struct heed_context_options wanted = {
        .struct_size = sizeof wanted,
        .log = log_line,
        .log_level = options->verbose ? HEED_LOG_INFO : HEED_LOG_WARNING,
    };
    if (heed_context_create(&wanted, context) == HEED_OK)
        return TOOL_OK;
    heedi_tool_message("out of memory");
    return TOOL_INTERNAL;
}

int heedi_tool_model(struct heed_context *context, const char *path, struct heed_model **model) {
    const enum heed_status status = heed_model_open(context, path, model);
    if (status == HEED_OK)
        return TOOL_OK;
    heedi_tool_message("%s", heed_last_error(context));
    return status == HEED_ERROR_OUT_OF_MEMORY ? TOOL_INTERNAL : TOOL_INPUT;
}

const char *heedi_tool_print_size(struct heedi_tool_size *buffer, double bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    for (; bytes >= 1024 && unit < 4; unit++)
        bytes /= 1024;
    /* cppcheck-suppress ctuuninitvar ; it is written here */
    snprintf(buffer->text, sizeof buffer->text, unit == 0 ? "%.0f %s" : "%.1f %s", bytes,
             units[unit]);
    return buffer->text;
}
