/* SPDX-License-Identifier: Apache-2.0 */
/* The pickle machine: what a state dictionary needs runs, everything else is refused by name. */
#include "runtime/io/torch.h"
#include "torch_test.h"

static struct buffer pickle;

struct result {
    struct heed_context *context;
    struct heedi_arena arena;
    unsigned char *memory;
    enum heed_status status;
    struct heedi_torch_record *records;
    size_t count;
};

static struct result run(void) {
    struct result result = {.context = new_context()};
    heedi_arena_init(&result.arena, &result.context->env);
    result.memory = exact_copy(&pickle, pickle.bytes);
    result.status = heedi_pickle_read(result.context, "some/file", &result.arena, result.memory,
                                      pickle.bytes, &result.records, &result.count);
    return result;
}

static void result_free(struct result *result) {
    heedi_arena_clear(&result->arena);
    free(result->memory);
    heed_context_destroy(result->context);
}

static struct result run_good(void) {
    const struct result result = run();
    if (result.status != HEED_OK)
        fail_msg("refused: %s", heed_last_error(result.context));
    return result;
}

static void refuse_built(const char *words) {
    struct result result = run();
    if (result.status == HEED_OK)
        fail_msg("accepted, expected: %s", words);
    if (strstr(heed_last_error(result.context), words) == NULL)
        fail_msg("got: %s\nexpected: %s", heed_last_error(result.context), words);
    result_free(&result);
}

/* A pickle of just these bytes, protocol 2. */
static void refuse_bytes(const void *code, size_t bytes, const char *words) {
    pickle.bytes = 0;
    put(&pickle, "\x80\x02", 2);
    put(&pickle, code, bytes);
    refuse_built(words);
}

#define REFUSE(code, words) refuse_bytes(code, sizeof(code) - 1, words)

static const struct pickled_tensor tensor = {"layer.weight", "FloatStorage", "17", 24, 4, 2,
                                             {4, 5},         {5, 1}};

static void check_tensor(const struct heedi_torch_record *record) {
    assert_int_equal(record->name.bytes, strlen("layer.weight"));
    assert_memory_equal(record->name.data, "layer.weight", record->name.bytes);
    const struct heedi_torch_tensor *found = record->tensor;
    assert_string_equal(found->element->class_name, "FloatStorage");
    assert_int_equal(found->element->dtype, HEED_F32);
    assert_int_equal(found->storage_key.bytes, 2);
    assert_memory_equal(found->storage_key.data, "17", 2);
    assert_int_equal(found->storage_elems, 24);
    assert_int_equal(found->offset, 4);
    assert_int_equal(found->rank, 2);
    assert_int_equal(found->sizes[0], 4);
    assert_int_equal(found->sizes[1], 5);
    assert_int_equal(found->strides[0], 5);
    assert_int_equal(found->strides[1], 1);
}

static void reads_a_state_dictionary(void **state) {
    (void)state;
    pickle_state_dict(&pickle, &tensor, 1);
    struct result result = run_good();
    assert_int_equal(result.count, 1);
    check_tensor(&result.records[0]);
    result_free(&result);

    pickle_state_dict(&pickle, NULL, 0);
    result = run_good();
    assert_int_equal(result.count, 0);
    result_free(&result);
}

static void put_short(const char *text) {
    put_u8(&pickle, 0x8c);
    put_u8(&pickle, (unsigned)strlen(text));
    put_text(&pickle, text);
}

/* Protocol 4: frames, MEMOIZE, SHORT_BINUNICODE, STACK_GLOBAL; a parameter; SETITEM; a plain
 * dict. */
static void reads_protocol_4(void **state) {
    (void)state;
    pickle.bytes = 0;
    put(&pickle, "\x80\x04\x95\0\0\0\0\0\0\0\0}\x94", 13);
    put_short("layer.weight");
    put_short("torch._utils");
    put_short("_rebuild_parameter");
    put_u8(&pickle, 0x93);
    put_short("torch._utils");
    put_u8(&pickle, 0x94); /* memo 1 */
    put_short("_rebuild_tensor_v2");
    put(&pickle, "\x93((", 3);
    put_short("storage");
    put_short("torch");
    put_short("FloatStorage");
    put_u8(&pickle, 0x93);
    put_short("17");
    put_short("cpu");
    put(&pickle, "K\x18tQ\x8a\x01\x04K\x04K\x05\x86M\x05\x00J\x01\0\0\0\x86\x89", 22);
    put_short("collections");
    put_short("OrderedDict");
    put(&pickle, "\x93)RNtR", 6); /* with metadata None */
    put(&pickle, "\x88N\x87Rs.", 6);
    struct result result = run_good();
    assert_int_equal(result.count, 1);
    check_tensor(&result.records[0]);
    result_free(&result);
}

