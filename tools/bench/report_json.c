/* SPDX-License-Identifier: Apache-2.0 */
/* The report as JSON. Times are seconds, sizes bytes; what is not known is null. */
#include "tools/bench/bench.h"
#include "tools/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool add_stats(cJSON *parent, const char *name, const struct heedi_bench_stats *stats) {
    cJSON *object = cJSON_AddObjectToObject(parent, name);
    bool ok = object != NULL;
    JSON_NUMBER(object, "median", stats->median);
    JSON_NUMBER(object, "p10", stats->p10);
    JSON_NUMBER(object, "p90", stats->p90);
    JSON_NUMBER(object, "p99", stats->p99);
    JSON_NUMBER(object, "least", stats->least);
    JSON_NUMBER(object, "most", stats->most);
    JSON_NUMBER(object, "interval_low", stats->low);
    JSON_NUMBER(object, "interval_high", stats->high);
    JSON_NUMBER(object, "samples", stats->count);
    JSON_FLAG(object, "stable", stats->stable);
    return ok;
}

static bool add_environment(cJSON *parent, const struct heedi_bench *bench) {
    const struct heedi_tool_machine *machine = &bench->machine;
    cJSON *object = cJSON_AddObjectToObject(parent, "environment");
    bool ok = object != NULL;
    JSON_TEXT(object, "heed", heed_version());
    JSON_TEXT(object, "commit", heedi_bench_commit);
    JSON_TEXT(object, "compiler", heedi_bench_compiler);
    JSON_TEXT(object, "system", machine->system);
    JSON_TEXT(object, "processor", machine->processor);
    JSON_NUMBER(object, "processors", machine->processors);
    JSON_NUMBER(object, "threads", bench->roofline.threads);
    JSON_NUMBER(object, "memory_bytes", machine->memory_bytes);
    JSON_NUMBER(object, "l1_bytes", machine->l1);
    JSON_NUMBER(object, "l2_bytes", machine->l2);
    JSON_NUMBER(object, "l3_bytes", machine->l3);
    JSON_NUMBER(object, "seed", bench->seed);
    JSON_NUMBER(object, "seconds_per_measurement", bench->seconds);
    JSON_FLAG(object, "warm_cache", bench->options->bench.warm_cache);
    JSON_NUMBER(object, "elapsed", bench->elapsed_s);
    return ok;
}

static bool add_roofline(cJSON *parent, const struct heedi_bench_roofline *roofline) {
    cJSON *object = cJSON_AddObjectToObject(parent, "roofline");
    cJSON *levels = object != NULL ? cJSON_AddArrayToObject(object, "levels") : NULL;
    bool ok = levels != NULL;
    JSON_NUMBER(object, "flops_per_s", roofline->flops_per_s);
    JSON_NUMBER(object, "one_thread_flops_per_s",
                roofline->one_thread_flops_per_s > 0 ? roofline->one_thread_flops_per_s : NAN);
    JSON_TEXT(object, "kernel", roofline->kernel);
    for (size_t i = 0; ok && i < roofline->level_count; i++) {
        const struct heedi_bench_level *level = &roofline->levels[i];
        cJSON *entry = heedi_tool_json_append(levels);
        ok = entry != NULL;
        JSON_TEXT(entry, "name", level->name);
        JSON_NUMBER(entry, "capacity_bytes",
                    level->capacity_bytes > 0 ? level->capacity_bytes : NAN);
        JSON_NUMBER(entry, "bytes_per_s", level->bytes_per_s);
    }
    return ok;
}

static bool add_result(cJSON *array, const struct heedi_bench *bench,
                       const struct heedi_bench_case *it, size_t backend) {
    const struct heedi_bench_result *result = &it->results[backend];
    cJSON *object = heedi_tool_json_append(array);
    bool ok = object != NULL;
    JSON_TEXT(object, "backend", bench->backends[backend].label);
    JSON_FLAG(object, "measured", result->measured);
    JSON_TEXT(object, "reason", result->reason);
    JSON_TEXT(object, "ran_on", result->ran_on);
    if (!ok || !result->measured)
        return ok;
    ok = add_stats(object, "seconds", &result->run);
    const double seconds = heedi_bench_case_s(result);
    const double ideal = heedi_bench_case_ideal_s(bench, it, backend);
    JSON_NUMBER(object, "device_seconds", result->device_s > 0 ? result->device_s : NAN);
    JSON_NUMBER(object, "flops_per_s", it->flops / seconds);
    JSON_NUMBER(object, "bytes_per_s", it->bytes / seconds);
    JSON_NUMBER(object, "ideal", ideal > 0 ? ideal : NAN);
    JSON_NUMBER(object, "share_of_ideal", ideal > 0 ? ideal / seconds : NAN);
    JSON_NUMBER(object, "prepare", result->prepare_s);
    JSON_NUMBER(object, "prepared_bytes", result->prepared_bytes);
    return ok;
}

