/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and names as people read them. */
#include <stdarg.h>
#include <string.h>

#include "tools/bench/bench.h"
#include "tools/bench/commit.h"

#if defined(__OPTIMIZE__)
#define OPTIMISED ""
#else
#define OPTIMISED ", without optimisation"
#endif
#if defined(__clang__)
const char heedi_bench_compiler[] = "clang " __clang_version__ OPTIMISED;
#elif defined(__GNUC__)
const char heedi_bench_compiler[] = "gcc " __VERSION__ OPTIMISED;
#else
const char heedi_bench_compiler[] = "unknown compiler" OPTIMISED;
#endif
const char heedi_bench_commit[] = HEEDI_COMMIT;

/* Three significant digits of a value below 1000. */
static void three_digits(char *text, size_t size, double value, const char *unit) {
    const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(text, size, "%.*f %s", decimals, value, unit);
}

const char *heedi_bench_print_time(struct heedi_bench_number *buffer, double seconds) {
    static const char *const units[] = {"s", "ms", "us", "ns"};
    size_t unit = 0;
    while (unit < 3 && seconds < 0.9995) {
        seconds *= 1000;
        unit++;
    }
    three_digits(buffer->text, sizeof buffer->text, seconds, units[unit]);
    return buffer->text;
}

const char *heedi_bench_print_rate(struct heedi_bench_number *buffer, double per_second,
                                   const char *unit) {
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
    char full[16];
    size_t prefix = 0;
    while (prefix < 5 && per_second >= 999.5) {
        per_second /= 1000;
        prefix++;
    }
    snprintf(full, sizeof full, "%s%s", prefixes[prefix], unit);
    three_digits(buffer->text, sizeof buffer->text, per_second, full);
    return buffer->text;
}

const char *heedi_bench_case_name(const struct heedi_bench_case *it, char name[96]) {
    snprintf(name, 96, "%s %s%s%s", heed_op_name(it->shape.op->op), it->text,
             it->dtype != HEED_F32 ? " " : "",
             it->dtype != HEED_F32 ? heed_dtype_name(it->dtype) : "");
    return name;
}

void heedi_bench_progress(const struct heedi_bench *bench, const char *format, ...) {
    char text[120];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (bench->progress)
        heedi_tool_progress_text(text);
}
