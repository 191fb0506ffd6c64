/* SPDX-License-Identifier: Apache-2.0 */
/* BLEU: tokens, counts, and scores computed by hand. */
#include "tools/bench/bleu.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void tokens(const char *line, const char *expected) {
    char *actual = heedi_bleu_tokenize(line);
    assert_non_null(actual);
    assert_string_equal(actual, expected);
    free(actual);
}

static void punctuation_is_split_off(void **state) {
    (void)state;
    tokens("", "");
    tokens("  \t ", "");
    tokens("Hello, world!", "Hello , world !");
    tokens("\"A (b) [c]/d: e;f\"", "\" A ( b ) [ c ] / d : e ; f \"");
    tokens("don't well-known", "don't well-known");
    tokens("50% of $3 @ #1", "50 % of $ 3 @ # 1");
    tokens("a~b{c}|d^e_f`g\\h", "a ~ b { c } | d ^ e _ f ` g \\ h");
}

/* '.' and ',' stay between digits, '-' is split from a digit before it. */
static void digits_hold_punctuation(void **state) {
    (void)state;
    tokens("1,000.50", "1,000.50");
    tokens("It costs 5.", "It costs 5 .");
    tokens("No.5, v2.x", "No . 5 , v2 . x");
    tokens("5-6 a-6", "5 - 6 a-6");
    tokens("...", ". . .");
    tokens("x,,y", "x , , y");
    tokens("1,,2", "1 , , 2");
}

static void entities_and_marks(void **state) {
    (void)state;
    tokens("&quot;A&amp;B&quot; &lt;c&gt;", "\" A & B \" < c >");
    tokens("&amp;lt;", "<"); /* one after the other, as published */
    tokens("one<skipped>two", "onetwo");
    tokens("hy-\nphen a\nb", "hyphen a b");
}

static void spaces_of_unicode(void **state) {
    (void)state;
    tokens("a\xc2\xa0z", "a z");                 /* U+00A0 */
    tokens("a\xe3\x80\x80z", "a z");             /* U+3000 */
    tokens("a\xe2\x80\x83\xe2\x80\xa8z", "a z"); /* U+2003, U+2028 */
    tokens("\xc3\xa4.\xc3\xb6", "\xc3\xa4 . \xc3\xb6");
}

static void score_is(const struct heedi_bleu *bleu, double expected) {
    const double actual = heedi_bleu_score(bleu);
    assert_true(fabs(actual - expected) < 1e-9);
}

static void equal_lines_score_100(void **state) {
    (void)state;
    struct heedi_bleu bleu = {{0}, {0}, 0, 0};
    assert_true(heedi_bleu_add(&bleu, "the cat sat on the mat", "the cat sat on the mat"));
    assert_true(heedi_bleu_add(&bleu, "a b c d", "a b c d"));
    assert_int_equal(bleu.matches[0], 10);
    assert_int_equal(bleu.totals[3], 4);
    score_is(&bleu, 100);
}

/* Papineni et al. 2002, example 2: "the" occurs seven times, but twice in the reference. */
static void counts_are_clipped(void **state) {
    (void)state;
    struct heedi_bleu bleu = {{0}, {0}, 0, 0};
    assert_true(heedi_bleu_add(&bleu, "the the the the the the the", "The cat is on the mat the"));
    assert_int_equal(bleu.matches[0], 2);
    assert_int_equal(bleu.totals[0], 7);
    assert_int_equal(bleu.matches[1], 0);
    assert_int_equal(bleu.totals[1], 6);
}

/* n-gram matches 5/6, 3/5, 2/4, 1/3; no brevity penalty. */
static void orders_are_averaged(void **state) {
    (void)state;
    struct heedi_bleu bleu = {{0}, {0}, 0, 0};
    assert_true(heedi_bleu_add(&bleu, "a b c d x f", "a b c d e f"));
    assert_int_equal(bleu.matches[0], 5);
    assert_int_equal(bleu.matches[1], 3);
    assert_int_equal(bleu.matches[2], 2);
    assert_int_equal(bleu.matches[3], 1);
    score_is(&bleu, 100 * pow(5.0 / 6 * 3.0 / 5 * 2.0 / 4 * 1.0 / 3, 0.25));
}

/* 4 words of 6: every n-gram matches, times exp(1 - 6/4). */
static void short_hypotheses_are_punished(void **state) {
    (void)state;
    struct heedi_bleu bleu = {{0}, {0}, 0, 0};
    assert_true(heedi_bleu_add(&bleu, "a b c d", "a b c d e f"));
    score_is(&bleu, 100 * exp(1 - 6.0 / 4));
}

/* Orders without a match count 1/2, then 1/4: "a x c y" against "a b c d". */
static void zero_counts_are_smoothed(void **state) {
    (void)state;
    struct heedi_bleu bleu = {{0}, {0}, 0, 0};
    assert_true(heedi_bleu_add(&bleu, "a x c y", "a b c d"));
    score_is(&bleu, 100 * pow(2.0 / 4 * 0.5 / 3 * 0.25 / 2 * 0.125 / 1, 0.25));
}

static void nothing_in_common_scores_0(void **state) {
    (void)state;
    struct heedi_bleu bleu = {{0}, {0}, 0, 0};
    score_is(&bleu, 0);
    assert_true(heedi_bleu_add(&bleu, "a b c d", "e f g h"));
    score_is(&bleu, 0);
    assert_true(heedi_bleu_add(&bleu, "", "e f g h"));
    assert_int_equal(bleu.hypothesis_tokens, 4);
    assert_int_equal(bleu.reference_tokens, 8);
    score_is(&bleu, 0);
}

/* Counts are of the corpus: no 4-gram in any line means 0. */
static void too_short_a_corpus_scores_0(void **state) {
    (void)state;
    struct heedi_bleu bleu = {{0}, {0}, 0, 0};
    assert_true(heedi_bleu_add(&bleu, "a b c", "a b c"));
    score_is(&bleu, 0);
    assert_true(heedi_bleu_add(&bleu, "a b c d", "a b c d"));
    score_is(&bleu, 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(punctuation_is_split_off),
        cmocka_unit_test(digits_hold_punctuation),
        cmocka_unit_test(entities_and_marks),
        cmocka_unit_test(spaces_of_unicode),
        cmocka_unit_test(equal_lines_score_100),
        cmocka_unit_test(counts_are_clipped),
        cmocka_unit_test(orders_are_averaged),
        cmocka_unit_test(short_hypotheses_are_punished),
        cmocka_unit_test(zero_counts_are_smoothed),
        cmocka_unit_test(nothing_in_common_scores_0),
        cmocka_unit_test(too_short_a_corpus_scores_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
