/* SPDX-License-Identifier: Apache-2.0 */
/* JSON output: thin helpers over cJSON. */
#ifndef HEEDI_TOOLS_JSON_H
#define HEEDI_TOOLS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cjson/cJSON.h>

/* These add a member and return false when memory is out; `object` may be NULL (memory was out). */

/* Bytes that are no UTF-8 become U+FFFD, so that the output is JSON whatever the input was. */
bool heedi_tool_json_text(cJSON *object, const char *name, const char *bytes, size_t count);
bool heedi_tool_json_string(cJSON *object, const char *name, const char *string);
bool heedi_tool_json_number(cJSON *object, const char *name, double value);
/* Adds the lines of a device's report, each under its name (cmd_devices.c). */
bool heedi_tool_json_report(cJSON *parent, const char *report);
/* [1, 2, 3]. `object` may be an array, with `name` NULL. */
bool heedi_tool_json_i64s(cJSON *object, const char *name, const int64_t *values, size_t count);
/* Appends an empty object to an array. NULL when memory is out; `array` may be NULL. */
cJSON *heedi_tool_json_append(cJSON *array);

/* One member after another: `ok`, a bool of the caller's, becomes false at the first failure,
 * and nothing is added from then on. */
#define JSON_NUMBER(object, name, value)                                                           \
    (ok = ok && heedi_tool_json_number(object, name, (double)(value)))
#define JSON_TEXT(object, name, value)                                                             \
    (ok = ok && heedi_tool_json_text(object, name, value, strlen(value)))
#define JSON_FLAG(object, name, value)                                                             \
    (ok = ok && cJSON_AddBoolToObject(object, name, value) != NULL)

#endif
