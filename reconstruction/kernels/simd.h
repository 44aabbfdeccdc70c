// Vectors of LANES floats: GCC/Clang vector extensions, with intrinsics only where those have no word for it.
// LANES is the native width of the instruction set the file is compiled for (16 AVX-512, 8 AVX2, 4 otherwise);
// a wider type than native is split by the compiler through memory and is 2x slower (measured).
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif

typedef float vf __attribute__((vector_size(LANES * 4)));
typedef int32_t vi __attribute__((vector_size(LANES * 4)));

static inline vf splat(float x) { return vf{} + x; }
static inline vf load(const float *p) {
  vf v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
static inline void store(float *p, vf v) { std::memcpy(p, &v, sizeof v); }
// The first `count` lanes, for the end of a row: the others are zero, and are not written.
static inline vf load_first(const float *p, int count) {
  if (count >= LANES) return load(p);
  vf v{};
  std::memcpy(&v, p, sizeof(float) * count);
  return v;
}
static inline void store_first(float *p, vf v, int count) {
  if (count >= LANES) {
    store(p, v);
  } else {
    std::memcpy(p, &v, sizeof(float) * count);
  }
}
static inline vf choose(vi mask, vf a, vf b) { return mask ? a : b; }

// The second operand where the first is not a number. One instruction: compilers turn a < b ? a : b into two.
static inline vf vmin(vf a, vf b) {
#if LANES == 16
  return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif LANES == 8
  return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined(__x86_64__)
  return (vf)_mm_min_ps((__m128)a, (__m128)b);
#else
  return a < b ? a : b;
#endif
}
static inline vf vmax(vf a, vf b) {
#if LANES == 16
  return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif LANES == 8
  return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__x86_64__)
  return (vf)_mm_max_ps((__m128)a, (__m128)b);
#else
  return a > b ? a : b;
#endif
}
static inline vf vclamp(vf x, vf low, vf high) { return vmin(vmax(x, low), high); }

static inline vf vsqrt(vf v) {
#if LANES == 16
  return (vf)_mm512_sqrt_ps((__m512)v);
#elif LANES == 8
  return (vf)_mm256_sqrt_ps((__m256)v);
#elif defined(__x86_64__)
  return (vf)_mm_sqrt_ps((__m128)v);
#else
  for (int l = 0; l < LANES; l++) v[l] = std::sqrt(v[l]);
  return v;
#endif
}

// a / v for 1e-30 < |v| < 1e30, to 3 units in the last place: an estimate and a Newton step, a third of a division.
static inline vf divide(vf a, vf v) {
#if LANES == 16
  vf r = (vf)_mm512_rcp14_ps((__m512)v);
#elif LANES == 8
  vf r = (vf)_mm256_rcp_ps((__m256)v);
#elif defined(__x86_64__)
  vf r = (vf)_mm_rcp_ps((__m128)v);
#else
  return a / v;
#endif
  return (a * r) * (2.f - v * r);
}

// One bit per lane where a > b.
static inline uint32_t bits_greater(vf a, vf b) {
#if LANES == 16
  return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ);
#elif LANES == 8
  return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_GT_OQ));
#elif defined(__x86_64__)
  return (uint32_t)_mm_movemask_ps(_mm_cmpgt_ps((__m128)a, (__m128)b));
#else
  uint32_t bits = 0;
  for (int l = 0; l < LANES; l++) bits |= (uint32_t)(a[l] > b[l]) << l;
  return bits;
#endif
}

// 2^f for |f| <= 0.5, a degree-5 minimax polynomial: largest relative error 8e-8 before rounding.
static inline vf exp2_fraction(vf f) {
  vf p = f * 1.3276472e-3f + 9.6755415e-3f;
  p = p * f + 5.5507133e-2f;
  p = p * f + 2.4022120e-1f;
  p = p * f + 6.9314697e-1f;
  return p * f + 1.0000001f;
}

// 2^t for -126 <= t <= 126; far below, anything (0 with AVX-512).
static inline vf exp2_inside(vf t) {
#if LANES == 16
  // From the whole number below: one instruction takes the fraction and one puts the exponent.
  vf f = (vf)_mm512_reduce_ps((__m512)t, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  // In pairs of terms: one operation more than Horner's rule, but blending waits for this chain.
  vf square = f * f, high = f * 1.87757666e-3f + 8.98934013e-3f, middle = f * 5.5826318e-2f + 2.40153617e-1f;
  vf p = (high * square + middle) * square + (f * 6.93153073e-1f + 9.99999925e-1f);
  return (vf)_mm512_scalef_ps((__m512)p, (__m512)t);
#else
  // Adding 1.5 x 2^23 rounds to whole numbers and leaves them in the low bits.
  vf shifted = t + 12582912.f;
  return (vf)((vi)exp2_fraction(t - (shifted - 12582912.f)) + ((vi)shifted << 23));
#endif
}

// e^x for |x| <= 80.
static inline vf vexp(vf x) {
  vf t = x * 1.44269504f;
  vi n = __builtin_convertvector(t + choose(t < vf{}, splat(-0.5f), splat(0.5f)), vi);
  // The remainder in two steps: a single subtraction loses 1e-6 of relative accuracy at |x| = 20.
  vf n_float = __builtin_convertvector(n, vf);
  vf f = (x - n_float * 0.693359375f + n_float * 2.12194440e-4f) * 1.44269504f;
  return (vf)((vi)exp2_fraction(f) + (n << 23));
}

#if LANES >= 8
static inline __m256 fold(vf v) {
#if LANES == 16
  return _mm256_add_ps(_mm512_castps512_ps256((__m512)v),
                       _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd((__m512)v), 1)));
#else
  return (__m256)v;
#endif
}
#endif

// Writes the lane sums of four vectors to out[0..3]; a shuffle tree costs half of four separate sums.
static inline void sum4(vf a, vf b, vf c, vf d, float *out) {
#if LANES >= 8
  __m256 t = _mm256_hadd_ps(_mm256_hadd_ps(fold(a), fold(b)), _mm256_hadd_ps(fold(c), fold(d)));
  _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(t), _mm256_extractf128_ps(t, 1)));
#elif defined(__SSE3__)
  _mm_storeu_ps(out, _mm_hadd_ps(_mm_hadd_ps((__m128)a, (__m128)b), _mm_hadd_ps((__m128)c, (__m128)d)));
#else
  vf sums[4] = {a, b, c, d};
  for (int i = 0; i < 4; i++) out[i] = (sums[i][0] + sums[i][1]) + (sums[i][2] + sums[i][3]);
#endif
}
