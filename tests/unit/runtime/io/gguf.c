/* SPDX-License-Identifier: Apache-2.0 */
/* The GGUF reader on files built byte by byte. */
#include "io_test.h"

enum { TYPE_F32 = 0, TYPE_Q4_0 = 2, TYPE_I8 = 24, TYPE_I64 = 27 };

static struct buffer file;

static void begin(uint32_t version, uint64_t tensors, uint64_t metas) {
    file.bytes = 0;
    put_text(&file, "GGUF");
    put_u32(&file, version);
    put_u64(&file, tensors);
    put_u64(&file, metas);
}

static void put_string(const char *text) {
    put_u64(&file, strlen(text));
    put_text(&file, text);
}

static void put_key(const char *key, uint32_t type) {
    put_string(key);
    put_u32(&file, type);
}

/* `dims` innermost first, as in the file. */
static void put_info(const char *name, uint32_t rank, const uint64_t *dims, uint32_t type,
                     uint64_t offset) {
    put_string(name);
    put_u32(&file, rank);
    for (uint32_t i = 0; i < rank; i++)
        put_u64(&file, dims[i]);
    put_u32(&file, type);
    put_u64(&file, offset);
}

static void refuse(const char *words) {
    expect_refused(heedi_gguf_parse, &file, words);
}

/* Two tensors and one entry of several kinds. */
static void build_good(uint32_t version) {
    begin(version, 2, 4);
    put_key("general.architecture", HEEDI_META_STRING);
    put_string("marian");
    put_key("general.alignment", HEEDI_META_U32);
    put_u32(&file, 16);
    put_key("numbers", HEEDI_META_ARRAY);
    put_u32(&file, HEEDI_META_I32);
    put_u64(&file, 2);
    put_u32(&file, 5);
    put_u32(&file, (uint32_t)-6);
    put_key("words", HEEDI_META_ARRAY);
    put_u32(&file, HEEDI_META_STRING);
    put_u64(&file, 3);
    put_string("one");
    put_string("");
    put_string("three");
    put_info("w", 2, (const uint64_t[]){3, 2}, TYPE_F32, 0);
    put_info("bytes", 1, (const uint64_t[]){4}, TYPE_I8, 32);
    pad_to(&file, 16);
    for (int i = 0; i < 6; i++)
        put_f32(&file, (float)i * 0.5f);
    put_zeros(&file, 8);
    put(&file, "\1\2\3\4", 4);
}

static void check_good(const struct heedi_weights *weights) {
    assert_int_equal(heedi_weights_count(weights), 2);
    expect_tensor(weights, "w", HEED_F32, 2, (const int64_t[]){2, 3});
    expect_floats(weights, "w", (const float[]){0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 2.5f}, 6);
    expect_tensor(weights, "bytes", HEED_I8, 1, (const int64_t[]){4});
    assert_memory_equal(heedi_weights_find(weights, "bytes")->data, "\1\2\3\4", 4);
    assert_string_equal(heedi_weights_at(weights, 0)->name, "w");

    assert_int_equal(heedi_weights_meta_count(weights), 4);
    const struct heedi_meta *meta = heedi_weights_meta_at(weights, 0);
    assert_ptr_equal(meta, heedi_weights_meta(weights, "general.architecture"));
    assert_int_equal(meta->type, HEEDI_META_STRING);
    assert_int_equal(meta->value.string.bytes, 6);
    assert_memory_equal(meta->value.string.data, "marian", 6);
    meta = heedi_weights_meta(weights, "numbers");
    assert_non_null(meta);
    assert_int_equal(meta->type, HEEDI_META_ARRAY);
    assert_int_equal(meta->value.array.type, HEEDI_META_I32);
    assert_int_equal(meta->value.array.count, 2);
    assert_memory_equal(meta->value.array.data, "\5\0\0\0\xfa\xff\xff\xff", 8);
    meta = heedi_weights_meta(weights, "words");
    assert_int_equal(meta->value.array.type, HEEDI_META_STRING);
    assert_int_equal(meta->value.array.count, 3);
    assert_int_equal(meta->value.array.strings[0].bytes, 3);
    assert_int_equal(meta->value.array.strings[1].bytes, 0);
    assert_memory_equal(meta->value.array.strings[2].data, "three", 5);
    assert_null(heedi_weights_meta(weights, "word"));
    assert_null(heedi_weights_meta_at(weights, 4));
}

static void reads_versions_2_and_3(void **state) {
    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        build_good(version);
        struct parsed parsed = parse_good(heedi_gguf_parse, &file);
        check_good(parsed.weights);
        parsed_free(&parsed);
    }
}

