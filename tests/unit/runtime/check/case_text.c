/* SPDX-License-Identifier: Apache-2.0 */
/* Cases as text: what is written is read back, and nothing that is read can do harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/check/case.h"
#include "tests/support/memory.h"

static int setup(void **state) {
    *state = test_context(NULL, NULL, HEED_LOG_ERROR);
    return *state == NULL;
}

static int teardown(void **state) {
    heed_context_destroy(*state);
    return 0;
}

/* Reading and writing again gives the same text, for cases of every operator. */
static void test_round_trip(void **state) {
    struct heed_context *context = *state;
    for (int op = 0; op < HEED_OP_COUNT_PLUS_ONE; op++)
        for (int64_t number = 0; number < heedi_case_count((enum heed_op)op); number += 40) {
            struct heedi_case drawn, read;
            char *first = NULL, *second = NULL;
            size_t first_bytes = 0, second_bytes = 0;
            assert_int_equal(heedi_case_draw(context, (enum heed_op)op, 7, number, &drawn),
                             HEED_OK);
            assert_int_equal(heedi_case_print(context, &drawn, "two\nlines", &first, &first_bytes),
                             HEED_OK);
            if (heedi_case_parse(context, first, first_bytes, &read) != HEED_OK)
                fail_msg("%s\n%.400s", heed_last_error(context), first);
            assert_int_equal(heedi_case_print(context, &read, "two\nlines", &second, &second_bytes),
                             HEED_OK);
            assert_int_equal(first_bytes, second_bytes);
            assert_memory_equal(first, second, first_bytes);
            assert_non_null(strstr(first, "\n# two\n# lines\nop "));
            heedi_free(&context->env, first);
            heedi_free(&context->env, second);
            heedi_case_clear(&context->env, &drawn);
            heedi_case_clear(&context->env, &read);
        }
}

static const char whole[] = "heed-check-case 1\n"
                            "op scale # with a remark\n"
                            "random 0\n"
                            "attrs 8 1073741824\n"
                            "operand 0 f16 constant transposed 2 2 3 ab\n"
                            "view 1 0 1 0 0 0 0 1 0 0\n"
                            "values 1 -2.5 nan inf 0 -0\n"
                            "end\n";

static void test_meaning(void **state) {
    struct heed_context *context = *state;
    struct heedi_case it;
    if (heedi_case_parse(context, whole, sizeof whole - 1, &it) != HEED_OK)
        fail_msg("%s", heed_last_error(context));
    const struct heedi_case_operand *x = &it.operands[0];
    const uint16_t expected[] = {0x3c00, 0xc100, 0x7e00, 0x7c00, 0, 0x8000};
    assert_int_equal(it.op, HEED_OP_SCALE);
    assert_false(it.random_data);
    assert_true(it.attrs.scale.factor == 2.0f); /* 1073741824 = 0x40000000 */
    assert_int_equal(it.operand_count, 1);
    assert_int_equal(x->source, HEEDI_SOURCE_CONSTANT);
    assert_int_equal(x->form, HEEDI_FORM_TRANSPOSED);
    assert_int_equal(x->desc.dtype, HEED_F16);
    assert_int_equal(x->desc.dims[0], 2);
    assert_int_equal(x->desc.dims[1], 3);
    assert_int_equal(x->perm[0], 1);
    assert_memory_equal(x->data, expected, sizeof expected);
    heedi_case_clear(&context->env, &it);
}

/* Every prefix is refused, and so is every text with one byte changed or else it is read whole. */
static void test_damage(void **state) {
    struct heed_context *context = *state;
    char text[sizeof whole];
    struct heedi_case it;
    for (size_t length = 0; length < sizeof whole - 2; length++)
        assert_int_equal(heedi_case_parse(context, whole, length, &it), HEED_ERROR_FORMAT);
    for (size_t at = 0; at < sizeof whole - 1; at++)
        for (int byte = 0; byte < 256; byte++) {
            memcpy(text, whole, sizeof whole);
            text[at] = (char)byte;
            if (heedi_case_parse(context, text, sizeof whole - 1, &it) == HEED_OK)
                heedi_case_clear(&context->env, &it);
        }
}

static void refused(struct heed_context *context, const char *old, const char *changed,
                    const char *message) {
    char text[600];
    struct heedi_case it;
    const char *at = strstr(whole, old);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - whole), whole, changed, at + strlen(old));
    assert_int_equal(heedi_case_parse(context, text, strlen(text), &it), HEED_ERROR_FORMAT);
    if (strstr(heed_last_error(context), message) == NULL)
        fail_msg("'%s' lacks '%s'", heed_last_error(context), message);
}

static void test_messages(void **state) {
    refused(*state, "op scale", "op transpose", "line 2 of a case: expected an operator that can");
    refused(*state, "case 1", "case 2", "expected 'heed-check-case 1', got '2'");
    refused(*state, "attrs 8", "attrs 12", "the size of this operator's attributes, got '12'");
    refused(*state, "2 2 3 ab", "4 9999999 9999999 9999999 9 abcd", "expected a smaller shape");
    refused(*state, "2 2 3 ab", "5 2 3 ab", "expected a rank, got '5'");
    refused(*state, "2 2 3 ab", "2 2 -3 ab", "expected a dimension, got '-3'");
    refused(*state, "2 2 3 ab", "2 2 3 abc", "a letter for each dimension");
    refused(*state, "f16 constant", "f15 constant", "expected a type, got 'f15'");
    refused(*state, "f16 constant", "q8_0 constant", "expected q8_0 only as a plain constant");
    refused(*state, "f16 constant", "f16 state", "a state only where");
    refused(*state, "view 1", "view 0", "expected a permutation");
    refused(*state, "-2.5", "two", "line 7 of a case: expected a value, got 'two'");
    refused(*state, "end", "operand 0", "expected each operand once");
    refused(*state, "operand 0", "operand 9", "expected the number of an operand, got '9'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_meaning),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
