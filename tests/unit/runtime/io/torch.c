/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of pytorch_model.bin on whole archives. */
#include <unistd.h>

#include "torch_test.h"

static struct buffer file, pickle;
static struct zip_writer zip;

/* Storage "0": 12 floats 0, 0.5, ... ; storage "1": 5 bytes. */
static void build(const struct pickled_tensor *tensors, size_t count,
                  const struct zip_options *options) {
    float floats[12];
    for (int i = 0; i < 12; i++)
        floats[i] = (float)i * 0.5f;
    pickle_state_dict(&pickle, tensors, count);
    zip_begin(&zip, &file, options);
    zip_add(&zip, "archive/data.pkl", pickle.data, pickle.bytes);
    zip_add(&zip, "archive/byteorder", "little", 6);
    zip_add(&zip, "archive/data/0", floats, sizeof floats);
    zip_add(&zip, "archive/data/1", "\1\2\3\4\5", 5);
    zip_add(&zip, "archive/version", "3\n", 2);
    zip_end(&zip);
}

static void refuse(const struct pickled_tensor *tensor, const char *words) {
    build(tensor, 1, NULL);
    expect_refused(heedi_torch_parse, &file, words);
}

static const struct pickled_tensor usual[] = {
    {"w", "FloatStorage", "0", 12, 0, 2, {3, 4}, {4, 1}},
    {"shared", "FloatStorage", "0", 12, 4, 2, {2, 4}, {4, 1}},
    {"transposed", "FloatStorage", "0", 12, 0, 2, {4, 3}, {1, 4}},
    {"expanded", "FloatStorage", "0", 12, 11, 1, {3}, {0}},
    {"scalar", "FloatStorage", "0", 12, 2, 0, {0}, {0}},
    {"bytes", "CharStorage", "1", 5, 1, 1, {4}, {1}},
    {"empty", "FloatStorage", "0", 12, 12, 2, {0, 4}, {4, 1}},
};
enum { USUAL = sizeof usual / sizeof *usual };

static void check_usual(const struct heedi_weights *weights) {
    assert_int_equal(heedi_weights_count(weights), USUAL);
    expect_tensor(weights, "w", HEED_F32, 2, (const int64_t[]){3, 4});
    const float all[] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 2.5f, 3.0f, 3.5f, 4.0f, 4.5f, 5.0f, 5.5f};
    expect_floats(weights, "w", all, 12);
    expect_tensor(weights, "shared", HEED_F32, 2, (const int64_t[]){2, 4});
    expect_floats(weights, "shared", all + 4, 8);
    expect_tensor(weights, "transposed", HEED_F32, 2, (const int64_t[]){4, 3});
    const float transposed[] = {0.0f, 2.0f, 4.0f, 0.5f, 2.5f, 4.5f,
                                1.0f, 3.0f, 5.0f, 1.5f, 3.5f, 5.5f};
    expect_floats(weights, "transposed", transposed, 12);
    expect_floats(weights, "expanded", (const float[]){5.5f, 5.5f, 5.5f}, 3);
    expect_tensor(weights, "scalar", HEED_F32, 0, NULL);
    expect_floats(weights, "scalar", (const float[]){1.0f}, 1);
    expect_tensor(weights, "bytes", HEED_I8, 1, (const int64_t[]){4});
    assert_memory_equal(heedi_weights_find(weights, "bytes")->data, "\2\3\4\5", 4);
    expect_tensor(weights, "empty", HEED_F32, 2, (const int64_t[]){0, 4});
    /* in the order of the dictionary */
    assert_string_equal(heedi_weights_at(weights, 0)->name, "w");
    assert_string_equal(heedi_weights_at(weights, 6)->name, "empty");
}

static void reads_a_state_dictionary(void **state) {
    (void)state;
    static const struct zip_options variants[] = {
        {.alignment = 64},
        {.zip64 = true, .alignment = 64},
        {.zip64 = true, .sizes_follow = true, .alignment = 64},
        {.sizes_follow = true, .alignment = 1}, /* misaligned: copied */
    };
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        build(usual, USUAL, &variants[i]);
        struct parsed parsed = parse_good(heedi_torch_parse, &file);
        check_usual(parsed.weights);
        parsed_free(&parsed);
    }
}

