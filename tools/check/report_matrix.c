/* SPDX-License-Identifier: Apache-2.0 */
/* The matrix of `heed check --all`: operators down, backends across. */
#include <math.h>
#include <string.h>

#include "tools/check/check.h"

enum { WIDTH = 16, CELL = 40 };

/* "0.44", "0.44 (52%)" where only that share of the cases is run, "FAIL", "-" where none is. */
static void print_cell(const struct heedi_checked_backend *backend, enum heed_op op, FILE *stream) {
    char text[CELL] = "-";
    double hard = 0;
    int64_t cases, declined, failed = 0;
    heedi_check_count(backend, op, &cases, &declined);
    for (size_t i = 0; i < backend->row_count; i++)
        if (backend->rows[i].op == (uint32_t)op && backend->rows[i].cases > 0) {
            hard = fmax(hard, backend->rows[i].worst.hard);
            failed += backend->rows[i].failed;
        }
    if (failed > 0)
        snprintf(text, sizeof text, "FAIL %lld", (long long)failed);
    else if (cases > 0 && declined > 0)
        snprintf(text, sizeof text, "%.3f (%.0f%%)", hard,
                 100 * (double)cases / (double)(cases + declined));
    else if (cases > 0)
        snprintf(text, sizeof text, "%.3f", hard);
    fprintf(stream, " %-*.*s", WIDTH, WIDTH, text);
}

void heedi_check_matrix(const struct heedi_checking *checking, FILE *stream) {
    fprintf(stream,
            "seed %llu; largest error as a share of the hard bound (share of the cases that "
            "are run)\n\n%-13s",
            (unsigned long long)checking->seed, "");
    for (size_t i = 0; i < checking->backend_count; i++)
        fprintf(stream, " %-*.*s", WIDTH, WIDTH, checking->backends[i].name);
    fputc('\n', stream);
    for (int op = 1; op < HEED_OP_COUNT_PLUS_ONE; op++) {
        if (!checking->ops[op])
            continue;
        fprintf(stream, "%-13s", heed_op_name((enum heed_op)op));
        for (size_t i = 0; i < checking->backend_count; i++)
            print_cell(&checking->backends[i], (enum heed_op)op, stream);
        fputc('\n', stream);
    }
    fprintf(stream, "\n%-13s", "precision");
    for (size_t i = 0; i < checking->backend_count; i++)
        fprintf(stream, " %-*.*s", WIDTH, WIDTH, checking->backends[i].precision.name);
    fprintf(stream, "\n%-13s", "bits");
    for (size_t i = 0; i < checking->backend_count; i++) {
        char text[CELL];
        snprintf(text, sizeof text, "%u, sums %u", checking->backends[i].precision.operand_bits,
                 checking->backends[i].precision.sum_bits);
        fprintf(stream, " %-*.*s", WIDTH, WIDTH, text);
    }
    fputc('\n', stream);
}
