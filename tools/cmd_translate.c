/* SPDX-License-Identifier: Apache-2.0 */
/* `heed translate`: a loop that takes the lines that are there, has them translated together, and
 * writes the results in order as they become ready. */
#include <stdlib.h>
#include <string.h>

#include "tools/json.h"
#include "tools/os.h"
#include "tools/tool.h"

struct run {
    const struct heedi_tool_options *options;
    struct heed_context *context;
    struct heed_model *model;
    struct heed_executor *executor;
    struct heed_profile *profile;
    struct heed_shadow *shadow;
    struct heed_translator *translator;
    struct heedi_tool_input *input;
    struct heedi_tool_output *output;
    struct heedi_tool_lines lines; /* what is being translated */
    uint64_t done, failed, tokens; /* lines, lines with errors, target tokens */
    bool progress;
    int code; /* why writing stopped, or TOOL_OK */
};

static int out_of_memory(void) {
    heedi_tool_message("out of memory");
    return TOOL_INTERNAL;
}

/* ---- results ---- */

static int write_json(struct run *run, const char *text, size_t length,
                      const struct heed_translation *result) {
    cJSON *object = cJSON_CreateObject();
    const bool failed = result->status != HEED_OK;
    bool added = heedi_tool_json_text(object, "text", text, length) &&
                 heedi_tool_json_text(object, "translation", result->text, strlen(result->text));
    added = added && (failed ? cJSON_AddNullToObject(object, "score") != NULL
                             : heedi_tool_json_number(object, "score", (double)result->score));
    cJSON *tokens = added ? cJSON_AddArrayToObject(object, "tokens") : NULL;
    added = tokens != NULL;
    for (uint32_t i = 0; added && i < result->token_count; i++)
        added = cJSON_AddItemToArray(tokens, cJSON_CreateNumber((double)result->tokens[i]));
    added = added &&
            (failed ? heedi_tool_json_text(object, "error", result->error, strlen(result->error))
                    : cJSON_AddNullToObject(object, "error") != NULL);
    char *line = added ? cJSON_PrintUnformatted(object) : NULL;
    cJSON_Delete(object);
    if (line == NULL)
        return out_of_memory();
    const int code = heedi_tool_output_line(run->output, line, strlen(line));
    cJSON_free(line);
    return code;
}

/* One line stays one line: a line break that a vocabulary may contain becomes a space. */
static int write_text(struct run *run, const char *text) {
    const size_t length = strlen(text);
    if (strpbrk(text, "\r\n") == NULL)
        return heedi_tool_output_line(run->output, text, length);
    char *copy = malloc(length + 1);
    if (copy == NULL)
        return out_of_memory();
    for (size_t i = 0; i <= length; i++)
        copy[i] = text[i] == '\n' || text[i] == '\r' ? ' ' : text[i];
    const int code = heedi_tool_output_line(run->output, copy, length);
    free(copy);
    return code;
}

static int take_result(void *user, size_t index, const struct heed_translation *result) {
    struct run *run = user;
    const struct heedi_tool_lines *lines = &run->lines;
    if (result->status != HEED_OK) {
        heedi_tool_message("%s%sinput line %llu: %s", lines->source != NULL ? lines->source : "",
                           lines->source != NULL ? ": " : "",
                           (unsigned long long)lines->first_number + index, result->error);
        run->failed++;
    }
    run->code = run->options->json
                    ? write_json(run, lines->texts[index], lines->lengths[index], result)
                    : write_text(run, result->text);
    run->done++;
    run->tokens += result->token_count;
    return run->code;
}

static void refuse_oversized(struct run *run) {
    char error[96];
    snprintf(error, sizeof error, "longer than %d bytes; write one sentence per line",
             TOOL_LINE_BYTES);
    const struct heed_translation result = {
        .struct_size = sizeof result,
        .status = HEED_ERROR_LIMIT,
        .text = "",
        .error = error,
    };
    run->lines.lengths[0] = 0; /* what was cut off is not echoed */
    take_result(run, 0, &result);
}

/* ---- the loop ---- */

static int failure_code(enum heed_status status) {
    return status == HEED_ERROR_NOT_FOUND || status == HEED_ERROR_UNSUPPORTED ||
                   status == HEED_ERROR_VERSION
               ? TOOL_NO_BACKEND
               : TOOL_INTERNAL;
}

static int fail(struct run *run, enum heed_status status) {
    heedi_tool_message("%s", heed_last_error(run->context));
    return failure_code(status);
}

/* How many lines to take next: large batches are fast (sorted and packed by length), small ones
 * show their results early. So it begins with few and aims at about a second of work at a time. */
static size_t next_batch(size_t lines, uint64_t spent_ns) {
    if (spent_ns < 500000000 && lines < TOOL_BATCH_LINES)
        return 2 * lines;
    return spent_ns > 2000000000 && lines > 1 ? lines / 2 : lines;
}

