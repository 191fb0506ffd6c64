/* SPDX-License-Identifier: Apache-2.0 */
/* `heed bench`: decides what is measured, has it measured, and writes the reports. */
#include <stdlib.h>
#include <string.h>

#include "tools/bench/bench.h"

static const double TOUR_S = 75; /* of two minutes, what operators get */

static int out_of_memory(void) {
    heedi_tool_message("out of memory");
    return TOOL_INTERNAL;
}

/* ---- what is measured ---- */

static int add_case(struct heedi_bench *bench, const struct heedi_bench_op *op, const char *text,
                    enum heed_dtype dtype) {
    char error[200];
    void *grown = realloc(bench->cases, (bench->case_count + 1) * sizeof(struct heedi_bench_case));
    if (grown == NULL)
        return out_of_memory();
    bench->cases = grown;
    struct heedi_bench_case *it = &bench->cases[bench->case_count];
    memset(it, 0, sizeof *it);
    if (!heedi_bench_shape_parse(op, text, &it->shape, error, sizeof error)) {
        heedi_tool_message("%s", error);
        return TOOL_USAGE;
    }
    snprintf(it->text, sizeof it->text, "%s", text);
    it->dtype = dtype;
    bench->case_count++;
    return TOOL_OK;
}

/* In a bundle, products and attention are measured with 16-bit weights, keys and values too. */
static int add_shape(struct heedi_bench *bench, const struct heedi_bench_op *op, const char *text) {
    const struct heedi_tool_bench_options *options = &bench->options->bench;
    const bool chosen = options->dtype != HEED_DTYPE_NONE;
    int code = add_case(bench, op, text, chosen ? options->dtype : HEED_F32);
    if (code == TOOL_OK && options->bundle != NULL && !chosen &&
        (op->op == HEED_OP_MATMUL || op->op == HEED_OP_ATTENTION))
        code = add_case(bench, op, text, HEED_F16);
    return code;
}

static int add_op(struct heedi_bench *bench, const struct heedi_bench_op *op) {
    const struct heedi_tool_bench_options *options = &bench->options->bench;
    int code = TOOL_OK;
    for (size_t i = 0; code == TOOL_OK && i < options->shape_count; i++)
        code = add_shape(bench, op, options->shapes[i]);
    for (size_t i = 0; code == TOOL_OK && options->shape_count == 0 && op->shapes[i] != NULL; i++)
        if (!bench->tour || i < op->tour)
            code = add_shape(bench, op, op->shapes[i]);
    return code;
}

static int unknown_op(const char *name, size_t length) {
    const struct heedi_bench_op *ops = NULL;
    const char *names[64] = {NULL};
    char word[34];
    const size_t count = heedi_bench_ops(&ops);
    for (size_t i = 0; i < count && i < 63; i++)
        names[i] = heed_op_name(ops[i].op);
    snprintf(word, sizeof word, "%.*s", (int)(length < 33 ? length : 33), name);
    const char *near = heedi_tool_suggest(word, names);
    if (near != NULL)
        heedi_tool_message("--op: unknown operator '%s'; did you mean '%s'?", word, near);
    else
        heedi_tool_message("--op: unknown operator '%s'; --op help lists them (views like "
                           "transpose move no data and take no time)",
                           word);
    return TOOL_USAGE;
}

static int add_cases(struct heedi_bench *bench) {
    const struct heedi_bench_op *ops = NULL;
    const size_t count = heedi_bench_ops(&ops);
    const char *list = bench->tour ? "all" : bench->options->bench.ops;
    int code = TOOL_OK;
    if (list != NULL && strcmp(list, "all") == 0) {
        for (size_t i = 0; code == TOOL_OK && i < count; i++)
            code = add_op(bench, &ops[i]);
        return code;
    }
    while (list != NULL && code == TOOL_OK) {
        const size_t length = strcspn(list, ",");
        const struct heedi_bench_op *op = heedi_bench_op_find(list, length);
        code = op != NULL ? add_op(bench, op) : unknown_op(list, length);
        list = list[length] == ',' ? list + length + 1 : NULL;
    }
    return code;
}

