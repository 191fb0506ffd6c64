/* SPDX-License-Identifier: Apache-2.0 */
/* The results of `heed check` as one page that needs nothing else: no script, no network, no font.
 */
#include <math.h>
#include <string.h>

#include "tools/bench/page.h"
#include "tools/check/check.h"

static const char style[] =
    ":root{color-scheme:light dark;--back:#fbfbfa;--card:#fff;--text:#1d2125;--soft:#5c6670;"
    "--line:#dfe3e6;--strong:#9aa4ad;--good:#2f9e6e;--bad:#c2452d;--c0:#2a6fbb;--c1:#d9822b;"
    "--c2:#2f9e6e;--c3:#b8529c;--c4:#7a6ad8;--c5:#4aa3c7;--c6:#8a8f3c;--c7:#7d6b5d;--c8:#5f7f9e;"
    "--c9:#a05a7b;--c10:#4f8f4f;--c11:#c2452d}\n"
    "@media(prefers-color-scheme:dark){:root{--back:#14171a;--card:#1c2024;--text:#e8eaec;"
    "--soft:#9aa4ad;--line:#31373d;--strong:#68727b;--good:#4cc38f;--bad:#ec7762;--c0:#5aa2ee;"
    "--c1:#f0a04b;--c2:#4cc38f;--c3:#dd82c4;--c4:#a497f5;--c5:#76c5e6;--c6:#b9bf62;--c7:#b39c8a;"
    "--c8:#8fb0d0;--c9:#cf8aab;--c10:#7fc07f;--c11:#ec7762}}\n"
    "*{box-sizing:border-box}body{margin:0 auto;max-width:1040px;padding:28px 24px 56px;"
    "background:var(--back);color:var(--text);font:15px/1.5 system-ui,-apple-system,'Segoe UI',"
    "Roboto,'Helvetica Neue',Arial,sans-serif}\n"
    "h1{font-size:27px;margin:0 0 2px}h2{font-size:20px;margin:36px 0 4px}h3{"
    "font-size:16px;margin:26px 0 4px}.card h3{margin:0 0 8px}p{margin:4px 0 12px}"
    ".soft,figcaption small{color:var(--soft)}figcaption small{font-weight:400;font-size:12.5px}\n"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:10px;"
    "padding:14px 18px;margin:14px 0;overflow-x:auto}.wide>svg{min-width:680px}\n"
    ".grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(340px,100%),1fr));gap:"
    "14px "
    "32px}.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr));"
    "gap:0 18px}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:5px 14px;margin:0;font-size:13.5px}"
    "dt{color:var(--soft)}dd{margin:0;min-width:0}.terms{margin:10px 0}.rows{overflow-x:auto}"
    "td.wrapped{white-space:normal;min-width:220px}:focus-visible{outline:2px solid var(--c0);"
    "outline-offset:2px}\n"
    "figure{margin:0;max-width:520px}figcaption{font-weight:600;font-size:14px}\n"
    "svg{display:block;width:100%;height:auto;font-family:inherit}text{fill:var(--text)}"
    ".tick,.axis{fill:var(--soft);font-size:11px}.grid{stroke:var(--line)}"
    ".full{stroke:var(--strong);stroke-dasharray:4 3}"
    ".curve{fill:none;stroke-width:1.5;stroke-linejoin:round}.legend{display:flex;flex-wrap:wrap;"
    "gap:4px 20px;font-size:13.5px}.legend span{display:inline-flex;align-items:center;gap:6px}"
    ".legend svg{width:26px}.ring{fill:none;stroke-width:1.5}.dot{opacity:.75}"
    ".cross{stroke:var(--bad);stroke-width:2.2;fill:none}.d1{stroke-dasharray:7 3}"
    ".d2{stroke-dasharray:2 2.5}.d3{stroke-dasharray:9 3 2 3}\n"
    ".c0{fill:var(--c0)}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}"
    ".c4{fill:var(--c4)}.c5{fill:var(--c5)}.c6{fill:var(--c6)}.c7{fill:var(--c7)}"
    ".c8{fill:var(--c8)}.c9{fill:var(--c9)}.c10{fill:var(--c10)}.c11{fill:var(--c11)}"
    "rect.bad{fill:var(--bad)}"
    ".k0{stroke:var(--c0)}.k1{stroke:var(--c1)}.k2{stroke:var(--c2)}.k3{stroke:var(--c3)}"
    ".k4{stroke:var(--c4)}.k5{stroke:var(--c5)}.k6{stroke:var(--c6)}.k7{stroke:var(--c7)}"
    ".k8{stroke:var(--c8)}.k9{stroke:var(--c9)}.k10{stroke:var(--c10)}.k11{stroke:var(--c11)}\n"
    "table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}"
    "th,td{padding:4px 12px 4px 0;text-align:left;border-bottom:1px solid var(--line);"
    "white-space:nowrap;vertical-align:top}th{color:var(--soft);font-weight:600}"
    "summary{cursor:pointer;font-weight:600}table+table{margin-top:14px}table.wrap td,table.wrap "
    "th{white-space:normal}td "
    "small{color:var(--soft)}.ok{color:var(--good)}.fail{color:var(--bad);font-weight:600}"
    "code{font:12.5px/1.4 ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}\n"
    "th:first-child,td:first-child{position:sticky;left:0;background:var(--card)}"
    "@media(max-width:560px){body{padding:18px 12px 40px}.card{padding:12px}dl{display:block}"
    "dd{margin:0 0 8px}.stack,.stack tbody,.stack tr,.stack td{display:block}.stack "
    "th{display:none}.stack td{border:0;padding:1px 0}.stack tr{border-bottom:1px solid "
    "var(--line);padding:6px 0}}\n"
    "@media print{body{max-width:none}.card{break-inside:avoid}}\n";

