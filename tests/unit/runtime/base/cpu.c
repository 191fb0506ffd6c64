/* SPDX-License-Identifier: Apache-2.0 */
/* Processor features against those that the compiler's own run-time library finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/cpu.h"

static void test_features(void **state) {
    (void)state;
    const struct heedi_cpu *cpu = heedi_cpu_features();
    assert_ptr_equal(heedi_cpu_features(), cpu);
    assert_non_null(memchr(cpu->name, '\0', sizeof cpu->name));
    /* What one feature includes, and what no processor has together. */
    assert_true(!cpu->avx2 || cpu->avx);
    assert_true(!cpu->fma || cpu->avx);
    assert_true(!cpu->f16c || cpu->avx);
    assert_true(!cpu->avx || cpu->sse42);
    assert_true(!cpu->avx512bw || cpu->avx512f);
    assert_true(!cpu->avx512vnni || cpu->avx512f);
    assert_true(!(cpu->neon && cpu->sse42));
#if defined(__x86_64__)
    __builtin_cpu_init();
    assert_int_equal(cpu->sse42, __builtin_cpu_supports("sse4.2") != 0);
    assert_int_equal(cpu->avx, __builtin_cpu_supports("avx") != 0);
    assert_int_equal(cpu->fma, __builtin_cpu_supports("fma") != 0);
    assert_int_equal(cpu->avx2, __builtin_cpu_supports("avx2") != 0);
    assert_int_equal(cpu->avx512f, __builtin_cpu_supports("avx512f") != 0);
    assert_int_equal(cpu->avx512bw, __builtin_cpu_supports("avx512bw") != 0);
    assert_int_equal(cpu->avx512vl, __builtin_cpu_supports("avx512vl") != 0);
    assert_int_equal(cpu->avx512vnni, __builtin_cpu_supports("avx512vnni") != 0);
#elif defined(__aarch64__)
    assert_true(cpu->neon);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_features)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
