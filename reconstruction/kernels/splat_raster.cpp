// C ABI of the CPU rasteriser; called by library.py through ctypes. No Python or torch headers, so one shared
// library serves every version of either. One translation unit per instruction set: see build.py.
#include "adam.h"
#include "gradient.h"
#include "loss.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT int raster_lanes() { return LANES; }

EXPORT void *raster_create(int threads) { return new Frame(threads); }

EXPORT void raster_destroy(void *frame) { delete static_cast<Frame *>(frame); }

// Draws a picture; pointers past `image` may be null. Returns the number of splats drawn.
EXPORT int64_t raster_forward(void *handle, const View *view, const float *params, int64_t count, int64_t stride,
                              float *image, float *alpha, float *depth, float *median) {
  Frame &frame = *static_cast<Frame *>(handle);
  frame.view = *view;
  frame.count = count;
  frame.stride = stride;
  bin(frame, params);
  blend(frame, {image, alpha, depth, median});
  return frame.visible;
}

// Writes 1 where a splat was drawn in the last picture, else 0.
EXPORT void raster_drawn(void *handle, uint8_t *visible) {
  const Frame &frame = *static_cast<Frame *>(handle);
  for (int64_t i = 0; i < frame.count; i++) visible[i] = frame.pair_count[i] > 0;
}

// Pairs of (splat, tile) of the last picture.
EXPORT int64_t raster_pairs(void *handle) { return static_cast<Frame *>(handle)->pairs; }

// The strongest instruction set of this CPU and its operating system: 0 baseline, 1 AVX2, 2 AVX-512.
EXPORT int raster_cpu_level() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
              __builtin_cpu_supports("bmi2");
  bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512vl");
  return avx512 ? 2 : avx2 ? 1 : 0;
#else
  return 0;
#endif
}

// Gradients of the last picture drawn with `handle`, whose parameters must not have changed since. `d_alpha` and
// `d_depth` are null or both given, and then the picture must have been drawn with depth.
EXPORT void raster_backward(void *handle, const float *params, const float *d_image, const float *d_alpha,
                            const float *d_depth, float *gradients, uint8_t *visible) {
  backward(*static_cast<Frame *>(handle), params, {d_image, d_alpha, d_depth}, gradients, visible);
}

// See loss.h. `report` receives mean |error|, mean SSIM, mean squared error, then d/d(gain r g b, bias r g b).
EXPORT void raster_loss(void *handle, int32_t width, int32_t height, const float *image, const float *target,
                        float ssim_weight, const float *exposure, float *d_image, double *report) {
  photometric_loss(static_cast<Frame *>(handle)->pool, width, height, image, target, ssim_weight, exposure, d_image,
                   report);
}

// See adam.h.
EXPORT void raster_adam(void *handle, const AdamStep *step, int64_t count, int64_t stride, int32_t rows,
                        float *params, float *raw, const float *gradients, float *first, float *second,
                        const uint8_t *visible) {
  adam(static_cast<Frame *>(handle)->pool, *step, count, stride, rows, params, raw, gradients, first, second, visible);
}
