// C ABI of the CPU rasteriser; called by library.py through ctypes. No Python or torch headers, so one shared
// library serves every version of either. One translation unit per instruction set: see build.py.
#include "blend.h"

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
