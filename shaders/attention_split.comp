/* SPDX-License-Identifier: Apache-2.0 */
/* attention for few queries and many keys: what attention.comp computes, with the keys of a query
 * shared by SPLITS workgroups, which leave their tiles to be merged by attention_combine.comp
 *
 * Source:    Milakov and Gimelshein 2018, section 3.1; common/attention.glsl
 * Bindings:  0 to 2 as attention.comp; 3 tiles f32 [batches, heads, queries, SPLITS x WIDTH / KEYS,
 *            HEED_ATTENTION_PART + dv] (write)
 * Workgroup: WIDTH keys of one query of one head, as attention.comp has all
 * Dispatch:  batches x heads x queries x SPLITS
 * Shared:    as attention.comp
 * Needs:     nothing
 * Error:     that of attention.comp */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define ATTENTION_SPLIT 1
#include "common/attention_query.glsl"