static void reads_every_kind_of_scalar(void **state) {
    (void)state;
    begin(3, 0, 11);
    put_key("u8", HEEDI_META_U8);
    put_u8(&file, 200);
    put_key("i8", HEEDI_META_I8);
    put_u8(&file, 200);
    put_key("u16", HEEDI_META_U16);
    put_u16(&file, 40000);
    put_key("i16", HEEDI_META_I16);
    put_u16(&file, 40000);
    put_key("u32", HEEDI_META_U32);
    put_u32(&file, 3000000000u);
    put_key("i32", HEEDI_META_I32);
    put_u32(&file, 3000000000u);
    put_key("f32", HEEDI_META_F32);
    put_f32(&file, 0.75f);
    put_key("bool", HEEDI_META_BOOL);
    put_u8(&file, 1);
    put_key("u64", HEEDI_META_U64);
    put_u64(&file, UINT64_MAX);
    put_key("i64", HEEDI_META_I64);
    put_u64(&file, UINT64_MAX);
    put_key("f64", HEEDI_META_F64);
    put_u64(&file, UINT64_C(0xbff8000000000000)); /* -1.5 */
    struct parsed parsed = parse_good(heedi_gguf_parse, &file);
    const struct heedi_weights *weights = parsed.weights;
    assert_int_equal(heedi_weights_meta(weights, "u8")->value.u, 200);
    assert_int_equal(heedi_weights_meta(weights, "i8")->value.i, 200 - 256);
    assert_int_equal(heedi_weights_meta(weights, "u16")->value.u, 40000);
    assert_int_equal(heedi_weights_meta(weights, "i16")->value.i, 40000 - 65536);
    assert_int_equal(heedi_weights_meta(weights, "u32")->value.u, 3000000000u);
    assert_int_equal(heedi_weights_meta(weights, "i32")->value.i, 3000000000 - 4294967296);
    assert_true(heedi_weights_meta(weights, "f32")->value.f == 0.75);
    assert_int_equal(heedi_weights_meta(weights, "bool")->value.u, 1);
    assert_true(heedi_weights_meta(weights, "u64")->value.u == UINT64_MAX);
    assert_int_equal(heedi_weights_meta(weights, "i64")->value.i, -1);
    assert_true(heedi_weights_meta(weights, "f64")->value.f == -1.5);
    parsed_free(&parsed);
}

static void records_what_it_cannot_use(void **state) {
    (void)state;
    begin(3, 4, 0);
    put_info("quantised", 1, (const uint64_t[]){64}, TYPE_Q4_0, 0);
    put_info("deep", 5, (const uint64_t[]){1, 1, 1, 1, 1}, TYPE_I8, 64);
    put_info("new", 1, (const uint64_t[]){1}, 99, 96);
    put_info("scalar", 0, NULL, TYPE_F32, 96);
    pad_to(&file, 32);
    put_zeros(&file, 100);
    struct parsed parsed = parse_good(heedi_gguf_parse, &file);
    assert_int_equal(heedi_weights_count(parsed.weights), 1);
    expect_tensor(parsed.weights, "scalar", HEED_F32, 0, NULL);
    assert_null(heedi_weights_find(parsed.weights, "quantised"));
    assert_string_equal(heedi_weights_unsupported(parsed.weights, "quantised"),
                        "its type Q4_0 is not supported");
    assert_string_equal(heedi_weights_unsupported(parsed.weights, "deep"),
                        "it has 5 dimensions, at most 4 are supported");
    assert_string_equal(heedi_weights_unsupported(parsed.weights, "new"),
                        "its type, number 99, is unknown");
    parsed_free(&parsed);
}

static void refuses_other_files_and_versions(void **state) {
    (void)state;
    file.bytes = 0;
    refuse("not a GGUF file");
    put_text(&file, "GGUX");
    put_zeros(&file, 100);
    refuse("does not begin with 'GGUF'");
    begin(1, 0, 0);
    refuse("GGUF version 1; versions 2 and 3 are supported");
    begin(4, 0, 0);
    refuse("GGUF version 4");
    begin(0, 0, 0);
    refuse("GGUF version 0");
    begin(0x03000000, 0, 0);
    refuse("a big-endian GGUF file");
}

static void refuses_absurd_counts(void **state) {
    (void)state;
    const uint64_t huge = UINT64_C(1) << 60;
    begin(3, huge, 0);
    refuse("1152921504606846976 tensors announced");
    begin(3, 0, huge);
    refuse("1152921504606846976 metadata entries announced");
    begin(3, 0, 1);
    put_u64(&file, huge);
    put_zeros(&file, 8);
    refuse("a metadata key at byte 32 takes 1152921504606846976 bytes, the file has 8 left");
    begin(3, 0, 1);
    put_key("k", HEEDI_META_ARRAY);
    put_u32(&file, HEEDI_META_F64);
    put_u64(&file, huge);
    refuse("1152921504606846976 array elements announced, the 0 bytes left hold at most 0");
    begin(3, 0, 1);
    put_key("k", HEEDI_META_ARRAY);
    put_u32(&file, HEEDI_META_STRING);
    put_u64(&file, huge);
    put_zeros(&file, 16);
    refuse("the 16 bytes left hold at most 2");
    begin(3, 1, 0);
    put_string("t");
    put_u32(&file, UINT32_MAX);
    put_zeros(&file, 64);
    refuse("a tensor's shape");
    begin(3, 1, 0);
    put_info("t", 1, (const uint64_t[]){huge}, TYPE_F32, 0);
    pad_to(&file, 32);
    refuse("tensor 't' has 4611686018427387904 bytes");
    begin(3, 1, 0);
    put_info("t", 2, (const uint64_t[]){huge, huge}, TYPE_F32, 0);
    pad_to(&file, 32);
    refuse("its size overflows");
    begin(3, 1, 0);
    put_info("t", 3, (const uint64_t[]){huge, huge, 0}, TYPE_F32, 0);
    pad_to(&file, 32);
    refuse("its size overflows");
    begin(3, 1, 0);
    put_info("t", 1, (const uint64_t[]){UINT64_MAX}, TYPE_I8, 0);
    pad_to(&file, 32);
    refuse("its size overflows");
}

