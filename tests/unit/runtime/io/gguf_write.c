/* SPDX-License-Identifier: Apache-2.0 */
/* The GGUF writer: what it writes reads back, what is wrong is refused, nothing is left behind. */
#include <dirent.h>
#include <unistd.h>

#include "gguf_write_test.h"

static const float values[] = {0.0f, 1.0f, -2.5f, 65504.0f, 3.0e-5f, 1.0f / 3.0f};

/* Entries of a folder besides "." and "..". */
static int count_entries(const char *path) {
    DIR *folder = opendir(path);
    assert_non_null(folder);
    int count = -2;
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    return count;
}

static void put_values(struct fixture *fixture, const char *name, enum heed_dtype type) {
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, 2, (const int64_t[]){2, 3});
    heedi_gguf_put_tensor(fixture->writer, name, &desc, values, type);
}

static void expect_failure(struct fixture *fixture, enum heed_status status, const char *words) {
    assert_int_equal(heedi_gguf_write(fixture->writer, fixture->path.text), status);
    if (strstr(heed_last_error(fixture->context), words) == NULL)
        fail_msg("got: %s\nexpected: %s", heed_last_error(fixture->context), words);
    assert_int_equal(count_entries(fixture->folder.path), 0);
}

static void writes_what_it_was_given(void **state) {
    struct fixture *fixture = *state;
    struct heedi_gguf_writer *writer = fixture->writer;
    const struct heedi_slice words[] = {{"a", 1}, {"", 0}, {"b\0c", 3}};
    const int32_t numbers[] = {1, -2, INT32_MIN};
    heedi_gguf_put_string(writer, "general.architecture", "marian");
    heedi_gguf_put_u32(writer, "u", 4000000000u);
    heedi_gguf_put_f32(writer, "f", 0.125f);
    heedi_gguf_put_bool(writer, "yes", true);
    heedi_gguf_put_bool(writer, "no", false);
    heedi_gguf_put_strings(writer, "words", words, 3);
    heedi_gguf_put_i32s(writer, "numbers", numbers, 3);
    heedi_gguf_put_bytes(writer, "blob", "\1\2\xff", 3);
    put_values(fixture, "w32", HEED_F32);
    put_values(fixture, "w16", HEED_F16);
    put_values(fixture, "wb16", HEED_BF16);
    const struct heed_tensor_desc scalar = heed_desc(HEED_I32, 0, NULL);
    heedi_gguf_put_tensor(writer, "scalar", &scalar, numbers, HEED_I32);
    const struct heed_tensor_desc empty = heed_desc(HEED_I8, 2, (const int64_t[]){0, 5});
    heedi_gguf_put_tensor(writer, "empty", &empty, "", HEED_I8);
    assert_int_equal(heedi_gguf_write(writer, fixture->path.text), HEED_OK);
    assert_int_equal(count_entries(fixture->folder.path), 1);

    struct heedi_weights *weights;
    assert_int_equal(heedi_gguf_open(fixture->context, fixture->path.text, &weights), HEED_OK);
    assert_int_equal(heedi_weights_count(weights), 5);
    expect_tensor(weights, "w32", HEED_F32, 2, (const int64_t[]){2, 3});
    expect_floats(weights, "w32", values, 6);
    expect_tensor(weights, "w16", HEED_F16, 2, (const int64_t[]){2, 3});
    expect_tensor(weights, "wb16", HEED_BF16, 2, (const int64_t[]){2, 3});
    /* 0, 1, -2.5, 65504, 3e-5 = 1.966 * 2^-16 (subnormal: 503.3 * 2^-24), 1/3 */
    const uint16_t halves[] = {0x0000, 0x3c00, 0xc100, 0x7bff, 0x01f7, 0x3555};
    assert_memory_equal(heedi_weights_find(weights, "w16")->data, halves, sizeof halves);
    const uint16_t brains[] = {0x0000, 0x3f80, 0xc020, 0x4780, 0x37fc, 0x3eab};
    assert_memory_equal(heedi_weights_find(weights, "wb16")->data, brains, sizeof brains);
    expect_tensor(weights, "scalar", HEED_I32, 0, NULL);
    expect_tensor(weights, "empty", HEED_I8, 2, (const int64_t[]){0, 5});
    assert_true(heedi_weights_find(weights, "w16")->mapped);
    assert_int_equal((uintptr_t)heedi_weights_find(weights, "w16")->data % 64, 0);

    assert_int_equal(heedi_weights_meta(weights, "general.alignment")->value.u, 64);
    assert_int_equal(heedi_weights_meta(weights, "u")->value.u, 4000000000u);
    assert_true(heedi_weights_meta(weights, "f")->value.f == 0.125);
    assert_int_equal(heedi_weights_meta(weights, "yes")->value.u, 1);
    assert_int_equal(heedi_weights_meta(weights, "no")->value.u, 0);
    const struct heedi_meta *meta = heedi_weights_meta(weights, "words");
    assert_int_equal(meta->value.array.count, 3);
    assert_int_equal(meta->value.array.strings[2].bytes, 3);
    assert_memory_equal(meta->value.array.strings[2].data, "b\0c", 3);
    meta = heedi_weights_meta(weights, "numbers");
    assert_int_equal(meta->value.array.type, HEEDI_META_I32);
    assert_memory_equal(meta->value.array.data, "\1\0\0\0\xfe\xff\xff\xff\0\0\0\x80", 12);
    meta = heedi_weights_meta(weights, "blob");
    assert_int_equal(meta->value.array.type, HEEDI_META_U8);
    assert_memory_equal(meta->value.array.data, "\1\2\xff", 3);
    heedi_weights_close(weights);
}

