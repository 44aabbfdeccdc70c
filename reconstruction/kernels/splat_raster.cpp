// C ABI of the CPU rasteriser; called by binding.py through ctypes. No Python or torch headers, so one shared
// library serves every version of either. One translation unit per instruction set: see build.py.
#include <initializer_list>
#include <new>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "adam.h"
#include "gradient.h"
#include "loss.h"
#include "shares.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

// What the functions below return instead of a result when they cannot give one.
constexpr int kTooManyPairs = -1, kOutOfMemory = -2;

// No exception may cross into Python's C code.
template <class Work>
static int64_t guarded(const Work &work) {
  try {
    return work();
  } catch (const TooManyPairs &) {
    return kTooManyPairs;
  } catch (const std::bad_alloc &) {
    return kOutOfMemory;
  }
}

EXPORT int raster_lanes() { return LANES; }

// A picture with more than `most_pairs` pairs of (splat, tile) is refused.
EXPORT void *raster_create(int threads, int32_t most_pairs) { return new Frame(threads, most_pairs); }

EXPORT void raster_destroy(void *frame) { delete static_cast<Frame *>(frame); }

// Draws a picture; pointers past `image` may be null. Returns the number of splats drawn.
EXPORT int64_t raster_forward(void *handle, const View *view, const float *params, int64_t count, int64_t stride,
                              float *image, float *alpha, float *depth, float *median) {
  Frame &frame = *static_cast<Frame *>(handle);
  return guarded([&] {
    frame.view = *view;
    frame.count = count;
    frame.stride = stride;
    bin(frame, params);
    blend(frame, {image, alpha, depth, median});
    return frame.visible;
  });
}

// Writes 1 where a splat was drawn in the last picture, else 0.
EXPORT void raster_drawn(void *handle, uint8_t *visible) {
  const Frame &frame = *static_cast<Frame *>(handle);
  for (int64_t i = 0; i < frame.count; i++) visible[i] = frame.pair_count[i] > 0;
}

// Pairs of (splat, tile) of the last picture.
EXPORT int64_t raster_pairs(void *handle) { return static_cast<Frame *>(handle)->pairs; }

// The strongest instruction set of this CPU that its operating system saves: 0 baseline, 1 AVX2 (x86-64-v3),
// 2 AVX-512 (x86-64-v4). Asked of CPUID itself: __builtin_cpu_supports says no to everything under zig c++.
EXPORT int raster_cpu_level() {
#if defined(__x86_64__)
  unsigned a, b, c, d, ecx1, ebx7, low, high;
  auto all = [](unsigned word, std::initializer_list<int> bits) {
    for (int bit : bits)
      if (!(word >> bit & 1)) return false;
    return true;
  };
  // Leaf 1 ECX: FMA 12, MOVBE 22, OSXSAVE 27, AVX 28, F16C 29.
  if (!__get_cpuid(1, &a, &b, &ecx1, &d) || !all(ecx1, {12, 22, 27, 28, 29})) return 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  // Leaf 7 EBX: BMI1 3, AVX2 5, BMI2 8. Extended leaf 1 ECX: LZCNT 5. XCR0: SSE 1, AVX 2.
  if (!__get_cpuid_count(7, 0, &a, &ebx7, &c, &d) || !all(ebx7, {3, 5, 8}) || !all(low, {1, 2})) return 0;
  if (!__get_cpuid(0x80000001, &a, &b, &c, &d) || !all(c, {5})) return 0;
  // AVX-512 F 16, DQ 17, CD 28, BW 30, VL 31; XCR0: mask and upper registers 5, 6, 7.
  return all(ebx7, {16, 17, 28, 30, 31}) && all(low, {5, 6, 7}) ? 2 : 1;
#else
  return 0;
#endif
}

// Gradients of the last picture drawn with `handle`, whose parameters must not have changed since. `d_alpha` and
// `d_depth` are null or both given, and then the picture must have been drawn with depth.
EXPORT int64_t raster_backward(void *handle, const float *params, const float *d_image, const float *d_alpha,
                               const float *d_depth, float *gradients, uint8_t *visible) {
  return guarded([&] {
    backward(*static_cast<Frame *>(handle), params, {d_image, d_alpha, d_depth}, gradients, visible);
    return 0;
  });
}

// See shares.h. `totals` [3, count] are added to.
EXPORT int64_t raster_shares(void *handle, double *totals) {
  return guarded([&] {
    shares(*static_cast<Frame *>(handle), totals);
    return 0;
  });
}

// See loss.h. `report` receives mean |error|, mean SSIM, mean squared error, each times the trust, then
// d/d(gain r g b, bias r g b).
EXPORT int64_t raster_loss(void *handle, int32_t width, int32_t height, const float *image, const float *target,
                           float ssim_weight, const float *exposure, const float *trust, float *d_image,
                           double *report) {
  return guarded([&] {
    photometric_loss(static_cast<Frame *>(handle)->pool, width, height, image, target, ssim_weight, exposure,
                     trust, d_image, report);
    return 0;
  });
}

// See adam.h.
EXPORT void raster_adam(void *handle, const AdamStep *step, int64_t count, int64_t stride, int32_t rows,
                        float *params, float *raw, const float *gradients, float *first, float *second,
                        const uint8_t *visible) {
  adam(static_cast<Frame *>(handle)->pool, *step, count, stride, rows, params, raw, gradients, first, second, visible);
}
