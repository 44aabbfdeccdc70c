// Which splats touch which blocks of which tiles, in depth order.
#pragma once
#include <algorithm>

#include "project.h"

struct BlockGrid {  // corners of the pixel centres of every block of a tile, relative to the tile
  vf x0[kBlocks / LANES], y0[kBlocks / LANES];
  BlockGrid() {
    for (int k = 0; k < kBlocks; k++) {
      x0[k / LANES][k % LANES] = (k % kBlocksX) * 4 + 0.5f;
      y0[k / LANES][k % LANES] = (k / kBlocksX) * kBlockHeight + 0.5f;
    }
  }
};

// Blocks whose pixel centres come within `limit` of the ellipse a dx^2 + 2 b dx dy + c dy^2, centre (x, y)
// relative to the tile. The minimum of a convex quadratic over a rectangle lies on the edges nearest its centre.
static inline uint64_t touched_blocks(const BlockGrid &grid, float x, float y, float a, float b, float c,
                                      float limit) {
  uint64_t bits = 0;
  float along_x = -b / a, along_y = -b / c;
  for (int g = 0; g < kBlocks / LANES; g++) {
    vf left = grid.x0[g] - x, right = left + 3.f;
    vf top = grid.y0[g] - y, bottom = top + (kBlockHeight - 1.f);
    vf px = vclamp(vf{}, left, right), py = vclamp(vf{}, top, bottom);
    vf qy = vclamp(along_y * px, top, bottom), qx = vclamp(along_x * py, left, right);
    vf on_side = px * (a * px + 2.f * b * qy) + c * qy * qy;
    vf on_top = qx * (a * qx + 2.f * b * py) + c * py * py;
    bits |= (uint64_t)bits_greater(splat(limit), vmin(on_side, on_top)) << (g * LANES);
  }
  return bits;
}

static void project_chunk(Frame &frame, const float *params, int index, const BlockGrid &grid) {
  Chunk &chunk = frame.chunks[index];
  chunk.pairs.clear();
  chunk.visible.clear();
  const View &view = frame.view;
  const float *R = view.turn;
  int64_t first = (int64_t)index * kChunk, last = std::min(frame.count, first + kChunk);
  for (int64_t i = first; i < last; i += LANES) {
    int lanes = (int)std::min<int64_t>(LANES, last - i);
    for (int l = 0; l < lanes; l++) frame.pair_count[i + l] = 0;
    vf z = R[6] * load(params + i) + R[7] * load(params + frame.stride + i) +
           R[8] * load(params + 2 * frame.stride + i) + view.shift[2];
    uint32_t live = bits_greater(z, splat(kNear)) & bits_greater(splat(kFar), z) & ((1u << lanes) - 1);
    if (!live) continue;
    Projection p = project(view, params, frame.stride, i);
    live &= bits_greater(p.effective, splat(kAlphaMin * 1.0001f));
    // Extents for the largest cut-off radius (opacity 1) first: most splats of a large scene are out of view.
    vf reach_x = vsqrt(p.cov_a * 11.1f), reach_y = vsqrt(p.cov_c * 11.1f);
    live &= bits_greater(p.x + reach_x, vf{}) & bits_greater(splat(view.width), p.x - reach_x);
    live &= bits_greater(p.y + reach_y, vf{}) & bits_greater(splat(view.height), p.y - reach_y);
    if (!live) continue;
    vf rgb[3];
    color(view, params, frame.stride, i, rgb);
    for (vf &channel : rgb) channel = vmin(vmax(channel, vf{}), splat(kColorMax));
    for (; live; live &= live - 1) {
      int l = __builtin_ctz(live);
      float log2_opacity = std::log2(p.effective[l]);
      float limit = 2.f * (log2_opacity + 7.9943534f) / kLog2E * 1.0001f + 1e-4f;  // 2 ln(255 opacity)
      float a = p.a[l], b = p.b[l], c = p.c[l], x = p.x[l], y = p.y[l];
      float ex = std::sqrt(limit * p.cov_a[l]), ey = std::sqrt(limit * p.cov_c[l]);
      // Compare as floats: a splat beside the camera may be millions of pixels away.
      float fx0 = (x - ex - 0.5f) / kTile, fx1 = (x + ex - 0.5f) / kTile;
      float fy0 = (y - ey - 0.5f) / kTile, fy1 = (y + ey - 0.5f) / kTile;
      if (!(fx1 >= 0 && fy1 >= 0 && fx0 < frame.tiles_x && fy0 < frame.tiles_y)) continue;
      int x0 = (int)std::max(0.f, fx0), x1 = (int)std::min(frame.tiles_x - 1.f, fx1);
      int y0 = (int)std::max(0.f, fy0), y1 = (int)std::min(frame.tiles_y - 1.f, fy1);
      size_t begin = chunk.pairs.size();
      for (int ty = y0; ty <= y1; ty++)
        for (int tx = x0; tx <= x1; tx++) {
          uint64_t blocks = touched_blocks(grid, x - tx * kTile, y - ty * kTile, a, b, c, limit);
          if (blocks) chunk.pairs.push_back({blocks, ty * frame.tiles_x + tx});
        }
      if (chunk.pairs.size() == begin) continue;
      frame.pair_begin[i + l] = (int32_t)begin;
      frame.pair_count[i + l] = (int32_t)(chunk.pairs.size() - begin);
      if (chunk.pairs.size() > (size_t)frame.most_pairs) throw TooManyPairs();
      chunk.visible.push_back((int32_t)(i + l));
      float half = -0.5f * kLog2E;
      frame.records[i + l] = {x, y, half * a, 2.f * half * b, half * c, log2_opacity,
                              rgb[0][l], rgb[1][l], rgb[2][l], p.tz[l], {0, 0}};
    }
  }
}