static bool add_case(cJSON *array, const struct heedi_bench *bench,
                     const struct heedi_bench_case *it) {
    cJSON *object = heedi_tool_json_append(array);
    cJSON *results = object != NULL ? cJSON_AddArrayToObject(object, "results") : NULL;
    bool ok = results != NULL;
    JSON_TEXT(object, "op", heed_op_name(it->shape.op->op));
    JSON_TEXT(object, "shape", it->text);
    JSON_TEXT(object, "dtype", heed_dtype_name(it->dtype));
    JSON_NUMBER(object, "flops", it->flops);
    JSON_NUMBER(object, "bytes", it->bytes);
    JSON_NUMBER(object, "sets", it->sets);
    JSON_NUMBER(object, "working_set_bytes", it->working_set);
    JSON_TEXT(object, "level", it->level->name);
    JSON_NUMBER(object, "ideal", it->ideal_s);
    for (size_t i = 0; ok && i < bench->backend_count; i++)
        ok = add_result(results, bench, it, i);
    return ok;
}

static bool add_parts(cJSON *object, const struct heedi_bench_translation *it) {
    cJSON *parts = cJSON_AddArrayToObject(object, "operators");
    bool ok = parts != NULL;
    for (size_t i = 0; ok && i < it->part_count; i++) {
        const struct heedi_bench_part *part = &it->parts[i];
        cJSON *entry = heedi_tool_json_append(parts);
        ok = entry != NULL;
        JSON_TEXT(entry, "op", part->op);
        JSON_NUMBER(entry, "runs", part->runs);
        JSON_NUMBER(entry, "measured", part->measured_s > 0 ? part->measured_s : NAN);
        JSON_NUMBER(entry, "ideal", part->ideal_s);
    }
    return ok;
}

static bool add_translation(cJSON *array, const struct heedi_bench *bench, size_t backend) {
    const struct heedi_bench_translation *it = &bench->translations[backend];
    cJSON *object = heedi_tool_json_append(array);
    bool ok = object != NULL;
    JSON_TEXT(object, "backend", bench->backends[backend].label);
    JSON_FLAG(object, "measured", it->measured);
    JSON_TEXT(object, "reason", it->reason);
    JSON_TEXT(object, "ran_on", it->ran_on);
    if (!ok || !it->measured)
        return ok;
    ok = add_stats(object, "line_seconds", &it->latency) &&
         add_stats(object, "batch_seconds", &it->batch);
    JSON_NUMBER(object, "passes", it->passes);
    JSON_NUMBER(object, "tokens", it->tokens);
    JSON_NUMBER(object, "total", it->total_s);
    JSON_NUMBER(object, "ideal", heedi_bench_has_roof(bench, backend) ? it->ideal_s : NAN);
    JSON_NUMBER(object, "device_seconds", it->device_s > 0 ? it->device_s : NAN);
    JSON_NUMBER(object, "tokens_per_s", (double)it->tokens / it->total_s);
    JSON_NUMBER(object, "words_per_s", (double)bench->text.words / it->total_s);
    JSON_NUMBER(object, "batch_tokens_per_s", (double)it->tokens / it->batch.median);
    JSON_NUMBER(object, "batch_words_per_s", (double)bench->text.words / it->batch.median);
    JSON_NUMBER(object, "open", it->open_s);
    JSON_NUMBER(object, "first_line", it->first_s);
    JSON_NUMBER(object, "cold_start", it->cold_s >= 0 ? it->cold_s : NAN);
    JSON_NUMBER(object, "peak_bytes", it->peak_bytes > 0 ? (double)it->peak_bytes : NAN);
    JSON_NUMBER(object, "lines_failed", it->failed);
    JSON_NUMBER(object, "lines_differing", it->differing);
    JSON_NUMBER(object, "bleu", it->has_bleu ? it->bleu : NAN);
    return ok && add_parts(object, it);
}

