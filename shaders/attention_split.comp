/* SPDX-License-Identifier: Apache-2.0 */
/* attention for few queries and many keys: what attention.comp computes, with the keys shared by
 * SPLITS workgroups, each of which leaves its greatest score m, the sum s of its weights, and its
 * sums of weighted values; attention_combine.comp makes y of these
 *
 * Source:    Milakov and Gimelshein 2018, section 3.1 (m and s of parts give those of the whole)
 * Bindings:  0 to 2 as attention.comp; 3 parts f32 [batches, heads, queries, SPLITS, 2 + dv]: m, s,
 *            values (write)
 * Workgroup: one stretch of keys of one query of one head, as attention.comp has all. Where the
 *            stretches end depends on the shapes alone
 * Dispatch:  batches x heads x queries x SPLITS
 * Shared:    28 ROOM + 4 HEED_MAX_WIDTH + 4 bytes
 * Needs:     nothing
 * Error:     that of attention.comp, and once more one rescaling */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define ATTENTION_SPLIT 1
#include "common/attention_query.glsl"