// Sorts the visible splats by depth: positive floats sort like their bits. 3 passes of 11 bits.
static void sort_by_depth(Frame &frame) {
  int64_t n = frame.visible;
  frame.keys.resize(n), frame.keys_other.resize(n), frame.order.resize(n), frame.order_other.resize(n);
  std::vector<uint32_t> counts(3 * 2048, 0);
  int64_t at = 0;
  for (const Chunk &chunk : frame.chunks)
    for (int32_t i : chunk.visible) {
      uint32_t key;
      std::memcpy(&key, &frame.records[i].z, 4);
      frame.keys[at] = key;
      frame.order[at++] = i;
      counts[key & 2047]++, counts[2048 + ((key >> 11) & 2047)]++, counts[4096 + (key >> 22)]++;
    }
  for (int pass = 0; pass < 3; pass++) {
    uint32_t sum = 0, *c = &counts[pass * 2048];
    for (int d = 0; d < 2048; d++) {
      uint32_t here = c[d];
      c[d] = sum;
      sum += here;
    }
    for (int64_t k = 0; k < n; k++) {
      uint32_t key = frame.keys[k], to = c[(key >> (11 * pass)) & 2047]++;
      frame.keys_other[to] = key;
      frame.order_other[to] = frame.order[k];
    }
    frame.keys.swap(frame.keys_other);
    frame.order.swap(frame.order_other);
  }
}

// Deals the pairs to their tiles; within a tile they stay in depth order.
static void deal_to_tiles(Frame &frame) {
  int tiles = frame.tiles_x * frame.tiles_y, parts = frame.pool.threads();
  frame.histogram.assign((size_t)parts * tiles, 0);
  auto each_pair = [&](int part, auto &&use) {
    int64_t from = frame.visible * part / parts, to = frame.visible * (part + 1) / parts;
    for (int64_t k = from; k < to; k++) {
      int32_t i = frame.order[k];
      const Chunk &chunk = frame.chunks[i / kChunk];
      for (int n = 0; n < frame.pair_count[i]; n++) {
        int64_t local = frame.pair_begin[i] + n;
        use(chunk.pairs[local], i, (int32_t)(chunk.slot_base + local));
      }
    }
  };
  frame.pool.run(parts, [&](int part) {
    int32_t *h = &frame.histogram[(size_t)part * tiles];
    each_pair(part, [&](const Pair &pair, int32_t, int32_t) { h[pair.tile]++; });
  });
  frame.tile_begin.resize(tiles + 1);
  int32_t sum = 0;
  for (int tile = 0; tile < tiles; tile++) {
    frame.tile_begin[tile] = sum;
    for (int part = 0; part < parts; part++) {
      int32_t &h = frame.histogram[(size_t)part * tiles + tile], here = h;
      h = sum;
      sum += here;
    }
  }
  frame.tile_begin[tiles] = sum;
  frame.entries.resize(sum);
  frame.pool.run(parts, [&](int part) {
    int32_t *h = &frame.histogram[(size_t)part * tiles];
    each_pair(part, [&](const Pair &pair, int32_t i, int32_t slot) {
      frame.entries[h[pair.tile]++] = {pair.blocks, i, slot};
    });
  });
}

static void bin(Frame &frame, const float *params) {
  static const BlockGrid grid;
  frame.tiles_x = (frame.view.width + kTile - 1) / kTile;
  frame.tiles_y = (frame.view.height + kTile - 1) / kTile;
  frame.records.resize(frame.count);
  frame.pair_begin.resize(frame.count);
  frame.pair_count.resize(frame.count);
  frame.chunks.resize((frame.count + kChunk - 1) / kChunk);
  std::atomic<int64_t> pairs_so_far{0};
  frame.pool.run((int)frame.chunks.size(), [&](int index) {
    project_chunk(frame, params, index, grid);
    int64_t here = (int64_t)frame.chunks[index].pairs.size();
    if (pairs_so_far.fetch_add(here) + here > frame.most_pairs) throw TooManyPairs();
  });
  frame.visible = frame.pairs = 0;
  for (Chunk &chunk : frame.chunks) {
    chunk.slot_base = frame.pairs;
    frame.pairs += (int64_t)chunk.pairs.size();
    frame.visible += (int64_t)chunk.visible.size();
  }
  sort_by_depth(frame);
  deal_to_tiles(frame);
}