static void list_ops(void) {
    const struct heedi_bench_op *ops = NULL;
    const size_t count = heedi_bench_ops(&ops);
    for (size_t i = 0; i < count; i++) {
        printf("%-13s %-20s %s\n", heed_op_name(ops[i].op), ops[i].dims, ops[i].meaning);
        if (ops[i].forms[0] != '\0')
            printf("%-13s forms: %s\n", "", ops[i].forms);
        for (size_t j = 0; ops[i].shapes[j] != NULL; j++)
            printf("%-13s   %s\n", "", ops[i].shapes[j]);
    }
}

/* ---- measuring ---- */

static int open_pool(struct heedi_bench *bench) {
    const struct heed_pool_options options = {
        .struct_size = sizeof options,
        .threads = bench->options->threads,
    };
    return heed_pool_create(bench->context, &options, &bench->pool) == HEED_OK ? TOOL_OK
                                                                               : out_of_memory();
}

/* That the model can be opened is looked at once, before the long work. */
static int check_model(struct heedi_bench *bench) {
    struct heed_model *model = NULL;
    const int code = heedi_tool_model(bench->context, bench->options->model, &model);
    heed_model_close(model);
    return code;
}

static int measure(struct heedi_bench *bench) {
    const struct heedi_bench_caches caches = {bench->machine.l1, bench->machine.l2,
                                              bench->machine.l3};
    char name[96];
    int code = TOOL_OK;
    if (bench->text.count > 0)
        heedi_bench_children(bench);
    heedi_bench_progress(bench, "the machine's limits");
    if (!heedi_bench_roofline_measure(bench->pool, &caches, &bench->roofline))
        return out_of_memory();
    const struct heedi_tool_bench_options *options = &bench->options->bench;
    if ((options->tune || options->bundle != NULL) && heedi_bench_tune(bench) == 0 &&
        options->bundle == NULL) {
        heedi_tool_progress_hide();
        heedi_tool_message("no backend here has a device that can be tuned");
        return TOOL_NO_BACKEND;
    }
    heedi_bench_device_roofs(bench);
    for (size_t i = 0; i < bench->case_count; i++) {
        heedi_bench_progress(bench, "%zu of %zu: %s", i + 1, bench->case_count,
                             heedi_bench_case_name(&bench->cases[i], name));
        heedi_bench_run_case(bench, &bench->cases[i]);
    }
    if (bench->case_count > 0) {
        heedi_bench_progress(bench, "the machine's limits again");
        heedi_bench_roofline_refine(bench->pool, &bench->roofline);
        heedi_bench_device_refine(bench);
    }
    for (size_t i = 0; i < bench->case_count; i++) {
        struct heedi_bench_case *it = &bench->cases[i];
        it->ideal_s = heedi_bench_ideal_s(&bench->roofline, it->level, it->flops, it->bytes);
    }
    if (bench->text.count > 0)
        code = heedi_bench_translate(bench);
    heedi_tool_progress_hide();
    return code;
}

/* ---- reports ---- */

static bool write_main(const void *what, FILE *stream) {
    const struct heedi_bench *bench = what;
    bool whole = true;
    if (bench->options->bench.json)
        whole = heedi_bench_json(bench, stream);
    else if (bench->options->bench.csv)
        heedi_bench_csv(bench, stream);
    else
        heedi_bench_table(bench, stream);
    return whole;
}

static bool write_page(const void *what, FILE *stream) {
    heedi_bench_html(what, stream);
    return true;
}

static bool write_bundle(const void *what, FILE *stream) {
    return heedi_bench_bundle(what, stream);
}

/* Reports that nothing could be run are written too, but are no success. */
static int outcome(const struct heedi_bench *bench) {
    bool measured = false;
    for (size_t b = 0; b < bench->backend_count; b++) {
        measured = measured || bench->translations[b].measured;
        measured = measured || bench->tunings[b].kernel_count > 0;
        for (size_t i = 0; i < bench->case_count; i++)
            measured = measured || bench->cases[i].results[b].measured;
    }
    if (!measured)
        heedi_tool_message("nothing could be run on these backends");
    return measured ? TOOL_OK : TOOL_NO_BACKEND;
}