/* Written by PyTorch 1.13: w = arange(12).reshape(3, 4) / 2, its views, and other types. */
static void reads_what_pytorch_wrote(void **state) {
    (void)state;
    struct heed_context *context = new_context();
    struct heedi_weights *weights;
    if (heedi_torch_open(context, HEED_TEST_DATA "/fuzz/corpus/torch/views", &weights) != HEED_OK)
        fail_msg("refused: %s", heed_last_error(context));
    assert_int_equal(heedi_weights_count(weights), 10);
    const float all[] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 2.5f, 3.0f, 3.5f, 4.0f, 4.5f, 5.0f, 5.5f};
    expect_tensor(weights, "model.shared.weight", HEED_F32, 2, (const int64_t[]){3, 4});
    expect_floats(weights, "model.shared.weight", all, 12);
    expect_floats(weights, "model.encoder.embed_tokens.weight", all, 12);
    expect_floats(weights, "param", all, 12);
    assert_true(heedi_weights_find(weights, "param")->mapped);
    expect_tensor(weights, "slice", HEED_F32, 2, (const int64_t[]){2, 2}); /* w[1:, 1:3] */
    expect_floats(weights, "slice", (const float[]){2.5f, 3.0f, 4.5f, 5.0f}, 4);
    expect_tensor(weights, "t", HEED_F32, 2, (const int64_t[]){4, 3});
    assert_memory_equal(heedi_weights_find(weights, "i8")->data, "\0\1\2\3\4", 5);
    expect_tensor(weights, "b", HEED_BF16, 2, (const int64_t[]){3, 4});
    expect_tensor(weights, "scalar", HEED_F32, 0, NULL);
    assert_string_equal(heedi_weights_unsupported(weights, "l"), "its type int64 is not supported");
    heedi_weights_close(weights);
    heed_context_destroy(context);
}

static void maps_a_file(void **state) {
    (void)state;
    build(usual, USUAL, NULL);
    const struct folder folder = new_folder();
    const struct path path = path_in(&folder, "pytorch_model.bin");
    write_file(path.text, file.data, file.bytes);
    struct heed_context *context = new_context();
    struct heedi_weights *weights;
    assert_int_equal(heedi_torch_open(context, path.text, &weights), HEED_OK);
    check_usual(weights);
    assert_true(heedi_weights_find(weights, "w")->mapped);
    assert_false(heedi_weights_find(weights, "transposed")->mapped);
    heedi_weights_close(weights);
    heed_context_destroy(context);
    assert_int_equal(unlink(path.text), 0);
    assert_int_equal(rmdir(folder.path), 0);
}

static void records_what_it_cannot_use(void **state) {
    (void)state;
    const struct pickled_tensor tensors[] = {
        {"long", "LongStorage", "0", 6, 0, 1, {6}, {1}},
        {"double", "DoubleStorage", "0", 6, 0, 1, {6}, {1}},
        {"bool", "BoolStorage", "1", 5, 0, 1, {5}, {1}},
        {"deep", "FloatStorage", "0", 12, 0, 5, {1, 1, 1, 3, 4}, {12, 12, 12, 4, 1}},
        {"ints", "IntStorage", "0", 12, 0, 1, {12}, {1}},
        {"halves", "HalfStorage", "0", 24, 0, 1, {24}, {1}},
        {"brains", "BFloat16Storage", "0", 24, 1, 1, {23}, {1}},
    };
    build(tensors, 7, NULL);
    struct parsed parsed = parse_good(heedi_torch_parse, &file);
    assert_int_equal(heedi_weights_count(parsed.weights), 3);
    assert_string_equal(heedi_weights_unsupported(parsed.weights, "long"),
                        "its type int64 is not supported");
    assert_string_equal(heedi_weights_unsupported(parsed.weights, "double"),
                        "its type float64 is not supported");
    assert_string_equal(heedi_weights_unsupported(parsed.weights, "bool"),
                        "its type bool is not supported");
    assert_string_equal(heedi_weights_unsupported(parsed.weights, "deep"),
                        "it has 5 dimensions, at most 4 are supported");
    expect_tensor(parsed.weights, "ints", HEED_I32, 1, (const int64_t[]){12});
    expect_tensor(parsed.weights, "halves", HEED_F16, 1, (const int64_t[]){24});
    expect_tensor(parsed.weights, "brains", HEED_BF16, 1, (const int64_t[]){23});
    parsed_free(&parsed);
}

