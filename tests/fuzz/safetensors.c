/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a safetensors file. */
#include "fuzz.h"

volatile uint32_t fuzz_sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    fuzz_weights(heedi_safetensors_parse, data, bytes);
    return 0;
}
