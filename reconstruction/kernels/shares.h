// How much each splat is of the last picture: sums over pixels of its blending weight w = alpha T, of w^2, and of
// the squared change of colour if it alone were taken away, |w (here - behind)|^2. Like `backward`, every (splat,
// tile) pair has its own slot and every splat sums its slots in order: the same for any number of threads.
#pragma once
#include "blend.h"

constexpr int kShares = 4;  // floats per slot: weight, weight^2, change^2, unused

// Walks front to back again; `seen` is the colour of all that is not yet passed, as in gradient.h.
static void share_tile(Frame &frame, int tile, const PixelGrid &grid) {
  int left = tile % frame.tiles_x * kTile, top = tile / frame.tiles_x * kTile;
  vf T[kBlocks], r[kBlocks], g[kBlocks], b[kBlocks], inside[kBlocks];
  const float *keep = &frame.final_color[(size_t)tile * kBlocks * 5 * LANES];
  for (int k = 0; k < kBlocks; k++, keep += 5 * LANES) {
    T[k] = splat(1.f), inside[k] = vf{};
    r[k] = load(keep), g[k] = load(keep + LANES), b[k] = load(keep + 2 * LANES);
  }
  // Blocks reach over the picture's edge: what lies outside is nobody's.
  each_pixel(frame.view, left, top, [&](int k, int l, int64_t) { inside[k][l] = 1.f; });
  uint64_t alive = blocks_inside(frame.view, left, top);
  int32_t e = frame.tile_begin[tile], done = frame.tile_done[tile], end = frame.tile_begin[tile + 1];
  for (; e < done; e++) {
    prefetch_record(frame, e, end);
    const TileEntry &entry = frame.entries[e];
    const Record &s = frame.records[entry.splat];
    float x = s.x - left, y = s.y - top;
    vf weight{}, square{}, change{};
    for (uint64_t todo = entry.blocks & alive; todo; todo &= todo - 1) {
      int k = __builtin_ctzll(todo);
      vf t = log2_alpha(s, grid.x[k] - x, grid.y[k] - y);
      vf alpha = choose(t >= splat(kLog2AlphaMin), exp2_inside(vmin(t, splat(kLog2AlphaMax))), vf{});
      vf w = alpha * T[k], counted = w * inside[k], beyond = divide(splat(1.f), 1.f - alpha);
      vf dr = (s.r - r[k]) * beyond, dg = (s.g - g[k]) * beyond, db = (s.b - b[k]) * beyond;
      weight += counted;
      square += counted * counted;
      change += counted * counted * (dr * dr + dg * dg + db * db);
      r[k] -= alpha * dr;
      g[k] -= alpha * dg;
      b[k] -= alpha * db;
      T[k] -= w;
      if (!bits_greater(T[k], splat(kTransmittanceMin))) alive &= ~(1ull << k);
    }
    sum4(weight, square, change, change, &frame.moments[(size_t)entry.slot * kShares]);
  }
  for (; e < end; e++) std::memset(&frame.moments[(size_t)frame.entries[e].slot * kShares], 0, kShares * sizeof(float));
}

// Adds to `totals`, three rows of [count] doubles in the order of the slots.
static void shares(Frame &frame, double *totals) {
  static const PixelGrid grid;
  frame.moments.resize((size_t)frame.pairs * kShares);
  frame.pool.run(frame.tiles_x * frame.tiles_y, [&](int tile) { share_tile(frame, tile, grid); });
  frame.pool.run((int)frame.chunks.size(), [&](int index) {
    const Chunk &chunk = frame.chunks[index];
    int64_t first = (int64_t)index * kChunk, last = std::min(frame.count, first + kChunk);
    for (int64_t i = first; i < last; i++) {
      const float *slot = &frame.moments[(size_t)(chunk.slot_base + frame.pair_begin[i]) * kShares];
      for (int n = 0; n < frame.pair_count[i]; n++, slot += kShares)
        for (int k = 0; k < 3; k++) totals[k * frame.count + i] += slot[k];
    }
  });
}
