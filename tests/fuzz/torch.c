/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a pytorch_model.bin, and as the pickle inside one. */
#include "runtime/io/torch.h"
#include "fuzz.h"

volatile uint32_t fuzz_sink;

static void run_pickle(const uint8_t *data, size_t bytes) {
    struct heed_context *context;
    struct heedi_arena arena;
    struct heedi_torch_record *records = NULL;
    size_t count = 0;
    if (heed_context_create(NULL, &context) != HEED_OK)
        abort();
    heedi_arena_init(&arena, &context->env);
    if (heedi_pickle_read(context, "input", &arena, data, bytes, &records, &count) == HEED_OK) {
        for (size_t i = 0; i < count; i++) {
            const struct heedi_torch_tensor *tensor = records[i].tensor;
            fuzz_touch(records[i].name.data, records[i].name.bytes);
            fuzz_touch(tensor->storage_key.data, tensor->storage_key.bytes);
            fuzz_touch(tensor->sizes, tensor->rank * sizeof *tensor->sizes);
            fuzz_touch(tensor->strides, tensor->rank * sizeof *tensor->strides);
        }
    }
    heedi_arena_clear(&arena);
    heed_context_destroy(context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    fuzz_weights(heedi_torch_parse, data, bytes);
    run_pickle(data, bytes);
    return 0;
}
