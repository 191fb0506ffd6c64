/* SPDX-License-Identifier: Apache-2.0 */
/* Two plugins linked into one program, each with its own entry. */
#include "exec_test.h"

const struct heed_backend *heed_backend_entry_good(uint32_t abi_version);
const struct heed_backend *heed_backend_entry_older_minor(uint32_t abi_version);

static void two_at_once(void **state) {
    (void)state;
    assert_ok(heed_backend_register(context, "good", heed_backend_entry_good));
    assert_ok(heed_backend_register(context, "older_minor", heed_backend_entry_older_minor));
    struct heed_executor *executor = open_executor("good,older_minor,fake_a,only");
    assert_int_equal(executor->engine->device_count, 3);
    struct heed_graph *graph = small_graph();
    struct heed_program *program = compile(executor, graph);
    const struct placements placements = placements_of(program);
    assert_non_null(strstr(placements.reasons, "[good: declined; older_minor: declined]"));
    check_small(program);
    heed_program_release(program);
    heed_graph_release(graph);
    heed_executor_release(executor);
    assert_string_equal(logged.text, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {exec_test(two_at_once)};
    return cmocka_run_group_tests_name("static_plugins", tests, NULL, NULL);
}
