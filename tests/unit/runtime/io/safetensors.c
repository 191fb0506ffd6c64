/* SPDX-License-Identifier: Apache-2.0 */
/* The safetensors reader on files built byte by byte. */
#include "io_test.h"

/* A file of this header and `data_bytes` bytes 0, 1, 2, ... of data. */
static void build(struct buffer *file, const char *header, size_t data_bytes) {
    file->bytes = 0;
    put_u64(file, strlen(header));
    put_text(file, header);
    for (size_t i = 0; i < data_bytes; i++)
        put_u8(file, (unsigned)(i & 0xff));
}

static void refuse(const char *header, size_t data_bytes, const char *words) {
    static struct buffer file;
    build(&file, header, data_bytes);
    expect_refused(heedi_safetensors_parse, &file, words);
}

static const char good[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                           "\"b\":{\"dtype\":\"I8\",\"shape\":[2,3],\"data_offsets\":[8,14]},"
                           "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}     ";

static void reads_tensors_and_metadata(void **state) {
    (void)state;
    static struct buffer file;
    build(&file, good, 0);
    put_f32(&file, 1.5f);
    put_f32(&file, -2.0f);
    put(&file, "\1\2\3\4\5\6", 6);
    struct parsed parsed = parse_good(heedi_safetensors_parse, &file);
    assert_int_equal(heedi_weights_count(parsed.weights), 2);
    expect_tensor(parsed.weights, "a", HEED_F32, 1, (const int64_t[]){2});
    expect_floats(parsed.weights, "a", (const float[]){1.5f, -2.0f}, 2);
    expect_tensor(parsed.weights, "b", HEED_I8, 2, (const int64_t[]){2, 3});
    assert_memory_equal(heedi_weights_find(parsed.weights, "b")->data, "\1\2\3\4\5\6", 6);
    /* in the order of the data */
    assert_string_equal(heedi_weights_at(parsed.weights, 0)->name, "a");
    assert_string_equal(heedi_weights_at(parsed.weights, 1)->name, "b");
    assert_null(heedi_weights_at(parsed.weights, 2));
    assert_null(heedi_weights_find(parsed.weights, "c"));
    assert_null(heedi_weights_find(parsed.weights, "__metadata__"));

    assert_int_equal(heedi_weights_meta_count(parsed.weights), 1);
    const struct heedi_meta *meta = heedi_weights_meta(parsed.weights, "format");
    assert_non_null(meta);
    assert_int_equal(meta->type, HEEDI_META_STRING);
    assert_int_equal(meta->value.string.bytes, 2);
    assert_memory_equal(meta->value.string.data, "pt", 2);
    assert_null(heedi_weights_meta(parsed.weights, "forma"));
    parsed_free(&parsed);
}

static void accepts_scalars_empty_tensors_and_no_tensors(void **state) {
    (void)state;
    static struct buffer file;
    build(&file,
          "{\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
          "\"e\":{\"dtype\":\"F16\",\"shape\":[3,0,5],\"data_offsets\":[4,4]}}",
          4);
    struct parsed parsed = parse_good(heedi_safetensors_parse, &file);
    expect_tensor(parsed.weights, "s", HEED_F32, 0, NULL);
    expect_tensor(parsed.weights, "e", HEED_F16, 3, (const int64_t[]){3, 0, 5});
    parsed_free(&parsed);

    build(&file, "{}", 0);
    parsed = parse_good(heedi_safetensors_parse, &file);
    assert_int_equal(heedi_weights_count(parsed.weights), 0);
    assert_null(heedi_weights_find(parsed.weights, "s"));
    parsed_free(&parsed);
}

static void copies_what_is_misaligned(void **state) {
    (void)state;
    static struct buffer file;
    build(&file,
          "{\"x\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]},"
          "\"y\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]}}",
          0);
    put_u8(&file, 7);
    put_f32(&file, 0.25f);
    put_f32(&file, 3.0f);
    struct parsed parsed = parse_good(heedi_safetensors_parse, &file);
    expect_tensor(parsed.weights, "y", HEED_F32, 1, (const int64_t[]){2});
    expect_floats(parsed.weights, "y", (const float[]){0.25f, 3.0f}, 2);
    assert_false(heedi_weights_find(parsed.weights, "y")->mapped);
    parsed_free(&parsed);
}

/* Copying no elements takes no time, however many rows of none there are. */
static void copies_nothing_of_huge_empty_tensors(void **state) {
    (void)state;
    static struct buffer file;
    build(&file,
          "{\"x\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]},"
          "\"y\":{\"dtype\":\"F32\",\"shape\":[1125899906842624,0],\"data_offsets\":[1,1]}}",
          1);
    struct parsed parsed = parse_good(heedi_safetensors_parse, &file);
    expect_tensor(parsed.weights, "y", HEED_F32, 2, (const int64_t[]){1125899906842624, 0});
    parsed_free(&parsed);
}

static void records_what_it_cannot_use(void **state) {
    (void)state;
    static struct buffer file;
    build(&file,
          "{\"long\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[0,16]},"
          "\"deep\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1],\"data_offsets\":[16,20]},"
          "\"odd\":{\"dtype\":\"Q9\",\"shape\":[3],\"data_offsets\":[20,21]},"
          "\"good\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[21,22]}}",
          22);
    struct parsed parsed = parse_good(heedi_safetensors_parse, &file);
    assert_int_equal(heedi_weights_count(parsed.weights), 1);
    assert_non_null(heedi_weights_find(parsed.weights, "good"));
    assert_null(heedi_weights_unsupported(parsed.weights, "good"));
    assert_null(heedi_weights_unsupported(parsed.weights, "absent"));
    assert_null(heedi_weights_find(parsed.weights, "long"));
    assert_string_equal(heedi_weights_unsupported(parsed.weights, "long"),
                        "its type I64 is not supported");
    assert_null(heedi_weights_find(parsed.weights, "deep"));
    assert_string_equal(heedi_weights_unsupported(parsed.weights, "deep"),
                        "it has 5 dimensions, at most 4 are supported");
    assert_string_equal(heedi_weights_unsupported(parsed.weights, "odd"),
                        "its type 'Q9' is unknown");
    parsed_free(&parsed);
}

static void refuses_a_damaged_frame(void **state) {
    (void)state;
    static struct buffer file;
    file.bytes = 0;
    expect_refused(heedi_safetensors_parse, &file, "not a safetensors file: 0 bytes");
    put_u64(&file, UINT64_C(1) << 60);
    put_text(&file, "{}");
    expect_refused(heedi_safetensors_parse, &file, "would have 1152921504606846976 bytes");
    file.bytes = 0;
    put_u64(&file, 100000001);
    expect_refused(heedi_safetensors_parse, &file, "the limit is 100000000");
    file.bytes = 0;
    put_u64(&file, 3);
    put_text(&file, "{}");
    expect_refused(heedi_safetensors_parse, &file, "the file ends after 2 of them");
    refuse("", 0, "does not begin with '{'");
    refuse("[]", 0, "does not begin with '{'");
    refuse(" {}", 0, "does not begin with '{'");
    refuse("{", 0, "not valid JSON");
    refuse("{\"a\":}", 0, "not valid JSON (near byte 5)");
    refuse("{} x", 0, "text follows the JSON");
    refuse("{}", 1, "the tensors cover 0 bytes of the data, the file has 1");
}

static void refuses_bad_descriptions(void **state) {
    (void)state;
    refuse("{\"a\":3}", 0, "tensor 'a': its description is not an object");
    refuse("{\"a\":{}}", 0, "tensor 'a': 'dtype' is missing");
    refuse("{\"a\":{\"dtype\":1}}", 0, "'dtype' is not a string");
    refuse("{\"a\":{\"dtype\":\"I8\"}}", 0, "'shape' is missing");
    refuse("{\"a\":{\"dtype\":\"I8\",\"shape\":1}}", 0, "'shape' is missing or not an array");
    refuse("{\"a\":{\"dtype\":\"I8\",\"shape\":[1]}}", 1, "'data_offsets' is not");
    refuse("{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0]}}", 1,
           "'data_offsets' is not");
    refuse("{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1,
           "'data_offsets' is not");
    refuse("{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[-1,0]}}", 1,
           "'data_offsets' is not");
    refuse("{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1.5]}}", 1,
           "'data_offsets' is not");
    refuse("{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1,
           "'data_offsets' is not [begin, end] with begin <= end");
    refuse("{\"a\":{\"dtype\":\"I8\",\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
           "a field is given twice");
    refuse("{\"a\":{\"dtype\":\"I8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", 1,
           "'shape' is not a list of sizes");
    refuse("{\"a\":{\"dtype\":\"I8\",\"shape\":[\"x\"],\"data_offsets\":[0,1]}}", 1,
           "'shape' is not a list of sizes");
    refuse("{\"__metadata__\":1}", 0, "'__metadata__' is not an object");
    refuse("{\"__metadata__\":{\"k\":1}}", 0, "'__metadata__' entry 'k' is not a string");
    refuse("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "two metadata keys are 'k'");
}

static void refuses_bad_sizes(void **state) {
    (void)state;
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1152921504606846976],\"data_offsets\":[0,4]}}", 4,
           "fits in 63 bits");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1073741824,1073741824],\"data_offsets\":[0,4]}}",
           4, "shape and dtype need 4611686018427387904 bytes, 'data_offsets' gives 4");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[0,4503599627370496,4503599627370496],"
           "\"data_offsets\":[0,0]}}",
           0, "fits in 63 bits");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
           "need 8 bytes, 'data_offsets' gives 4");
    refuse("{\"a\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
           "need 16 bytes, 'data_offsets' gives 4");
    refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 3,
           "tensor 'a' ends at byte 4 of the data, which has 3 bytes");
    refuse("{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[9007199254740991,"
           "9007199254740992]}}",
           3, "ends at byte 9007199254740992");
}

