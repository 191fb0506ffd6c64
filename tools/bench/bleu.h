/* SPDX-License-Identifier: Apache-2.0 */
/* Corpus BLEU (Papineni et al. 2002) as sacreBLEU reports it by default (Post 2018, "A Call for
 * Clarity in Reporting BLEU Scores"): mteval-v13a tokenisation, mixed case, one reference, n-grams
 * up to 4, exponential smoothing of zero counts. Signature:
 * nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp */
#ifndef HEEDI_TOOLS_BENCH_BLEU_H
#define HEEDI_TOOLS_BENCH_BLEU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEEDI_BLEU_ORDER = 4 };

/* Counts over all sentences so far; start with zeros. */
struct heedi_bleu {
    uint64_t matches[HEEDI_BLEU_ORDER]; /* n-grams also in the reference, clipped */
    uint64_t totals[HEEDI_BLEU_ORDER];  /* n-grams of the hypotheses */
    uint64_t hypothesis_tokens, reference_tokens;
};

/* Adds a sentence: UTF-8, NUL-terminated. False when memory is out. */
bool heedi_bleu_add(struct heedi_bleu *bleu, const char *hypothesis, const char *reference);
/* 0 to 100. */
double heedi_bleu_score(const struct heedi_bleu *bleu);

/* The tokens of a line with single spaces between; malloc'ed, NULL when memory is out. */
char *heedi_bleu_tokenize(const char *line);

#endif
