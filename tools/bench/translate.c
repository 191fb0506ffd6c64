/* SPDX-License-Identifier: Apache-2.0 */
/* Translating a text on every backend: line by line for latency, all at once for throughput.
 *
 * Per backend: open; a pass that is not timed (it compiles what the lines need, and its lines are
 * compared and scored); a profiled pass, which counts the work; then passes that are timed, line by
 * line in turn on every backend; then the whole text at once, in turn. */
#include "tools/bench/translate.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PASSES = 15, LEAST_PASSES = 3, MOST_BATCHES = 50, LEAST_BATCHES = 3 };

/* Longer than one operator: so many times the limit of one measurement. */
static const double LIMIT = 4;

struct side {
    struct heed_model *model;
    struct heed_executor *executor;
    struct heed_translator *translator;
    char **outputs;  /* of the lines; NULL where one failed */
    double *latency; /* [pass][line] */
    double *batches;
    size_t passes, batch_count;
    double spent_s;
    bool open, resting; /* resting: has passes enough */
};

struct meeting {
    struct heedi_bench *bench;
    struct side sides[HEEDI_BENCH_BACKENDS];
};

static bool drop(struct meeting *meeting, size_t index, enum heed_status status) {
    heedi_bench_reason(meeting->bench, status, meeting->bench->translations[index].reason);
    meeting->sides[index].open = false;
    return false;
}

/* ---- one line, all lines ---- */

struct taken {
    struct heedi_bench_translation *result; /* NULL: nothing is kept */
    char **outputs;
    bool out_of_memory;
};

static int take(void *user, size_t index, const struct heed_translation *translation) {
    struct taken *taken = user;
    if (taken->result == NULL)
        return 0;
    taken->result->tokens += translation->token_count;
    if (translation->status != HEED_OK) {
        taken->result->failed++;
        return 0;
    }
    const size_t length = strlen(translation->text);
    char *copy = malloc(length + 1);
    if (copy == NULL) {
        taken->out_of_memory = true;
        return 1;
    }
    memcpy(copy, translation->text, length + 1);
    taken->outputs[index] = copy;
    return 0;
}

static enum heed_status translate_line(struct heed_translator *translator, const char *line,
                                       struct taken *taken) {
    return heed_translate_many(translator, &line, NULL, 1, take, taken);
}

/* ---- opening ---- */

static void add_bytes(void *user, const char *name, const struct heed_tensor_desc *desc) {
    double *bytes = user;
    (void)name;
    *bytes += (double)heed_desc_elems(desc) * (double)heed_dtype_bytes(desc->dtype);
}

static enum heed_status open_translator(const struct meeting *meeting, const struct side *side,
                                        struct heed_profile *profile,
                                        struct heed_translator **translator) {
    const struct heed_translator_options options = {
        .struct_size = sizeof options,
        .executor = side->executor,
        .max_length = meeting->bench->options->max_length,
        .profile = profile,
        .steps_per_submit = meeting->bench->options->steps,
    };
    return heed_translator_create(meeting->bench->context, side->model, &options, translator);
}

static bool open_side(struct meeting *meeting, size_t index) {
    struct heedi_bench *bench = meeting->bench;
    struct heedi_bench_translation *result = &bench->translations[index];
    struct side *side = &meeting->sides[index];
    struct taken nothing = {0};
    side->outputs = calloc(bench->text.count, sizeof *side->outputs);
    side->latency = malloc(bench->text.count * MOST_PASSES * sizeof *side->latency);
    side->batches = malloc(MOST_BATCHES * sizeof *side->batches);
    if (side->outputs == NULL || side->latency == NULL || side->batches == NULL)
        return drop(meeting, index, HEED_ERROR_OUT_OF_MEMORY);
    uint64_t begin_ns = heedi_tool_os_now_ns();
    enum heed_status status = heed_model_open(bench->context, bench->text.model, &side->model);
    if (status != HEED_OK)
        return drop(meeting, index, status);
    side->executor = heedi_bench_executor(bench, index, false, result->reason);
    if (side->executor == NULL)
        return false;
    status = open_translator(meeting, side, NULL, &side->translator);
    result->open_s = heedi_tool_seconds_since(begin_ns);
    begin_ns = heedi_tool_os_now_ns();
    if (status == HEED_OK)
        status = translate_line(side->translator, bench->text.lines[0], &nothing);
    result->first_s = heedi_tool_seconds_since(begin_ns);
    if (status != HEED_OK)
        return drop(meeting, index, status);
    side->open = true;
    if (bench->text.level == NULL) {
        heed_model_describe(side->model, NULL, add_bytes, &bench->text.weight_bytes);
        bench->text.level = heedi_bench_level_of(&bench->roofline, bench->text.weight_bytes);
    }
    return true;
}

