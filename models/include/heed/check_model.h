/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Checking a backend inside a real model.
 *
 * A text is translated, and every graph that this takes (the encoder's, then the decoder's once for
 * each token) is computed node by node in two ways. *Isolated*: a node gets the operands of the
 * other side and is judged by its bounds, which tells the kernel that is wrong. *Accumulated*: the
 * backend goes on with its own results, which tells how errors grow with depth. The other side are
 * the operators' references in double precision, rounded where results are stored, or another
 * backend.
 *
 * *As run*: the graphs are also run as in a translation, in the parts that the backend takes over
 * as a whole, with all that it fuses there, its states staying on the device. What comes out (and
 * what is left in the states) is held against the other side; and each group of nodes that the
 * backend says it has computed as one is run for itself, on the other side's operands. Errors of
 * several nodes together have no derived bound; the tolerance is 4 times what the same nodes differ
 * by one by one (relative to the largest of the results), at least 4 * 16 u with u the unit
 * roundoff of the backend: a fused kernel rounds no more often than its nodes, only in another
 * order, so that its errors follow the same law, and maxima over hundreds of elements of one law
 * lie close together. Where an operand is computed and then rounded to 8 bits it may fall to the
 * other side of a tie, so that at least 8 / 127 is tolerated from there on. Tokens may differ where
 * both are as good within that tolerance.
 *
 * Beside it the text is translated as a whole on both.
 *
 * Thread rule: everything here belongs to the thread of its context. */
#ifndef HEED_CHECK_MODEL_H
#define HEED_CHECK_MODEL_H

#include "heed/check.h"
#include "heed/translate.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What came of one node. Pointers are valid during the call. */
struct heed_check_node {
    uint32_t struct_size;
    uint32_t op;       /**< enum heed_op */
    const char *graph; /**< "encoder" or "decoder" */
    const char *name;  /**< of the node */
    uint32_t step;     /**< of the decoder, from 0 */
    uint32_t depth;    /**< how many nodes were there before it, views left out */
    const struct heed_check_finding *isolated;
    /** Accumulated: the largest difference of its results, divided by their largest magnitude. */
    double relative;
    int64_t mismatches; /**< integers that differ */
    /** Against a backend: what it found of that one, on the same operands, and the largest
     * difference of the two as a fraction of the sum of their bounds. Else NULL and 0. */
    const struct heed_check_finding *other;
    double pair;
};

/** What came of nodes that were run together. Pointers are valid during the call. */
struct heed_check_piece {
    uint32_t struct_size;
    uint32_t op;         /**< enum heed_op of the last node */
    const char *graph;   /**< "encoder" or "decoder" */
    const char *name;    /**< of the last node; "" where the run as a whole has failed */
    const char *nodes;   /**< the names of all, in the order of computation: "a, b, c" */
    uint32_t node_count; /**< nodes that one kernel has computed */
    uint32_t step;       /**< of the decoder, from 0 */
    uint32_t group;      /**< 1: a fused group for itself; 0: what came out of the whole graph */
    uint32_t reproduced; /**< 1: the group was one kernel for itself too */
    double relative;     /**< difference as in heed_check_node */
    double one_by_one;   /**< of the same nodes one by one */
    double tolerance;
    int64_t mismatches; /**< integers that differ and must not */
    int64_t ties;       /**< integers that differ and may */
    const char *error;  /**< NULL, or why it could not be run */
};

struct heed_check_model_options {
    uint32_t struct_size;
    const char *backend; /**< one entry of a list of backends; required */
    const char *against; /**< another; NULL: references in double precision */
    const char *plugin_path;
    const char *text;  /**< NULL: a sentence that is known to every model */
    uint32_t steps;    /**< most steps of the decoder to look at; 0: 8 */
    uint32_t reserved; /**< 0 */
    /** Called for every node; a result other than 0 ends the check. May be NULL. */
    int (*node)(void *user, const struct heed_check_node *node);
    void *user;
    /** The same for every result of a graph as it is run, and for every fused group. */
    int (*piece)(void *user, const struct heed_check_piece *piece);
};

/** A node by its name and place. */
struct heed_check_place {
    char name[96]; /**< "" where there is none */
    char graph[16];
    uint32_t step;
    uint32_t op;
};

struct heed_check_model_report {
    uint32_t struct_size;
    uint32_t nodes;    /**< looked at */
    uint32_t declined; /**< of them, left to another backend */
    uint32_t over;     /**< of them, beyond a bound or failed in another way */
    struct heed_check_place first_over;
    struct heed_check_finding first_finding; /**< of that node */
    struct heed_check_place worst_isolated;  /**< with the largest fraction of its hard bound */
    double isolated;                         /**< that fraction */
    struct heed_check_place worst_accumulated;
    double accumulated; /**< largest relative difference of all nodes */
    /** Of what tokens are chosen from: rows, how many have the same best one, the mean share of the
     * best five that both have, the smallest margin between the best and the next, and the largest
     * difference of two logits. */
    int64_t choices, same_choices;
    double shared_best, margin, logits;
    uint32_t same_translation;
    uint32_t reserved;
    char translation[1024]; /**< by the backend; cut where it is longer */
    char expected[1024];    /**< by the other side: see below */
    uint32_t results;       /**< that left a graph as it is run, or were left in a state */
    uint32_t groups;        /**< fused ones, in every step */
    uint32_t largest_group; /**< most nodes of one */
    uint32_t unlike;        /**< of them, computed otherwise for themselves than in the graph */
    uint32_t together_over; /**< of results and groups, beyond their tolerance or failed */
    double together;        /**< largest share of a tolerance */
    struct heed_check_place worst_together, first_together;
    char worst_nodes[512];      /**< of the piece with that share: the names of its nodes */
    char first_nodes[512];      /**< of the first that is beyond */
    char together_message[240]; /**< what is wrong with that one */
    /** Against a backend, each node on the same operands: where that one is beyond its bounds, and
     * both held against each other, which differ by the sum of their bounds at the most. */
    uint32_t other_over, pair_over;
    struct heed_check_place first_other, worst_pair;
    struct heed_check_finding first_other_finding;
    double pair; /**< largest fraction of that sum */
};

/** Checks `model` on a backend. The other side's translation is `against`'s; without one, that of
 * the backends that are used by default. HEED_OK says that everything could be looked at, not that
 * it agrees. */
HEED_API enum heed_status heed_check_model(struct heed_context *context, struct heed_model *model,
                                           const struct heed_check_model_options *options,
                                           struct heed_check_model_report *report);

#ifdef __cplusplus
}
#endif
#endif
