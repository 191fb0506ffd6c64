/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that replay: SplitMix64 (Steele, Lea, Flood 2014) and what the checks draw from it. */
#include <math.h>

#include "tests/support/agree.h"

uint64_t agree_bits(struct agree_random *random) {
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int64_t agree_range(struct agree_random *random, int64_t low, int64_t high) {
    return low + (int64_t)(agree_bits(random) % ((uint64_t)(high - low) + 1));
}

bool agree_chance(struct agree_random *random, int percent) {
    return agree_range(random, 0, 99) < percent;
}

int64_t agree_dim(struct agree_random *random, int64_t most) {
    static const int64_t dims[] = {1,  2,  3,  4,  5,  7,  8,  9,   13,  15,  16,  17,  29,  31,
                                   32, 33, 61, 63, 64, 65, 97, 127, 128, 129, 255, 256, 257, 512};
    int64_t usable = 0;
    while (usable < (int64_t)(sizeof dims / sizeof *dims) && dims[usable] <= most)
        usable++;
    return dims[agree_range(random, 0, usable - 1)];
}

int64_t agree_dim_or_0(struct agree_random *random, int64_t most) {
    return agree_chance(random, 4) ? 0 : agree_dim(random, most);
}

enum heed_dtype agree_float_type(struct agree_random *random) {
    static const enum heed_dtype types[] = {HEED_F32, HEED_F32, HEED_F16, HEED_BF16};
    return types[agree_range(random, 0, 3)];
}

enum agree_values agree_any_values(struct agree_random *random) {
    return (enum agree_values)agree_range(random, AGREE_NORMAL, AGREE_SPECIAL);
}

static double uniform(struct agree_random *random) {
    return ((double)(agree_bits(random) >> 11) + 0.5) * 0x1p-53;
}

static double normal(struct agree_random *random) {
    const double radius = sqrt(-2 * log(uniform(random)));
    return radius * cos(6.283185307179586 * uniform(random));
}

float agree_value(struct agree_random *random, enum agree_values values) {
    static const float special[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 1e18f, -1e18f, 200.5f};
    switch (values) {
    case AGREE_HEAVY:
        return (float)(normal(random) * exp(2 * normal(random)));
    case AGREE_TINY:
        return (float)(normal(random) * exp2((double)agree_range(random, -140, -120)));
    case AGREE_LARGE:
        return (float)(120 * uniform(random) - 60);
    case AGREE_TIES:
        return (float)agree_range(random, -3, 3);
    case AGREE_SPECIAL:
        if (agree_chance(random, 30))
            return special[agree_range(random, 0, 7)];
        break;
    case AGREE_MASK:
        return agree_chance(random, 50) ? -INFINITY : 0.0f;
    case AGREE_NORMAL:
    case AGREE_VALUES:
        break;
    }
    return (float)normal(random);
}