static int report(const struct heedi_bench *bench) {
    const struct heedi_tool_options *options = bench->options;
    int code = TOOL_OK;
    if (options->output != NULL && strcmp(options->output, "-") != 0)
        code = heedi_tool_report(options->output, write_main, bench);
    else if (!write_main(bench, stdout))
        code = out_of_memory();
    if (code == TOOL_OK && options->bench.report != NULL)
        code = heedi_tool_report(options->bench.report, write_page, bench);
    if (code == TOOL_OK && options->bench.bundle != NULL)
        code = heedi_tool_report(options->bench.bundle, write_bundle, bench);
    return code;
}

/* ---- the verb ---- */

static int check_options(const struct heedi_tool_options *options) {
    const struct heedi_tool_bench_options *bench = &options->bench;
    if (bench->shape_count > 0 && bench->ops == NULL)
        heedi_tool_message("--shape needs the operator: --op NAME");
    else if (bench->reference != NULL && bench->translate == NULL)
        heedi_tool_message("--reference needs the text: --translate FILE");
    else if (bench->tune && bench->csv)
        heedi_tool_message("--csv has no table for --tune; use --json");
    else if (bench->json && bench->csv)
        heedi_tool_message("--json and --csv exclude each other");
    else
        return TOOL_OK;
    return TOOL_USAGE;
}

static int prepare(struct heedi_bench *bench) {
    const struct heedi_tool_bench_options *options = &bench->options->bench;
    int code = heedi_tool_context(bench->options, &bench->context);
    bench->tour = options->ops == NULL && options->translate == NULL &&
                  (!options->tune || options->bundle != NULL);
    bench->progress = heedi_tool_os_terminal(TOOL_STDERR);
    bench->seed = options->seed > 0 ? options->seed : 1;
    heedi_tool_os_machine(&bench->machine);
    if (code == TOOL_OK)
        code = add_cases(bench);
    if (code == TOOL_OK && (bench->tour || options->translate != NULL))
        code = heedi_bench_text_open(bench);
    if (code == TOOL_OK && bench->text.count > 0)
        code = check_model(bench);
    if (code == TOOL_OK)
        code = open_pool(bench);
    if (code == TOOL_OK)
        code = heedi_bench_backends(bench);
    bench->seconds = options->seconds > 0 ? (double)options->seconds : 2;
    if (bench->tour && options->seconds == 0 && bench->case_count * bench->backend_count > 0) {
        const double share = TOUR_S / (double)(bench->case_count * bench->backend_count);
        bench->seconds = share < 2 ? share : 2;
    }
    return code;
}

int heedi_tool_bench(const struct heedi_tool_options *options) {
    const uint64_t begin_ns = heedi_tool_os_now_ns();
    struct heedi_bench *bench = NULL;
    if (options->bench.ops != NULL && strcmp(options->bench.ops, "help") == 0) {
        list_ops();
        return TOOL_OK;
    }
    int code = check_options(options);
    if (code != TOOL_OK)
        return code;
    bench = calloc(1, sizeof *bench);
    if (bench == NULL)
        return out_of_memory();
    bench->options = options;
    code = heedi_tool_report_try(options->output);
    if (code == TOOL_OK)
        code = heedi_tool_report_try(options->bench.report);
    if (code == TOOL_OK)
        code = heedi_tool_report_try(options->bench.bundle);
    if (code == TOOL_OK)
        code = prepare(bench);
    if (code == TOOL_OK)
        code = measure(bench);
    bench->elapsed_s = heedi_tool_seconds_since(begin_ns);
    if (code == TOOL_OK)
        code = report(bench);
    if (code == TOOL_OK)
        code = outcome(bench);
    heedi_bench_text_free(&bench->text);
    heed_pool_release(bench->pool);
    heed_context_destroy(bench->context);
    free(bench->cases);
    free(bench);
    return code;
}