static int translate_lines(struct run *run) {
    size_t most = 16;
    for (;;) {
        const int code = heedi_tool_input_next(run->input, most, &run->lines);
        if (code != TOOL_OK || run->lines.count == 0)
            return code;
        const uint64_t begin_ns = heedi_tool_os_now_ns();
        if (run->lines.oversized) {
            refuse_oversized(run);
        } else {
            const enum heed_status status =
                heed_translate_many(run->translator, run->lines.texts, run->lines.lengths,
                                    run->lines.count, take_result, run);
            if (status != HEED_OK)
                return fail(run, status);
        }
        if (run->code != TOOL_OK)
            return run->code;
        if (run->lines.count == most)
            most = next_batch(most, heedi_tool_os_now_ns() - begin_ns);
        if (run->progress) {
            uint64_t done = 0, total = 0;
            heedi_tool_input_progress(run->input, &done, &total);
            heedi_tool_progress_show(run->done, done, total);
        }
    }
}

static int open_translator(struct run *run) {
    struct heed_pool *pool = NULL;
    const struct heed_pool_options pool_options = {
        .struct_size = sizeof pool_options,
        .threads = run->options->threads,
    };
    enum heed_status status = heed_pool_create(run->context, &pool_options, &pool);
    if (status != HEED_OK)
        return fail(run, status);
    const struct heed_executor_options executor_options = {
        .struct_size = sizeof executor_options,
        .backends = run->options->backends,
        .pool = pool,
    };
    status = heed_executor_create(run->context, &executor_options, &run->executor);
    heed_pool_release(pool);
    if (status != HEED_OK) {
        heedi_tool_message("%s", heed_last_error(run->context));
        return status == HEED_ERROR_OUT_OF_MEMORY ? TOOL_INTERNAL : TOOL_NO_BACKEND;
    }
    if (run->options->profile != NULL) {
        status = heed_profile_create(run->context, &run->profile);
        if (status != HEED_OK)
            return fail(run, status);
    }
    const int code = heedi_tool_shadow_open(run->context, run->options, &run->shadow);
    if (code != TOOL_OK)
        return code;
    const struct heed_translator_options options = {
        .struct_size = sizeof options,
        .executor = run->executor,
        .beam = 1,
        .max_length = run->options->max_length,
        .profile = run->profile,
        .shadow = run->shadow,
        .steps_per_submit = run->options->steps,
    };
    status = heed_translator_create(run->context, run->model, &options, &run->translator);
    return status == HEED_OK ? TOOL_OK : fail(run, status);
}

static void say_more(const struct run *run, double seconds) {
    heedi_tool_progress_hide();
    heed_translator_report(run->translator, stderr);
    if (run->profile != NULL)
        heed_profile_summary(run->profile, stderr);
    fprintf(stderr, "%llu lines, %llu tokens in %.3f s, opening the model included\n",
            (unsigned long long)run->done, (unsigned long long)run->tokens, seconds);
}

/* Everything between the opening of the input and the closing of the output. */
static int translate(struct run *run) {
    const struct heedi_tool_options *options = run->options;
    const uint64_t begin_ns = heedi_tool_os_now_ns();
    int code = heedi_tool_context(options, &run->context);
    if (code == TOOL_OK)
        code = heedi_tool_input_open(options, &run->input);
    if (code == TOOL_OK)
        code = heedi_tool_output_open(options->output, &run->output);
    if (code == TOOL_OK)
        code = heedi_tool_model(run->context, options->model, &run->model);
    if (code == TOOL_OK)
        code = open_translator(run);
    if (code != TOOL_OK)
        return code;
    run->progress = heedi_tool_os_terminal(TOOL_STDERR) &&
                    (options->output != NULL || !heedi_tool_os_terminal(TOOL_STDOUT));
    code = translate_lines(run);
    heedi_tool_progress_hide();
    if (run->shadow != NULL)
        heedi_tool_shadow_report(run->shadow, &options->shadow);
    if (options->verbose)
        say_more(run, heedi_tool_seconds_since(begin_ns));
    if (run->profile != NULL &&
        heed_profile_write(run->context, run->profile, options->profile) != HEED_OK) {
        heedi_tool_message("%s", heed_last_error(run->context));
        return code != TOOL_OK ? code : TOOL_OUTPUT;
    }
    return code;
}

int heedi_tool_translate(const struct heedi_tool_options *options) {
    if (options->argument_count > 0 && options->input_count > 0) {
        heedi_tool_message("texts come from arguments or from --input, not from both");
        return TOOL_USAGE;
    }
    if (options->shadow.backend == NULL && options->shadow.detailed) {
        heedi_tool_message("--shadow-rate and --shadow-seed say more about --shadow B");
        return TOOL_USAGE;
    }
    struct run run = {.options = options};
    int code = translate(&run);
    const int output_code =
        heedi_tool_output_finish(run.output, code == TOOL_OK || code == TOOL_LINES);
    if (code == TOOL_OK)
        code = output_code;
    if (code == TOOL_OK && run.failed > 0) {
        heedi_tool_message("%llu of %llu lines could not be translated",
                           (unsigned long long)run.failed, (unsigned long long)run.done);
        code = TOOL_LINES;
    }
    heedi_tool_input_close(run.input);
    heed_translator_destroy(run.translator);
    heed_shadow_destroy(run.shadow);
    heed_profile_destroy(run.profile);
    heed_executor_release(run.executor);
    heed_model_close(run.model);
    heed_context_destroy(run.context);
    return code;
}
