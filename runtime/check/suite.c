/* SPDX-License-Identifier: Apache-2.0 */
/* Checking a backend: draws cases, tries them, gathers what comes out. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/check/check.h"
#include "runtime/check/shrink.h"

/* A backend that runs one case of 20 declines PATIENCE in a row once in 28,000 times. */
enum { MOST_FAILURES = 3, DTYPES = HEED_I8 + 1, BINS = 20, PATIENCE = 200 };

const char *heed_check_fault_name(enum heed_check_fault fault) {
    switch (fault) {
#define HEED_CHECK_FAULT_NAME(NAME, value, name, text)                                             \
    case HEED_CHECK_##NAME:                                                                        \
        return name;
        HEED_CHECK_FAULT_LIST(HEED_CHECK_FAULT_NAME)
#undef HEED_CHECK_FAULT_NAME
    }
    return "?";
}

const char *heed_check_fault_text(enum heed_check_fault fault) {
    switch (fault) {
#define HEED_CHECK_FAULT_TEXT(NAME, value, name, text)                                             \
    case HEED_CHECK_##NAME:                                                                        \
        return text;
        HEED_CHECK_FAULT_LIST(HEED_CHECK_FAULT_TEXT)
#undef HEED_CHECK_FAULT_TEXT
    }
    return "?";
}

enum heed_status heedi_check_options(struct heed_context *context,
                                     const struct heed_check_options *given,
                                     struct heed_check_options *known) {
    memset(known, 0, sizeof *known);
    if (given == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT, "check: options must not be NULL");
    const enum heed_status status =
        heedi_read_struct(known, sizeof *known, given, "heed_check_options", &context->error);
    if (status != HEED_OK)
        return status;
    if (known->first < 0 || known->cases < 0 || known->every < 0 || known->repeat < 0 ||
        known->most_drawn < 0)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "check: first, cases, every, repeat and most_drawn must not be negative");
    if (known->op != 0 && heedi_case_count((enum heed_op)known->op) == 0)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "check: operator %u (%s) moves no data and cannot be run", known->op,
                          heed_op_name((enum heed_op)known->op));
    known->every = known->every == 0 ? 1 : known->every;
    return HEED_OK;
}

/* ---- rows ---- */

static void add_finding(struct heed_check_row *row, const struct heed_check_finding *finding) {
    if (finding->declined) {
        row->declined++;
        (void)snprintf(row->declined_reason, sizeof row->declined_reason, "%.*s",
                       (int)sizeof row->declined_reason - 1, finding->message);
        return;
    }
    const bool fails = finding->fault != HEED_CHECK_NONE;
    const bool worst_fails = row->worst.fault != HEED_CHECK_NONE;
    if (row->cases == 0 || (fails && !worst_fails) ||
        (fails == worst_fails && finding->hard > row->worst.hard))
        row->worst = *finding;
    row->cases++;
    row->failed += fails;
    row->statistical = fmax(row->statistical, finding->statistical);
    row->largest_ulp = fmax(row->largest_ulp, finding->largest_ulp);
    const double bin = ceil(finding->hard * BINS) - 1;
    row->histogram[fails || bin >= BINS ? BINS : bin > 0 ? (int)bin : 0]++;
}

/* ---- failures ---- */

/* What a person wants to know of a failure, in lines. */
static void describe(const struct heed_check_finding *finding, const char *backend, uint64_t seed,
                     char *text, size_t bytes) {
    char where[80] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < finding->rank && used < sizeof where; i++)
        used += (size_t)snprintf(where + used, sizeof where - used, "%s%lld", i > 0 ? ", " : "",
                                 (long long)finding->index[i]);
    (void)snprintf(text, bytes,
                   "%s: %s\nbackend %s, output %u, element [%s]: expected %.9g, found %.9g, %.4g "
                   "ULP\n%.4g of the hard bound, %.4g of the statistical bound\n%s%sdrawn as case "
                   "%lld of seed %llu",
                   heed_check_fault_name((enum heed_check_fault)finding->fault),
                   heed_check_fault_text((enum heed_check_fault)finding->fault), backend,
                   finding->output, where, finding->expected, finding->actual, finding->ulp,
                   finding->hard, finding->statistical, finding->message,
                   finding->message[0] != '\0' ? "\n" : "", (long long)finding->number,
                   (unsigned long long)seed);
}

/* Shrinks a failing case and hands it on. */
static enum heed_status report(struct heedi_target *target,
                               const struct heed_check_options *options, struct heedi_case *it,
                               const struct heed_check_finding *drawn) {
    char notes[1200];
    bool shrunk = false;
    struct heed_check_finding smallest = *drawn;
    struct heed_check_failure failure = {
        .struct_size = sizeof failure, .drawn = drawn, .smallest = &smallest};
    enum heed_status status = HEED_OK;
    char *text = NULL;
    if (options->shrink)
        status = heedi_shrink(target, options->repeat, it, &smallest, &shrunk);
    describe(&smallest, options->backend, options->seed, notes, sizeof notes);
    if (status == HEED_OK)
        status = heedi_case_print(target->context, it, notes, &text, &failure.text_bytes);
    failure.shrunk = shrunk;
    failure.text = text;
    if (status == HEED_OK)
        options->failure(options->user, &failure);
    heedi_free(&target->context->env, text);
    return status;
}

