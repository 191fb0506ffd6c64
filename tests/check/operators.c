/* SPDX-License-Identifier: Apache-2.0 */
/* Every operator but attention on every backend against its reference: see runtime/check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/agree.h"

#define OPERATORS(X)                                                                               \
    X(MATMUL, matmul)                                                                              \
    X(SOFTMAX, softmax)                                                                            \
    X(LOG_SOFTMAX, log_softmax)                                                                    \
    X(LAYER_NORM, layer_norm)                                                                      \
    X(ADD, add)                                                                                    \
    X(MUL, mul)                                                                                    \
    X(SCALE, scale)                                                                                \
    X(RELU, relu)                                                                                  \
    X(GELU, gelu)                                                                                  \
    X(SILU, silu)                                                                                  \
    X(TANH, tanh)                                                                                  \
    X(SIGMOID, sigmoid)                                                                            \
    X(EMBEDDING, embedding)                                                                        \
    X(POSITIONS, positions)                                                                        \
    X(CONCAT, concat)                                                                              \
    X(COPY, copy)                                                                                  \
    X(CAST, cast)                                                                                  \
    X(ARGMAX, argmax)                                                                              \
    X(TOP_K, top_k)                                                                                \
    X(CACHE_APPEND, cache_append)                                                                  \
    X(GATHER_ROWS, gather_rows)                                                                    \
    X(ADVANCE, advance)

#define CHECK(OP, name)                                                                            \
    static void test_##name(void **state) {                                                        \
        agree_operator(*state, HEED_OP_##OP);                                                      \
    }
OPERATORS(CHECK)
#undef CHECK

#define TEST(OP, name) cmocka_unit_test(test_##name),
int main(void) {
    const struct CMUnitTest tests[] = {OPERATORS(TEST)};
    return agree_main(tests, sizeof tests / sizeof *tests);
}
