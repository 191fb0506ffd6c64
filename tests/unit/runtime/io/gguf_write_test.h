/* SPDX-License-Identifier: Apache-2.0 */
/* A writer and a file for it in a folder of its own, new for every test. */
#ifndef HEEDI_TESTS_GGUF_WRITE_TEST_H
#define HEEDI_TESTS_GGUF_WRITE_TEST_H

#include <unistd.h>

#include "io_test.h"

struct fixture {
    struct heed_context *context;
    struct heedi_gguf_writer *writer;
    struct heedi_weights *weights; /* NULL until the test opens the file */
    struct folder folder;
    struct path path;
};

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->context = new_context();
    assert_int_equal(heedi_gguf_writer_create(fixture->context, &fixture->writer), HEED_OK);
    fixture->folder = new_folder();
    fixture->path = path_in(&fixture->folder, "out.gguf");
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    heedi_weights_close(fixture->weights);
    heedi_gguf_writer_destroy(fixture->writer);
    heed_context_destroy(fixture->context);
    (void)unlink(fixture->path.text);
    assert_int_equal(rmdir(fixture->folder.path), 0);
    free(fixture);
    return 0;
}

#endif
