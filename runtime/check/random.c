/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that replay: SplitMix64 (Steele, Lea, Flood 2014) and what the checks draw from it. */
#include <math.h>

#include "runtime/check/random.h"

uint64_t heedi_random_bits(struct heedi_random *random) {
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int64_t heedi_random_range(struct heedi_random *random, int64_t low, int64_t high) {
    return low + (int64_t)(heedi_random_bits(random) % ((uint64_t)(high - low) + 1));
}

bool heedi_random_chance(struct heedi_random *random, int percent) {
    return heedi_random_range(random, 0, 99) < percent;
}

int64_t heedi_random_dim(struct heedi_random *random, int64_t most) {
    static const int64_t dims[] = {1,  2,  3,  4,  5,  7,  8,  9,   13,  15,  16,  17,  29,  31,
                                   32, 33, 61, 63, 64, 65, 97, 127, 128, 129, 255, 256, 257, 512};
    int64_t usable = 0;
    while (usable < (int64_t)(sizeof dims / sizeof *dims) && dims[usable] <= most)
        usable++;
    return dims[heedi_random_range(random, 0, usable - 1)];
}

int64_t heedi_random_dim_or_0(struct heedi_random *random, int64_t most) {
    return heedi_random_chance(random, 4) ? 0 : heedi_random_dim(random, most);
}

enum heed_dtype heedi_random_float_type(struct heedi_random *random) {
    static const enum heed_dtype types[] = {HEED_F32, HEED_F32, HEED_F16, HEED_BF16};
    return types[heedi_random_range(random, 0, 3)];
}

enum heedi_values heedi_random_values(struct heedi_random *random) {
    return (enum heedi_values)heedi_random_range(random, HEEDI_VALUES_NORMAL, HEEDI_VALUES_SPECIAL);
}

static double uniform(struct heedi_random *random) {
    return ((double)(heedi_random_bits(random) >> 11) + 0.5) * 0x1p-53;
}

/* Close to normal: the sum of eight uniform numbers of 16 bits (Irwin 1927, Hall 1927), of variance
 * 8 (2^32 - 1) / 12, which ends at 4.9. All steps are exact but for one, so that a case is the same
 * with any mathematical library, which logarithm and cosine would not promise. */
static double normal(struct heedi_random *random) {
    static const double deviation = 0x1.a20bd700c2c3ep+15; /* 2^16 sqrt(2 / 3) */
    int64_t sum = -8 * 0x7fff - 4;                         /* the mean is 0 */
    for (int i = 0; i < 2; i++)
        for (uint64_t bits = heedi_random_bits(random), part = 0; part < 4; part++, bits >>= 16)
            sum += (int64_t)(bits & 0xffff);
    return (double)sum / deviation;
}

/* 2^x, with straight lines between whole powers: over as many magnitudes, and exact. */
static double power_of_two(double x) {
    const double whole = floor(x);
    return ldexp(1 + (x - whole), (int)whole);
}

float heedi_random_value(struct heedi_random *random, enum heedi_values values) {
    static const float special[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 1e18f, -1e18f, 200.5f};
    double factor = 1; /* drawn before the number: the order decides what is replayed */
    switch (values) {
    case HEEDI_VALUES_HEAVY:
        factor = power_of_two(3 * normal(random));
        break;
    case HEEDI_VALUES_OUTLIERS:
        factor = heedi_random_range(random, 0, 63) == 0 ? 100 : 1;
        break;
    case HEEDI_VALUES_TINY:
        factor = ldexp(1, (int)heedi_random_range(random, -140, -120));
        break;
    case HEEDI_VALUES_LARGE:
        return (float)(120 * uniform(random) - 60);
    case HEEDI_VALUES_TIES:
        return (float)heedi_random_range(random, -3, 3);
    case HEEDI_VALUES_SPECIAL:
        if (heedi_random_chance(random, 30))
            return special[heedi_random_range(random, 0, 7)];
        break;
    case HEEDI_VALUES_MASK:
        return heedi_random_chance(random, 50) ? -INFINITY : 0.0f;
    case HEEDI_VALUES_FINITE_MASK:
        return heedi_random_chance(random, 50) ? -1e9f : 0.0f;
    case HEEDI_VALUES_NORMAL:
    case HEEDI_VALUES_KINDS:
        break;
    }
    return (float)(factor * normal(random));
}
