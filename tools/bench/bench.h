/* SPDX-License-Identifier: Apache-2.0 */
/* `heed bench`: what the runs measure and the reports show. */
#ifndef HEEDI_TOOLS_BENCH_BENCH_H
#define HEEDI_TOOLS_BENCH_BENCH_H

#include "tools/bench/bleu.h"
#include "tools/bench/cases.h"
#include "tools/bench/roofline.h"
#include "tools/bench/stats.h"
#include "tools/os.h"
#include "tools/tool.h"

enum {
    HEEDI_BENCH_BACKENDS = 12, /* compared with each other at most */
    HEEDI_BENCH_REASON = 240
};

/* One of the competitors: a backend, or several in order of preference ("openblas+avx2"). */
struct heedi_bench_backend {
    char label[128];       /* as given; of a path only the end */
    char list[160];        /* as heed_executor_options.backends takes it, without "only" */
    char description[400]; /* device and features, of each backend in the list */
    bool host;             /* computes on the processor: the roofline applies */
    bool device;           /* one device that is no processor, with a roofline of its own */
    struct heedi_bench_roofline roof; /* of a device; without levels: not measured */
    char product[32];                 /* the one that reached its arithmetic */
};

/* How one backend did in one case. */
struct heedi_bench_result {
    bool measured;
    char reason[HEEDI_BENCH_REASON]; /* why not, or "" */
    char ran_on[64];                 /* backends of the nodes, "openblas" */
    struct heedi_bench_stats run;    /* seconds of one run */
    double device_s;                 /* of a run, by the device's own clock; 0: not told */
    double prepare_s;                /* median of compiling, packing of weights included */
    uint64_t prepared_bytes;         /* packed weights of one set */
};

struct heedi_bench_case {
    struct heedi_bench_shape shape;
    char text[64]; /* the shape as given */
    enum heed_dtype dtype;
    double flops, bytes;                   /* of one run */
    uint32_t sets;                         /* operands taken in turn */
    double working_set;                    /* bytes of all sets */
    const struct heedi_bench_level *level; /* that the working set lies in */
    double ideal_s;                        /* what the roofline allows */
    struct heedi_bench_result results[HEEDI_BENCH_BACKENDS];
};

/* Time and best possible time of the nodes of one operator. */
struct heedi_bench_part {
    char op[24]; /* "" for what a backend ran as a whole */
    uint64_t runs;
    double measured_s; /* in a run with a clock around each node; 0: not told */
    double ideal_s;
};

enum { HEEDI_BENCH_PARTS = 32 };

/* How one backend did in translating a text. */
struct heedi_bench_translation {
    bool measured;
    char reason[HEEDI_BENCH_REASON];
    char ran_on[96];                  /* "avx2 92 %, scalar 8 %" of the arithmetic */
    double open_s, first_s, cold_s;   /* < 0: not measured */
    uint64_t peak_bytes;              /* 0: not measured */
    struct heedi_bench_stats latency; /* of the lines, each by its median over the passes */
    double total_s;                   /* sum of the same medians */
    double ideal_s;                   /* for all lines, one at a time */
    double device_s;                  /* for the same, by the device's own clock; 0: not told */
    size_t passes;
    uint64_t tokens;                /* of all translations, ends of sentence included */
    struct heedi_bench_stats batch; /* seconds for all lines given at once */
    size_t failed, differing;       /* lines; differing from the first backend's */
    bool has_bleu;
    double bleu;
    struct heedi_bench_part parts[HEEDI_BENCH_PARTS];
    size_t part_count;
};

struct heedi_bench_text {
    const char *source;    /* file, or "built-in sentences" */
    const char *reference; /* file, or NULL */
    const char *model;     /* path, or NULL for the default one */
    char **lines, **references;
    size_t count;
    uint64_t words;
    double weight_bytes;
    const struct heedi_bench_level *level; /* that the weights lie in */
};

/* How one choice of a kernel's shape did. */
struct heedi_bench_choice {
    char text[24];
    double seconds; /* sum of the medians of all cases; 0: it was not measured */
    double ratio;   /* geometric mean of the cases' times over those of the standard choice */
    bool wrong;     /* its results differ from the scalar backend's */
};
struct heedi_bench_tuned {
    char name[32];
    struct heedi_bench_choice choices[HEED_TUNE_CHOICES];
    size_t choice_count, standard, winner;
    char cases[HEED_TUNE_CASES][40]; /* what was measured */
    size_t case_count;
};
enum { HEEDI_BENCH_TUNED = 16 };

/* What tuning a backend's device came to. */
struct heedi_bench_tuning {
    struct heedi_bench_tuned kernels[HEEDI_BENCH_TUNED];
    size_t kernel_count;
    bool saved;
    char kept[400];                  /* the choices that are kept, "name=choice,..." */
    char reason[HEEDI_BENCH_REASON]; /* why they could not be, or "" */
};

/* Everything that is known in the end. */
struct heedi_bench {
    const struct heedi_tool_options *options;
    struct heed_context *context;
    struct heed_pool *pool;
    bool verbose, progress, tour;
    double seconds; /* limit of one measurement of one backend */
    uint64_t seed;
    struct heedi_tool_machine machine;
    struct heedi_bench_roofline roofline;
    struct heedi_bench_backend backends[HEEDI_BENCH_BACKENDS];
    size_t backend_count;
    struct heedi_bench_case *cases;
    size_t case_count;
    struct heedi_bench_text text; /* count 0: no translation */
    struct heedi_bench_translation translations[HEEDI_BENCH_BACKENDS];
    struct heedi_bench_tuning tunings[HEEDI_BENCH_BACKENDS];
    double elapsed_s;
};

