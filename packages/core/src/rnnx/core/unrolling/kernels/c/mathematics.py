"""Elementary functions of a number of 32 bits, in C that compilers turn into instructions of many numbers."""

from __future__ import annotations

from typing import Final

TEXT: Final = """\
#define where(condition, x, y) ((condition) ? (x) : (y))
#define absolute(x) __builtin_fabsf(x)
#define sqrt(x) __builtin_sqrtf(x)
#define sin(x) __builtin_sinf(x)
#define cos(x) __builtin_cosf(x)
#define floor(x) __builtin_floorf(x)
#define rounded(x) __builtin_rintf(x)
#define erf(x) __builtin_erff(x)

/* x y + z, rounded once where the processor can do so */
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define with(x, y, z) __builtin_fmaf(x, y, z)
#else
#define with(x, y, z) ((x) * (y) + (z))
#endif

/* 2 to the power of a whole number from -126 to 127 */
static inline float power(float n) {
    union { int bits; float number; } two;
    two.bits = ((int) n + 127) << 23;
    return two.number;
}

/* exp(x) - 1 of a number of at most ln 2 / 2, by its series */
static inline float series(float x) {
    float rest = with(x, with(x, with(x, 1 / 5040.0f, 1 / 720.0f), 1 / 120.0f), 1 / 24.0f);
    return with(x * x, with(x, with(x, rest, 1 / 6.0f), 0.5f), x);
}

/* what is left of x, of at most ln 2 / 2, when n times ln 2 is taken away, in two parts */
static inline float left(float x, float n) {
    return with(n, 2.12194440e-4f, with(n, -0.693359375f, x));
}

static inline float exp(float x) {
    float y = x < -104 ? -104 : x;
    y = y > 89 ? 89 : y;
    float n = __builtin_rintf(y * 1.44269504f), half = __builtin_rintf(n * 0.5f);
    return (1 + series(left(y, n))) * power(half) * power(n - half);
}

/* by the series of log(1 + y), of a y from -0.3 to 0.42 (Cephes' logf) */
static inline float log(float x) {
    union { float number; int bits; } given;
    float small = x < 1.17549435e-38f ? 8388608.0f : 1; /* so that it is a normal number */
    given.number = x * small;
    float two = (given.bits >> 23) - 126;
    given.bits = (given.bits & 0x7fffff) | 0x3f000000; /* from 0.5 to 1 */
    float less = given.number < 0.707106781f, y = given.number - 1 + less * given.number;
    two -= less + (small > 1 ? 23 : 0);
    float rest = with(y, with(y, 7.0376836292e-2f, -1.1514610310e-1f), 1.1676998740e-1f);
    rest = with(y, with(y, with(y, rest, -1.2420140846e-1f), 1.4249322787e-1f), -1.6668057665e-1f);
    rest = with(y, with(y, with(y, rest, 2.0000714765e-1f), -2.4999993993e-1f), 3.3333331174e-1f);
    float near = with(y * y, with(y, rest, -0.5f), two * -2.12194440e-4f) + y;
    float whole = with(two, 0.693359375f, near);
    whole = x > 3.40282347e38f ? x : whole;
    return x > 0 ? whole : x == 0 ? -1 / 0.0f : 0 / 0.0f;
}

static inline float exp_less_one(float x) {
    float y = x < -18 ? -18 : x;
    y = y > 1 ? 1 : y;
    float n = __builtin_rintf(y * 1.44269504f), two = power(n);
    return x > 1 ? exp(x) - 1 : with(series(left(y, n)), two, two - 1);
}

/* log(1 + x), from what rounding takes of 1 + x */
static inline float log_of_more(float x) {
    float more = 1 + x, less = more - 1;
    return less == 0 ? x : more > 1e30f ? log(more) : log(more) * (x / less);
}

static inline float sigmoid(float x) {
    float y = x < -88 ? 88 : -x;
    y = y < -87 ? -87 : y;
    float n = __builtin_rintf(y * 1.44269504f), two = power(n);
    return x < -88 ? 0 : 1 / (1 + with(series(left(y, n)), two, two)); /* as torch has it */
}

static inline float tanh(float x) {
    float y = x < -10 ? -20 : 2 * x;
    y = y > 20 ? 20 : y;
    float n = __builtin_rintf(y * 1.44269504f), two = power(n);
    float less = with(series(left(y, n)), two, two - 1); /* exp(2 x) - 1, exact near 0 too */
    return less / (less + 2);
}

static inline float maximum(float x, float y) {
    return x != x || x > y ? x : y;
}

static inline float minimum(float x, float y) {
    return x != x || x < y ? x : y;
}

static inline float remainder(float x, float y) {
    float rest = __builtin_fmodf(x, y);
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

"""