static void text(FILE *page, const char *words) {
    heedi_bench_page_text(page, words);
}

/* ---- matrix ---- */

static void write_cell(const struct heedi_checked_backend *backend, enum heed_op op, FILE *page) {
    double hard = 0;
    int64_t cases, declined, failed = 0;
    heedi_check_count(backend, op, &cases, &declined);
    for (size_t i = 0; i < backend->row_count; i++)
        if (backend->rows[i].op == (uint32_t)op && backend->rows[i].cases > 0) {
            hard = fmax(hard, backend->rows[i].worst.hard);
            failed += backend->rows[i].failed;
        }
    const bool much = heedi_check_declines_too_much(backend, op);
    if (cases == 0)
        fprintf(page, "<td class=%s>declined", much ? "fail" : "soft");
    else if (failed > 0)
        fprintf(page, "<td class=fail>&#10007; %lld of %lld fail", (long long)failed,
                (long long)cases);
    else
        fprintf(page, "<td><span class=ok>&#10003;</span> %.3f", hard);
    if (cases > 0 && declined > 0)
        fprintf(page, " <small%s>%.0f%% run</small>", much ? " class=fail" : "",
                100 * (double)cases / (double)(cases + declined));
}

static void write_matrix(const struct heedi_checking *checking, FILE *page) {
    fputs(
        "<h2>Operators</h2>\n<p class=soft>The largest error of any element of any case, as a "
        "share of the bound that the error analysis gives; 1 is the bound. Results stored in 16 "
        "bits come close to it: half a unit in their last place is most of what they may be off. "
        "What a backend declines another one computes; a share is how many cases it has run. "
        "Precision is found by probes, in bits of a significand; f32 has 24.</p>\n<div class=card "
        "role=region tabindex=0 aria-label=\"matrix of operators and backends\"><table><tr>"
        "<th>operator",
        page);
    for (size_t i = 0; i < checking->backend_count; i++) {
        fputs("<th>", page);
        text(page, checking->backends[i].label);
    }
    for (int op = 1; op < HEED_OP_COUNT_PLUS_ONE; op++) {
        if (!checking->ops[op])
            continue;
        fprintf(page, "\n<tr><td>%s", heed_op_name((enum heed_op)op));
        for (size_t i = 0; i < checking->backend_count; i++)
            write_cell(&checking->backends[i], (enum heed_op)op, page);
    }
    if (checking->options->check.all) {
        fputs("\n<tr><td>precision found", page);
        for (size_t i = 0; i < checking->backend_count; i++) {
            const struct heed_check_precision *it = &checking->backends[i].precision;
            fprintf(page, "<td%s>%s<br><small>operands %u bits,<br>sums %u bits</small>",
                    heedi_check_lowers_precision(&checking->backends[i]) ? " class=fail" : "",
                    it->name, it->operand_bits, it->sum_bits);
        }
    }
    fputs("\n</table></div>\n<h2>How large errors are</h2>\n<div class=\"card grid2\">\n", page);
    for (size_t i = 0; i < checking->backend_count; i++)
        heedi_check_histogram(&checking->backends[i], i, page);
    fputs(
        "</div>\n<h2>Every type</h2>\n<p class=soft>Largest errors as shares of the hard and of "
        "the "
        "statistical bound, and in units in the last place, which cancellation makes large "
        "without fault; where the largest is; and what is left to other backends, beside what may "
        "be.</p>\n",
        page);
    for (size_t i = 0; i < checking->backend_count; i++)
        heedi_check_rows(&checking->backends[i], page);
}

