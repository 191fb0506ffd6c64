/* SPDX-License-Identifier: Apache-2.0 */
/* attention on every backend against its reference: see runtime/check/draw_attention.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/agree.h"

static void test_attention(void **state) {
    agree_operator(*state, HEED_OP_ATTENTION);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_attention)};
    return agree_main(tests, sizeof tests / sizeof *tests);
}
