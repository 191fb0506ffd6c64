/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Checking that a backend computes what the operators mean.
 *
 * Cases of every operator are drawn from a seed: shapes, strides and views, types, attributes,
 * values. Each is run on the backend inside guarded and poisoned memory and compared with the
 * operator's reference in double precision on the same stored operands, by bounds that are derived
 * from the backend's declared numeric profile:
 *
 *   hard         |actual - expected| <= gamma(K) M + K eta + out,  gamma(K) = K u / (1 - K u)
 *   statistical  |actual - expected| <= 6 sqrt(K) u M + K eta + out    (random values only)
 *
 * with u the unit roundoff, K the length of the longest chain of roundings, M the magnitude of the
 * terms, eta the underflow unit and out the rounding of the stored result (Higham, Accuracy and
 * Stability of Numerical Algorithms, ch. 3; Higham and Mary 2019). A failing case is made as small
 * as it can be and written as text that heed_check_replay() runs again on any backend.
 *
 * Thread rule: everything here belongs to the thread of its context. */
#ifndef HEED_CHECK_H
#define HEED_CHECK_H

#include "heed/executor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */
/** What can be wrong with a case: X(NAME, value, name, description). Values never change. */
#define HEED_CHECK_FAULT_LIST(X)                                                                   \
    X(NONE, 0, "none", "agrees")                                                                   \
    X(VALUE, 1, "value", "an element is beyond its hard bound")                                    \
    X(STATISTICAL, 2, "statistical", "an element is beyond its statistical bound")                 \
    X(SPECIAL, 3, "special", "a NaN or an infinity was lost or made")                              \
    X(UNWRITTEN, 4, "unwritten", "an element was not written")                                     \
    X(OVERRUN, 5, "overrun", "memory beside an output was written")                                \
    X(INPUT, 6, "input", "an input was changed")                                                   \
    X(UNINITIALISED, 7, "uninitialised", "a result depends on what memory held before")            \
    X(REPEAT, 8, "repeat", "the same input gave other bits in another run")                        \
    X(THREADS, 9, "threads", "the same input gave other bits with other threads")                  \
    X(ERROR, 10, "error", "the backend failed")
/* clang-format on */

enum heed_check_fault {
#define HEED_CHECK_FAULT_ENUM(NAME, value, name, text) HEED_CHECK_##NAME = value,
    HEED_CHECK_FAULT_LIST(HEED_CHECK_FAULT_ENUM)
#undef HEED_CHECK_FAULT_ENUM
};

/** "overrun"; "?" for an unknown one. Static string. */
HEED_API const char *heed_check_fault_name(enum heed_check_fault fault);
/** "memory beside an output was written". Static string. */
HEED_API const char *heed_check_fault_text(enum heed_check_fault fault);

/** What came out of one case. */
struct heed_check_finding {
    uint32_t struct_size;
    uint32_t fault; /**< enum heed_check_fault */
    uint32_t op;    /**< enum heed_op */
    uint32_t dtype; /**< enum heed_dtype of the first output; 0: unknown */
    int64_t number; /**< of the case; -1: read from a file */
    uint32_t declined;
    uint32_t output;              /**< where: which output, */
    uint32_t rank;                /**< its rank, */
    int64_t index[HEED_MAX_RANK]; /**< which element of it */
    double expected, actual;
    double hard;        /**< largest error as a fraction of the hard bound */
    double statistical; /**< of the statistical bound */
    double ulp;         /**< distance of the two values in units in the last place */
    char message[240];  /**< the detail, or why it was declined; may be "" */
    double largest_ulp; /**< largest such distance of all elements: far larger than `ulp` where sums
                             cancel, which bounds allow for */
};

