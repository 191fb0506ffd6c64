/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the page that tells of backends inside a model. */
#include <math.h>
#include <string.h>

#include "tools/bench/page.h"
#include "tools/check/check.h"

enum { MOST_LISTED = 20 };

static void text(FILE *page, const char *words) {
    heedi_bench_page_text(page, words);
}

static const char *other_side(const struct heedi_checking *checking) {
    const char *against = checking->options->check.against;
    return against == NULL || strcmp(against, "f64") == 0 ? "references in double precision"
                                                          : against;
}

/* "decoder step 3, decoder.1.fc1 (matmul)" */
static void write_place(const struct heed_check_place *place, FILE *page) {
    fputs(place->graph, page);
    if (strcmp(place->graph, "decoder") == 0)
        fprintf(page, " step %u", place->step);
    fputs(", <code>", page);
    text(page, place->name);
    fprintf(page, "</code> (%s)", heed_op_name((enum heed_op)place->op));
}

static void write_nodes(const char *nodes, FILE *page) {
    if (strchr(nodes, ',') == NULL)
        return;
    fputs("; one kernel for <code>", page);
    text(page, nodes);
    fputs("</code>", page);
}

/* ---- a card for each backend ---- */

/* Where the other side is a backend. */
static void write_pair(const struct heed_check_model_report *it, FILE *page) {
    fputs("<dt>both<dd>", page);
    if (it->other_over > 0) {
        fprintf(page,
                "<span class=fail>&#10007; the other side is beyond %u bounds</span>, first: ",
                it->other_over);
        write_place(&it->first_other, page);
        fputs("<br>", page);
    }
    fprintf(page, "%.3g of the sum of both bounds at the most", it->pair);
    if (it->pair > 0) {
        fputs(": ", page);
        write_place(&it->worst_pair, page);
    }
}

static void write_alone(const struct heed_check_model_report *it, bool backend_side, FILE *page) {
    fprintf(page, "<dt>nodes<dd>%u", it->nodes);
    if (it->declined > 0)
        fprintf(page, ", of which %u are left to another backend", it->declined);
    fputs("<dt>isolated<dd>", page);
    if (it->over > 0) {
        fprintf(page,
                "<span class=fail>&#10007; %u beyond their bounds</span>, the first: ", it->over);
        write_place(&it->first_over, page);
        fprintf(page, ": %s; expected %.9g, found %.9g",
                heed_check_fault_text((enum heed_check_fault)it->first_finding.fault),
                it->first_finding.expected, it->first_finding.actual);
        if (it->first_finding.message[0] != '\0') {
            fputs("; ", page);
            text(page, it->first_finding.message);
        }
        fputs("<br>", page);
    } else {
        fputs("<span class=ok>&#10003;</span> ", page);
    }
    fprintf(page, "at most %.3g of the bound: ", it->isolated);
    write_place(&it->worst_isolated, page);
    if (backend_side)
        write_pair(it, page);
    fprintf(page, "<dt>accumulated<dd>at most %.1e: ", it->accumulated);
    write_place(&it->worst_accumulated, page);
}

static void write_together(const struct heed_check_model_report *it, FILE *page) {
    fputs("<dt>as run<dd>", page);
    if (it->together_over > 0) {
        fprintf(page, "<span class=fail>&#10007; %u beyond their tolerance</span>, the first: ",
                it->together_over);
        write_place(&it->first_together, page);
        fputs(": ", page);
        text(page, it->together_message);
        write_nodes(it->first_nodes, page);
        fputs("<br>", page);
    } else {
        fputs("<span class=ok>&#10003;</span> ", page);
    }
    fprintf(page, "%u results of whole graphs and ", it->results);
    if (it->groups > 0)
        fprintf(page, "%u fused groups of up to %u nodes", it->groups, it->largest_group);
    else
        fputs("no fused groups", page);
    if (it->together > 0) {
        fprintf(page, ", at most %.3g of the tolerance: ", it->together);
        write_place(&it->worst_together, page);
        write_nodes(it->worst_nodes, page);
    }
}