static bool add_tuned(cJSON *array, const struct heedi_bench_tuned *kernel) {
    cJSON *object = heedi_tool_json_append(array);
    cJSON *cases = object != NULL ? cJSON_AddArrayToObject(object, "cases") : NULL;
    cJSON *choices = cases != NULL ? cJSON_AddArrayToObject(object, "choices") : NULL;
    bool ok = choices != NULL;
    JSON_TEXT(object, "kernel", kernel->name);
    JSON_TEXT(object, "standard", kernel->choices[kernel->standard].text);
    JSON_TEXT(object, "winner", kernel->choices[kernel->winner].text);
    for (size_t i = 0; ok && i < kernel->case_count; i++)
        ok = cJSON_AddItemToArray(cases, cJSON_CreateString(kernel->cases[i]));
    for (size_t i = 0; ok && i < kernel->choice_count; i++) {
        const struct heedi_bench_choice *choice = &kernel->choices[i];
        cJSON *entry = heedi_tool_json_append(choices);
        ok = entry != NULL;
        JSON_TEXT(entry, "choice", choice->text);
        JSON_NUMBER(entry, "seconds", choice->seconds > 0 ? choice->seconds : NAN);
        JSON_NUMBER(entry, "times_as_fast", choice->ratio > 0 ? 1 / choice->ratio : NAN);
        JSON_FLAG(entry, "wrong", choice->wrong);
    }
    return ok;
}

static bool add_tunings(cJSON *root, const struct heedi_bench *bench) {
    cJSON *array = cJSON_AddArrayToObject(root, "tuning");
    bool ok = array != NULL;
    for (size_t b = 0; ok && b < bench->backend_count; b++) {
        const struct heedi_bench_tuning *tuning = &bench->tunings[b];
        if (tuning->kernel_count == 0)
            continue;
        cJSON *object = heedi_tool_json_append(array);
        cJSON *kernels = object != NULL ? cJSON_AddArrayToObject(object, "kernels") : NULL;
        ok = kernels != NULL;
        JSON_TEXT(object, "backend", bench->backends[b].label);
        JSON_TEXT(object, "kept", tuning->kept);
        JSON_FLAG(object, "saved", tuning->saved);
        JSON_TEXT(object, "reason", tuning->reason);
        for (size_t k = 0; ok && k < tuning->kernel_count; k++)
            ok = add_tuned(kernels, &tuning->kernels[k]);
    }
    return ok;
}

/* Each backend against each: cases that both ran, and how many times as fast. */
static bool add_comparisons(cJSON *root, const struct heedi_bench *bench) {
    cJSON *array = cJSON_AddArrayToObject(root, "comparisons");
    bool ok = array != NULL;
    for (size_t a = 0; a < bench->backend_count; a++)
        for (size_t b = 0; b < bench->backend_count; b++) {
            struct heedi_bench_comparison it;
            if (a == b || !heedi_bench_compare(bench, a, b, &it))
                continue;
            cJSON *entry = ok ? heedi_tool_json_append(array) : NULL;
            ok = entry != NULL;
            JSON_TEXT(entry, "backend", bench->backends[a].label);
            JSON_TEXT(entry, "against", bench->backends[b].label);
            JSON_NUMBER(entry, "cases", it.count);
            JSON_NUMBER(entry, "times_as_fast", it.mean);
            JSON_NUMBER(entry, "least", it.least);
            JSON_NUMBER(entry, "most", it.most);
        }
    return ok;
}

static bool add_all(cJSON *root, const struct heedi_bench *bench) {
    const struct heedi_bench_text *text = &bench->text;
    bool ok = add_environment(root, bench) && add_roofline(root, &bench->roofline);
    cJSON *backends = ok ? cJSON_AddArrayToObject(root, "backends") : NULL;
    cJSON *cases = ok ? cJSON_AddArrayToObject(root, "cases") : NULL;
    ok = backends != NULL && cases != NULL;
    for (size_t i = 0; ok && i < bench->backend_count; i++) {
        cJSON *entry = heedi_tool_json_append(backends);
        ok = entry != NULL;
        JSON_TEXT(entry, "name", bench->backends[i].label);
        JSON_TEXT(entry, "description", bench->backends[i].description);
        if (bench->backends[i].roof.level_count > 0)
            ok = ok && add_roofline(entry, &bench->backends[i].roof);
    }
    for (size_t i = 0; ok && i < bench->case_count; i++)
        ok = add_case(cases, bench, &bench->cases[i]);
    ok = ok && add_comparisons(root, bench) && add_tunings(root, bench);
    if (!ok || text->count == 0)
        return ok;
    cJSON *translation = cJSON_AddObjectToObject(root, "translation");
    cJSON *results = translation != NULL ? cJSON_AddArrayToObject(translation, "results") : NULL;
    ok = results != NULL;
    JSON_TEXT(translation, "text", text->source);
    JSON_TEXT(translation, "model", text->model != NULL ? text->model : "default");
    JSON_NUMBER(translation, "lines", text->count);
    JSON_NUMBER(translation, "words", text->words);
    JSON_NUMBER(translation, "weight_bytes", text->weight_bytes);
    JSON_TEXT(translation, "level", text->level != NULL ? text->level->name : "");
    for (size_t i = 0; ok && i < bench->backend_count; i++)
        ok = add_translation(results, bench, i);
    return ok;
}