static void close_side(const struct meeting *meeting, struct side *side) {
    for (size_t i = 0; side->outputs != NULL && i < meeting->bench->text.count; i++)
        free(side->outputs[i]);
    free(side->outputs);
    free(side->latency);
    free(side->batches);
    heed_translator_destroy(side->translator);
    heed_executor_release(side->executor);
    heed_model_close(side->model);
}

/* ---- passes that are not timed ---- */

static bool first_pass(struct meeting *meeting, size_t index) {
    struct heedi_bench *bench = meeting->bench;
    struct heedi_bench_translation *result = &bench->translations[index];
    struct side *side = &meeting->sides[index];
    heedi_bench_progress(bench, "%s: first pass", bench->backends[index].label);
    for (size_t i = 0; i < bench->text.count; i++) {
        struct taken taken = {.result = result, .outputs = side->outputs + i};
        const enum heed_status status =
            translate_line(side->translator, bench->text.lines[i], &taken);
        if (status != HEED_OK || taken.out_of_memory)
            return drop(meeting, index, status != HEED_OK ? status : HEED_ERROR_OUT_OF_MEMORY);
    }
    return true;
}

static bool profiled_pass(struct meeting *meeting, size_t index) {
    struct heedi_bench *bench = meeting->bench;
    struct heed_translator *translator = NULL;
    struct heed_profile *profile = NULL;
    struct taken nothing = {0};
    heedi_bench_progress(bench, "%s: profiled pass", bench->backends[index].label);
    enum heed_status status = heed_profile_create(bench->context, &profile);
    if (status == HEED_OK)
        status = open_translator(meeting, &meeting->sides[index], profile, &translator);
    for (size_t i = 0; status == HEED_OK && i < bench->text.count; i++)
        status = translate_line(translator, bench->text.lines[i], &nothing);
    if (status == HEED_OK)
        heedi_bench_ideal(bench, index, profile, &bench->translations[index]);
    heed_translator_destroy(translator);
    heed_profile_destroy(profile);
    return status == HEED_OK || drop(meeting, index, status);
}

static bool score(struct meeting *meeting, size_t index) {
    const struct heedi_bench_text *text = &meeting->bench->text;
    struct heedi_bench_translation *result = &meeting->bench->translations[index];
    char **outputs = meeting->sides[index].outputs;
    size_t first = 0;
    struct heedi_bleu bleu = {0};
    while (first < index && !meeting->sides[first].open)
        first++;
    char **wanted = meeting->sides[first].outputs;
    for (size_t i = 0; i < text->count; i++) {
        const char *output = outputs[i] != NULL ? outputs[i] : "";
        result->differing += strcmp(output, wanted[i] != NULL ? wanted[i] : "") != 0;
        if (text->references != NULL && !heedi_bleu_add(&bleu, output, text->references[i]))
            return drop(meeting, index, HEED_ERROR_OUT_OF_MEMORY);
    }
    result->has_bleu = text->references != NULL;
    result->bleu = heedi_bleu_score(&bleu);
    return true;
}

/* ---- timed passes ---- */

static void latency_pass(struct meeting *meeting) {
    struct heedi_bench *bench = meeting->bench;
    const size_t lines = bench->text.count;
    struct taken nothing = {0};
    for (size_t line = 0; line < lines; line++)
        for (size_t i = 0; i < bench->backend_count; i++) {
            struct side *side = &meeting->sides[i];
            if (!side->open || side->resting)
                continue;
            const uint64_t begin_ns = heedi_tool_os_now_ns();
            const enum heed_status status =
                translate_line(side->translator, bench->text.lines[line], &nothing);
            side->latency[side->passes * lines + line] = heedi_tool_seconds_since(begin_ns);
            side->spent_s += side->latency[side->passes * lines + line];
            if (status != HEED_OK)
                drop(meeting, i, status);
        }
}

