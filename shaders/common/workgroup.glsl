/* SPDX-License-Identifier: Apache-2.0 */
/* Which piece of the work an invocation has. Workgroups are counted along x and then y, as no
 * device promises more than 65,535 along one axis; the last row may have some too many. */
layout(local_size_x_id = 0) in;

#define WORKGROUP (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x)
#define INVOCATION (WORKGROUP * gl_WorkGroupSize.x + gl_LocalInvocationID.x)

/* Offset of element `index` of a tensor of four dimensions, given their sizes and strides. */
uint offset_of(uint index, uint dims[4], uint strides[4]) {
    uint offset = 0;
    for (int i = 3; i > 0; i--) {
        offset += index % dims[i] * strides[i];
        index /= dims[i];
    }
    return offset + index * strides[0];
}