static void converts_long_tensors_in_blocks(void **state) {
    struct fixture *fixture = *state;
    enum { COUNT = 2500 }; /* not a multiple of any block */
    static float singles[COUNT];
    for (int i = 0; i < COUNT; i++)
        singles[i] = (float)(i - 1000) * 0.25f; /* exact in f16: below 2048, quarters below 512 */
    const struct heed_tensor_desc desc = heed_desc(HEED_F32, 1, (const int64_t[]){COUNT});
    heedi_gguf_put_tensor(fixture->writer, "w", &desc, singles, HEED_F16);
    assert_int_equal(heedi_gguf_write(fixture->writer, fixture->path.text), HEED_OK);
    struct heedi_weights *weights;
    assert_int_equal(heedi_gguf_open(fixture->context, fixture->path.text, &weights), HEED_OK);
    const uint16_t *halves = heedi_weights_find(weights, "w")->data;
    for (int i = 0; i < COUNT; i++)
        assert_true(heed_f16_to_f32(halves[i]) == singles[i]);

    /* and back, from the mapped halves */
    struct heedi_gguf_writer *writer;
    assert_int_equal(heedi_gguf_writer_create(fixture->context, &writer), HEED_OK);
    heedi_gguf_put_tensor(writer, "w", &heedi_weights_find(weights, "w")->desc, halves, HEED_F32);
    const struct path second = path_in(&fixture->folder, "second.gguf");
    assert_int_equal(heedi_gguf_write(writer, second.text), HEED_OK);
    heedi_gguf_writer_destroy(writer);
    heedi_weights_close(weights);
    assert_int_equal(heedi_gguf_open(fixture->context, second.text, &weights), HEED_OK);
    expect_floats(weights, "w", singles, COUNT);
    heedi_weights_close(weights);
    assert_int_equal(unlink(second.text), 0);
}

static void replaces_an_existing_file(void **state) {
    struct fixture *fixture = *state;
    write_file(fixture->path.text, "old", 3);
    assert_int_equal(heedi_gguf_write(fixture->writer, fixture->path.text), HEED_OK);
    static struct buffer written;
    read_file(fixture->path.text, &written);
    assert_memory_equal(written.data, "GGUF\3\0\0\0", 8);
}

static void refuses_duplicate_keys(void **state) {
    heedi_gguf_put_u32(((struct fixture *)*state)->writer, "k", 1);
    heedi_gguf_put_string(((struct fixture *)*state)->writer, "k", "x");
    expect_failure(*state, HEED_ERROR_INVALID_ARGUMENT, "GGUF key 'k' was given twice");
}

static void refuses_duplicate_tensors(void **state) {
    put_values(*state, "t", HEED_F32);
    put_values(*state, "u", HEED_F32);
    put_values(*state, "t", HEED_F32);
    expect_failure(*state, HEED_ERROR_INVALID_ARGUMENT, "GGUF tensor 't' was given twice");
}

static void refuses_long_and_empty_names(void **state) {
    struct fixture *fixture = *state;
    char name[65] = "";
    memset(name, 'n', 64);
    put_values(fixture, name, HEED_F32);
    put_values(fixture, "", HEED_F32); /* the first failure sticks */
    expect_failure(fixture, HEED_ERROR_INVALID_ARGUMENT, "nnnn' must have a name of 1 to 63 bytes");
    struct heedi_gguf_writer *writer;
    assert_int_equal(heedi_gguf_writer_create(fixture->context, &writer), HEED_OK);
    heedi_gguf_put_u32(writer, "", 1);
    assert_int_equal(heedi_gguf_write(writer, fixture->path.text), HEED_ERROR_INVALID_ARGUMENT);
    heedi_gguf_writer_destroy(writer);
    heedi_gguf_writer_destroy(NULL);
}

static void refuses_to_set_the_alignment(void **state) {
    heedi_gguf_put_u32(((struct fixture *)*state)->writer, "general.alignment", 8);
    expect_failure(*state, HEED_ERROR_INVALID_ARGUMENT,
                   "key 'general.alignment' is set by the writer");
}

static void refuses_senseless_conversions(void **state) {
    put_values(*state, "t", HEED_I8);
    expect_failure(*state, HEED_ERROR_INVALID_ARGUMENT, "only f32, f16 and bf16");
}

static void refuses_strided_tensors(void **state) {
    struct heed_tensor_desc desc = heed_desc(HEED_F32, 2, (const int64_t[]){2, 3});
    desc.strides[0] = 1;
    desc.strides[1] = 2;
    heedi_gguf_put_tensor(((struct fixture *)*state)->writer, "t", &desc, values, HEED_F32);
    expect_failure(*state, HEED_ERROR_INVALID_ARGUMENT, "GGUF tensor 't' is not contiguous");
}

static void reports_a_folder_that_is_missing(void **state) {
    struct fixture *fixture = *state;
    const struct path path = path_in(&fixture->folder, "absent/out.gguf");
    assert_int_not_equal(heedi_gguf_write(fixture->writer, path.text), HEED_OK);
    assert_non_null(strstr(heed_last_error(fixture->context), "absent/out.gguf"));
    assert_int_equal(count_entries(fixture->folder.path), 0);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(writes_what_it_was_given),     TEST(converts_long_tensors_in_blocks),
        TEST(replaces_an_existing_file),    TEST(refuses_duplicate_keys),
        TEST(refuses_duplicate_tensors),    TEST(refuses_long_and_empty_names),
        TEST(refuses_to_set_the_alignment), TEST(refuses_senseless_conversions),
        TEST(refuses_strided_tensors),      TEST(reports_a_folder_that_is_missing),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