static void write_words(const struct heed_check_model_report *it, FILE *page) {
    const bool same = it->same_choices == it->choices;
    fprintf(page,
            "<dt>tokens<dd><span class=%s>%s %lld of %lld</span> times the same best one; %.1f of "
            "the best five are the same; logits differ by at most %.1e, the best is ahead by at "
            "least %.1e",
            same ? "ok" : "fail", same ? "&#10003;" : "&#10007;", (long long)it->same_choices,
            (long long)it->choices, it->shared_best, it->logits, it->margin);
    fprintf(page, "<dt>translation<dd><span class=%s>%s</span> ",
            it->same_translation ? "ok" : "fail",
            it->same_translation ? "&#10003; the same:" : "&#10007; different:");
    text(page, it->translation);
    if (!it->same_translation) {
        fputs("<br>the other side: ", page);
        text(page, it->expected);
    }
}

static void write_card(const struct heedi_checking *checking,
                       const struct heedi_checked_backend *backend, FILE *page) {
    const char *against = checking->options->check.against;
    const bool holds = heedi_check_model_holds(&backend->model);
    fputs("<div class=card><h3>", page);
    text(page, backend->label);
    fprintf(page, " <span class=%s>%s</span></h3>\n<dl>", holds ? "ok" : "fail",
            holds ? "&#10003; holds" : "&#10007; fails");
    write_alone(&backend->model, against != NULL && strcmp(against, "f64") != 0, page);
    write_together(&backend->model, page);
    write_words(&backend->model, page);
    fputs("</dl></div>\n", page);
}

/* ---- what is beyond ---- */

static void write_row(const struct heedi_checked_backend *backend, const char *what,
                      const struct heed_check_place *place, const char *nodes, double share,
                      FILE *page) {
    fputs("<tr><td>", page);
    text(page, backend->label);
    fprintf(page, "<td class=fail>%s<td>", what);
    write_place(place, page);
    write_nodes(nodes, page);
    fprintf(page, "<td>%.3g\n", share);
}

static void write_beyond(const struct heedi_checked_backend *backend, FILE *page) {
    size_t count = 0;
    for (size_t i = 0; i < backend->node_count; i++) {
        const struct heedi_checked_node *it = &backend->nodes[i];
        if (it->fault != HEED_CHECK_NONE && count++ < MOST_LISTED)
            write_row(backend, heed_check_fault_name(it->fault), &it->place, "", it->isolated,
                      page);
    }
    for (size_t i = 0; i < backend->piece_count; i++) {
        const struct heedi_checked_piece *it = &backend->pieces[i];
        if (it->over && count++ < MOST_LISTED)
            write_row(backend, it->group ? "fused group" : "result as run", &it->place, it->nodes,
                      it->relative / it->tolerance, page);
    }
    if (count > MOST_LISTED)
        fprintf(page, "<tr><td><td>&hellip;<td>and %zu more<td>\n", count - MOST_LISTED);
}

/* ---- fused groups ---- */

/* The first of those with the same nodes: they come again with every step. */
static bool is_first(const struct heedi_checked_backend *backend, size_t index) {
    for (size_t i = 0; i < index; i++)
        if (backend->pieces[i].group &&
            strcmp(backend->pieces[i].nodes, backend->pieces[index].nodes) == 0)
            return false;
    return true;
}

