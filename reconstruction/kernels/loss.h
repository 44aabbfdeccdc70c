// (1 - w) mean |x - y| + w (1 - mean SSIM) of two pictures [H, W, 3] and its gradient, in three passes over rows.
// SSIM: 11-tap Gaussian window of 1.5 px, zeros outside the picture, per channel.
// Source: Wang et al., "Image quality assessment", 2004; weights and padding as in 3DGS.
#pragma once
#include <algorithm>

#include "simd.h"
#include "worker_pool.h"

constexpr int kTaps = 11, kHalf = 5, kRowsPerPiece = 8;

struct Window {
  float tap[kTaps];
  Window() {
    double sum = 0;
    for (int j = 0; j < kTaps; j++) sum += tap[j] = (float)std::exp(-(j - kHalf) * (j - kHalf) / (2 * 1.5 * 1.5));
    for (float &t : tap) t = (float)(t / sum);
  }
};

static inline double lane_sum(vf v) {
  double sum = 0;
  for (int l = 0; l < LANES; l++) sum += v[l];
  return sum;
}

// out[x] = sum over taps of in[x + 3 (j - 5)]; `in` has 15 readable floats before and 15 + LANES after.
static inline void blur_row(const Window &window, const float *in, float *out, int length) {
  for (int x = 0; x < length; x += LANES) {
    vf sum = window.tap[kHalf] * load(in + x);
    for (int j = 0; j < kHalf; j++)
      sum += window.tap[j] * (load(in + x + 3 * (j - kHalf)) + load(in + x + 3 * (kHalf - j)));
    store(out + x, sum);
  }
}

// The vertical window around row y of a stack of planes; `plane + row * pitch` is a row.
static inline vf blur_column(const Window &window, const float *plane, int64_t pitch, int y, int height, int x) {
  vf sum{};
  int from = std::max(0, kHalf - y), to = std::min(kTaps, height - y + kHalf);
  for (int j = from; j < to; j++) sum += window.tap[j] * load(plane + (y + j - kHalf) * pitch + x);
  return sum;
}

