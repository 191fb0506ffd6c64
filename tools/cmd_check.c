/* SPDX-License-Identifier: Apache-2.0 */
/* `heed check`: decides what is checked, has it checked, gathers and reports. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/check/check.h"
#include "tools/os.h"

enum {
    MOST_CASE_BYTES = 1 << 28, /* of a file with a case */
    MOST_FAILURES = 200,       /* of a backend that are kept */
    ALL_CASES = 50             /* of each operator with --all */
};

static int out_of_memory(void) {
    heedi_tool_message("out of memory");
    return TOOL_INTERNAL;
}

static int failed(const struct heedi_checking *checking, enum heed_status status) {
    heedi_tool_message("%s", heed_last_error(checking->context));
    return status == HEED_ERROR_FORMAT || status == HEED_ERROR_SHAPE ? TOOL_INPUT : TOOL_INTERNAL;
}

/* ---- what is checked ---- */

static int unknown_op(const char *word, size_t length) {
    const char *names[HEED_OP_COUNT_PLUS_ONE] = {NULL};
    char name[34];
    for (int op = 1; op < HEED_OP_COUNT_PLUS_ONE; op++)
        names[op - 1] = heed_op_name((enum heed_op)op);
    snprintf(name, sizeof name, "%.*s", (int)(length < 33 ? length : 33), word);
    const char *near = heedi_tool_suggest(name, names);
    if (near != NULL)
        heedi_tool_message("--op: unknown operator '%s'; did you mean '%s'?", name, near);
    else
        heedi_tool_message("--op: unknown operator '%s'", name);
    return TOOL_USAGE;
}

static bool is_view(enum heed_op op) {
    return op == HEED_OP_SLICE || op == HEED_OP_TRANSPOSE || op == HEED_OP_RESHAPE ||
           op == HEED_OP_BROADCAST;
}

static int choose_op(struct heedi_checking *checking, const char *name, size_t length) {
    int op = 1;
    while (op < HEED_OP_COUNT_PLUS_ONE &&
           (strlen(heed_op_name((enum heed_op)op)) != length ||
            memcmp(heed_op_name((enum heed_op)op), name, length) != 0))
        op++;
    if (op == HEED_OP_COUNT_PLUS_ONE)
        return unknown_op(name, length);
    if (is_view((enum heed_op)op)) {
        heedi_tool_message("--op: %s is a view: it moves no data, and is checked as what operands "
                           "of other operators are",
                           heed_op_name((enum heed_op)op));
        return TOOL_USAGE;
    }
    checking->ops[op] = true;
    return TOOL_OK;
}

static int choose_ops(struct heedi_checking *checking) {
    const char *list = checking->options->bench.ops;
    int code = TOOL_OK;
    if (list == NULL || strcmp(list, "all") == 0) {
        for (int op = 1; op < HEED_OP_COUNT_PLUS_ONE; op++)
            checking->ops[op] = !is_view((enum heed_op)op);
        return TOOL_OK;
    }
    while (list != NULL && code == TOOL_OK) {
        const size_t length = strcspn(list, ",");
        code = choose_op(checking, list, length);
        list = list[length] == ',' ? list + length + 1 : NULL;
    }
    return code;
}

/* "1,4" */
static int open_pools(struct heedi_checking *checking) {
    const char *list = checking->options->check.threads;
    if (list == NULL)
        list = "1,4";
    while (list != NULL) {
        char *end = NULL;
        errno = 0;
        const unsigned long long threads = strtoull(list, &end, 10);
        if (list[0] < '0' || list[0] > '9' || errno != 0 || threads < 1 || threads > 1024 ||
            (*end != ',' && *end != '\0') || checking->pool_count == HEEDI_CHECKED_POOLS) {
            heedi_tool_message("--threads: expected at most %d numbers from 1 to 1024, joined by "
                               "',', got '%s'",
                               HEEDI_CHECKED_POOLS, checking->options->check.threads);
            return TOOL_USAGE;
        }
        const struct heed_pool_options options = {.struct_size = sizeof options,
                                                  .threads = (uint32_t)threads};
        checking->threads[checking->pool_count] = (uint32_t)threads;
        if (heed_pool_create(checking->context, &options, &checking->pools[checking->pool_count]) !=
            HEED_OK)
            return out_of_memory();
        checking->pool_count++;
        list = *end == ',' ? end + 1 : NULL;
    }
    return TOOL_OK;
}

