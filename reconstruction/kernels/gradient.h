// The backward pass: pixels -> moments per (splat, tile) -> gradients of the parameters. No atomics: every pair
// has its own slot and every splat sums its slots in order, so the result does not depend on the threads.
#pragma once
#include "blend.h"

struct PixelGradients {  // of the loss, by `Pictures`; alpha and depth may be null, but only together
  const float *image, *alpha, *depth;
};

// Walks front to back again. `behind` is dL/dpixel . colour of what lies behind the current splat, as if nothing
// stood before it: `seen` = (1 - alpha) `behind` + alpha `here`. So no per-pixel lists are needed.
template <bool kDepth>
static void unblend_tile(Frame &frame, int tile, const PixelGrid &grid, const PixelGradients &from) {
  const View &view = frame.view;
  int left = tile % frame.tiles_x * kTile, top = tile / frame.tiles_x * kTile;
  vf T[kBlocks], seen[kBlocks], dr[kBlocks], dg[kBlocks], db[kBlocks], da[kBlocks], dz[kBlocks];
  for (int k = 0; k < kBlocks; k++) dr[k] = dg[k] = db[k] = da[k] = dz[k] = vf{};
  each_pixel(view, left, top, [&](int k, int l, int64_t pixel) {
    const float *d = from.image + 3 * pixel;
    dr[k][l] = d[0], dg[k][l] = d[1], db[k][l] = d[2];
    if (kDepth) da[k][l] = from.alpha[pixel], dz[k][l] = from.depth[pixel];
  });
  const float *keep = &frame.final_color[(size_t)tile * kBlocks * 5 * LANES];
  for (int k = 0; k < kBlocks; k++, keep += 5 * LANES) {
    T[k] = splat(1.f);
    seen[k] = dr[k] * load(keep) + dg[k] * load(keep + LANES) + db[k] * load(keep + 2 * LANES);
    if (kDepth) seen[k] += da[k] * (1.f - load(keep + 3 * LANES)) + dz[k] * load(keep + 4 * LANES);
  }
  uint64_t alive = blocks_inside(view, left, top);
  int32_t e = frame.tile_begin[tile], done = frame.tile_done[tile], end = frame.tile_begin[tile + 1];
  for (; e < done; e++) {
    prefetch_record(frame, e, end);
    const TileEntry &ahead = frame.entries[std::min(e + kPrefetch, end - 1)];
    __builtin_prefetch(&frame.moments[(size_t)ahead.slot * kMoments], 1);
    const TileEntry &entry = frame.entries[e];
    const Record &s = frame.records[entry.splat];
    float *out = &frame.moments[(size_t)entry.slot * kMoments];
    uint64_t todo = entry.blocks & alive;
    if (!todo) {
      std::memset(out, 0, kMoments * sizeof *out);
      continue;
    }
    float x = s.x - left, y = s.y - top;
    vf m{}, mx{}, my{}, mxx{}, mxy{}, myy{}, sr{}, sg{}, sb{}, sz{};
    for (; todo; todo &= todo - 1) {
      int k = __builtin_ctzll(todo);
      vf dx = grid.x[k] - x, dy = grid.y[k] - y;
      vf t = log2_alpha(s, dx, dy);
      vi drawn = t >= splat(kLog2AlphaMin);
      vf alpha = choose(drawn, exp2_inside(vmin(t, splat(kLog2AlphaMax))), vf{});
      vf w = alpha * T[k];
      vf gain = dr[k] * s.r + dg[k] * s.g + db[k] * s.b - seen[k];
      if (kDepth) gain += da[k] + dz[k] * s.z;
      sr += w * dr[k];
      sg += w * dg[k];
      sb += w * db[k];
      if (kDepth) sz += w * dz[k];
      gain = divide(gain, 1.f - alpha);  // here - behind
      seen[k] -= alpha * gain;
      vf moment = choose((t < splat(kLog2AlphaMax)) & (T[k] > splat(kNothingLeft)), w * gain, vf{});
      T[k] -= w;
      m += moment;
      vf ex = moment * dx, ey = moment * dy;
      mx += ex;
      my += ey;
      mxx += ex * dx;
      mxy += ex * dy;
      myy += ey * dy;
      if (!bits_greater(T[k], splat(kTransmittanceMin))) alive &= ~(1ull << k);
    }
    float tail[4];
    sum4(m, mx, my, mxx, out);
    sum4(mxy, myy, sr, sg, out + 4);
    sum4(sb, sz, sb, sz, tail);
    out[8] = tail[0], out[9] = tail[1];
  }
  for (; e < end; e++) std::memset(&frame.moments[(size_t)frame.entries[e].slot * kMoments], 0, kMoments * sizeof(float));
}

