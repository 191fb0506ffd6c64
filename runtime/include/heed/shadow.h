/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Shadow runs: while a program works, a share of its sub-graphs (the parts that one backend runs
 * whole) is run again, in the background and on another backend, and the results are compared.
 *
 * What a drawn sub-graph reads is copied before it runs and what it writes afterwards: inputs,
 * outputs, and of states the keys that attention looks at and the rows that cache_append stores.
 * The pair waits in a bounded queue for a thread of low priority; where the queue is full it is
 * dropped and counted, and nobody waits. The results of the program never depend on any of this.
 *
 * Comparison. A whole sub-graph has no bound of its own, so a tolerance is used, relative to the
 * largest magnitude of each row (of each run along the last dimension):
 *
 *   |a - b| <= 6 s max |row| + rounding of the stored type
 *   s^2 = sum of K u^2 over the nodes of both sides
 *
 * with K the length of a node's longest chain of roundings and u the unit roundoff of each backend,
 * or of the type that a result is stored in: errors that are independent and neither damped nor
 * amplified on their way (Higham and Mary 2019 for one sum). Products of rows quantised on the fly
 * add 4 q s to s^2, q = 2^-8: the share s / q of the elements that a difference carries over a
 * rounding boundary, each by a step of 2 q. Values that come of a log_softmax are judged on a scale
 * of at least 1. This is a screen: it finds wrong results, not a kernel that is a few units in the
 * last place beyond its bound inside a deep sub-graph; heed/check.h and heed/check_model.h do that.
 * Integers must be equal, except that argmax and top_k may differ between values that lie within
 * the tolerance of each other, and what `advance` makes of those rows with them ("ties").
 *
 * Cost: the share times what the other backend takes, and about a hundredth; once for each
 * sub-graph that is drawn the first time, compiling it.
 *
 * A disagreement is looked into, for the first few of them: the same sub-graph runs once more on
 * the first backend (beyond the tolerance from what it gave before: it is unsteady), then node by
 * node on both, each node on the same operands by its operator's own bound, and in the groups that
 * a backend fuses; that names the node and the backend that are wrong.
 *
 * Of a series of decoding steps that a device takes in one submission, the first step can be drawn;
 * the others are counted as skipped. A sub-graph of which the other backend runs no node is counted
 * as declined; nodes that it leaves to the scalar fallback inside others are counted too.
 *
 * Thread rule: heed_shadow_create() belongs to the thread of its context; a shadow may then be
 * shared by any threads, and all other functions may be called from any. */
#ifndef HEED_SHADOW_H
#define HEED_SHADOW_H

#include "heed/check.h"