static int check_options(const struct heedi_tool_options *options) {
    const struct heedi_tool_check_options *check = &options->check;
    const char *op = options->bench.ops;
    if (check->single && (op == NULL || strchr(op, ',') != NULL || strcmp(op, "all") == 0))
        heedi_tool_message("--case needs the operator: --op NAME");
    else if (check->single && (check->cases > 0 || check->minutes > 0))
        heedi_tool_message("--case is one case: without --cases and --minutes");
    else if (check->replay != NULL && (check->single || check->cases > 0 || op != NULL))
        heedi_tool_message("--replay runs the case in the file: without --op, --case and --cases");
    else if (options->model != NULL && (op != NULL || check->replay != NULL || check->all))
        heedi_tool_message("--model checks a whole model: without --op, --replay and --all");
    else if (options->model == NULL && (check->input != NULL || check->against != NULL))
        heedi_tool_message("--input and --against belong to --model");
    else
        return TOOL_OK;
    return TOOL_USAGE;
}

/* ---- gathering ---- */

struct gathering {
    struct heedi_checking *checking;
    struct heedi_checked_backend *backend;
    int64_t pass;
};

/* Rows of several passes become one. */
static void merge(struct heed_check_row *into, const struct heed_check_row *row) {
    const bool worse = row->failed > 0 ? into->failed == 0 || row->worst.hard > into->worst.hard
                                       : into->failed == 0 && row->worst.hard > into->worst.hard;
    if (into->cases == 0 || (row->cases > 0 && worse))
        into->worst = row->worst;
    into->cases += row->cases;
    into->declined += row->declined;
    into->failed += row->failed;
    into->statistical = fmax(into->statistical, row->statistical);
    into->largest_ulp = fmax(into->largest_ulp, row->largest_ulp);
    for (size_t i = 0; i < sizeof row->histogram / sizeof row->histogram[0]; i++)
        into->histogram[i] += row->histogram[i];
    if (row->declined > 0)
        memcpy(into->declined_reason, row->declined_reason, sizeof into->declined_reason);
}

static void take_row(void *user, const struct heed_check_row *row) {
    struct gathering *gathering = user;
    struct heedi_checked_backend *backend = gathering->backend;
    for (size_t i = 0; i < backend->row_count; i++)
        if (backend->rows[i].op == row->op && backend->rows[i].dtype == row->dtype) {
            merge(&backend->rows[i], row);
            return;
        }
    if (backend->row_count < HEEDI_CHECKED_ROWS)
        backend->rows[backend->row_count++] = *row;
}

/* Writes a case to a file of its own; without success it has no path. */
static void save(struct gathering *gathering, const struct heed_check_failure *failure,
                 struct heedi_checked_failure *kept) {
    const char *folder = gathering->checking->options->check.folder;
    char pass[32] = ""; /* of the later ones, with other seeds */
    if (gathering->pass > 0)
        snprintf(pass, sizeof pass, "-pass%lld", (long long)gathering->pass);
    snprintf(kept->path, sizeof kept->path, "%s/heed-check-%s-%s-%lld%s.case",
             folder != NULL ? folder : ".", gathering->backend->name,
             heed_op_name((enum heed_op)failure->drawn->op), (long long)failure->drawn->number,
             pass);
    FILE *stream = fopen(kept->path, "w");
    const bool written = stream != NULL && fwrite(failure->text, 1, failure->text_bytes, stream) ==
                                               failure->text_bytes;
    const int reason = errno;
    if ((stream == NULL || fclose(stream) == 0) && written)
        return;
    heedi_tool_message("cannot write %s: %s", kept->path, strerror(reason));
    gathering->checking->code = TOOL_OUTPUT;
    kept->path[0] = '\0';
}

static void take_failure(void *user, const struct heed_check_failure *failure) {
    struct gathering *gathering = user;
    struct heedi_checked_backend *backend = gathering->backend;
    if (backend->failure_count == MOST_FAILURES)
        return;
    void *grown =
        realloc(backend->failures, (backend->failure_count + 1) * sizeof *backend->failures);
    if (grown == NULL) {
        gathering->checking->code = out_of_memory();
        return;
    }
    backend->failures = grown;
    struct heedi_checked_failure *kept = &backend->failures[backend->failure_count++];
    kept->drawn = *failure->drawn;
    kept->smallest = *failure->smallest;
    save(gathering, failure, kept);
}