// Gradients of one vector of splats from their summed moments; lanes without moments get zeros.
static inline void unproject(const Frame &frame, const float *params, int64_t i, vi drawn, const vf sums[kMoments],
                             float *gradients) {
  const View &view = frame.view;
  const float *R = view.turn;
  int64_t stride = frame.stride;
  Projection p = project(view, params, stride, i);
  auto put = [&](int r, vf value) {
    vi usable = drawn & (value < splat(kGradientMax)) & (value > splat(-kGradientMax));
    store(gradients + r * stride + i, choose(usable, value, vf{}));
  };
  const vf &m = sums[0], &mx = sums[1], &my = sums[2];

  // Ellipse: centre, then inverse covariance -> covariance.
  vf dx = p.a * mx + p.b * my, dy = p.b * mx + p.c * my;
  vf x0 = -0.5f * sums[3], x1 = -0.5f * sums[4], x2 = -0.5f * sums[5];
  vf t00 = p.a * x0 + p.b * x1, t01 = p.a * x1 + p.b * x2, t10 = p.b * x0 + p.c * x1, t11 = p.b * x1 + p.c * x2;
  vf d00 = -(t00 * p.a + t01 * p.b), d01 = -(t00 * p.b + t01 * p.c), d11 = -(t10 * p.b + t11 * p.c);
  if (view.antialias) {  // opacity was scaled by sqrt(det before / det after the low-pass)
    vf d = 0.5f * m / p.compensation_squared, rest = 1.f - p.compensation_squared;
    d00 += d * (p.a * rest - kBlur * p.inv_det);
    d01 += d * p.b * rest;
    d11 += d * (p.c * rest - kBlur * p.inv_det);
  }
  put(kOpacity, m / p.opacity);

  vf dmr[6], dv[6];
  for (int k = 0; k < 3; k++) {
    dv[k] = 2.f * (d00 * p.v[k] + d01 * p.v[3 + k]);
    dv[3 + k] = 2.f * (d01 * p.v[k] + d11 * p.v[3 + k]);
    put(kScale + k, dv[k] * p.mr[k] + dv[3 + k] * p.mr[3 + k]);
    dmr[k] = dv[k] * p.scale[k];
    dmr[3 + k] = dv[3 + k] * p.scale[k];
  }
  vf dq[9], dm[6];
  for (int a = 0; a < 3; a++)
    for (int k = 0; k < 3; k++) dq[3 * a + k] = p.m[a] * dmr[k] + p.m[3 + a] * dmr[3 + k];
  for (int r = 0; r < 2; r++)
    for (int a = 0; a < 3; a++)
      dm[3 * r + a] =
          dmr[3 * r] * p.turn[3 * a] + dmr[3 * r + 1] * p.turn[3 * a + 1] + dmr[3 * r + 2] * p.turn[3 * a + 2];
  vf dj00{}, dj02{}, dj11{}, dj12{};
  for (int k = 0; k < 3; k++) {
    dj00 += dm[k] * R[k];
    dj02 += dm[k] * R[6 + k];
    dj11 += dm[3 + k] * R[3 + k];
    dj12 += dm[3 + k] * R[6 + k];
  }

  // Camera space, through the centre and through the Jacobian.
  vf inv_z2 = p.inv_z * p.inv_z, fx2 = view.fx * inv_z2, fy2 = view.fy * inv_z2;
  vf dtx = view.fx * p.inv_z * dx, dty = view.fy * p.inv_z * dy;
  vf dtz = sums[9] - (fx2 * p.tx * dx + fy2 * p.ty * dy) - fx2 * dj00 - fy2 * dj11;
  vf slope_x = p.ux * p.inv_z, slope_y = p.uy * p.inv_z;  // clamped: J02 = -fx ux / z
  dtx += choose(p.clamped_x, vf{}, -fx2 * dj02);
  dty += choose(p.clamped_y, vf{}, -fy2 * dj12);
  dtz += view.fx * p.inv_z * slope_x * dj02 * choose(p.clamped_x, splat(1.f), splat(2.f));
  dtz += view.fy * p.inv_z * slope_y * dj12 * choose(p.clamped_y, splat(1.f), splat(2.f));
  vf dmean[3];
  for (int k = 0; k < 3; k++) dmean[k] = R[k] * dtx + R[3 + k] * dty + R[6 + k] * dtz;

  const vf &w = p.qw, &x = p.qx, &y = p.qy, &z = p.qz;
  vf dqw = 2.f * (-z * dq[1] + y * dq[2] + z * dq[3] - x * dq[5] - y * dq[6] + x * dq[7]);
  vf dqx = 2.f * (y * dq[1] + z * dq[2] + y * dq[3] - 2.f * x * dq[4] - w * dq[5] + z * dq[6] + w * dq[7] -
                  2.f * x * dq[8]);
  vf dqy = 2.f * (-2.f * y * dq[0] + x * dq[1] + w * dq[2] + x * dq[3] + z * dq[5] - w * dq[6] + z * dq[7] -
                  2.f * y * dq[8]);
  vf dqz = 2.f * (-2.f * z * dq[0] - w * dq[1] + x * dq[2] + w * dq[3] - 2.f * z * dq[4] + y * dq[5] +
                  x * dq[6] + y * dq[7]);
  vf along = w * dqw + x * dqx + y * dqy + z * dqz;  // the quaternion is normalised before use
  put(kQuat, (dqw - w * along) * p.inv_norm);
  put(kQuat + 1, (dqx - x * along) * p.inv_norm);
  put(kQuat + 2, (dqy - y * along) * p.inv_norm);
  put(kQuat + 3, (dqz - z * along) * p.inv_norm);

  vf dcolor[3], basis[16];
  vf drawn_color[3]{};
  for (int l = 0; l < LANES; l++)
    if (drawn[l]) {
      const Record &s = frame.records[i + l];
      drawn_color[0][l] = s.r, drawn_color[1][l] = s.g, drawn_color[2][l] = s.b;
    }
  for (int c = 0; c < 3; c++) {
    vi free = (drawn_color[c] > vf{}) & (drawn_color[c] < splat(kColorMax));
    dcolor[c] = choose(free, sums[6 + c], vf{});
  }
  basis[0] = splat(kSh0);
  if (view.sh_bases > 1) {
    vf ux, uy, uz, inv_length, weight[16], gx{}, gy{}, gz{};
    direction(view, params, stride, i, ux, uy, uz, inv_length);
    harmonics(view.sh_bases, ux, uy, uz, basis);
    for (int k = 1; k < view.sh_bases; k++) {
      weight[k] = vf{};
      for (int c = 0; c < 3; c++) weight[k] += dcolor[c] * load(params + (kSh + 3 * k + c) * stride + i);
    }
    harmonics_slope(view.sh_bases, ux, uy, uz, weight, gx, gy, gz);
    vf radial = ux * gx + uy * gy + uz * gz;
    dmean[0] += (gx - ux * radial) * inv_length;
    dmean[1] += (gy - uy * radial) * inv_length;
    dmean[2] += (gz - uz * radial) * inv_length;
  }
  for (int k = 0; k < 3; k++) put(kMean + k, dmean[k]);
  for (int k = 0; k < view.sh_bases; k++)
    for (int c = 0; c < 3; c++) put(kSh + 3 * k + c, basis[k] * dcolor[c]);
}

