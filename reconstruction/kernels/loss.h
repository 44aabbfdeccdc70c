// (1 - w) |x - y| + w (1 - SSIM) of two pictures [H, W, 3], times the trust in each pixel, its mean and its
// gradient, in two passes over rows.
// SSIM: 11-tap Gaussian window of 1.5 px, zeros outside the picture, per channel.
// Source: Wang et al., "Image quality assessment", 2004; weights and padding as in 3DGS.
#pragma once
#include <algorithm>

#include "simd.h"
#include "worker_pool.h"

constexpr int kTaps = 11, kHalf = 5, kMargin = 3 * kHalf;
constexpr int kRowsPerPiece = 16;
constexpr int kSweep = LANES == 16 ? 4 : 2;  // rows blurred at once, as many as the registers hold
constexpr int kReach = kSweep + kTaps - 1;   // rows that these are made of
static_assert(kRowsPerPiece % kSweep == 0, "a piece is whole sweeps");

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

// The sum over taps of in[3 (j - 5)]: the window along a row of interleaved r g b.
static inline vf blur_row(const Window &window, const float *in) {
  vf sum = window.tap[kHalf] * load(in);
  for (int j = 0; j < kHalf; j++)
    sum += window.tap[j] * (load(in + 3 * (j - kHalf)) + load(in + 3 * (kHalf - j)));
  return sum;
}

// Blurs Q quantities along columns for kSweep rows at once; read(j, x, q) gives those of the j-th of the kReach
// rows around them. Row r, quantity k begins at out + (r * Q + k) * padded. A row is loaded once for all rows
// that it is part of; row by row the whole loss takes 1.2x as long (measured).
template <int Q, class Read>
static inline void blur_columns(const Window &window, float *out, int padded, int length, const Read &read) {
  for (int x = 0; x < length; x += LANES) {
    vf sum[kSweep][Q] = {};
#pragma GCC unroll 16
    for (int j = 0; j < kReach; j++) {
      vf q[Q];
      read(j, x, q);
#pragma GCC unroll 4
      for (int r = 0; r < kSweep; r++)
        if (j >= r && j - r < kTaps)
          for (int k = 0; k < Q; k++) sum[r][k] += window.tap[j - r] * q[k];
    }
    for (int r = 0; r < kSweep; r++)
      for (int k = 0; k < Q; k++) store(out + (r * Q + k) * padded + x, sum[r][k]);
  }
}

