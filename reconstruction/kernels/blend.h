// Front-to-back blending of a tile and its gradient. A vector is a block of 4 x LANES/4 pixels.
#pragma once
#include "bin.h"

struct PixelGrid {  // pixel centres of every block, relative to the tile
  vf x[kBlocks], y[kBlocks];
  PixelGrid() {
    for (int k = 0; k < kBlocks; k++)
      for (int l = 0; l < LANES; l++) {
        x[k][l] = (k % kBlocksX) * 4 + l % 4 + 0.5f;
        y[k][l] = (k / kBlocksX) * kBlockHeight + l / 4 + 0.5f;
      }
  }
};

constexpr int kPrefetch = 6;  // entries

struct Pictures {  // null where not asked for
  float *image, *alpha, *depth, *median;
};

static inline uint64_t blocks_inside(const View &view, int left, int top) {
  uint64_t bits = 0;
  for (int k = 0; k < kBlocks; k++)
    if (left + (k % kBlocksX) * 4 < view.width && top + (k / kBlocksX) * kBlockHeight < view.height)
      bits |= 1ull << k;
  return bits;
}

// log2 of a splat's alpha at an offset from its centre, before the cap. The sum of huge terms of opposite sign
// may come out far above 0, where `exp2_inside` gives anything: cap it first.
static inline vf log2_alpha(const Record &s, vf dx, vf dy) {
  return dx * (dx * s.qa + dy * s.qb) + (dy * dy * s.qc + s.log2_opacity);
}

// Calls use(block, lane, pixel index) for each pixel of the tile that lies in the picture.
template <class Use>
static inline void each_pixel(const View &view, int left, int top, const Use &use) {
  int rows = std::min(kTile, view.height - top), columns = std::min(kTile, view.width - left);
  for (int y = 0; y < rows; y++) {
    int k = y / kBlockHeight * kBlocksX, l = y % kBlockHeight * 4;
    int64_t pixel = (int64_t)(top + y) * view.width + left;
    if (columns == kTile) {  // a fixed number, so that the compiler writes it out
#pragma GCC unroll 16
      for (int x = 0; x < kTile; x++) use(k + x / 4, l + x % 4, pixel + x);
    } else {
      for (int x = 0; x < columns; x++) use(k + x / 4, l + x % 4, pixel + x);
    }
  }
}

// Asks for the record of an entry some places ahead: in depth order they lie anywhere in memory.
static inline void prefetch_record(const Frame &frame, int32_t e, int32_t end) {
  const char *record = (const char *)&frame.records[frame.entries[std::min(e + kPrefetch, end - 1)].splat];
  __builtin_prefetch(record);
  __builtin_prefetch(record + sizeof(Record) - 1);
}

template <bool kDepth>
static void blend_tile(Frame &frame, int tile, const PixelGrid &grid, const Pictures &out) {
  const View &view = frame.view;
  int left = tile % frame.tiles_x * kTile, top = tile / frame.tiles_x * kTile;
  vf T[kBlocks], r[kBlocks], g[kBlocks], b[kBlocks], z[kBlocks], median[kBlocks];
  for (int k = 0; k < kBlocks; k++) {
    T[k] = splat(1.f);
    r[k] = g[k] = b[k] = z[k] = median[k] = vf{};
  }
  uint64_t alive = blocks_inside(view, left, top);
  int32_t e = frame.tile_begin[tile], end = frame.tile_begin[tile + 1];
  for (; e < end && alive; e++) {
    prefetch_record(frame, e, end);
    const TileEntry &entry = frame.entries[e];
    const Record &s = frame.records[entry.splat];
    float x = s.x - left, y = s.y - top;
    for (uint64_t todo = entry.blocks & alive; todo; todo &= todo - 1) {
      int k = __builtin_ctzll(todo);
      vf t = log2_alpha(s, grid.x[k] - x, grid.y[k] - y);
      vf w = choose(t >= splat(kLog2AlphaMin), exp2_inside(vmin(t, splat(kLog2AlphaMax))) * T[k], vf{});
      vf rest = T[k] - w;
      r[k] += w * s.r;
      g[k] += w * s.g;
      b[k] += w * s.b;
      if (kDepth) {
        z[k] += w * s.z;
        median[k] = choose((T[k] > splat(0.5f)) & (rest <= splat(0.5f)), splat(s.z), median[k]);
      }
      T[k] = rest;
      if (!bits_greater(rest, splat(kTransmittanceMin))) alive &= ~(1ull << k);
    }
  }
  frame.tile_done[tile] = e;
  float *keep = &frame.final_color[(size_t)tile * kBlocks * 5 * LANES];
  for (int k = 0; k < kBlocks; k++, keep += 5 * LANES) {
    r[k] += T[k] * view.background[0];
    g[k] += T[k] * view.background[1];
    b[k] += T[k] * view.background[2];
    store(keep, r[k]), store(keep + LANES, g[k]), store(keep + 2 * LANES, b[k]);
    if (kDepth) store(keep + 3 * LANES, T[k]), store(keep + 4 * LANES, z[k]);
  }
  each_pixel(view, left, top, [&](int k, int l, int64_t pixel) {
    float *rgb = out.image + 3 * pixel;
    rgb[0] = r[k][l], rgb[1] = g[k][l], rgb[2] = b[k][l];
    if (out.alpha) out.alpha[pixel] = 1.f - T[k][l];
    if (kDepth && out.depth) out.depth[pixel] = z[k][l];
    if (kDepth && out.median) out.median[pixel] = median[k][l];
  });
}

static void blend(Frame &frame, const Pictures &out) {
  static const PixelGrid grid;
  int tiles = frame.tiles_x * frame.tiles_y;
  frame.tile_done.resize(tiles);
  frame.final_color.resize((size_t)tiles * kBlocks * 5 * LANES);
  bool depth = out.depth || out.median;
  frame.pool.run(tiles, [&](int tile) {
    depth ? blend_tile<true>(frame, tile, grid, out) : blend_tile<false>(frame, tile, grid, out);
  });
}