/* Each line counts with its median over the passes: an interruption hits one line once. */
static void summarise_latency(struct meeting *meeting, size_t index) {
    struct heedi_bench *bench = meeting->bench;
    struct heedi_bench_translation *result = &bench->translations[index];
    const size_t lines = bench->text.count;
    struct side *side = &meeting->sides[index];
    size_t count = 0;
    for (size_t line = 0; line < lines; line++) {
        double of_line[MOST_PASSES];
        struct heedi_bench_stats stats;
        for (size_t pass = 0; pass < side->passes; pass++)
            of_line[pass] = side->latency[pass * lines + line];
        heedi_bench_stats(of_line, side->passes, &stats);
        if (side->outputs[line] != NULL) {
            /* entries before `line` have been looked at */
            side->latency[count++] = stats.median;
            result->total_s += stats.median;
        }
    }
    result->passes = side->passes;
    heedi_bench_stats(side->latency, count, &result->latency);
}

static void latency(struct meeting *meeting) {
    struct heedi_bench *bench = meeting->bench;
    const double limit_s = LIMIT * bench->seconds;
    bool more = true;
    for (size_t round = 1; more; round++) {
        heedi_bench_progress(bench, "line by line, pass %zu", round);
        latency_pass(meeting);
        more = false;
        for (size_t i = 0; i < bench->backend_count; i++) {
            struct side *side = &meeting->sides[i];
            if (!side->open || side->resting)
                continue;
            side->passes++;
            const double next_s = side->spent_s * (double)(side->passes + 1) / (double)side->passes;
            /* three passes at least, unless they take very long */
            const double most_s = side->passes < LEAST_PASSES ? 10 * limit_s : limit_s;
            side->resting = side->passes == MOST_PASSES || next_s > most_s;
            more = more || !side->resting;
        }
    }
    for (size_t i = 0; i < bench->backend_count; i++)
        if (meeting->sides[i].open)
            summarise_latency(meeting, i);
}

static bool batch(struct meeting *meeting, size_t index) {
    struct heedi_bench *bench = meeting->bench;
    struct side *side = &meeting->sides[index];
    struct taken nothing = {0};
    const uint64_t begin_ns = heedi_tool_os_now_ns();
    const enum heed_status status =
        heed_translate_many(side->translator, (const char *const *)bench->text.lines, NULL,
                            bench->text.count, take, &nothing);
    if (status != HEED_OK)
        return drop(meeting, index, status);
    side->batches[side->batch_count++] = heedi_tool_seconds_since(begin_ns);
    return true;
}

static void throughput(struct meeting *meeting) {
    struct heedi_bench *bench = meeting->bench;
    const double limit_s = LIMIT * bench->seconds;
    bool more = true;
    for (size_t i = 0; i < bench->backend_count; i++)
        meeting->sides[i].spent_s = 0;
    for (size_t round = 0; more; round++) {
        more = false;
        heedi_bench_progress(bench, "all lines at once, round %zu", round + 1);
        for (size_t i = 0; i < bench->backend_count; i++) {
            struct side *side = &meeting->sides[i];
            struct heedi_bench_stats *stats = &bench->translations[i].batch;
            const bool out = side->batch_count == MOST_BATCHES ||
                             (side->spent_s > limit_s && side->batch_count >= LEAST_BATCHES) ||
                             side->spent_s > 10 * limit_s;
            if (!side->open || out || !batch(meeting, i))
                continue;
            side->spent_s += side->batches[side->batch_count - 1];
            if (round == 0) /* compiles what larger batches need: not counted */
                side->batch_count = 0;
            heedi_bench_stats(side->batches, side->batch_count, stats);
            more = more || !stats->stable;
        }
    }
}

int heedi_bench_translate(struct heedi_bench *bench) {
    struct meeting *meeting = calloc(1, sizeof *meeting);
    if (meeting == NULL) {
        heedi_tool_message("out of memory");
        return TOOL_INTERNAL;
    }
    meeting->bench = bench;
    for (size_t i = 0; i < bench->backend_count; i++)
        if (open_side(meeting, i) && first_pass(meeting, i) && profiled_pass(meeting, i))
            score(meeting, i);
    latency(meeting);
    throughput(meeting);
    for (size_t i = 0; i < bench->backend_count; i++) {
        bench->translations[i].measured = meeting->sides[i].open;
        close_side(meeting, &meeting->sides[i]);
    }
    free(meeting);
    return TOOL_OK;
}
