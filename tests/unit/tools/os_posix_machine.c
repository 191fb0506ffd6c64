/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's description, and other runs of this program: it starts itself as a child that does
 * what its arguments say. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "tools/os.h"

enum { CHILD_CODE = 42 };
static const size_t CHILD_BYTES = (size_t)64 << 20;

/* "child" prints, "silent" does not, "large" holds memory. */
static int be_child(const char *what) {
    if (strcmp(what, "silent") == 0)
        return CHILD_CODE;
    if (strcmp(what, "large") == 0) {
        char *memory = malloc(CHILD_BYTES);
        for (volatile char *at = memory; memory != NULL && at < memory + CHILD_BYTES; at += 512)
            *at = 1;
        free(memory);
    }
    for (int i = 0; i < 100000; i++)
        fputs("more than a pipe holds\n", stdout);
    fputs("and this goes nowhere\n", stderr);
    return 0;
}

static void the_machine_is_described(void **state) {
    (void)state;
    struct heedi_tool_machine machine;
    heedi_tool_os_machine(&machine);
    assert_true(machine.processor[0] != '\0' && strchr(machine.processor, '\n') == NULL);
    assert_true(machine.system[0] != '\0');
    assert_true(machine.processors >= 1);
    assert_true(machine.memory_bytes > CHILD_BYTES);
    if (machine.l1 > 0 && machine.l2 > 0)
        assert_true(machine.l1 <= machine.l2);
}

static void a_child_is_watched(void **state) {
    (void)state;
    struct heedi_tool_child child;
    assert_true(heedi_tool_os_run((const char *const[]){"child", NULL}, &child));
    assert_int_equal(child.code, 0);
    assert_true(child.first_output_s >= 0 && child.first_output_s <= child.total_s);
    assert_true(child.peak_bytes > 0);
    const uint64_t small = child.peak_bytes;
    assert_true(heedi_tool_os_run((const char *const[]){"large", NULL}, &child));
    assert_int_equal(child.code, 0);
    assert_true(child.peak_bytes >= CHILD_BYTES);
    assert_true(child.peak_bytes > small);
}

/* Memory that only this process ever held is not the child's. */
static void the_parents_peak_is_not_the_childs(void **state) {
    (void)state;
    struct heedi_tool_child child;
    /* not malloc(): a sanitizer's would keep what is freed */
    void *memory =
        mmap(NULL, 4 * CHILD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    memset(memory, 1, 4 * CHILD_BYTES);
    assert_int_equal(munmap(memory, 4 * CHILD_BYTES), 0);
    assert_true(heedi_tool_os_run((const char *const[]){"child", NULL}, &child));
    assert_true(child.peak_bytes < 4 * CHILD_BYTES);
}

static void codes_and_silence_are_seen(void **state) {
    (void)state;
    struct heedi_tool_child child;
    assert_true(heedi_tool_os_run((const char *const[]){"silent", NULL}, &child));
    assert_int_equal(child.code, CHILD_CODE);
    assert_true(child.first_output_s < 0);
}

int main(int count, char **words) {
    if (count > 1)
        return be_child(words[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_machine_is_described),
        cmocka_unit_test(a_child_is_watched),
        cmocka_unit_test(the_parents_peak_is_not_the_childs),
        cmocka_unit_test(codes_and_silence_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