static void refuses_bad_metadata(void **state) {
    (void)state;
    begin(3, 0, 1);
    put_key("k", 13);
    put_zeros(&file, 8);
    refuse("metadata key 'k': unknown type of value (13)");
    begin(3, 0, 1);
    put_key("k", HEEDI_META_BOOL);
    put_u8(&file, 2);
    refuse("metadata key 'k': a bool is neither 0 nor 1 (2)");
    begin(3, 0, 1);
    put_key("k", HEEDI_META_ARRAY);
    put_u32(&file, HEEDI_META_ARRAY);
    put_u64(&file, 0);
    refuse("arrays of arrays are not supported");
    begin(3, 0, 1);
    put_key("k", HEEDI_META_ARRAY);
    put_u32(&file, 55);
    put_u64(&file, 0);
    refuse("unknown type of array elements (55)");
    begin(3, 0, 2);
    put_key("k", HEEDI_META_U8);
    put_u8(&file, 1);
    put_key("k", HEEDI_META_U8);
    put_u8(&file, 1);
    refuse("two metadata keys are 'k'");
    begin(3, 0, 1);
    put_key("", HEEDI_META_U8);
    put_u8(&file, 1);
    refuse("a metadata key has an empty name");
    static const uint32_t alignments[] = {0, 4, 24, 0xffffffffu};
    for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
        begin(3, 0, 1);
        put_key("general.alignment", HEEDI_META_U32);
        put_u32(&file, alignments[i]);
        refuse("'general.alignment': expected a power of two of at least 8");
    }
    begin(3, 0, 1);
    put_key("general.alignment", HEEDI_META_U64);
    put_u64(&file, 32);
    refuse("'general.alignment': expected type u32 (4), got type (10)");
}

static void refuses_bad_tensors(void **state) {
    (void)state;
    const uint64_t eight[] = {8};
    begin(3, 1, 0);
    put_info("t", 1, eight, TYPE_F32, 8);
    pad_to(&file, 32);
    put_zeros(&file, 64);
    refuse("tensor 't': its offset is not a multiple of the alignment");
    begin(3, 1, 0);
    put_info("t", 1, eight, TYPE_F32, 32);
    pad_to(&file, 32);
    put_zeros(&file, 63);
    refuse("tensor 't' has 32 bytes at byte 32 of the data, which has 63 bytes");
    begin(3, 1, 0);
    put_info("t", 1, eight, TYPE_F32, UINT64_MAX - 31);
    pad_to(&file, 32);
    put_zeros(&file, 64);
    refuse("at byte 18446744073709551584 of the data");
    begin(3, 1, 0);
    put_info("t", 1, eight, TYPE_I64, 32);
    pad_to(&file, 32);
    put_zeros(&file, 64);
    refuse("tensor 't' has 64 bytes at byte 32");
    begin(3, 1, 0);
    put_info("t", 1, eight, TYPE_Q4_0, 0);
    pad_to(&file, 32);
    put_zeros(&file, 64);
    refuse("its shape is not whole blocks");
    begin(3, 2, 0);
    put_info("t", 1, eight, TYPE_F32, 0);
    put_info("t", 1, eight, TYPE_F32, 32);
    pad_to(&file, 32);
    put_zeros(&file, 64);
    refuse("two tensors are named 't'");
    begin(3, 2, 0);
    put_info("one", 1, (const uint64_t[]){9}, TYPE_F32, 0);
    put_info("two", 1, eight, TYPE_F32, 32);
    pad_to(&file, 32);
    put_zeros(&file, 64);
    refuse("the data of tensors 'one' and 'two' overlap");
    begin(3, 1, 0);
    put_info("t", 1, eight, TYPE_F32, 0);
    refuse("before the data");
    begin(3, 1, 0);
    put_info("t\x1b[2J", 1, eight, TYPE_F32, 0);
    refuse("the name of a tensor is not text: byte 1 of 5 is 0x1b");
}

static void survives_any_damage(void **state) {
    (void)state;
    build_good(3);
    expect_prefixes_refused(heedi_gguf_parse, &file);
    try_damaged_bytes(heedi_gguf_parse, &file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_versions_2_and_3),
        cmocka_unit_test(reads_every_kind_of_scalar),
        cmocka_unit_test(records_what_it_cannot_use),
        cmocka_unit_test(refuses_other_files_and_versions),
        cmocka_unit_test(refuses_absurd_counts),
        cmocka_unit_test(refuses_bad_metadata),
        cmocka_unit_test(refuses_bad_tensors),
        cmocka_unit_test(survives_any_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
