// Splats -> ellipses on the picture, and the way back for gradients. Each lane is one splat.
// Source: Zwicker et al., "EWA Splatting", 2002; gsplat's clamp of the Jacobian at 1.3x the field of view.
#pragma once
#include "frame.h"
#include "harmonics.h"

struct Projection {
  vf tx, ty, tz, inv_z, ux, uy;  // camera space; ux, uy clamped slopes
  vi clamped_x, clamped_y;
  vf x, y;                              // px
  vf inv_norm, qw, qx, qy, qz;          // unit quaternion
  vf turn[9], scale[3];                 // world_from_local, metres
  vf m[6];                              // J @ cam_from_world turn, [2, 3]
  vf mr[6], v[6];                       // m @ turn; m @ turn @ diag(scale)
  vf cov_a, cov_b, cov_c;               // with the low-pass
  vf a, b, c, inv_det;                  // inverse of the covariance
  vf opacity, compensation_squared, effective;  // effective = opacity * compensation
};

// Projects the vector of splats that starts at index i. Lanes behind the near plane hold harmless numbers.
static inline Projection project(const View &view, const float *params, int64_t stride, int64_t i) {
  Projection p;
  auto row = [&](int r) { return load(params + r * stride + i); };
  const float *R = view.turn;
  vf wx = row(kMean), wy = row(kMean + 1), wz = row(kMean + 2);
  p.tx = R[0] * wx + R[1] * wy + R[2] * wz + view.shift[0];
  p.ty = R[3] * wx + R[4] * wy + R[5] * wz + view.shift[1];
  p.tz = vmax(R[6] * wx + R[7] * wy + R[8] * wz + view.shift[2], splat(kNear * 0.5f));
  p.inv_z = 1.f / p.tz;
  vf sx = p.tx * p.inv_z, sy = p.ty * p.inv_z;
  p.x = view.fx * sx + view.cx;
  p.y = view.fy * sy + view.cy;
  float margin_x = 0.15f * view.width / view.fx, margin_y = 0.15f * view.height / view.fy;
  vf low_x = splat(-view.cx / view.fx - margin_x), high_x = splat((view.width - view.cx) / view.fx + margin_x);
  vf low_y = splat(-view.cy / view.fy - margin_y), high_y = splat((view.height - view.cy) / view.fy + margin_y);
  p.ux = vclamp(sx, low_x, high_x);
  p.uy = vclamp(sy, low_y, high_y);
  p.clamped_x = (sx < low_x) | (sx > high_x);
  p.clamped_y = (sy < low_y) | (sy > high_y);

  vf qw = row(kQuat), qx = row(kQuat + 1), qy = row(kQuat + 2), qz = row(kQuat + 3);
  p.inv_norm = 1.f / vsqrt(qw * qw + qx * qx + qy * qy + qz * qz + 1e-30f);
  p.qw = qw = qw * p.inv_norm;
  p.qx = qx = qx * p.inv_norm;
  p.qy = qy = qy * p.inv_norm;
  p.qz = qz = qz * p.inv_norm;
  vf *Q = p.turn;
  Q[0] = 1.f - 2.f * (qy * qy + qz * qz);
  Q[1] = 2.f * (qx * qy - qw * qz);
  Q[2] = 2.f * (qx * qz + qw * qy);
  Q[3] = 2.f * (qx * qy + qw * qz);
  Q[4] = 1.f - 2.f * (qx * qx + qz * qz);
  Q[5] = 2.f * (qy * qz - qw * qx);
  Q[6] = 2.f * (qx * qz - qw * qy);
  Q[7] = 2.f * (qy * qz + qw * qx);
  Q[8] = 1.f - 2.f * (qx * qx + qy * qy);

  vf j00 = view.fx * p.inv_z, j02 = -j00 * p.ux, j11 = view.fy * p.inv_z, j12 = -j11 * p.uy;
  for (int k = 0; k < 3; k++) {
    p.scale[k] = row(kScale + k);
    p.m[k] = j00 * R[k] + j02 * R[6 + k];
    p.m[3 + k] = j11 * R[3 + k] + j12 * R[6 + k];
  }
  for (int r = 0; r < 2; r++)
    for (int k = 0; k < 3; k++) {
      vf x = p.m[3 * r] * Q[k] + p.m[3 * r + 1] * Q[3 + k] + p.m[3 * r + 2] * Q[6 + k];
      p.mr[3 * r + k] = x;
      p.v[3 * r + k] = x * p.scale[k];
    }
  const vf *V = p.v;
  vf a0 = V[0] * V[0] + V[1] * V[1] + V[2] * V[2], c0 = V[3] * V[3] + V[4] * V[4] + V[5] * V[5];
  p.cov_a = a0 + kBlur;
  p.cov_c = c0 + kBlur;
  p.cov_b = V[0] * V[3] + V[1] * V[4] + V[2] * V[5];
  // The determinant as a sum of squares (Cauchy-Binet): a thin splat would lose it to cancellation otherwise.
  vf n0 = V[1] * V[5] - V[2] * V[4], n1 = V[2] * V[3] - V[0] * V[5], n2 = V[0] * V[4] - V[1] * V[3];
  vf det0 = n0 * n0 + n1 * n1 + n2 * n2, det = det0 + kBlur * (a0 + c0) + kBlur * kBlur;
  vf inv_det = p.inv_det = 1.f / det;
  p.a = p.cov_c * inv_det;
  p.b = -p.cov_b * inv_det;
  p.c = p.cov_a * inv_det;
  p.opacity = row(kOpacity);
  p.compensation_squared = view.antialias ? det0 * inv_det : splat(1.f);
  p.effective = p.opacity * vsqrt(p.compensation_squared);
  return p;
}

// Unit direction from the camera to each splat, in the world.
static inline void direction(const View &view, const float *params, int64_t stride, int64_t i, vf &x, vf &y,
                             vf &z, vf &inv_length) {
  const float *R = view.turn, *t = view.shift;
  x = load(params + i) + (R[0] * t[0] + R[3] * t[1] + R[6] * t[2]);
  y = load(params + stride + i) + (R[1] * t[0] + R[4] * t[1] + R[7] * t[2]);
  z = load(params + 2 * stride + i) + (R[2] * t[0] + R[5] * t[1] + R[8] * t[2]);
  inv_length = 1.f / vsqrt(x * x + y * y + z * z + 1e-30f);
  x = x * inv_length;
  y = y * inv_length;
  z = z * inv_length;
}

// Colour before it is clamped, as display-referred RGB.
static inline void color(const View &view, const float *params, int64_t stride, int64_t i, vf rgb[3]) {
  vf basis[16];
  basis[0] = splat(kSh0);
  if (view.sh_bases > 1) {
    vf x, y, z, inv_length;
    direction(view, params, stride, i, x, y, z, inv_length);
    harmonics(view.sh_bases, x, y, z, basis);
  }
  for (int channel = 0; channel < 3; channel++) {
    vf sum = splat(0.5f);
    for (int k = 0; k < view.sh_bases; k++) sum += basis[k] * load(params + (kSh + 3 * k + channel) * stride + i);
    rgb[channel] = sum;
  }
}
