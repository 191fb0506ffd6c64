/* SPDX-License-Identifier: Apache-2.0 */
/* The safetensors writer: what it writes reads back; a full disk leaves nothing behind. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io_test.h"

static struct heed_weight *new_weight(struct heed_context *context, const char *name,
                                      enum heed_dtype dtype, uint32_t rank, const int64_t *dims,
                                      const void *data) {
    const struct heed_tensor_desc desc = heed_desc(dtype, rank, dims);
    struct heed_weight *weight;
    assert_int_equal(heed_weight_create(context, name, &desc, data, NULL, NULL, &weight), HEED_OK);
    return weight;
}

static void writes_what_it_was_given(void **state) {
    (void)state;
    const struct folder folder = new_folder();
    const struct path path = path_in(&folder, "out.safetensors");
    struct heed_context *context = new_context();
    const float floats[] = {1.0f, -2.0f, 0.5f, 3.0f, 4.0f, 5.0f};
    const char odd_name[] = "quote\" back\\slash \xc3\xa4";
    struct heed_weight *weights[] = {
        new_weight(context, odd_name, HEED_I8, 1, (const int64_t[]){3}, "\1\2\3"),
        new_weight(context, "w", HEED_F32, 2, (const int64_t[]){2, 3}, floats),
        new_weight(context, "scalar", HEED_I32, 0, NULL, "\7\0\0\0"),
        new_weight(context, "half", HEED_BF16, 1, (const int64_t[]){1}, "\x80\x3f"),
        new_weight(context, "empty", HEED_F16, 2, (const int64_t[]){0, 4}, ""),
    };
    assert_int_equal(heedi_safetensors_write(context, path.text, weights, 5), HEED_OK);

    static struct buffer file;
    read_file(path.text, &file);
    assert_int_equal(file.data[0] % 8, 0); /* the data is aligned */
    struct heedi_weights *read;
    assert_int_equal(heedi_safetensors_open(context, path.text, &read), HEED_OK);
    assert_int_equal(heedi_weights_count(read), 5);
    expect_tensor(read, "w", HEED_F32, 2, (const int64_t[]){2, 3});
    expect_floats(read, "w", floats, 6);
    expect_tensor(read, odd_name, HEED_I8, 1, (const int64_t[]){3});
    assert_memory_equal(heedi_weights_find(read, odd_name)->data, "\1\2\3", 3);
    expect_tensor(read, "scalar", HEED_I32, 0, NULL);
    assert_memory_equal(heedi_weights_find(read, "scalar")->data, "\7\0\0\0", 4);
    expect_tensor(read, "half", HEED_BF16, 1, (const int64_t[]){1});
    expect_tensor(read, "empty", HEED_F16, 2, (const int64_t[]){0, 4});
    /* larger elements first: all are used where they lie */
    for (size_t i = 0; i < 5; i++)
        assert_true(heedi_weights_at(read, i)->mapped);
    heedi_weights_close(read);

    assert_int_equal(heedi_safetensors_write(context, path.text, NULL, 0), HEED_OK);
    read_file(path.text, &file);
    assert_int_equal(file.bytes, 16);
    assert_memory_equal(file.data, "\x08\0\0\0\0\0\0\0{}      ", 16);
    for (size_t i = 0; i < 5; i++)
        heed_weight_release(weights[i]);
    heed_context_destroy(context);
    assert_int_equal(unlink(path.text), 0);
    assert_int_equal(rmdir(folder.path), 0);
}

static void refuses_names_that_clash(void **state) {
    (void)state;
    const struct folder folder = new_folder();
    const struct path path = path_in(&folder, "out.safetensors");
    struct heed_context *context = new_context();
    struct heed_weight *twice[] = {
        new_weight(context, "x", HEED_I8, 1, (const int64_t[]){1}, "\1"),
        new_weight(context, "x", HEED_F32, 1, (const int64_t[]){0}, ""),
        new_weight(context, "__metadata__", HEED_I8, 1, (const int64_t[]){1}, "\1"),
    };
    assert_int_equal(heedi_safetensors_write(context, path.text, twice, 2),
                     HEED_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(heed_last_error(context), "two tensors are named 'x'"));
    assert_int_equal(heedi_safetensors_write(context, path.text, twice + 1, 2),
                     HEED_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(heed_last_error(context), "a tensor named '__metadata__'"));
    for (size_t i = 0; i < 3; i++)
        heed_weight_release(twice[i]);
    heed_context_destroy(context);
    assert_int_equal(rmdir(folder.path), 0);
}

/* The largest size that a file may have stands for the free space of a disk. */
static void reports_a_full_disk_and_cleans_up(void **state) {
    (void)state;
    const struct folder folder = new_folder();
    const struct path path = path_in(&folder, "out.safetensors");
    static unsigned char big[300000];
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit limit = {100000, 100000};
        const int64_t dims[] = {(int64_t)sizeof big};
        const struct heed_tensor_desc desc = heed_desc(HEED_I8, 1, dims);
        struct heed_context *context = NULL;
        struct heed_weight *weight = NULL;
        (void)signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0 ||
            heed_context_create(NULL, &context) != HEED_OK ||
            heed_weight_create(context, "w", &desc, big, NULL, NULL, &weight) != HEED_OK)
            _exit(1);
        if (heedi_safetensors_write(context, path.text, &weight, 1) != HEED_ERROR_IO)
            _exit(2);
        if (strstr(heed_last_error(context), path.text) == NULL ||
            strstr(heed_last_error(context), "too large") == NULL)
            _exit(3);
        _exit(40);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 40);
    assert_int_equal(rmdir(folder.path), 0); /* nothing is left in it */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_it_was_given),
        cmocka_unit_test(refuses_names_that_clash),
        cmocka_unit_test(reports_a_full_disk_and_cleans_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
