/* SPDX-License-Identifier: Apache-2.0 */
/* Talking to the host: messages, memory, structs of other versions. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common.h"

enum heed_status heedi_common_fail(struct heed_error *error, enum heed_status status,
                                   const char *format, ...) {
    va_list args;
    va_start(args, format);
    error->status = (int32_t)status;
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return status;
}

bool heedi_common_read(void *target, size_t target_bytes, const void *source, size_t source_bytes) {
    const size_t shared = source_bytes < target_bytes ? source_bytes : target_bytes;
    memset(target, 0, target_bytes);
    if (shared > 0)
        memcpy(target, source, shared);
    const unsigned char *bytes = source;
    for (size_t i = shared; i < source_bytes; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

void *heedi_common_calloc(const struct heed_host *host, size_t count, size_t bytes) {
    if (bytes != 0 && count > SIZE_MAX / bytes)
        return NULL;
    const size_t total = count * bytes > 0 ? count * bytes : 1;
    void *memory = host->allocate(host->handle, total, 64);
    if (memory != NULL)
        memset(memory, 0, total);
    return memory;
}

void heedi_common_free(const struct heed_host *host, void *memory) {
    if (memory != NULL)
        host->release(host->handle, memory);
}