/* ---- failures ---- */

static void write_failure(const struct heedi_checked_backend *backend,
                          const struct heedi_checked_failure *failure, FILE *page) {
    const struct heed_check_finding *it = &failure->smallest;
    char index[96];
    fprintf(page, "<tr><td class=fail>%s<td>%s<td>", heed_op_name((enum heed_op)it->op),
            heed_check_fault_name((enum heed_check_fault)it->fault));
    text(page, backend->label);
    fprintf(page, "<td class=wrapped>%s, output %u, element %s",
            heed_check_fault_text((enum heed_check_fault)it->fault), it->output,
            heedi_check_index(it, index));
    if (it->fault <= HEED_CHECK_SPECIAL)
        fprintf(page, ": expected %.9g, found %.9g, %.3g of the bound", it->expected, it->actual,
                it->hard);
    if (it->message[0] != '\0') {
        fputs("; ", page);
        text(page, it->message);
    }
    if (failure->path[0] != '\0') {
        fputs("<br><code>heed check --replay ", page);
        text(page, failure->path);
        fputs(" --backend '", page);
        text(page, backend->entry);
        fputs("'</code>", page);
    }
    fputc('\n', page);
}

static void write_failures(const struct heedi_checking *checking, FILE *page) {
    size_t count = 0;
    for (size_t i = 0; i < checking->backend_count; i++)
        count += checking->backends[i].failure_count;
    fputs("<h2>Failing cases</h2>\n", page);
    if (count == 0) {
        fputs("<p>None.</p>\n", page);
        return;
    }
    fputs("<p class=soft>The first three of each operator, made as small as they can be. Each is "
          "in a file that runs again with the line below it.</p>\n<div "
          "class=card role=region tabindex=0 aria-label=\"failing "
          "cases\"><table class=stack><tr><th>operator<th>fault<th>backend<th>what\n",
          page);
    for (size_t i = 0; i < checking->backend_count; i++)
        for (size_t j = 0; j < checking->backends[i].failure_count; j++)
            write_failure(&checking->backends[i], &checking->backends[i].failures[j], page);
    fputs("</table></div>\n", page);
}

/* ---- all ---- */

bool heedi_check_html(const void *what, FILE *page) {
    const struct heedi_checking *checking = what;
    bool holds = true, rows = false, nodes = false;
    int64_t cases = 0;
    for (size_t i = 0; i < checking->backend_count; i++) {
        const struct heedi_checked_backend *backend = &checking->backends[i];
        holds = holds && heedi_check_holds(backend) && heedi_check_model_holds(&backend->model);
        rows = rows || backend->row_count > 0;
        nodes = nodes || backend->node_count > 0;
        for (size_t j = 0; j < backend->row_count; j++)
            cases += backend->rows[j].cases;
    }
    fprintf(page,
            "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport "
            "content=\"width=device-width\"><title>heed check</title>\n<style>\n%s</style>\n"
            "<h1>Do the backends agree? <span class=%s>%s</span></h1>\n<p class=soft>heed %s",
            style, holds ? "ok" : "fail", holds ? "Yes." : "No.", heed_version());
    if (rows)
        fprintf(page, ", %lld cases of seed %llu", (long long)cases,
                (unsigned long long)checking->seed);
    fputs("</p>\n", page);
    for (size_t i = 0; i < checking->backend_count; i++) {
        fputs("<p class=soft style=\"margin:0\">", page);
        text(page, checking->backends[i].entry);
        fputs(": ", page);
        text(page, checking->backends[i].description);
        fputs("</p>\n", page);
    }
    if (rows) {
        write_matrix(checking, page);
        write_failures(checking, page);
    }
    if (nodes)
        heedi_check_page_model(checking, page);
    fputs("</html>\n", page);
    return true;
}
