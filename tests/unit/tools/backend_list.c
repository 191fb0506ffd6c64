/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of lists of backends, and the devices that they name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/tool.h"

static void commas_in_parentheses_belong_to_their_entry(void **state) {
    (void)state;
    assert_int_equal(heedi_tool_entry_length("avx2"), 4);
    assert_int_equal(heedi_tool_entry_length("avx2,scalar"), 4);
    assert_int_equal(heedi_tool_entry_length("a(b=1,c=(2,3)),d"), 14);
    assert_int_equal(heedi_tool_entry_length("a),b"), 2);
    assert_int_equal(heedi_tool_entry_length("a(b,c"), 5);
    assert_int_equal(heedi_tool_entry_length(",a"), 0);
}

static void names_stand_behind_folders(void **state) {
    static const char *const entries[][2] = {
        {"avx2:1", "avx2:1"},
        {"/a/b/heed-backend-scalar.so", "scalar.so"},
        {"heed-backend-scalar.so", "scalar.so"},
        {"c/other.so", "other.so"},
        {"heed-backend-", "heed-backend-"},
        {"vulkan(file=/a/b)", "vulkan(file=/a/b)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        assert_string_equal(heedi_tool_entry_name(entries[i][0], strlen(entries[i][0])),
                            entries[i][1]);
    /* only what belongs to the entry is looked at */
    assert_string_equal(heedi_tool_entry_name("a,b/c", 1), "a,b/c");
}

static void devices_have_entries(void **state) {
    const struct heed_device first = {.backend = "vulkan", .path = "/p/heed-backend-vulkan.so"};
    struct heed_device second = first;
    char entry[TOOL_DEVICE_ENTRY];
    (void)state;
    second.index = 1;
    heedi_tool_device_entry(&first, entry);
    assert_string_equal(entry, "vulkan");
    heedi_tool_device_entry(&second, entry);
    assert_string_equal(entry, "vulkan:1");

    assert_true(heedi_tool_entry_names("vulkan", &first));
    assert_true(heedi_tool_entry_names("vulkan:0(f16=1),avx2", &first));
    assert_true(heedi_tool_entry_names("/p/heed-backend-vulkan.so(f16=1)", &first));
    assert_false(heedi_tool_entry_names("vulkan:1", &first));
    assert_false(heedi_tool_entry_names("vulka", &first));
    assert_false(heedi_tool_entry_names("avx2,vulkan", &first));
    assert_true(heedi_tool_entry_names("vulkan:1", &second));
    assert_false(heedi_tool_entry_names("vulkan", &second));
    assert_false(heedi_tool_entry_names("/p/heed-backend-vulkan.so", &second));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_in_parentheses_belong_to_their_entry),
        cmocka_unit_test(names_stand_behind_folders),
        cmocka_unit_test(devices_have_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
