/* SPDX-License-Identifier: Apache-2.0 */
/* What `heed check` prints for people. */
#include <string.h>

#include "tools/check/check.h"

const char *heedi_check_index(const struct heed_check_finding *finding, char text[96]) {
    size_t used = (size_t)snprintf(text, 96, "[");
    for (uint32_t i = 0; i < finding->rank && i < HEED_MAX_RANK; i++)
        used += (size_t)snprintf(text + used, 96 - used, "%s%lld", i > 0 ? ", " : "",
                                 (long long)finding->index[i]);
    snprintf(text + used, 96 - used, "]");
    return text;
}

/* The element with the largest error: "case 17 [2, 3]: -0.123 for -0.124". */
static void print_worst(const struct heed_check_row *row, FILE *stream) {
    char index[96];
    const struct heed_check_finding *worst = &row->worst;
    if (row->cases == 0 || (worst->hard == 0 && worst->fault == HEED_CHECK_NONE))
        return;
    fprintf(stream, "  case %lld %s", (long long)worst->number, heedi_check_index(worst, index));
    if (worst->fault <= HEED_CHECK_SPECIAL)
        fprintf(stream, ": %.7g for %.7g", worst->actual, worst->expected);
}

static void print_row(const struct heed_check_row *row, FILE *stream) {
    fprintf(stream, "%-13s %-5s %6lld %8lld %6lld", heed_op_name((enum heed_op)row->op),
            heed_dtype_name((enum heed_dtype)row->dtype), (long long)row->cases,
            (long long)row->declined, (long long)row->failed);
    if (row->cases == 0)
        fprintf(stream, " %8s %8s %8s", "-", "-", "-");
    else
        fprintf(stream, " %8.3g %8.3g %8.3g", row->worst.hard, row->statistical, row->largest_ulp);
    print_worst(row, stream);
    fputc('\n', stream);
}

/* `only_much`: only of what is declined too often. */
static void print_declined(const struct heedi_checked_backend *backend, bool only_much,
                           FILE *stream) {
    for (int op = 1; op < HEED_OP_COUNT_PLUS_ONE; op++) {
        int64_t cases, declined;
        heedi_check_count(backend, (enum heed_op)op, &cases, &declined);
        const char *reason = heedi_check_declined_reason(backend, (enum heed_op)op);
        const double most = heedi_check_may_decline(backend->name, (enum heed_op)op);
        const bool much = heedi_check_declines_too_much(backend, (enum heed_op)op);
        if (declined == 0 || (only_much && !much))
            continue;
        fprintf(stream, "%s%s%s%s: %lld of %lld declined, %.3g %%", much ? "FAIL " : "",
                only_much ? backend->entry : "", only_much ? " " : "",
                heed_op_name((enum heed_op)op), (long long)declined,
                (long long)cases + (long long)declined,
                100 * (double)declined / (double)(cases + declined));
        if (most < 1)
            fprintf(stream, " of at most %.3g %%", 100 * most);
        fprintf(stream, "%s%s\n", reason[0] != '\0' ? "; the last: " : "", reason);
    }
}

static void print_failure(const struct heedi_checked_backend *backend,
                          const struct heedi_checked_failure *failure, FILE *stream) {
    const struct heed_check_finding *it = &failure->smallest;
    char index[96];
    fprintf(stream, "\nFAIL %s on %s: %s, %s\n", heed_op_name((enum heed_op)it->op), backend->entry,
            heed_check_fault_name((enum heed_check_fault)it->fault),
            heed_check_fault_text((enum heed_check_fault)it->fault));
    fprintf(stream, "  output %u, element %s", it->output, heedi_check_index(it, index));
    if (it->fault <= HEED_CHECK_SPECIAL)
        fprintf(stream,
                ": expected %.9g, found %.9g, %.3g ULP, %.3g of the hard bound, %.3g of the "
                "statistical bound",
                it->expected, it->actual, it->ulp, it->hard, it->statistical);
    fprintf(stream, "\n%s%s%s", it->message[0] != '\0' ? "  " : "", it->message,
            it->message[0] != '\0' ? "\n" : "");
    fprintf(stream, "  drawn as case %lld, element %s\n", (long long)failure->drawn.number,
            heedi_check_index(&failure->drawn, index));
    if (failure->path[0] != '\0')
        fprintf(stream, "  heed check --replay %s --backend '%s'\n", failure->path, backend->entry);
}

static void print_backend(const struct heedi_checked_backend *backend, FILE *stream) {
    fprintf(stream, "\n%s: %s\n\n%-13s %-5s %6s %8s %6s %8s %8s %8s  %s\n", backend->entry,
            backend->description, "operator", "type", "cases", "declined", "failed", "hard",
            "statist.", "ULP", "largest error");
    for (size_t i = 0; i < backend->row_count; i++)
        print_row(&backend->rows[i], stream);
    print_declined(backend, false, stream);
}

void heedi_check_table(const struct heedi_checking *checking, FILE *stream) {
    fprintf(stream, "seed %llu\n", (unsigned long long)checking->seed);
    for (size_t i = 0; i < checking->backend_count; i++)
        print_backend(&checking->backends[i], stream);
}

void heedi_check_summary(const struct heedi_checking *checking, FILE *stream) {
    for (size_t i = 0; i < checking->backend_count; i++) {
        const struct heedi_checked_backend *backend = &checking->backends[i];
        for (size_t j = 0; j < backend->failure_count; j++)
            print_failure(backend, &backend->failures[j], stream);
    }
    fputc('\n', stream);
    for (size_t i = 0; i < checking->backend_count; i++) {
        const struct heedi_checked_backend *backend = &checking->backends[i];
        int64_t cases = 0, declined = 0, failed = 0;
        for (size_t j = 0; j < backend->row_count; j++) {
            cases += backend->rows[j].cases;
            declined += backend->rows[j].declined;
            failed += backend->rows[j].failed;
        }
        if (checking->options->check.all)
            print_declined(backend, true, stream);
        if (heedi_check_lowers_precision(backend))
            fprintf(stream, "FAIL %s computes in %s, not in the f32 that it declares\n",
                    backend->entry, backend->precision.name);
        fprintf(stream, "%s: %s; %lld cases, %lld failed, %lld declined, %.1f s\n", backend->entry,
                heedi_check_holds(backend) ? "holds" : "FAILS", (long long)cases, (long long)failed,
                (long long)declined, backend->seconds);
    }
}