static void refuses_tensors_outside_their_storage(void **state) {
    (void)state;
    const int64_t huge = INT64_C(1) << 60;
    refuse(&(struct pickled_tensor){"t", "FloatStorage", "0", 12, 0, 1, {13}, {1}},
           "tensor 't' reaches element 12 of a storage of 12");
    refuse(&(struct pickled_tensor){"t", "FloatStorage", "0", 12, 1, 2, {3, 4}, {4, 1}},
           "tensor 't' reaches element 12 of a storage of 12");
    refuse(&(struct pickled_tensor){"t", "FloatStorage", "0", 12, 0, 2, {3, 4}, {5, 1}},
           "tensor 't' reaches element 13 of a storage of 12");
    refuse(&(struct pickled_tensor){"t", "FloatStorage", "0", 12, huge, 0, {0}, {0}},
           "tensor 't' reaches element 1152921504606846976 of a storage of 12");
    refuse(&(struct pickled_tensor){"t", "FloatStorage", "0", 12, 13, 1, {0}, {1}},
           "of a storage of 12");
    refuse(&(struct pickled_tensor){"t", "FloatStorage", "0", 13, 0, 1, {12}, {1}},
           "its storage has 13 elements of float32, entry 'data/0' has 48 bytes");
    refuse(&(struct pickled_tensor){"t", "FloatStorage", "1", 1, 0, 1, {1}, {1}},
           "its storage has 1 elements of float32, entry 'data/1' has 5 bytes");
    refuse(&(struct pickled_tensor){"t", "FloatStorage", "7", 12, 0, 1, {12}, {1}},
           "tensor 't': the archive has no entry 'data/7'");
    refuse(
        &(struct pickled_tensor){
            "t", "FloatStorage", "../../../../../../../../../etc/passwd", 12, 0, 1, {12}, {1}},
        "the key of its storage is too long");
    refuse(&(struct pickled_tensor){"t", "FloatStorage", "0", 12, 0, 2, {huge, huge}, {0, 0}},
           "tensor 't': its size overflows");
    refuse(&(struct pickled_tensor){"t", "FloatStorage", "0", 12, 0, 2, {huge, 2}, {huge, 1}},
           "tensor 't': its size overflows");
}

/* Expanded and transposed tensors are copied: their sum may not exceed the file. */
static void refuses_memory_bombs(void **state) {
    (void)state;
    refuse(&(struct pickled_tensor){"t", "FloatStorage", "0", 12, 0, 1, {INT64_C(1) << 40}, {0}},
           "copying such tensors would take more memory than the file has bytes");
    static struct pickled_tensor many[100];
    static char names[100][8];
    for (size_t i = 0; i < 100; i++) {
        (void)snprintf(names[i], sizeof names[i], "t%zu", i);
        many[i] =
            (struct pickled_tensor){names[i], "FloatStorage", "0", 12, 0, 2, {60, 12}, {0, 1}};
    }
    build(many, 100, NULL);
    expect_refused(heedi_torch_parse, &file, "would take more memory than the file");
}

static void refuses_other_files(void **state) {
    (void)state;
    file.bytes = 0;
    expect_refused(heedi_torch_parse, &file, "not a zip archive");
    put_text(&file, "version https://git-lfs.github.com/spec/v1\n");
    expect_refused(heedi_torch_parse, &file, "not a zip archive");
    file.bytes = 0;
    put(&file, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
    expect_refused(heedi_torch_parse, &file, "before version 1.6; convert it");

    zip_begin(&zip, &file, NULL);
    zip_add(&zip, "archive/mydata.pkl", "x", 1);
    zip_end(&zip);
    expect_refused(heedi_torch_parse, &file, "the archive has no 'data.pkl'");
    zip_begin(&zip, &file, NULL);
    zip_add(&zip, "a/data.pkl", "x", 1);
    zip_add(&zip, "b/data.pkl", "x", 1);
    zip_end(&zip);
    expect_refused(heedi_torch_parse, &file, "more than one 'data.pkl'");
    zip_begin(&zip, &file, NULL);
    zip_add(&zip, "data.pkl", "x", 1);
    zip_add(&zip, "byteorder", "big", 3);
    zip_end(&zip);
    expect_refused(heedi_torch_parse, &file, "its byte order is 'big'");
}

static void refuses_duplicate_names(void **state) {
    (void)state;
    const struct pickled_tensor twice[] = {usual[0], usual[0]};
    build(twice, 2, NULL);
    expect_refused(heedi_torch_parse, &file, "two tensors are named 'w'");
}

static void survives_any_damage(void **state) {
    (void)state;
    static const struct zip_options plain = {.alignment = 4}, wide = {.zip64 = true};
    build(usual, 2, &wide);
    expect_prefixes_refused(heedi_torch_parse, &file);
    try_damaged_bytes(heedi_torch_parse, &file);
    build(usual, 1, &plain);
    expect_prefixes_refused(heedi_torch_parse, &file);
    try_damaged_bytes(heedi_torch_parse, &file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_state_dictionary),
        cmocka_unit_test(reads_what_pytorch_wrote),
        cmocka_unit_test(maps_a_file),
        cmocka_unit_test(records_what_it_cannot_use),
        cmocka_unit_test(refuses_tensors_outside_their_storage),
        cmocka_unit_test(refuses_memory_bombs),
        cmocka_unit_test(refuses_other_files),
        cmocka_unit_test(refuses_duplicate_names),
        cmocka_unit_test(survives_any_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
