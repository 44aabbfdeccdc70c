// Real spherical harmonics up to degree 3 and their derivatives, in the sign convention of 3DGS files.
// Source: Sloan, "Efficient Spherical Harmonic Evaluation", JCGT 2013; constants as in INRIA's sh_utils.
#pragma once
#include "simd.h"

constexpr float kSh0 = 0.28209479177387814f;
constexpr float kSh1 = 0.4886025119029199f;
constexpr float kSh2[5] = {1.0925484305920792f, -1.0925484305920792f, 0.31539156525252005f,
                           -1.0925484305920792f, 0.5462742152960396f};
constexpr float kSh3[7] = {-0.5900435899266435f, 2.890611442640554f, -0.4570457994644658f,
                           0.3731763325901154f,  -0.4570457994644658f, 1.445305721320277f,
                           -0.5900435899266435f};

// Writes `bases` values for the unit direction (x, y, z).
static inline void harmonics(int bases, vf x, vf y, vf z, vf *out) {
  out[0] = splat(kSh0);
  if (bases < 4) return;
  out[1] = -kSh1 * y;
  out[2] = kSh1 * z;
  out[3] = -kSh1 * x;
  if (bases < 9) return;
  vf xx = x * x, yy = y * y, zz = z * z;
  out[4] = kSh2[0] * x * y;
  out[5] = kSh2[1] * y * z;
  out[6] = kSh2[2] * (2.f * zz - xx - yy);
  out[7] = kSh2[3] * x * z;
  out[8] = kSh2[4] * (xx - yy);
  if (bases < 16) return;
  out[9] = kSh3[0] * y * (3.f * xx - yy);
  out[10] = kSh3[1] * x * y * z;
  out[11] = kSh3[2] * y * (4.f * zz - xx - yy);
  out[12] = kSh3[3] * z * (2.f * zz - 3.f * xx - 3.f * yy);
  out[13] = kSh3[4] * x * (4.f * zz - xx - yy);
  out[14] = kSh3[5] * z * (xx - yy);
  out[15] = kSh3[6] * x * (xx - 3.f * yy);
}

// Adds weight[k] * d(basis k)/d(x, y, z) for k >= 1 to (dx, dy, dz).
static inline void harmonics_slope(int bases, vf x, vf y, vf z, const vf *weight, vf &dx, vf &dy, vf &dz) {
  if (bases < 4) return;
  const vf *w = weight;
  dy -= kSh1 * w[1];
  dz += kSh1 * w[2];
  dx -= kSh1 * w[3];
  if (bases < 9) return;
  dx += kSh2[0] * y * w[4] - 2.f * kSh2[2] * x * w[6] + kSh2[3] * z * w[7] + 2.f * kSh2[4] * x * w[8];
  dy += kSh2[0] * x * w[4] + kSh2[1] * z * w[5] - 2.f * kSh2[2] * y * w[6] - 2.f * kSh2[4] * y * w[8];
  dz += kSh2[1] * y * w[5] + 4.f * kSh2[2] * z * w[6] + kSh2[3] * x * w[7];
  if (bases < 16) return;
  vf xx = x * x, yy = y * y, zz = z * z;
  dx += 6.f * kSh3[0] * x * y * w[9] + kSh3[1] * y * z * w[10] - 2.f * kSh3[2] * x * y * w[11] -
        6.f * kSh3[3] * x * z * w[12] + kSh3[4] * (4.f * zz - 3.f * xx - yy) * w[13] +
        2.f * kSh3[5] * x * z * w[14] + 3.f * kSh3[6] * (xx - yy) * w[15];
  dy += 3.f * kSh3[0] * (xx - yy) * w[9] + kSh3[1] * x * z * w[10] +
        kSh3[2] * (4.f * zz - xx - 3.f * yy) * w[11] - 6.f * kSh3[3] * y * z * w[12] -
        2.f * kSh3[4] * x * y * w[13] - 2.f * kSh3[5] * y * z * w[14] - 6.f * kSh3[6] * x * y * w[15];
  dz += kSh3[1] * x * y * w[10] + 8.f * kSh3[2] * y * z * w[11] +
        kSh3[3] * (6.f * zz - 3.f * xx - 3.f * yy) * w[12] + 8.f * kSh3[4] * x * z * w[13] +
        kSh3[5] * (xx - yy) * w[14];
}
