/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the page that `heed check` writes: every operator and type of a backend, and what
 * the backend declines. */
#include "tools/bench/page.h"
#include "tools/check/check.h"

static void write_row(const struct heed_check_row *row, FILE *page) {
    const struct heed_check_finding *worst = &row->worst;
    const bool fails = row->failed > 0;
    char index[96];
    fprintf(page, "<tr><td>%s<td>%s<td>%lld<td>%lld<td%s>%lld", heed_op_name((enum heed_op)row->op),
            heed_dtype_name((enum heed_dtype)row->dtype), (long long)row->cases,
            (long long)row->declined, fails ? " class=fail" : "", (long long)row->failed);
    if (row->cases == 0) {
        fputs("<td><td><td><td><td><td>\n", page);
        return;
    }
    fprintf(page, "<td>%.3g<td>%.3g<td>%.3g", worst->hard, row->statistical, row->largest_ulp);
    if (worst->hard == 0 && !fails)
        fputs("<td><td><td>\n", page);
    else
        fprintf(page, "<td>case %lld, output %u, %s<td>%.9g<td>%.9g\n", (long long)worst->number,
                worst->output, heedi_check_index(worst, index), worst->expected, worst->actual);
}

static void write_declined(const struct heedi_checked_backend *backend, enum heed_op op,
                           FILE *page) {
    int64_t cases, declined;
    heedi_check_count(backend, op, &cases, &declined);
    if (declined == 0)
        return;
    fprintf(page, "<tr><td>%s<td>%lld of %lld<td%s>%.1f %%<td>%.3g %%<td>", heed_op_name(op),
            (long long)declined, (long long)cases + declined,
            heedi_check_declines_too_much(backend, op) ? " class=fail" : "",
            100 * (double)declined / (double)(cases + declined),
            100 * heedi_check_may_decline(backend->name, op));
    heedi_bench_page_text(page, heedi_check_declined_reason(backend, op));
    fputc('\n', page);
}

void heedi_check_rows(const struct heedi_checked_backend *backend, FILE *page) {
    int64_t all = 0;
    fputs("<details class=card><summary>", page);
    heedi_bench_page_text(page, backend->label);
    fputs("</summary>\n<table><tr><th>operator<th>type<th>cases<th>declined<th>failed<th>hard"
          "<th>statistical<th>ULP<th>largest error<th>expected<th>found\n",
          page);
    for (size_t i = 0; i < backend->row_count; i++) {
        write_row(&backend->rows[i], page);
        all += backend->rows[i].declined;
    }
    fputs("</table>\n", page);
    if (all > 0) {
        fputs("<table class=wrap><tr><th>operator<th>declined<th>share<th>at most<th>the last one"
              "\n",
              page);
        for (int op = 1; op < HEED_OP_COUNT_PLUS_ONE; op++)
            write_declined(backend, (enum heed_op)op, page);
        fputs("</table>\n", page);
    }
    fputs("</details>\n", page);
}
