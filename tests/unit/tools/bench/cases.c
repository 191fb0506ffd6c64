/* SPDX-License-Identifier: Apache-2.0 */
/* Cases: the table of operators, and reading shapes. */
#include "tools/bench/cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Every operator that computes something is in the table once; the others are views. */
static void every_operator_is_there(void **state) {
    (void)state;
    static const enum heed_op views[] = {HEED_OP_SLICE, HEED_OP_TRANSPOSE, HEED_OP_RESHAPE,
                                         HEED_OP_BROADCAST};
    for (int op = 1; op < HEED_OP_COUNT_PLUS_ONE; op++) {
        const char *name = heed_op_name((enum heed_op)op);
        bool view = false;
        for (size_t i = 0; i < sizeof views / sizeof *views; i++)
            view = view || (int)views[i] == op;
        const struct heedi_bench_op *found = heedi_bench_op_find(name, strlen(name));
        if (view)
            assert_null(found);
        else if (found == NULL)
            fail_msg("operator %s has no case", name);
    }
    assert_null(heedi_bench_op_find("matmu", 5));
    assert_null(heedi_bench_op_find("", 0));
    assert_non_null(heedi_bench_op_find("matmul,softmax", 6));
}

/* Shapes of the table can be read, and no other letter is in them. */
static void shapes_of_the_table_are_sound(void **state) {
    (void)state;
    const struct heedi_bench_op *ops = NULL;
    const size_t count = heedi_bench_ops(&ops);
    for (size_t i = 0; i < count; i++) {
        uint32_t shapes = 0, dims = 1;
        for (const char *c = ops[i].dims; *c != '\0'; c++)
            dims += strncmp(c, " x ", 3) == 0;
        assert_int_equal(dims, ops[i].rank);
        for (; ops[i].shapes[shapes] != NULL; shapes++) {
            struct heedi_bench_shape shape;
            char error[200] = "";
            if (!heedi_bench_shape_parse(&ops[i], ops[i].shapes[shapes], &shape, error,
                                         sizeof error))
                fail_msg("%s", error);
        }
        assert_true(shapes > 0 && ops[i].tour <= shapes);
    }
}

static void shapes_are_read(void **state) {
    (void)state;
    struct heedi_bench_shape shape;
    char error[200] = "";
    const struct heedi_bench_op *op = heedi_bench_op_find("matmul", 6);
    assert_true(heedi_bench_shape_parse(op, "32x512x2048:relu", &shape, error, sizeof error));
    assert_int_equal(shape.dims[0], 32);
    assert_int_equal(shape.dims[1], 512);
    assert_int_equal(shape.dims[2], 2048);
    assert_string_equal(shape.form, "relu");
    assert_true(heedi_bench_shape_parse(op, "1x1x1", &shape, error, sizeof error));
    assert_string_equal(shape.form, "");
}

static void wrong_shapes_are_named(void **state) {
    (void)state;
    static const char *const wrong[] = {"",
                                        "1",
                                        "1x2",
                                        "1x2x3x4",
                                        "0x2x3",
                                        "-1x2x3",
                                        "1x2x3 ",
                                        "1x2x3:",
                                        "1x2x3:rel",
                                        "1xx3",
                                        "axbxc",
                                        "1x2x3:relu:",
                                        "1x2x3:tanh",
                                        "+1x2x3",
                                        " 1x2x3",
                                        "1X2X3",
                                        "1x2x3.5",
                                        "1048576x1048576x2",
                                        "99999999999999999999x1x1"};
    const struct heedi_bench_op *op = heedi_bench_op_find("matmul", 6);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct heedi_bench_shape shape;
        char error[200] = "", quoted[64];
        if (heedi_bench_shape_parse(op, wrong[i], &shape, error, sizeof error))
            fail_msg("'%s' was taken", wrong[i]);
        snprintf(quoted, sizeof quoted, "'%s'", wrong[i]);
        assert_non_null(strstr(error, quoted));
        assert_non_null(strstr(error, "matmul"));
    }
    struct heedi_bench_shape shape;
    char error[200] = "";
    assert_true(heedi_bench_shape_parse(op, "1048576x1048576x1", &shape, error, sizeof error));
    assert_false(heedi_bench_shape_parse(heedi_bench_op_find("softmax", 7), "1x2:relu", &shape,
                                         error, sizeof error));
    assert_non_null(strstr(error, "no forms"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_is_there),
        cmocka_unit_test(shapes_of_the_table_are_sound),
        cmocka_unit_test(shapes_are_read),
        cmocka_unit_test(wrong_shapes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