/** What came out of the cases of one operator whose first output has one type. */
struct heed_check_row {
    uint32_t struct_size;
    uint32_t op;
    uint32_t dtype;
    uint32_t reserved;
    int64_t cases; /**< run and judged, failed ones included */
    int64_t declined;
    int64_t failed;
    struct heed_check_finding worst; /**< with the largest hard fraction of all that agree, or of
                                          all that fail where some do */
    double statistical;              /**< largest statistical fraction of random cases */
    /** How many cases have their largest error in (i / 20, (i + 1) / 20] of the hard bound; the
     * last entry: beyond it. Cases without any error are in entry 0. */
    int64_t histogram[21];
    char declined_reason[112]; /**< of the last one that was declined */
    double largest_ulp;        /**< of all elements of all cases */
};

/** A case that failed, as drawn and made smaller. Valid during the call. */
struct heed_check_failure {
    uint32_t struct_size;
    uint32_t shrunk;                        /**< whether `smallest` is another case */
    const struct heed_check_finding *drawn; /**< of the case as it was drawn */
    const struct heed_check_finding *smallest;
    const char *text; /**< the smallest case, for heed_check_replay() */
    size_t text_bytes;
};

struct heed_check_options {
    uint32_t struct_size;
    const char *backend;     /**< one entry of a list of backends; required */
    const char *plugin_path; /**< as in struct heed_executor_options */
    uint64_t seed;
    int64_t first; /**< number of the first case of each operator */
    /** How many cases of each operator are to be judged. What the backend declines comes on top,
     * until 200 cases in a row are declined: then the operator is given up. 0: as many as the
     * operator deserves are drawn, and judged as far as they are not declined. */
    int64_t cases;
    int64_t every;  /**< takes one case of so many, and so many fewer; 0: each */
    uint32_t op;    /**< enum heed_op; 0: all that can be run */
    int32_t repeat; /**< runs of each case, bits compared; 0: 3 */
    /** Pools to run each case with, bits compared; NULL: one with one thread. At most 8. */
    struct heed_pool *const *pools;
    uint32_t pool_count;
    int32_t shrink; /**< not 0: failing cases are made smaller */
    /** Called after each operator, once for each type of output; may be NULL. */
    void (*row)(void *user, const struct heed_check_row *row);
    /** Called for the first failing cases (at most three) of each operator; may be NULL. */
    void (*failure)(void *user, const struct heed_check_failure *failure);
    /** Called after each case; a result other than 0 ends the check. May be NULL. */
    int (*progress)(void *user, enum heed_op op, int64_t judged, int64_t cases);
    void *user;
    int64_t most_drawn; /**< most cases of each operator that are drawn; 0: see `cases` */
};

/** Checks a backend. HEED_OK says that all cases could be looked at, not that they agree: see the
 * rows. */
HEED_API enum heed_status heed_check_run(struct heed_context *context,
                                         const struct heed_check_options *options);

/** Runs one case from its text. Of the options, backend, plugin_path, repeat and pools count. */
HEED_API enum heed_status heed_check_replay(struct heed_context *context,
                                            const struct heed_check_options *options,
                                            const char *text, size_t bytes,
                                            struct heed_check_finding *finding);

/** How precisely a backend multiplies and adds, as probes have found it: products and sums of
 * values that only so many bits tell apart, in one row, in tiles, with operands that are inputs and
 * with weights that may be packed. A driver that lowers precision on its own is seen by this,
 * whatever its numeric profile says. */
struct heed_check_precision {
    uint32_t struct_size;
    uint32_t operand_bits; /**< of the significand that operands keep: f32 24, tf32 and f16 11, bf16
                              8; 0: no probe was run */
    uint32_t sum_bits;     /**< that sums keep, 24 at the most */
    char name[32];         /**< "f32", "f16 accumulate", "tf32-like", ...; "declined" */
};

/** Probes matmul with operands in f32. Of the options, backend, plugin_path and the first pool
 * count. */
HEED_API enum heed_status heed_check_precision(struct heed_context *context,
                                               const struct heed_check_options *options,
                                               struct heed_check_precision *precision);

#ifdef __cplusplus
}
#endif
#endif