// `exposure` is null or gain r g b, bias r g b: the picture is gain x + bias before it is compared.
// `trust` is null or [H, W]: how much the error of each pixel counts, 0 to 1.
static void photometric_loss(WorkerPool &pool, int width, int height, const float *image, const float *target,
                             float ssim_weight, const float *exposure, const float *trust, float *d_image,
                             double *report) {
  static const Window window;
  const int length = 3 * width, pitch = (length + LANES - 1) / LANES * LANES;
  const int64_t plane = (int64_t)pitch * height;
  static thread_local std::vector<float> factors, slopes, trusted;
  static thread_local std::vector<double> sums;
  factors.assign(4 * (size_t)pitch, 0.f);
  sums.assign((size_t)height * 9, 0.0);
  if (ssim_weight > 0) slopes.resize(3 * plane);
  if (trust) trusted.resize(plane);
  float *gain = factors.data(), *bias = gain + pitch, *inside = bias + pitch, *slope = slopes.data();
  const float *nothing = inside + pitch;
  double *sum = sums.data();
  // Zeros past the row keep its padding black.
  for (int x = 0; x < length; x++) {
    gain[x] = exposure ? exposure[x % 3] : 1.f;
    bias[x] = exposure ? exposure[3 + x % 3] : 0.f;
    inside[x] = 1.f;
  }
  // The trust of a row, once for each channel, and zeros past the row.
  float *spread = trusted.data();
  auto counted = [=](int y) -> const float * { return trust ? spread + (int64_t)y * pitch : inside; };
  const float share = 1.f / (length * (float)height);
  const int padded = kMargin + pitch + kMargin + LANES;
  // Calls work(first row, last row + 1, zeroed floats of this thread).
  auto each_piece = [&](size_t floats, auto &&work) {
    pool.run((height + kRowsPerPiece - 1) / kRowsPerPiece, [&](int piece) {
      static thread_local std::vector<float> scratch;
      scratch.assign(floats, 0.f);
      work(piece * kRowsPerPiece, std::min(height, (piece + 1) * kRowsPerPiece), scratch.data());
    });
  };

  if (trust)
    each_piece(0, [&](int first, int last, float *) {
      for (int y = first; y < last; y++) {
        const float *from = trust + (int64_t)y * width;
        float *to = spread + (int64_t)y * pitch;
        for (int x = 0; x < width; x++) to[3 * x] = to[3 * x + 1] = to[3 * x + 2] = from[x];
        std::fill(to + length, to + pitch, 0.f);
      }
    });

  // Pass 1: blur x, y, x^2 + y^2 and x y; from them the slopes of SSIM by the blurred x, x^2 and x y.
  const size_t staged = (size_t)(kRowsPerPiece + kTaps - 1) * pitch;
  if (ssim_weight > 0)
    each_piece(2 * staged + (size_t)kSweep * 4 * padded, [&](int first, int last, float *scratch) {
      float *value = scratch, *truth = scratch + staged, *blurred = scratch + 2 * staged + kMargin;
      for (int y = std::max(0, first - kHalf); y < std::min(height, first + kRowsPerPiece + kHalf); y++) {
        const float *a = image + (int64_t)y * length, *b = target + (int64_t)y * length;
        int64_t to = (int64_t)(y - first + kHalf) * pitch;
        for (int x = 0; x < length; x += LANES) {
          store(value + to + x, load_first(a + x, length - x) * load(gain + x) + load(bias + x));
          store(truth + to + x, load_first(b + x, length - x));
        }
      }
      for (int y = first; y < last; y += kSweep) {
        const float *a = value + (int64_t)(y - first) * pitch, *b = truth + (int64_t)(y - first) * pitch;
        blur_columns<4>(window, blurred, padded, length, [&](int j, int x, vf *q) {
          q[0] = load(a + j * pitch + x), q[1] = load(b + j * pitch + x);
          q[2] = q[0] * q[0] + q[1] * q[1], q[3] = q[0] * q[1];
        });
        for (int r = 0; r < kSweep && y + r < last; r++) {
          const float *row = blurred + (size_t)r * 4 * padded;
          float *out = slope + (int64_t)(y + r) * pitch;
          const float *counts = counted(y + r);
          vf total{};
          for (int x = 0; x < length; x += LANES) {
            vf mu = blur_row(window, row + x), nu = blur_row(window, row + padded + x);
            vf squares = blur_row(window, row + 2 * padded + x), product = blur_row(window, row + 3 * padded + x);
            vf means = mu * mu + nu * nu, A = means + 1e-4f;
            // A variance is not negative, but this difference of large numbers can be.
            vf B = vmax(squares - means, vf{}) + 9e-4f;
            vf C = 2.f * mu * nu + 1e-4f, D = 2.f * (product - mu * nu) + 9e-4f;
            vf inv_ab = 1.f / (A * B), inv_a = B * inv_ab, inv_b = A * inv_ab, ssim = C * D * inv_ab;
            vf counting = load(counts + x), scale = -ssim_weight * share * counting;
            store(out + x, scale * 2.f * (nu * (D - C) * inv_ab - mu * ssim * (inv_a - inv_b)));
            store(out + plane + x, scale * -ssim * inv_b);
            store(out + 2 * plane + x, scale * 2.f * C * inv_ab);
            total += ssim * counting;
          }
          sum[9 * (y + r) + 1] = lane_sum(total);
        }
      }
    });

  // Pass 2: blur the slopes back to the pixels; add those of the absolute error.
  each_piece((size_t)kSweep * 3 * padded, [&](int first, int last, float *scratch) {
    float *blurred = scratch + kMargin;
    for (int y = first; y < last; y += kSweep) {
      if (ssim_weight > 0) {
        const float *rows[kReach][3];
        for (int j = 0; j < kReach; j++)
          for (int k = 0; k < 3; k++) {
            int from = y + j - kHalf;
            rows[j][k] = from < 0 || from >= height ? nothing : slope + k * plane + (int64_t)from * pitch;
          }
        blur_columns<3>(window, blurred, padded, length, [&](int j, int x, vf *q) {
          for (int k = 0; k < 3; k++) q[k] = load(rows[j][k] + x);
        });
      }
      for (int r = 0; r < kSweep && y + r < last; r++) {
        const float *row = blurred + (size_t)r * 3 * padded;
        const int64_t begin = (int64_t)(y + r) * length;
        const float *counts = counted(y + r);
        vf absolute{}, squared{}, step = splat((1.f - ssim_weight) * share), by_gain[3] = {}, by_bias[3] = {};
        for (int x = 0, phase = 0; x < length; x += LANES, phase = phase == 2 ? 0 : phase + 1) {
          vf drawn = load_first(image + begin + x, length - x), factor = load(gain + x);
          vf a = drawn * factor + load(bias + x), b = load_first(target + begin + x, length - x), error = a - b;
          vf counting = load(counts + x);
          absolute += counting * vmax(error, -error);
          squared += counting * error * error;
          vf d = counting * choose(error > vf{}, step, choose(error < vf{}, -step, vf{}));
          if (ssim_weight > 0)
            d += blur_row(window, row + x) + 2.f * a * blur_row(window, row + padded + x) +
                 b * blur_row(window, row + 2 * padded + x);
          if (exposure) {
            d *= load(inside + x);
            by_gain[phase] += d * drawn;
            by_bias[phase] += d;
          }
          store_first(d_image + begin + x, d * factor, length - x);
        }
        double *to = sum + 9 * (y + r);
        to[0] = lane_sum(absolute);
        to[2] = lane_sum(squared);
        for (int phase = 0; phase < 3; phase++)
          for (int l = 0; l < LANES; l++) {
            int channel = (phase * LANES + l) % 3;
            to[3 + channel] += by_gain[phase][l];
            to[6 + channel] += by_bias[phase][l];
          }
      }
    }
  });
  for (int k = 0; k < 9; k++) {
    report[k] = 0;
    for (int y = 0; y < height; y++) report[k] += sum[9 * y + k];
  }
  for (int k = 0; k < 3; k++) report[k] *= share;
}
