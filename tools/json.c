/* SPDX-License-Identifier: Apache-2.0 */
/* JSON output: thin helpers over cJSON. */
#include "tools/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Length of the UTF-8 sequence at `bytes` (Unicode 15, table 3-7), 0 where there is none. */
static size_t sequence_length(const unsigned char *bytes, size_t count) {
    const unsigned char lead = bytes[0];
    size_t length = 1;
    unsigned char least = 0x80, most = 0xbf; /* of the second byte */
    if (lead < 0x80)
        return lead != 0 ? 1 : 0; /* a NUL would end the string */
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead == 0xe0)
        least = 0xa0;
    else if (lead == 0xed)
        most = 0x9f;
    else if (lead == 0xf0)
        least = 0x90;
    else if (lead == 0xf4)
        most = 0x8f;
    if (count < length || bytes[1] < least || bytes[1] > most)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (bytes[i] < 0x80 || bytes[i] > 0xbf)
            return 0;
    return length;
}

bool heedi_tool_json_text(cJSON *object, const char *name, const char *bytes, size_t count) {
    static const char replacement[] = "\xef\xbf\xbd";
    char *copy = count < SIZE_MAX / 3 ? malloc(3 * count + 1) : NULL;
    size_t written = 0;
    if (copy == NULL)
        return false;
    for (size_t i = 0; i < count;) {
        const size_t length = sequence_length((const unsigned char *)bytes + i, count - i);
        const size_t taken = length > 0 ? length : sizeof replacement - 1;
        memcpy(copy + written, length > 0 ? bytes + i : replacement, taken);
        written += taken;
        i += length > 0 ? length : 1;
    }
    copy[written] = '\0';
    const bool added = heedi_tool_json_string(object, name, copy);
    free(copy);
    return added;
}

bool heedi_tool_json_string(cJSON *object, const char *name, const char *string) {
    return cJSON_AddStringToObject(object, name, string) != NULL;
}

bool heedi_tool_json_number(cJSON *object, const char *name, double value) {
    char text[32];
    if (!isfinite(value))
        return cJSON_AddNullToObject(object, name) != NULL;
    /* as many digits as a binary32 can tell apart */
    snprintf(text, sizeof text, "%.9g", value);
    return cJSON_AddRawToObject(object, name, text) != NULL;
}

bool heedi_tool_json_i64s(cJSON *object, const char *name, const int64_t *values, size_t count) {
    cJSON *array = cJSON_AddArrayToObject(object, name);
    if (array == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        cJSON *number = cJSON_CreateNumber((double)values[i]);
        if (number == NULL || !cJSON_AddItemToArray(array, number))
            return false;
    }
    return true;
}

cJSON *heedi_tool_json_append(cJSON *array) {
    cJSON *object = cJSON_CreateObject();
    if (array != NULL && object != NULL && cJSON_AddItemToArray(array, object))
        return object;
    cJSON_Delete(object);
    return NULL;
}
