/* SPDX-License-Identifier: Apache-2.0 */
/* Corpus BLEU. */
#include "tools/bench/bleu.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tokenisation (mteval-v13a) ---- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* ASCII punctuation that always stands alone; '.' and ',' depend on digits beside them, '-' on a
 * digit before it, the apostrophe never does. */
static bool stands_alone(char c) {
    return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
           (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

static bool is_stop(char c) {
    return c == '.' || c == ',';
}

/* Bytes of the white space at `text` (what Python's str.split() splits at), 0: none. */
static size_t space_length(const char *text) {
    const unsigned char *c = (const unsigned char *)text;
    if (c[0] == ' ' || (c[0] >= 0x09 && c[0] <= 0x0d) || (c[0] >= 0x1c && c[0] <= 0x1f))
        return 1;
    if (c[0] == 0xc2 && (c[1] == 0x85 || c[1] == 0xa0))
        return 2;
    const bool general = c[0] == 0xe2 && c[1] == 0x80 &&
                         ((c[2] >= 0x80 && c[2] <= 0x8a) || c[2] == 0xa8 || c[2] == 0xa9 ||
                          c[2] == 0xaf); /* U+2000 to 200A, 2028, 2029, 202F */
    const bool other = (c[0] == 0xe1 && c[1] == 0x9a && c[2] == 0x80) || /* U+1680 */
                       (c[0] == 0xe2 && c[1] == 0x81 && c[2] == 0x9f) || /* U+205F */
                       (c[0] == 0xe3 && c[1] == 0x80 && c[2] == 0x80);   /* U+3000 */
    return general || other ? 3 : 0;
}

static void replace(char *text, const char *what, const char *with) {
    const size_t length = strlen(what), kept = strlen(with); /* never longer than `what` */
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        if (strncmp(from, what, length) == 0) {
            memcpy(to, with, kept);
            to += kept;
            from += length;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
}

/* The rules are applied one after the other, each to the whole line from left to right and each
 * match going on behind the last; that they were written as substitutions shows in cases like
 * "a,,b". */

/* Rule 1: spaces around what stands alone. */
static void split_punctuation(const char *from, char *to) {
    for (; *from != '\0'; from++) {
        if (stands_alone(*from))
            *to++ = ' ';
        *to++ = *from;
        if (stands_alone(*from))
            *to++ = ' ';
    }
    *to = '\0';
}

/* Rule 2: "x." -> "x . " unless x is a digit. */
static void split_stop_after(const char *from, char *to) {
    while (*from != '\0') {
        *to++ = *from;
        if (!is_digit(from[0]) && is_stop(from[1])) {
            *to++ = ' ';
            *to++ = from[1];
            *to++ = ' ';
            from++;
        }
        from++;
    }
    *to = '\0';
}

/* Rule 3: ".x" -> " . x" unless x is a digit. */
static void split_stop_before(const char *from, char *to) {
    while (*from != '\0') {
        const bool splits = is_stop(from[0]) && from[1] != '\0' && !is_digit(from[1]);
        if (splits)
            *to++ = ' ';
        *to++ = *from++;
        if (splits) {
            *to++ = ' ';
            *to++ = *from++;
        }
    }
    *to = '\0';
}

/* Rule 4: "5-" -> "5 - ". */
static void split_dash(const char *from, char *to) {
    while (*from != '\0') {
        *to++ = *from;
        if (is_digit(from[0]) && from[1] == '-') {
            *to++ = ' ';
            *to++ = '-';
            *to++ = ' ';
            from++;
        }
        from++;
    }
    *to = '\0';
}

static void squeeze(const char *from, char *to) {
    char *const begin = to;
    while (*from != '\0') {
        const size_t space = space_length(from);
        if (space > 0) {
            if (to > begin && to[-1] != ' ')
                *to++ = ' ';
            from += space;
        } else {
            *to++ = *from++;
        }
    }
    if (to > begin && to[-1] == ' ')
        to--;
    *to = '\0';
}

char *heedi_bleu_tokenize(const char *line) {
    const size_t length = strlen(line);
    /* Each rule adds at most two spaces to a byte. */
    const size_t room = length < SIZE_MAX / 32 ? 16 * length + 16 : 0;
    char *a = room > 0 ? malloc(room) : NULL, *b = room > 0 ? malloc(room) : NULL;
    if (a == NULL || b == NULL) {
        free(a);
        free(b);
        return NULL;
    }
    snprintf(a, room, " %s ", line);
    replace(a, "<skipped>", "");
    replace(a, "-\n", "");
    replace(a, "\n", " ");
    replace(a, "&quot;", "\"");
    replace(a, "&amp;", "&");
    replace(a, "&lt;", "<");
    replace(a, "&gt;", ">");
    split_punctuation(a, b);
    split_stop_after(b, a);
    split_stop_before(a, b);
    split_dash(b, a);
    squeeze(a, b);
    free(a);
    return b;
}

/* ---- counting ---- */

struct tokens {
    char *line;
    const char **starts;
    size_t count;
};

static bool split(const char *text, struct tokens *tokens) {
    *tokens = (struct tokens){.line = heedi_bleu_tokenize(text)};
    if (tokens->line == NULL)
        return false;
    const size_t length = strlen(tokens->line);
    tokens->starts = malloc((length / 2 + 1) * sizeof *tokens->starts);
    if (tokens->starts == NULL)
        return false;
    for (char *at = tokens->line; *at != '\0';) {
        tokens->starts[tokens->count++] = at;
        at += strcspn(at, " ");
        if (*at != '\0')
            *at++ = '\0';
    }
    return true;
}

/* An n-gram starts at one of the pointers in `starts`; its words lie one behind the other. */
static int compare_ngrams(const char *a, const char *b, int order) {
    for (int i = 0;; i++) {
        const int difference = strcmp(a, b);
        if (difference != 0 || i + 1 == order)
            return difference;
        a += strlen(a) + 1;
        b += strlen(b) + 1;
    }
}

#define COMPARE(n)                                                                                 \
    static int compare_##n(const void *a, const void *b) {                                         \
        return compare_ngrams(*(const char *const *)a, *(const char *const *)b, n);                \
    }
COMPARE(1)
COMPARE(2)
COMPARE(3)
COMPARE(4)

/* Sorts the n-grams of both and counts what they have in common, as often as in both. */
static uint64_t common(const char **a, size_t a_count, const char **b, size_t b_count, int order) {
    static int (*const compare[])(const void *, const void *) = {compare_1, compare_2, compare_3,
                                                                 compare_4};
    uint64_t matches = 0;
    qsort(a, a_count, sizeof *a, compare[order - 1]);
    qsort(b, b_count, sizeof *b, compare[order - 1]);
    for (size_t i = 0, j = 0; i < a_count && j < b_count;) {
        const int difference = compare_ngrams(a[i], b[j], order);
        matches += difference == 0;
        i += difference <= 0;
        j += difference >= 0;
    }
    return matches;
}

static size_t ngrams(size_t tokens, size_t order) {
    return tokens >= order ? tokens - order + 1 : 0;
}

bool heedi_bleu_add(struct heedi_bleu *bleu, const char *hypothesis, const char *reference) {
    struct tokens hyp = {0}, ref = {0};
    const char **sorted_hyp = NULL, **sorted_ref = NULL;
    bool added = split(hypothesis, &hyp) && split(reference, &ref);
    if (added) {
        sorted_hyp = malloc((hyp.count + 1) * sizeof *sorted_hyp);
        sorted_ref = malloc((ref.count + 1) * sizeof *sorted_ref);
        added = sorted_hyp != NULL && sorted_ref != NULL;
    }
    for (int order = 1; added && order <= HEEDI_BLEU_ORDER; order++) {
        const size_t hyp_count = ngrams(hyp.count, (size_t)order);
        const size_t ref_count = ngrams(ref.count, (size_t)order);
        memcpy(sorted_hyp, hyp.starts, hyp_count * sizeof *sorted_hyp);
        memcpy(sorted_ref, ref.starts, ref_count * sizeof *sorted_ref);
        bleu->matches[order - 1] += common(sorted_hyp, hyp_count, sorted_ref, ref_count, order);
        bleu->totals[order - 1] += hyp_count;
    }
    if (added) {
        bleu->hypothesis_tokens += hyp.count;
        bleu->reference_tokens += ref.count;
    }
    free(sorted_hyp);
    free(sorted_ref);
    free(hyp.line);
    free(hyp.starts);
    free(ref.line);
    free(ref.starts);
    return added;
}

/* BP * exp(mean_n log p_n), BP = min(1, exp(1 - r / c)). The k-th order without a match counts as
 * 2^-k matches (smoothing "exp"; Chen and Cherry 2014, method 3). */
double heedi_bleu_score(const struct heedi_bleu *bleu) {
    double logs = 0, smooth = 1;
    if (bleu->matches[0] == 0)
        return 0;
    for (int i = 0; i < HEEDI_BLEU_ORDER; i++) {
        if (bleu->totals[i] == 0)
            return 0;
        double matches = (double)bleu->matches[i];
        if (bleu->matches[i] == 0) {
            smooth *= 2;
            matches = 1 / smooth;
        }
        logs += log(matches / (double)bleu->totals[i]);
    }
    const double ratio = (double)bleu->reference_tokens / (double)bleu->hypothesis_tokens;
    const double penalty = ratio > 1 ? 1 - ratio : 0;
    return 100 * exp(penalty + logs / HEEDI_BLEU_ORDER);
}