/* What a short and a long memo entry give back is what was put there. */
static void remembers_values(void **state) {
    (void)state;
    pickle.bytes = 0;
    put(&pickle, "\x80\x02}q\1(", 6);
    pickle_string(&pickle, "layer.weight");
    pickle_tensor(&pickle, &tensor);
    put(&pickle, "r\5\0\0\0", 5);
    pickle_string(&pickle, "again");
    put(&pickle, "j\5\0\0\0u", 6);
    /* the attributes: a dict with the dict itself as a value */
    put_text(&pickle, "}");
    pickle_string(&pickle, "self");
    put(&pickle, "h\1sb.", 5);
    struct result result = run_good();
    assert_int_equal(result.count, 2);
    check_tensor(&result.records[0]);
    assert_memory_equal(result.records[1].name.data, "again", 5);
    assert_ptr_equal(result.records[0].tensor, result.records[1].tensor);
    result_free(&result);
}

static void refuses_other_globals(void **state) {
    (void)state;
    REFUSE("cos\nsystem\n(X\4\0\0\0echotR.", "it asks for 'os.system', which is refused");
    REFUSE("cbuiltins\neval\n.", "it asks for 'builtins.eval'");
    REFUSE("ctorch._utils\n_rebuild_qtensor\n.", "'torch._utils._rebuild_qtensor'");
    REFUSE("ctorch\nQInt8Storage\n.", "'torch.QInt8Storage'");
    REFUSE("ccollections\nOrderedDictX\n.", "'collections.OrderedDictX'");
    REFUSE("\x8c\2os\x8c\6system\x93.", "it asks for 'os.system'");
    REFUSE("cx\x1b[2J\ny\x7f\n.", "it asks for 'x?[2J.y?'"); /* no commands to the terminal */
    REFUSE("cno newline", "truncated");
    REFUSE("cone\nnewline", "truncated");
}

static void refuses_other_opcodes(void **state) {
    (void)state;
    static const struct {
        unsigned char byte;
        const char *name;
    } refused[] = {{'i', "INST"},      {'o', "OBJ"},
                   {0x81, "NEWOBJ"},   {0x92, "NEWOBJ_EX"},
                   {'2', "DUP"},       {'0', "POP"},
                   {'G', "BINFLOAT"},  {'B', "BINBYTES"},
                   {0x82, "EXT1"},     {'P', "PERSID"},
                   {'g', "GET"},       {'d', "DICT"},
                   {0x8b, "LONG4"},    {'U', "SHORT_BINSTRING"},
                   {0x8f, "EMPTY_SET"}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char words[64];
        (void)snprintf(words, sizeof words, "byte 2: pickle opcode %s is refused", refused[i].name);
        refuse_bytes(&refused[i].byte, 1, words);
    }
    REFUSE("\xff", "byte 2: 0xff is not a pickle opcode");
    pickle.bytes = 0;
    put(&pickle, "\x80\x01.", 3);
    refuse_built("pickle protocol 1; 2 to 5 are supported");
    pickle.bytes = 0;
    put(&pickle, "\x80\x06.", 3);
    refuse_built("pickle protocol 6");
}

static void refuses_a_disordered_stack(void **state) {
    (void)state;
    REFUSE(".", "finds too little on the stack");
    REFUSE("(.", "finds too little on the stack");
    REFUSE("t", "finds no mark on the stack");
    REFUSE("K\1\x86", "finds too little on the stack");
    REFUSE("}(K\1u", "a dict gets a key without a value");
    REFUSE("](K\1K\2u", "expected a dict on the stack");
    REFUSE("}K\1a", "expected a list on the stack");
    REFUSE("K\1K\2K\3s", "expected a dict on the stack");
    REFUSE("K\1R", "expected a tuple, got an int");
    REFUSE("})R", "expected a function, got a dict");
    REFUSE("NQ", "expected a tuple, got None");
    REFUSE("}Nb", "expected a dict, got None");
    REFUSE("q\0", "nothing on the stack to remember");
    REFUSE("}q\x03", "a memo index beyond the number of opcodes");
    REFUSE("}r\xff\xff\xff\xff", "a memo index beyond the number of opcodes");
    REFUSE("}h\0", "a memo entry is fetched that was never stored");
    REFUSE("}NNq\3h\2", "a memo entry is fetched that was never stored");
    REFUSE("}}.", "data.pkl holds a dict, expected the dict");
    REFUSE("].", "data.pkl holds a list");
    REFUSE("}.}", "the pickle goes on after its end");
    REFUSE("\x8a\x09\1\1\1\1\1\1\1\1\1", "an integer of more than 64 bits");
    REFUSE("X\xff\xff\xff\xffxx", "truncated");
}

static void refuses_other_dictionaries(void **state) {
    (void)state;
    REFUSE("}X\5\0\0\0epochK\7s.", "'epoch' is an int, expected a tensor");
    REFUSE("}X\5\0\0\0model}s.", "'model' is a dict, expected a tensor");
    REFUSE("}K\1Ns.", "key 0 of the dict is an int, expected a string");
}