/* Says on the terminal what is being done. */
void heedi_bench_progress(const struct heedi_bench *bench, const char *format, ...)
    HEEDI_TOOL_PRINTF(2, 3);

/* ---- backends.c ---- */
/* Takes `--backends` apart, or finds all that can be used. Returns an exit code. */
int heedi_bench_backends(struct heedi_bench *bench);
/* `only`: no fallback. NULL with a reason where it cannot be opened. */
struct heed_executor *heedi_bench_executor(const struct heedi_bench *bench, size_t backend,
                                           bool only, char reason[HEEDI_BENCH_REASON]);
/* The last error of the context, or what the status says. */
void heedi_bench_reason(const struct heedi_bench *bench, enum heed_status status,
                        char reason[HEEDI_BENCH_REASON]);

/* ---- runner.c ---- */
/* Measures a case on every backend, taking turns. What cannot be run has a reason in its result.
 * The ideal is left to be computed when the machine's limits are known for good. */
void heedi_bench_run_case(struct heedi_bench *bench, struct heedi_bench_case *it);

/* ---- device.c ---- */
/* Measures what the devices among the backends can do. One that cannot be measured has no roof. */
void heedi_bench_device_roofs(struct heedi_bench *bench);
/* Cases that did more than that raise the roof. */
void heedi_bench_device_refine(struct heedi_bench *bench);
/* The roofline of a backend, and the level of it that holds what lies in `level` of the machine. */
const struct heedi_bench_roofline *heedi_bench_roof(const struct heedi_bench *bench,
                                                    size_t backend);
const struct heedi_bench_level *heedi_bench_roof_level(const struct heedi_bench *bench,
                                                       size_t backend,
                                                       const struct heedi_bench_level *level);
/* False where no roofline applies to a backend. */
bool heedi_bench_has_roof(const struct heedi_bench *bench, size_t backend);
/* What its roofline allows a backend for a case; 0: not known. */
double heedi_bench_case_ideal_s(const struct heedi_bench *bench, const struct heedi_bench_case *it,
                                size_t backend);
/* What an ideal is compared with: the device's own time where it is known. */
double heedi_bench_case_s(const struct heedi_bench_result *result);

/* ---- probe.c ---- */
/* A profile, and what it has counted so far. */
struct heedi_bench_clock {
    struct heed_profile *profile;
    uint64_t ns;
};
/* Seconds of the nodes that ran since the last call, by the device's own clock; 0: not told. */
double heedi_bench_clock_read(struct heedi_bench_clock *clock);

/* ---- translate.c ---- */
/* What needs a process of its own; before anything large is allocated. */
void heedi_bench_children(struct heedi_bench *bench);
int heedi_bench_translate(struct heedi_bench *bench);

/* ---- tune.c ---- */
/* Finds the best shapes of workgroups for each backend that offers a choice, and has it keep them.
 * Returns how many backends did. */
size_t heedi_bench_tune(struct heedi_bench *bench);

/* ---- text.c ---- */
int heedi_bench_text_open(struct heedi_bench *bench);
void heedi_bench_text_free(struct heedi_bench_text *text);

/* ---- compare.c ---- */
/* Ratios of the medians: how many times as fast. */
struct heedi_bench_comparison {
    size_t count; /* cases that both ran */
    double mean;  /* geometric */
    double least, most;
};
/* False where no case was run by both. */
bool heedi_bench_compare(const struct heedi_bench *bench, size_t backend, size_t against,
                         struct heedi_bench_comparison *comparison);

/* ---- reports: to a stream ---- */
void heedi_bench_table(const struct heedi_bench *bench, FILE *stream);
bool heedi_bench_json(const struct heedi_bench *bench, FILE *stream); /* false: out of memory */
/* The same with the devices here, and without names of folders. */
bool heedi_bench_bundle(const struct heedi_bench *bench, FILE *stream);
void heedi_bench_csv(const struct heedi_bench *bench, FILE *stream);
void heedi_bench_html(const struct heedi_bench *bench, FILE *stream);

/* Shared by the reports: "1.23 ms", "45.6 GFLOP/s"; three digits that matter. */
struct heedi_bench_number {
    char text[32];
};
const char *heedi_bench_print_time(struct heedi_bench_number *buffer, double seconds);
const char *heedi_bench_print_rate(struct heedi_bench_number *buffer, double per_second,
                                   const char *unit);
/* What is said of a translation, row by row; values of backends that were measured. */
struct heedi_bench_row {
    const char *group; /* "": that of the row before */
    const char *name;
    const char *(*value)(const struct heedi_bench *bench, size_t backend,
                         struct heedi_bench_number *buffer);
};
size_t heedi_bench_rows(const struct heedi_bench *bench, const struct heedi_bench_row **rows);
/* "matmul 32x512x2048:relu f16" */
const char *heedi_bench_case_name(const struct heedi_bench_case *it, char name[96]);
/* The compiler and the commit that this program was built with. */
extern const char heedi_bench_compiler[], heedi_bench_commit[];

#endif