static int take_progress(void *user, enum heed_op op, int64_t judged, int64_t cases) {
    const struct gathering *gathering = user;
    const struct heedi_checking *checking = gathering->checking;
    char line[120];
    if (checking->progress && (judged % 20 == 0 || judged == cases)) {
        snprintf(line, sizeof line, "%.40s: %s, %lld of %lld", gathering->backend->entry,
                 heed_op_name(op), (long long)judged, (long long)cases);
        heedi_tool_progress_text(line);
    }
    return checking->code != TOOL_OK || (checking->deadline_ns != 0 && gathering->pass > 0 &&
                                         heedi_tool_os_now_ns() > checking->deadline_ns);
}

/* ---- checking ---- */

static struct heed_check_options options_of(const struct heedi_checking *checking,
                                            const struct heedi_checked_backend *backend) {
    const struct heedi_tool_check_options *check = &checking->options->check;
    const int64_t cases = check->cases == 0 && check->all ? ALL_CASES : check->cases;
    return (struct heed_check_options){.struct_size = sizeof(struct heed_check_options),
                                       .backend = backend->entry,
                                       .seed = checking->seed,
                                       .first = check->single ? check->number : 0,
                                       .cases = check->single ? 1 : cases,
                                       .most_drawn = check->single ? 1 : 0,
                                       .repeat = (int32_t)check->repeat,
                                       .pools = checking->pools,
                                       .pool_count = checking->pool_count,
                                       .shrink = 1,
                                       .row = take_row,
                                       .failure = take_failure,
                                       .progress = take_progress};
}

/* With --minutes the seed grows from pass to pass. */
static int check_backend(struct heedi_checking *checking, struct heedi_checked_backend *backend) {
    struct gathering gathering = {checking, backend, 0};
    struct heed_check_options options = options_of(checking, backend);
    const uint64_t begin_ns = heedi_tool_os_now_ns();
    int code = TOOL_OK;
    options.user = &gathering;
    if (checking->options->check.minutes > 0)
        checking->deadline_ns = begin_ns + (uint64_t)checking->options->check.minutes *
                                               60000000000u / checking->backend_count;
    do {
        for (int op = 1; op < HEED_OP_COUNT_PLUS_ONE && code == TOOL_OK; op++) {
            options.op = (uint32_t)op;
            if (!checking->ops[op])
                continue;
            const enum heed_status status = heed_check_run(checking->context, &options);
            code = status != HEED_OK ? failed(checking, status) : checking->code;
        }
        gathering.pass++;
        options.seed++;
    } while (code == TOOL_OK && heedi_tool_os_now_ns() < checking->deadline_ns);
    if (code == TOOL_OK && checking->options->check.all) {
        const enum heed_status status =
            heed_check_precision(checking->context, &options, &backend->precision);
        code = status != HEED_OK ? failed(checking, status) : TOOL_OK;
    }
    backend->seconds = heedi_tool_seconds_since(begin_ns);
    return code;
}

static int report(const struct heedi_checking *checking) {
    bool holds = true;
    if (checking->options->bench.json) {
        if (!heedi_check_json(checking, stdout))
            return out_of_memory();
    } else {
        (checking->options->check.all ? heedi_check_matrix : heedi_check_table)(checking, stdout);
        heedi_check_summary(checking, stdout);
    }
    for (size_t i = 0; i < checking->backend_count; i++)
        holds = holds && heedi_check_holds(&checking->backends[i]) &&
                heedi_check_model_holds(&checking->backends[i].model);
    return holds ? TOOL_OK : TOOL_DISAGREES;
}

/* ---- replaying ---- */

