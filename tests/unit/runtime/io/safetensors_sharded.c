/* SPDX-License-Identifier: Apache-2.0 */
/* Models that are split over several safetensors files. */
#include <unistd.h>

#include "io_test.h"

static struct folder folder;

static struct path put_file(const char *name, const void *data, size_t bytes) {
    const struct path path = path_in(&folder, name);
    write_file(path.text, data, bytes);
    return path;
}

/* A shard with one tensor of one byte; every shard has the same __metadata__. */
static void put_shard(const char *name, const char *tensor, unsigned value) {
    static struct buffer file;
    char header[256];
    (void)snprintf(header, sizeof header,
                   "{\"__metadata__\":{\"format\":\"pt\"},"
                   "\"%s\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
                   tensor);
    file.bytes = 0;
    put_u64(&file, strlen(header));
    put_text(&file, header);
    put_u8(&file, value);
    (void)put_file(name, file.data, file.bytes);
}

static int setup(void **state) {
    (void)state;
    folder = new_folder();
    put_shard("one.safetensors", "a", 1);
    put_shard("two.safetensors", "b", 2);
    put_shard("again.safetensors", "a", 3);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    static const char *const names[] = {"one.safetensors", "two.safetensors", "again.safetensors",
                                        "index.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unlink(path_in(&folder, names[i]).text);
    return rmdir(folder.path);
}

static void reads_all_shards(void **state) {
    (void)state;
    const char index[] = "{\"metadata\":{\"total_size\":2},\"weight_map\":{"
                         "\"b\":\"two.safetensors\",\"a\":\"one.safetensors\"}}";
    const struct path path = put_file("index.json", index, strlen(index));
    struct heed_context *context = new_context();
    struct heedi_weights *weights;
    if (heedi_safetensors_open_sharded(context, path.text, &weights) != HEED_OK)
        fail_msg("refused: %s", heed_last_error(context));
    assert_int_equal(heedi_weights_count(weights), 2);
    expect_tensor(weights, "a", HEED_I8, 1, (const int64_t[]){1});
    assert_memory_equal(heedi_weights_find(weights, "a")->data, "\1", 1);
    assert_memory_equal(heedi_weights_find(weights, "b")->data, "\2", 1);
    assert_int_equal(heedi_weights_meta_count(weights), 0);
    heedi_weights_close(weights);
    heed_context_destroy(context);
}

static void refuse(const char *index, const char *words) {
    const struct path path = put_file("index.json", index, strlen(index));
    struct heed_context *context = new_context();
    struct heedi_weights *weights = NULL;
    if (heedi_safetensors_open_sharded(context, path.text, &weights) == HEED_OK)
        fail_msg("accepted, expected: %s", words);
    assert_null(weights);
    if (strstr(heed_last_error(context), words) == NULL)
        fail_msg("got: %s\nexpected: %s", heed_last_error(context), words);
    heed_context_destroy(context);
}

static void refuses_bad_indices(void **state) {
    (void)state;
    refuse("", "not valid JSON");
    refuse("{", "not valid JSON");
    refuse("{} trailing", "text follows the JSON");
    refuse("[]", "'weight_map' is missing or not an object");
    refuse("{\"weight_map\":[]}", "'weight_map' is missing or not an object");
    refuse("{\"weight_map\":{\"a\":1}}", "entry 'a' is 'not a string'");
    refuse("{\"weight_map\":{\"a\":\"absent\"}}", "absent");
    refuse("{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"one.safetensors\"}}",
           "tensor 'b' is not in 'one.safetensors'");
    refuse("{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"again.safetensors\"}}",
           "two tensors are named 'a'");
}

static void refuses_to_leave_the_folder(void **state) {
    (void)state;
    refuse("{\"weight_map\":{\"a\":\"../one.safetensors\"}}", "expected the plain name of a file");
    refuse("{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "'/etc/passwd', expected the plain name");
    refuse("{\"weight_map\":{\"a\":\"..\"}}", "expected the plain name");
    refuse("{\"weight_map\":{\"a\":\"\"}}", "expected the plain name");
    refuse("{\"weight_map\":{\"a\":\"sub\\\\one\"}}", "expected the plain name");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_all_shards, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_bad_indices, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_to_leave_the_folder, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