// `exposure` is null or gain r g b, bias r g b: the picture is gain x + bias before it is compared.
static void photometric_loss(WorkerPool &pool, int width, int height, const float *image, const float *target,
                             float ssim_weight, const float *exposure, float *d_image, double *report) {
  static const Window window;
  const int length = 3 * width, pitch = (length + LANES - 1) / LANES * LANES;
  const int64_t plane = (int64_t)pitch * height;
  const int margin = 15;
  static thread_local std::vector<float> moments, slopes, row_scale;
  static thread_local std::vector<double> sums;
  if (ssim_weight > 0) {
    moments.resize(plane * 5 + LANES);
    slopes.resize(plane * 3 + LANES);
  }
  row_scale.resize(2 * pitch);
  sums.assign((size_t)height * 9, 0.0);
  float *gain = row_scale.data(), *bias = gain + pitch, *mom = moments.data(), *slo = slopes.data();
  double *sum = sums.data();
  for (int x = 0; x < pitch; x++) {
    // Zero past the row, so that padding stays black.
    gain[x] = x >= length ? 0.f : exposure ? exposure[x % 3] : 1.f;
    bias[x] = x >= length || !exposure ? 0.f : exposure[3 + x % 3];
  }
  const float share = 1.f / (length * (float)height);
  const int pieces = (height + kRowsPerPiece - 1) / kRowsPerPiece;
  auto each_row = [&](auto &&work) {
    pool.run(pieces, [&](int piece) {
      std::vector<float> scratch((size_t)6 * (pitch + 2 * margin + LANES), 0.f);
      for (int y = piece * kRowsPerPiece; y < std::min(height, (piece + 1) * kRowsPerPiece); y++)
        work(y, scratch.data() + margin);
    });
  };
  const int padded = pitch + 2 * margin + LANES;

  // Rows are copied into padded scratch first, so that whole vectors can be used up to their end.
  each_row([&](int y, float *row) {
    float *value = row, *truth = row + padded, *slope = row + 5 * padded;
    std::memcpy(slope, image + (int64_t)y * length, sizeof(float) * length);
    std::memcpy(truth, target + (int64_t)y * length, sizeof(float) * length);
    vf absolute{}, squared{}, step = splat((1.f - ssim_weight) * share);
    for (int x = 0; x < length; x += LANES) {
      vf a = load(slope + x) * load(gain + x) + load(bias + x), b = load(truth + x), error = a - b;
      absolute += vmax(error, -error);
      squared += error * error;
      store(slope + x, choose(error > vf{}, step, choose(error < vf{}, -step, vf{})));
      store(value + x, a);
      store(row + 2 * padded + x, a * a);
      store(row + 3 * padded + x, b * b);
      store(row + 4 * padded + x, a * b);
    }
    std::memcpy(d_image + (int64_t)y * length, slope, sizeof(float) * length);
    sum[9 * y] = lane_sum(absolute);
    sum[9 * y + 2] = lane_sum(squared);
    if (ssim_weight > 0)
      for (int q = 0; q < 5; q++) blur_row(window, row + q * padded, mom + q * plane + (int64_t)y * pitch, length);
  });

  if (ssim_weight > 0) {
    each_row([&](int y, float *row) {
      vf total{};
      for (int x = 0; x < length; x += LANES) {
        vf q[5];
        for (int k = 0; k < 5; k++) q[k] = blur_column(window, mom + k * plane, pitch, y, height, x);
        vf mu = q[0], nu = q[1], c1 = splat(1e-4f), c2 = splat(9e-4f);
        vf A = mu * mu + nu * nu + c1, B = q[2] - mu * mu + q[3] - nu * nu + c2;
        vf C = 2.f * mu * nu + c1, D = 2.f * (q[4] - mu * nu) + c2;
        vf inv_ab = 1.f / (A * B), ssim = C * D * inv_ab;
        vf scale = splat(-ssim_weight * share);
        vf d_mu = 2.f * nu * (D - C) * inv_ab - 2.f * mu * ssim * (1.f / A - 1.f / B);
        store(row + x, scale * d_mu);
        store(row + padded + x, scale * (-ssim / B));
        store(row + 2 * padded + x, scale * (2.f * C * inv_ab));
        if (x + LANES <= length) {
          total += ssim;
        } else {
          for (int l = 0; l < LANES; l++) {
            if (x + l < length) {
              total[l] += ssim[l];
            } else {  // past the row; must not leak into the window of the last pixels
              row[x + l] = row[padded + x + l] = row[2 * padded + x + l] = 0.f;
            }
          }
        }
      }
      sum[9 * y + 1] = lane_sum(total);
      for (int q = 0; q < 3; q++) blur_row(window, row + q * padded, slo + q * plane + (int64_t)y * pitch, length);
    });
  }

  each_row([&](int y, float *row) {
    const float *a = image + (int64_t)y * length, *b = target + (int64_t)y * length;
    float *d = d_image + (int64_t)y * length;
    if (ssim_weight > 0) {
      float *value = row, *truth = row + padded, *slope = row + 2 * padded;
      std::memcpy(value, a, sizeof(float) * length);
      std::memcpy(truth, b, sizeof(float) * length);
      std::memcpy(slope, d, sizeof(float) * length);
      for (int x = 0; x < length; x += LANES) {
        vf q[3];
        for (int k = 0; k < 3; k++) q[k] = blur_column(window, slo + k * plane, pitch, y, height, x);
        vf exposed = load(value + x) * load(gain + x) + load(bias + x);
        store(slope + x, load(slope + x) + q[0] + 2.f * exposed * q[1] + load(truth + x) * q[2]);
      }
      std::memcpy(d, slope, sizeof(float) * length);
    }
    if (exposure)
      for (int x = 0; x < length; x++) {
        sum[9 * y + 3 + x % 3] += (double)d[x] * a[x];
        sum[9 * y + 6 + x % 3] += d[x];
        d[x] *= gain[x];
      }
  });
  for (int k = 0; k < 9; k++) {
    report[k] = 0;
    for (int y = 0; y < height; y++) report[k] += sum[9 * y + k];
  }
  for (int k = 0; k < 3; k++) report[k] *= share;
}