/* ---- bundles ---- */

struct listing {
    cJSON *array;
    bool ok;
};

/* Some drivers number each single card, as "vendor 10de, device 2684, UUID ..." says. */
static void leave_out_serial(const cJSON *report) {
    const cJSON *identity = cJSON_GetObjectItem(report, "identity");
    char *uuid = cJSON_IsString(identity) ? strstr(identity->valuestring, ", UUID") : NULL;
    if (uuid != NULL)
        *uuid = '\0';
}

static void add_device(void *user, const struct heed_device *device, const char *reason) {
    struct listing *listing = user;
    const struct heed_device_info *info = &device->info;
    cJSON *object = listing->ok ? heedi_tool_json_append(listing->array) : NULL;
    bool ok = object != NULL;
    JSON_TEXT(object, "backend", device->backend);
    if (reason != NULL)
        JSON_TEXT(object, "unusable", reason);
    else {
        JSON_NUMBER(object, "device", device->index);
        JSON_TEXT(object, "version", device->version);
        JSON_TEXT(object, "name", info->name);
        JSON_TEXT(object, "type", heedi_tool_device_type(info->type));
        JSON_TEXT(object, "description", info->description);
        JSON_NUMBER(object, "memory_bytes", info->memory_bytes);
        JSON_NUMBER(object, "unit_roundoff", info->numeric.unit_roundoff);
        ok = ok && heedi_tool_json_report(object, device->report);
        leave_out_serial(cJSON_GetObjectItem(object, "report"));
    }
    listing->ok = ok;
}

/* Of "/a/b/c" within a text the "c" is left, so that nobody's folders are told. */
static void leave_out_folders(char *text) {
    const char *at = text;
    char *to = text;
    while (*at != '\0') {
        const bool begins = at == text || strchr(" '\"(=:,", at[-1]) != NULL;
        const char *end = at + strcspn(at, " '\"),;:");
        if (begins && at[strspn(at, ".")] == '/')
            for (const char *slash = at; slash < end; slash++)
                if (*slash == '/')
                    at = slash + 1;
        *to = *at;
        to += *at != '\0';
        at += *at != '\0';
    }
    *to = '\0';
}

static void leave_out_all_folders(cJSON *item) {
    for (; item != NULL; item = item->next) {
        if (cJSON_IsString(item))
            leave_out_folders(item->valuestring);
        leave_out_all_folders(item->child);
    }
}

static const char *last_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static bool add_devices(cJSON *root, const struct heedi_bench *bench) {
    struct listing listing = {.array = cJSON_AddArrayToObject(root, "devices")};
    listing.ok = listing.array != NULL;
    return listing.ok && heed_devices(bench->context, NULL, add_device, &listing) == HEED_OK &&
           listing.ok;
}

static bool print(cJSON *root, FILE *stream) {
    char *text = cJSON_Print(root);
    if (text == NULL)
        return false;
    fputs(text, stream);
    fputc('\n', stream);
    cJSON_free(text);
    return true;
}

bool heedi_bench_bundle(const struct heedi_bench *bench, FILE *stream) {
    struct heedi_bench *copy = malloc(sizeof *copy);
    cJSON *root = cJSON_CreateObject();
    bool ok = copy != NULL && root != NULL;
    JSON_NUMBER(root, "heed_bundle", 1);
    if (ok) {
        *copy = *bench;
        copy->text.source = bench->text.source != NULL ? last_name(bench->text.source) : NULL;
        copy->text.model = bench->text.model != NULL ? last_name(bench->text.model) : NULL;
        ok = add_devices(root, copy) && add_all(root, copy);
    }
    if (ok)
        leave_out_all_folders(root);
    ok = ok && print(root, stream);
    cJSON_Delete(root);
    free(copy);
    return ok;
}

bool heedi_bench_json(const struct heedi_bench *bench, FILE *stream) {
    cJSON *root = cJSON_CreateObject();
    const bool ok = root != NULL && add_all(root, bench) && print(root, stream);
    cJSON_Delete(root);
    return ok;
}