static void write_groups(const struct heedi_checked_backend *backend, FILE *page) {
    if (backend->model.groups == 0)
        return;
    fputs("<details class=card><summary>", page);
    text(page, backend->label);
    fputs("</summary><div class=rows role=region tabindex=0 aria-label=\"fused groups\"><table>"
          "<tr><th>nodes of one kernel<th>times<th>largest difference<th>one by one<th>share of "
          "the tolerance\n",
          page);
    for (size_t i = 0; i < backend->piece_count; i++) {
        const struct heedi_checked_piece *it = &backend->pieces[i];
        double relative = 0, one_by_one = 0, share = 0;
        size_t times = 0;
        if (!it->group || !is_first(backend, i))
            continue;
        for (size_t j = i; j < backend->piece_count; j++) {
            const struct heedi_checked_piece *other = &backend->pieces[j];
            if (!other->group || strcmp(other->nodes, it->nodes) != 0)
                continue;
            times++;
            relative = fmax(relative, other->relative);
            one_by_one = fmax(one_by_one, other->one_by_one);
            share = fmax(share, other->relative / other->tolerance);
        }
        fputs("<tr><td class=wrapped><code>", page);
        text(page, it->nodes);
        fprintf(page, "</code><td>%zu<td>%.1e<td>%.1e<td%s>%.3f\n", times, relative, one_by_one,
                share > 1 ? " class=fail" : "", share);
    }
    fputs("</table></div></details>\n", page);
}

/* ---- all ---- */

static void write_introduction(const struct heedi_checking *checking, FILE *page) {
    fputs("<h2>Inside a model</h2>\n<p>", page);
    if (checking->options->check.input != NULL) {
        fputs("&ldquo;", page);
        text(page, checking->options->check.input);
        fputs("&rdquo; is translated", page);
    } else {
        fputs("A sentence is translated", page);
    }
    fputs(", and every node of the graphs that this takes is computed on each backend and "
          "compared. The other side: ",
          page);
    text(page, other_side(checking));
    fputs(".</p>\n<dl class=\"card terms\"><dt>isolated<dd>Each node on the other side's operands: "
          "its error as a share of the bound that the error analysis of its operator gives; more "
          "than 1 is a wrong kernel.<dt>accumulated<dd>Each backend goes on with its own results: "
          "the largest difference of a node's results, divided by the largest of these results. It "
          "shows how errors grow with depth.<dt>as run<dd>Whole graphs with all that a backend "
          "fuses, and each fused group for itself: the difference as a share of what is tolerated, "
          "which is four times what the same nodes differ by one by one.</dl>\n",
          page);
}

static void write_all_beyond(const struct heedi_checking *checking, FILE *page) {
    uint32_t over = 0;
    for (size_t i = 0; i < checking->backend_count; i++)
        over += checking->backends[i].model.over + checking->backends[i].model.together_over;
    if (over == 0)
        return;
    fputs("<h3>Beyond bounds</h3>\n<div class=card role=region tabindex=0 aria-label=\"nodes "
          "beyond their bounds\"><table class=\"wrap "
          "stack\"><tr><th>backend<th>what<th>where<th>share of "
          "the bound\n",
          page);
    for (size_t i = 0; i < checking->backend_count; i++)
        write_beyond(&checking->backends[i], page);
    fputs("</table></div>\n", page);
}

void heedi_check_page_model(const struct heedi_checking *checking, FILE *page) {
    bool groups = false;
    write_introduction(checking, page);
    fputs("<div class=cards>\n", page);
    for (size_t i = 0; i < checking->backend_count; i++)
        write_card(checking, &checking->backends[i], page);
    fputs("</div>\n", page);
    write_all_beyond(checking, page);
    fputs("<h3>How errors grow</h3>\n<p class=soft>Lines: accumulated, node by node. Dots: what "
          "comes out of the graphs as they are run; crosses: beyond the tolerance. A ring is where "
          "a backend differs most.</p>\n<div class=card role=region tabindex=0 "
          "aria-label=\"growth of errors\">\n",
          page);
    heedi_check_growth(checking, page);
    fputs("</div>\n<h3>How close nodes come to their bounds</h3>\n<div class=\"card grid2\">\n",
          page);
    for (size_t i = 0; i < checking->backend_count; i++) {
        heedi_check_nodes_histogram(&checking->backends[i], i, page);
        groups = groups || checking->backends[i].model.groups > 0;
    }
    fputs("</div>\n", page);
    if (groups)
        fputs("<h3>Fused groups</h3>\n", page);
    for (size_t i = 0; i < checking->backend_count; i++)
        write_groups(&checking->backends[i], page);
}
