/* SPDX-License-Identifier: Apache-2.0 */
/* A backend that is right node by node and wrong where it runs several together: seen in what comes
 * out of whole graphs, and where it fuses, by the group. Here layer_norm has another epsilon in
 * every sub-graph of more than one node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dlfcn.h>

#include "heed/check_model.h"
#include "tests/support/backends.h"
#include "tests/support/model.h"

enum { MOST_NODES = 256 };

static struct heed_backend sound, wrong;

static enum heed_status compile(struct heed_plugin *plugin, const struct heed_subgraph *subgraph,
                                struct heed_plugin_program **program, struct heed_error *error) {
    static struct heed_subgraph_node nodes[MOST_NODES];
    static struct heed_layer_norm_attrs attrs[MOST_NODES];
    struct heed_subgraph given = *subgraph;
    assert_true(subgraph->node_count <= MOST_NODES);
    for (uint32_t i = 0; i < subgraph->node_count; i++) {
        nodes[i] = *heed_subgraph_node_at(subgraph, i);
        if (nodes[i].op != HEED_OP_LAYER_NORM || subgraph->node_count == 1)
            continue;
        memcpy(&attrs[i], nodes[i].attrs, sizeof attrs[i]);
        attrs[i].eps += 1e-3f;
        nodes[i].attrs = &attrs[i];
    }
    given.nodes = nodes;
    given.node_stride = sizeof nodes[0];
    return sound.compile(plugin, &given, program, error);
}

static const struct heed_backend *entry(uint32_t abi_version) {
    (void)abi_version;
    return &wrong;
}

/* What a check finds in the backend of a plugin file once it is made wrong; false: not there. */
static bool check(struct heed_context *context, const char *name,
                  struct heed_check_model_report *report) {
    char path[512];
    (void)snprintf(path, sizeof path, HEED_TEST_PLUGINS "/heed-backend-%s.so", name);
    void *plugin = dlopen(path, RTLD_NOW);
    if (plugin == NULL)
        return false;
    heed_backend_entry_fn open = NULL;
    void *symbol = dlsym(plugin, HEED_BACKEND_ENTRY_SYMBOL);
    memcpy(&open, &symbol, sizeof symbol); /* C has no cast from objects to functions */
    sound = wrong = *open(HEED_ABI_VERSION);
    wrong.name = "wrong";
    wrong.compile = compile;
    const struct heed_check_model_options options = {.struct_size = sizeof options,
                                                     .backend = "wrong",
                                                     .plugin_path = HEED_TEST_PLUGINS,
                                                     .text = "A man is riding a bike.",
                                                     .steps = 1};
    assert_int_equal(heed_backend_register(context, "wrong", entry), HEED_OK);
    if (heed_check_model(context, support_model, &options, report) != HEED_OK)
        fail_msg("%s: %s", name, heed_last_error(context));
    assert_int_equal(report->over, 0); /* one by one all is well */
    assert_true(report->together_over > 0);
    assert_true(report->together > 1);
    assert_non_null(strstr(report->together_message, "tolerated"));
    return true;
}

static void test_whole_graphs(void **state) {
    struct heed_check_model_report report;
    if (!check(*state, "scalar", &report))
        fail_msg("there is no plugin 'scalar'");
    assert_int_equal(report.groups, 0);
    assert_string_equal(report.first_together.graph, "encoder");
    assert_int_equal(report.first_together.op, HEED_OP_CACHE_APPEND);
}

/* Whichever of them are there. */
static void test_groups(void **state) {
    static const char *const names[] = {"avx2", "avx512", "vulkan"};
    struct support_backend backends[SUPPORT_BACKENDS];
    struct heed_check_model_report report;
    const size_t count = support_backends(backends);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool usable = false;
        for (size_t j = 0; j < count; j++)
            usable = usable || strcmp(backends[j].name, names[i]) == 0;
        if (!usable || !check(*state, names[i], &report))
            continue;
        assert_true(report.groups > 0);
        assert_string_equal(report.first_together.graph, "encoder");
        assert_string_equal(report.first_together.name, "encoder.0.self_attn_layer_norm");
        assert_non_null(strstr(report.first_nodes, ", encoder.0.self_attn_layer_norm"));
        assert_int_equal(report.first_together.op, HEED_OP_LAYER_NORM);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_graphs),
        cmocka_unit_test(test_groups),
    };
    return cmocka_run_group_tests(tests, support_model_setup, support_model_teardown);
}