/* ---- cases ---- */

struct suite {
    const struct heed_check_options *options;
    struct heedi_target *target;
    struct heed_check_row rows[DTYPES]; /* of the operator at hand */
    int64_t failures;
    bool ended;
};

static enum heed_status check_case(struct suite *suite, enum heed_op op, int64_t number,
                                   bool *declined) {
    const struct heed_check_options *options = suite->options;
    struct heed_context *context = suite->target->context;
    struct heed_check_finding finding;
    struct heedi_case it;
    enum heed_status status = heedi_case_draw(context, op, options->seed, number, &it);
    if (status != HEED_OK)
        return status;
    status = heedi_trial(suite->target, &it, options->repeat, NULL, &finding);
    if (status != HEED_OK)
        status =
            heedi_fail_within(context, status, "case %lld of %s with seed %llu", (long long)number,
                              heed_op_name(op), (unsigned long long)options->seed);
    finding.number = number;
    *declined = finding.declined != 0;
    if (status == HEED_OK)
        add_finding(&suite->rows[finding.dtype < DTYPES ? finding.dtype : 0], &finding);
    if (status == HEED_OK && finding.fault != HEED_CHECK_NONE && options->failure != NULL &&
        suite->failures++ < MOST_FAILURES)
        status = report(suite->target, options, &it, &finding);
    heedi_case_clear(&context->env, &it);
    return status;
}

/* Draws until enough cases are judged, or none seems to be for this backend. */
static enum heed_status check_operator(struct suite *suite, enum heed_op op) {
    const struct heed_check_options *options = suite->options;
    const int64_t wanted = options->cases != 0 ? options->cases : heedi_case_count(op);
    const int64_t cases = (wanted + options->every - 1) / options->every;
    const int64_t most_drawn = options->most_drawn != 0 ? options->most_drawn
                               : options->cases != 0    ? INT64_MAX
                                                        : cases;
    int64_t judged = 0, declined_in_a_row = 0;
    enum heed_status status = HEED_OK;
    suite->failures = 0;
    for (uint32_t i = 0; i < DTYPES; i++)
        suite->rows[i] = (struct heed_check_row){
            .struct_size = sizeof suite->rows[i], .op = (uint32_t)op, .dtype = i};
    for (int64_t drawn = 0; status == HEED_OK && !suite->ended && judged < cases &&
                            drawn < most_drawn && declined_in_a_row < PATIENCE;
         drawn++) {
        bool declined = false;
        status = check_case(suite, op, options->first + drawn * options->every, &declined);
        judged += !declined;
        declined_in_a_row = declined ? declined_in_a_row + 1 : 0;
        suite->ended =
            options->progress != NULL && options->progress(options->user, op, judged, cases) != 0;
    }
    for (uint32_t i = 0; status == HEED_OK && options->row != NULL && i < DTYPES; i++)
        if (suite->rows[i].cases + suite->rows[i].declined > 0)
            options->row(options->user, &suite->rows[i]);
    return status;
}

enum heed_status heed_check_run(struct heed_context *context,
                                const struct heed_check_options *given) {
    struct heed_check_options options;
    struct heedi_target target = {.count = 0};
    enum heed_status status = heedi_check_options(context, given, &options);
    if (status != HEED_OK)
        return status;
    status = heedi_target_open(context, &options, &target);
    struct suite suite = {.options = &options, .target = &target};
    for (int op = HEED_OP_NONE + 1; status == HEED_OK && op < HEED_OP_COUNT_PLUS_ONE; op++) {
        if (heedi_case_count((enum heed_op)op) == 0 ||
            (options.op != 0 && options.op != (uint32_t)op) || suite.ended)
            continue;
        status = check_operator(&suite, (enum heed_op)op);
        if (status != HEED_OK)
            heedi_fail(context, status, "%s", heed_last_error(target.context));
    }
    heedi_target_close(&target);
    return status;
}

enum heed_status heed_check_replay(struct heed_context *context,
                                   const struct heed_check_options *given, const char *text,
                                   size_t bytes, struct heed_check_finding *finding) {
    struct heed_check_options options;
    struct heedi_target target = {.count = 0};
    struct heedi_case it;
    if (text == NULL || finding == NULL)
        return heedi_fail(context, HEED_ERROR_INVALID_ARGUMENT,
                          "heed_check_replay: text and finding must not be NULL");
    enum heed_status status = heedi_check_options(context, given, &options);
    if (status == HEED_OK)
        status = heedi_case_parse(context, text, bytes, &it);
    if (status != HEED_OK)
        return status;
    status = heedi_target_open(context, &options, &target);
    if (status == HEED_OK) {
        status = heedi_trial(&target, &it, options.repeat, NULL, finding);
        if (status != HEED_OK)
            heedi_fail(context, status, "%s", heed_last_error(target.context));
    }
    heedi_target_close(&target);
    heedi_case_clear(&context->env, &it);
    return status;
}