// Writes gradient rows (laid out like `params`) of every vector of splats that has one in view, and leaves the
// others as they are; `visible` [count] becomes 1 where a splat was drawn, else 0.
static void backward(Frame &frame, const float *params, const PixelGradients &from, float *gradients,
                     uint8_t *visible) {
  static const PixelGrid grid;
  frame.moments.resize((size_t)frame.pairs * kMoments);
  bool depth = from.depth != nullptr;
  frame.pool.run(frame.tiles_x * frame.tiles_y, [&](int tile) {
    depth ? unblend_tile<true>(frame, tile, grid, from) : unblend_tile<false>(frame, tile, grid, from);
  });
  frame.pool.run((int)frame.chunks.size(), [&](int index) {
    const Chunk &chunk = frame.chunks[index];
    int64_t first = (int64_t)index * kChunk, last = std::min(frame.count, first + kChunk);
    for (int64_t i = first; i < last; i += LANES) {
      int lanes = (int)std::min<int64_t>(LANES, last - i);
      alignas(64) float sums[kMoments][LANES] = {};
      vi drawn{};
      bool any = false;
      for (int l = 0; l < lanes; l++) {
        int pairs = frame.pair_count[i + l];
        visible[i + l] = pairs > 0;
        if (!pairs) continue;
        any = true;
        drawn[l] = -1;
        const float *slot = &frame.moments[(size_t)(chunk.slot_base + frame.pair_begin[i + l]) * kMoments];
        float total[kMoments] = {};
        for (int n = 0; n < pairs; n++, slot += kMoments)
          for (int k = 0; k < kMoments; k++) total[k] += slot[k];
        for (int k = 0; k < kMoments; k++) sums[k][l] = total[k];
      }
      if (!any) continue;
      vf wide[kMoments];
      for (int k = 0; k < kMoments; k++) wide[k] = load(sums[k]);
      unproject(frame, params, i, drawn, wide, gradients);
    }
  });
}