#ifdef __cplusplus
extern "C" {
#endif

struct heed_shadow;

/* clang-format off */
/** Who is to blame for a disagreement: X(NAME, value, description). Values never change. */
#define HEED_SHADOW_BLAME_LIST(X)                                                                  \
    X(UNKNOWN, 0, "both backends are within their bounds when the sub-graph runs once more")       \
    X(PRIMARY, 1, "the first backend: it is beyond the bound of a node or of the whole")           \
    X(SHADOW, 2, "the shadow backend: it is beyond the bound of a node or of the whole")           \
    X(UNSTEADY, 3, "the first backend: the same input gives other results in another run")         \
    X(NOT_SOUGHT, 4, "not looked into")
/* clang-format on */

enum heed_shadow_blame {
#define HEED_SHADOW_BLAME_ENUM(NAME, value, text) HEED_SHADOW_BLAME_##NAME = value,
    HEED_SHADOW_BLAME_LIST(HEED_SHADOW_BLAME_ENUM)
#undef HEED_SHADOW_BLAME_ENUM
};

/** The description; "?" for an unknown one. Static string. */
HEED_API const char *heed_shadow_blame_text(enum heed_shadow_blame blame);

/** A disagreement: the worst element of one sub-graph's results. */
struct heed_shadow_finding {
    uint32_t struct_size;
    uint32_t part;     /**< of the program */
    uint64_t number;   /**< of the sub-graph among all that were seen, from 0 */
    char graph[64];    /**< "decoder" */
    char first[96];    /**< name of the sub-graph's first node */
    uint32_t nodes;    /**< in the sub-graph */
    uint32_t state;    /**< 1: the tensor is a state */
    char primary[32];  /**< backend that the program ran on */
    char shadow[32];   /**< backend that was asked for by the options */
    char tensor[96];   /**< output or state in which it is */
    char producer[96]; /**< node that makes the tensor; "" for a state */
    uint32_t dtype;    /**< enum heed_dtype of the tensor */
    uint32_t rank;
    int64_t index[HEED_MAX_RANK]; /**< of the element */
    double primary_value, shadow_value;
    double bound;    /**< tolerated difference; 0 for integers */
    double fraction; /**< difference / bound; infinity for integers, NaN and infinity */
    uint32_t blame;  /**< enum heed_shadow_blame */
    uint32_t op;     /**< enum heed_op of the node that is to blame; 0: none is known */
    char node[96];   /**< its name, or "" */
    /** What the node did alone, on the operands of a computation in double precision; meaningful
     * where `op` is not 0. */
    struct heed_check_finding alone;
};

struct heed_shadow_options {
    uint32_t struct_size;
    const char *backend;     /**< one entry of a list of backends; required */
    const char *plugin_path; /**< as in struct heed_executor_options */
    double rate;             /**< share of the sub-graphs, 0 to 1 */
    uint64_t seed;           /**< of the draw: the same order of runs draws the same ones */
    uint32_t queue_items;    /**< most sub-graphs that wait; 0: 64 */
    uint32_t max_findings;   /**< disagreements that are kept and looked into; 0: 8 */
    uint64_t queue_bytes;    /**< most bytes of snapshots that wait; 0: 256 MiB */
    /** Called from the background thread for each finding that is kept; may be NULL. It must not
     * call heed_shadow_drain() or heed_shadow_destroy(). */
    void (*finding)(void *user, const struct heed_shadow_finding *finding);
    void *user;
};

/** Opens the backend and starts the thread. Errors: HEED_ERROR_INVALID_ARGUMENT a rate outside [0,
 * 1] or not one backend, HEED_ERROR_NOT_FOUND no such backend. The caller owns the shadow; its
 * backend keeps packed weights of its own, and up to 16 compiled sub-graphs, with their programs,
 * are kept. The allocator of the context is used from the background thread too. */
HEED_API enum heed_status heed_shadow_create(struct heed_context *context,
                                             const struct heed_shadow_options *options,
                                             struct heed_shadow **shadow);
/** Ends the thread after the sub-graph that it is at; what waits is cancelled (call
 * heed_shadow_drain() first to have it compared). No instance that it is attached to may run any
 * more. NULL is allowed. */
HEED_API void heed_shadow_destroy(struct heed_shadow *shadow);
/** Waits until everything that was queued before is compared; the thread's low priority makes that
 * long on a machine that is busy otherwise. */
HEED_API void heed_shadow_drain(struct heed_shadow *shadow);

/** Attaches a shadow to an instance (NULL detaches); it must outlive the instance's runs. A run in
 * which a sub-graph is drawn allocates its snapshot. Belongs to the thread of the instance. */
HEED_API void heed_instance_set_shadow(struct heed_instance *instance, struct heed_shadow *shadow);

/** Counts since the shadow was made. drawn = dropped + abandoned + waiting + checked + declined +
 * failed. */
struct heed_shadow_statistics {
    uint32_t struct_size;
    uint32_t waiting;        /**< in the queue, or being looked at */
    uint64_t seen;           /**< sub-graphs that ran */
    uint64_t skipped;        /**< steps of series after the first, which are never drawn */
    uint64_t drawn;          /**< for a shadow run */
    uint64_t dropped;        /**< because the queue was full, or memory */
    uint64_t abandoned;      /**< because the first backend's own run failed */
    uint64_t checked;        /**< compared */
    uint64_t declined;       /**< because the backend runs none of the nodes */
    uint64_t failed;         /**< because the backend failed */
    uint64_t ties;           /**< compared, and equal but for choices between equals */
    uint64_t disagreed;      /**< compared, and not equal */
    uint64_t nodes;          /**< in the sub-graphs compared */
    uint64_t fallback_nodes; /**< of them, run by the scalar fallback instead of the backend */
    uint64_t busy_ns;        /**< that the background thread has worked, disagreements apart */
    uint64_t explaining_ns;  /**< that it has looked into disagreements */
    double worst;            /**< largest difference as a fraction of the tolerance */
    char worst_tensor[96];   /**< where; "" before anything was compared */
    char reason[160];        /**< why the last one was declined or failed; "" if none was */
};
/** statistics->struct_size is set by the caller. */
HEED_API enum heed_status heed_shadow_statistics(const struct heed_shadow *shadow,
                                                 struct heed_shadow_statistics *statistics);
/** The disagreement of that index, from 0 in the order in which they were found;
 * HEED_ERROR_NOT_FOUND where there are not so many, or no more were kept. finding->struct_size is
 * set by the caller. */
HEED_API enum heed_status heed_shadow_finding(const struct heed_shadow *shadow, uint32_t index,
                                              struct heed_shadow_finding *finding);

#ifdef __cplusplus
}
#endif
#endif