static void refuses_bad_calls(void **state) {
    (void)state;
    REFUSE("ccollections\nOrderedDict\nN\x85R", "OrderedDict is called with arguments");
    REFUSE("ctorch._utils\n_rebuild_tensor_v2\n)R", "_rebuild_tensor_v2 is called with other");
    REFUSE("ctorch._utils\n_rebuild_parameter\nNNN\x87R", "called without a tensor");
    REFUSE(")Q", "a persistent id is not");
    REFUSE("(X\6\0\0\0modulectorch\nIntStorage\nX\1\0\0\0"
           "0X\3\0\0\0cpuK\1tQ",
           "a persistent id is not");
    REFUSE("(X\7\0\0\0storageX\1\0\0\0xX\1\0\0\0"
           "0X\3\0\0\0cpuK\1tQ",
           "a persistent id is not");
    struct pickled_tensor bad = tensor;
    bad.sizes[1] = -5;
    pickle_state_dict(&pickle, &bad, 1);
    refuse_built("a tensor's shape or stride is not made of sizes");
    bad = tensor;
    bad.strides[0] = -5;
    pickle_state_dict(&pickle, &bad, 1);
    refuse_built("a tensor's shape or stride is not made of sizes");
    bad = tensor;
    bad.offset = -1;
    pickle_state_dict(&pickle, &bad, 1);
    refuse_built("_rebuild_tensor_v2 is called with other");
    bad = tensor;
    bad.storage_elems = INT64_MIN;
    pickle_state_dict(&pickle, &bad, 1);
    refuse_built("a persistent id is not");
}

/* Hooks would be code; extra state (the seventh argument) would change the values. */
static void refuses_hooks_and_extra_state(void **state) {
    (void)state;
    static const char *const endings[] = {"}X\1\0\0\0kNstRu.", "}}X\1\0\0\0kNstRu."};
    for (size_t i = 0; i < 2; i++) {
        pickle.bytes = 0;
        put(&pickle, "\x80\x02}(", 4);
        pickle_string(&pickle, "name");
        pickle_global(&pickle, "torch._utils", "_rebuild_tensor_v2");
        put_text(&pickle, "((");
        pickle_string(&pickle, "storage");
        pickle_global(&pickle, "torch", "FloatStorage");
        pickle_string(&pickle, "0");
        pickle_string(&pickle, "cpu");
        put(&pickle, "K\1tQK\0))\x89", 9);
        put(&pickle, endings[i], 13 + i);
        refuse_built("a tensor has hooks or extra state");
    }
}

/* A long shape that is remembered once and used in every call must not be copied every time. */
static void refuses_long_shapes(void **state) {
    (void)state;
    int64_t sizes[17] = {0};
    pickle.bytes = 0;
    put(&pickle, "\x80\x02}(", 4);
    pickle_string(&pickle, "name");
    pickle_global(&pickle, "torch._utils", "_rebuild_tensor_v2");
    put_text(&pickle, "((");
    pickle_string(&pickle, "storage");
    pickle_global(&pickle, "torch", "FloatStorage");
    pickle_string(&pickle, "0");
    pickle_string(&pickle, "cpu");
    put(&pickle, "K\1tQK\0", 6);
    pickle_ints(&pickle, 17, sizes);
    pickle_ints(&pickle, 17, sizes);
    put(&pickle, "\x89}tRu.", 6);
    refuse_built("a tensor of more than 16 dimensions");
}

/* A list that contains itself, in the attributes that are not looked at. */
static void survives_cycles(void **state) {
    (void)state;
    pickle.bytes = 0;
    put(&pickle, "\x80\x02}}", 4);
    pickle_string(&pickle, "k");
    put(&pickle, "]q\1h\1asb.", 9);
    struct result result = run_good();
    assert_int_equal(result.count, 0);
    result_free(&result);
}

static void bounds_the_stack(void **state) {
    (void)state;
    const size_t bytes = 100000;
    unsigned char *code = malloc(bytes);
    assert_non_null(code);
    memset(code, 'N', bytes);
    struct heed_context *context = new_context();
    struct heedi_arena arena;
    heedi_arena_init(&arena, &context->env);
    struct heedi_torch_record *records;
    size_t count;
    assert_int_equal(heedi_pickle_read(context, "some/file", &arena, code, bytes, &records, &count),
                     HEED_ERROR_LIMIT);
    assert_non_null(strstr(heed_last_error(context), "the stack grows beyond 65536 values"));
    assert_int_equal(
        heedi_pickle_read(context, "some/file", &arena, code, SIZE_MAX / 2, &records, &count),
        HEED_ERROR_LIMIT);
    heedi_arena_clear(&arena);
    heed_context_destroy(context);
    free(code);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_state_dictionary),
        cmocka_unit_test(reads_protocol_4),
        cmocka_unit_test(remembers_values),
        cmocka_unit_test(refuses_other_globals),
        cmocka_unit_test(refuses_other_opcodes),
        cmocka_unit_test(refuses_a_disordered_stack),
        cmocka_unit_test(refuses_other_dictionaries),
        cmocka_unit_test(refuses_bad_calls),
        cmocka_unit_test(refuses_hooks_and_extra_state),
        cmocka_unit_test(refuses_long_shapes),
        cmocka_unit_test(survives_cycles),
        cmocka_unit_test(bounds_the_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