static void refuses_overlaps_holes_and_duplicates(void **state) {
    (void)state;
    refuse("{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]},"
           "\"b\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
           3, "tensor 'b' begins at byte 1 of the data, expected 2");
    refuse("{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]},"
           "\"b\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[3,5]}}",
           5, "tensor 'b' begins at byte 3 of the data, expected 2");
    refuse("{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]},"
           "\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
           2, "two tensors are named 'a'");
    refuse("{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]},"
           "\"a\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[1,9]}}",
           9, "two tensors are named 'a'");
}

static void refuses_bad_names(void **state) {
    (void)state;
    refuse("{\"\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
           "a tensor has an empty name");
    refuse("{\"a\\u0000b\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
           "NUL character");
    refuse("{\"a\\nb\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
           "the name of a tensor is not text: byte 1 of 3 is 0x0a");
    refuse("{\"a\xc0\xaf\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
           "the name of a tensor is not text: byte 1 of 3 is 0xc0");
    refuse("{\"\xed\xa0\x80\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
           "not text: byte 0 of 3 is 0xed");
    refuse("{\"\xf4\x90\x80\x80\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
           "not text: byte 0 of 4 is 0xf4");
    refuse("{\"z\xe2\x82\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
           "not text: byte 1 of 3 is 0xe2");
    refuse("{\"z\xe2\x82(\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
           "not text: byte 1 of 4 is 0xe2");
    static struct buffer file;
    build(&file,
          "{\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\":{\"dtype\":\"I8\",\"shape\":[1],"
          "\"data_offsets\":[0,1]}}",
          1);
    struct parsed parsed = parse_good(heedi_safetensors_parse, &file);
    assert_non_null(heedi_weights_find(parsed.weights, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"));
    parsed_free(&parsed);
}

static void refuses_deep_nesting(void **state) {
    (void)state;
    static char header[40001];
    memset(header, '[', sizeof header - 1);
    memcpy(header, "{\"a\":", 5);
    refuse(header, 0, "not valid JSON");
}

static void survives_any_damage(void **state) {
    (void)state;
    static struct buffer file;
    build(&file, good, 14);
    struct parsed parsed = parse_good(heedi_safetensors_parse, &file);
    parsed_free(&parsed);
    expect_prefixes_refused(heedi_safetensors_parse, &file);
    try_damaged_bytes(heedi_safetensors_parse, &file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_tensors_and_metadata),
        cmocka_unit_test(accepts_scalars_empty_tensors_and_no_tensors),
        cmocka_unit_test(copies_what_is_misaligned),
        cmocka_unit_test(copies_nothing_of_huge_empty_tensors),
        cmocka_unit_test(records_what_it_cannot_use),
        cmocka_unit_test(refuses_a_damaged_frame),
        cmocka_unit_test(refuses_bad_descriptions),
        cmocka_unit_test(refuses_bad_sizes),
        cmocka_unit_test(refuses_overlaps_holes_and_duplicates),
        cmocka_unit_test(refuses_bad_names),
        cmocka_unit_test(refuses_deep_nesting),
        cmocka_unit_test(survives_any_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