/* The whole file, malloc'ed. */
static int read_case(const char *path, char **text, size_t *bytes) {
    FILE *stream = fopen(path, "r");
    size_t capacity = 0;
    *text = NULL;
    *bytes = 0;
    while (stream != NULL && !feof(stream) && !ferror(stream) && *bytes < MOST_CASE_BYTES) {
        capacity += 1 << 16;
        char *grown = realloc(*text, capacity);
        if (grown == NULL) {
            fclose(stream);
            return out_of_memory();
        }
        *text = grown;
        *bytes += fread(*text + *bytes, 1, capacity - *bytes, stream);
    }
    const bool whole = stream != NULL && !ferror(stream);
    const int reason = errno;
    if (stream != NULL)
        fclose(stream);
    if (whole)
        return TOOL_OK;
    heedi_tool_message("cannot read %s: %s", path, strerror(reason));
    return TOOL_INPUT;
}

static int replay(struct heedi_checking *checking) {
    char *text = NULL, index[96];
    size_t bytes = 0;
    bool holds = true;
    int code = read_case(checking->options->check.replay, &text, &bytes);
    for (size_t i = 0; i < checking->backend_count && code == TOOL_OK; i++) {
        const struct heedi_checked_backend *backend = &checking->backends[i];
        const struct heed_check_options options = options_of(checking, backend);
        struct heed_check_finding it;
        const enum heed_status status =
            heed_check_replay(checking->context, &options, text, bytes, &it);
        if (status != HEED_OK) {
            code = failed(checking, status);
            break;
        }
        const enum heed_check_fault fault = (enum heed_check_fault)it.fault;
        holds = holds && fault == HEED_CHECK_NONE;
        if (it.declined) {
            printf("%s: %s is declined: %s\n", backend->entry, heed_op_name((enum heed_op)it.op),
                   it.message);
            continue;
        }
        printf("%s: %s %s %s; output %u, element %s: expected %.9g, found %.9g, %.3g ULP, %.3g of "
               "the hard bound, %.3g of the statistical bound%s%s\n",
               backend->entry, fault == HEED_CHECK_NONE ? "ok" : "FAIL",
               heed_op_name((enum heed_op)it.op), heed_check_fault_name(fault), it.output,
               heedi_check_index(&it, index), it.expected, it.actual, it.ulp, it.hard,
               it.statistical, it.message[0] != '\0' ? "; " : "", it.message);
    }
    free(text);
    return code == TOOL_OK && !holds ? TOOL_DISAGREES : code;
}

/* ---- the verb ---- */

static int check_all(struct heedi_checking *checking) {
    int code = TOOL_OK;
    for (size_t i = 0; i < checking->backend_count && code == TOOL_OK; i++)
        code = check_backend(checking, &checking->backends[i]);
    heedi_tool_progress_hide();
    const char *page = checking->options->bench.report;
    if (code == TOOL_OK && page != NULL && checking->options->check.all)
        code = heedi_check_walk(checking, NULL);
    if (code == TOOL_OK && page != NULL)
        code = heedi_tool_report(page, heedi_check_html, checking);
    return code == TOOL_OK ? report(checking) : code;
}

int heedi_tool_check(const struct heedi_tool_options *options) {
    struct heedi_checking checking = {.options = options};
    int code = check_options(options);
    if (code != TOOL_OK)
        return code;
    checking.seed = options->bench.seed > 0 ? options->bench.seed : 1;
    checking.progress = heedi_tool_os_terminal(TOOL_STDERR);
    checking.backends = calloc(HEEDI_CHECKED_BACKENDS, sizeof *checking.backends);
    if (checking.backends == NULL)
        return out_of_memory();
    code = heedi_tool_report_try(options->bench.report);
    if (code == TOOL_OK)
        code = heedi_tool_context(options, &checking.context);
    if (code == TOOL_OK)
        code = choose_ops(&checking);
    if (code == TOOL_OK)
        code = open_pools(&checking);
    if (code == TOOL_OK)
        code = heedi_check_backends(&checking);
    if (code == TOOL_OK)
        code = options->model != NULL          ? heedi_check_models(&checking)
               : options->check.replay != NULL ? replay(&checking)
                                               : check_all(&checking);
    for (uint32_t i = 0; i < checking.pool_count; i++)
        heed_pool_release(checking.pools[i]);
    heed_context_destroy(checking.context);
    for (size_t i = 0; i < checking.backend_count; i++) {
        free(checking.backends[i].failures);
        free(checking.backends[i].nodes);
        free(checking.backends[i].pieces);
    }
    free(checking.backends);
    return code;
}
