/* SPDX-License-Identifier: Apache-2.0 */
/* The report as CSV (RFC 4180): a table of operators, then one of translations. */
#include <string.h>

#include "tools/bench/bench.h"

static void text(FILE *stream, const char *value) {
    if (strpbrk(value, ",\"\r\n") == NULL) {
        fputs(value, stream);
        return;
    }
    fputc('"', stream);
    for (; *value != '\0'; value++) {
        if (*value == '"')
            fputc('"', stream);
        fputc(*value, stream);
    }
    fputc('"', stream);
}

static void cases(const struct heedi_bench *bench, FILE *stream) {
    fputs("op,shape,dtype,backend,threads,sets,working_set_bytes,level,flops,bytes,ideal_s,"
          "median_s,p10_s,p90_s,least_s,interval_low_s,interval_high_s,samples,stable,prepare_s,"
          "prepared_bytes,device_s,ran_on,reason\n",
          stream);
    for (size_t i = 0; i < bench->case_count; i++)
        for (size_t b = 0; b < bench->backend_count; b++) {
            const struct heedi_bench_case *it = &bench->cases[i];
            const struct heedi_bench_result *result = &it->results[b];
            const struct heedi_bench_stats *run = &result->run;
            fprintf(stream, "%s,%s,%s,", heed_op_name(it->shape.op->op), it->text,
                    heed_dtype_name(it->dtype));
            text(stream, bench->backends[b].label);
            fprintf(stream, ",%u,%u,%.0f,%s,%.9g,%.9g,", (unsigned)bench->roofline.threads,
                    (unsigned)it->sets, it->working_set, it->level->name, it->flops, it->bytes);
            const double ideal = heedi_bench_case_ideal_s(bench, it, b);
            if (ideal > 0)
                fprintf(stream, "%.9g", ideal);
            if (result->measured)
                fprintf(stream, ",%.9g,%.9g,%.9g,%.9g,%.9g,%.9g,%zu,%d,%.9g,%llu,", run->median,
                        run->p10, run->p90, run->least, run->low, run->high, run->count,
                        run->stable, result->prepare_s, (unsigned long long)result->prepared_bytes);
            else
                fputs(",,,,,,,0,,,,", stream); /* 10 fields, no samples */
            if (result->device_s > 0)
                fprintf(stream, "%.9g", result->device_s);
            fputc(',', stream);
            text(stream, result->ran_on);
            fputc(',', stream);
            text(stream, result->reason);
            fputc('\n', stream);
        }
}

static void translations(const struct heedi_bench *bench, FILE *stream) {
    const struct heedi_bench_text *of = &bench->text;
    fputs("text,model,backend,threads,lines,words,tokens,passes,line_median_s,line_p10_s,"
          "line_p90_s,line_p99_s,total_s,ideal_s,batch_s,batch_samples,open_s,first_line_s,"
          "cold_start_s,peak_bytes,failed,differing,bleu,ran_on,reason\n",
          stream);
    for (size_t b = 0; b < bench->backend_count; b++) {
        const struct heedi_bench_translation *it = &bench->translations[b];
        text(stream, of->source);
        fputc(',', stream);
        text(stream, of->model != NULL ? of->model : "default");
        fputc(',', stream);
        text(stream, bench->backends[b].label);
        fprintf(stream, ",%u,%zu,%llu,", (unsigned)bench->roofline.threads, of->count,
                (unsigned long long)of->words);
        if (it->measured) {
            fprintf(stream, "%llu,%zu,%.9g,%.9g,%.9g,%.9g,%.9g,", (unsigned long long)it->tokens,
                    it->passes, it->latency.median, it->latency.p10, it->latency.p90,
                    it->latency.p99, it->total_s);
            if (heedi_bench_has_roof(bench, b))
                fprintf(stream, "%.9g", it->ideal_s);
            fprintf(stream, ",%.9g,%zu,%.9g,%.9g,", it->batch.median, it->batch.count, it->open_s,
                    it->first_s);
            if (it->cold_s >= 0)
                fprintf(stream, "%.9g", it->cold_s);
            fputc(',', stream);
            if (it->peak_bytes > 0)
                fprintf(stream, "%llu", (unsigned long long)it->peak_bytes);
            fprintf(stream, ",%zu,%zu,", it->failed, it->differing);
            if (it->has_bleu)
                fprintf(stream, "%.4f", it->bleu);
        } else {
            fputs(",,,,,,,,,,,,,,,,", stream); /* 17 fields */
        }
        fputc(',', stream);
        text(stream, it->ran_on);
        fputc(',', stream);
        text(stream, it->reason);
        fputc('\n', stream);
    }
}

void heedi_bench_csv(const struct heedi_bench *bench, FILE *stream) {
    if (bench->case_count > 0)
        cases(bench, stream);
    if (bench->case_count > 0 && bench->text.count > 0)
        fputc('\n', stream);
    if (bench->text.count > 0)
        translations(bench, stream);
}
