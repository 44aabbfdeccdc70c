// What one drawing call keeps between its stages, and for the backward pass after it.
//
// Splats are planar: row r of `params` starts at params + r * stride, and `stride` is a multiple of 16 so that a
// vector never reads past a row. Rows: 0-2 means, 3-5 scales, 6-9 quats wxyz, 10 opacity, 11.. SH (basis-major,
// then r g b). Values are activated. Entries past `count` are never drawn.
#pragma once
#include <memory>

#include "simd.h"
#include "worker_pool.h"

constexpr int kTile = 16;                       // pixels; 8 and 32 are 1.2-1.5x slower at 100k splats (measured)
constexpr int kBlockHeight = LANES / 4;         // a block is 4 pixels wide and fills one vector
constexpr int kBlocksX = kTile / 4;
constexpr int kBlocks = kTile * kTile / LANES;  // 16, 32 or 64: one bit each in a uint64_t
constexpr int kChunk = 2048;                    // splats per piece of work; fixed, so results do not know the thread count
constexpr int kMoments = 10;                    // per (splat, tile): 1 x y xx xy yy, r g b, depth

constexpr float kNear = 0.05f;          // metres
constexpr float kFar = 1e30f;           // beyond, squares and products overflow
constexpr float kColorMax = 1e4f;       // keeps the squares of the loss finite
constexpr float kGradientMax = 1e18f;   // likewise those of Adam; what is larger, or no number, counts as 0
constexpr float kBlur = 0.3f;           // px^2, screen-space low-pass of 3DGS
constexpr float kAlphaMin = 1.f / 255;  // below this an 8-bit picture cannot show it
constexpr float kLog2AlphaMin = -7.99435344f;
constexpr float kLog2AlphaMax = -0.0144995697f;  // of 0.99: keeps 1 / (1 - alpha) finite in the backward pass
constexpr float kTransmittanceMin = 1e-4f;
// A pixel goes on while its block does; what it still adds to gradients at so little light is lost to rounding.
constexpr float kNothingLeft = 1e-12f;
constexpr float kLog2E = 1.44269504f;

enum Row { kMean = 0, kScale = 3, kQuat = 6, kOpacity = 10, kSh = 11 };

struct View {  // as the caller passes it
  float fx, fy, cx, cy;
  float turn[9], shift[3];  // cam_from_world
  float background[3];
  int32_t width, height;
  int32_t antialias;  // 1: opacity is scaled so that the low-pass keeps a splat's integral (Mip-Splatting)
  int32_t sh_bases;   // 1, 4, 9 or 16
};

struct Record {  // one drawn splat; 48 bytes
  float x, y;                   // centre, px
  float qa, qb, qc, log2_opacity;  // alpha = 2^(qa dx dx + qb dx dy + qc dy dy + log2_opacity)
  float r, g, b, z, unused[2];
};
struct Pair {
  uint64_t blocks;  // blocks of the tile that the splat's ellipse touches
  int32_t tile;
};
struct TileEntry {
  uint64_t blocks;
  int32_t splat, slot;  // slot: where this pair's moments go, contiguous per splat
};
struct Chunk {
  std::vector<Pair> pairs;
  std::vector<int32_t> visible;  // splat indices, rising
  int64_t slot_base = 0;
};

struct TooManyPairs {};  // thrown when a picture has more than Frame::most_pairs

struct Frame {
  Frame(int threads, int32_t most_pairs) : pool(threads), most_pairs(most_pairs) {}
  WorkerPool pool;
  const int32_t most_pairs;
  View view;
  int64_t count = 0, stride = 0;
  int tiles_x = 0, tiles_y = 0;
  std::vector<Record> records;                  // by splat
  std::vector<int32_t> pair_begin, pair_count;  // by splat, within its chunk; count 0 = not drawn
  std::vector<Chunk> chunks;
  std::vector<uint32_t> keys, keys_other;
  std::vector<int32_t> order, order_other, histogram;
  std::vector<TileEntry> entries;
  std::vector<int32_t> tile_begin, tile_done;  // tile_done: end of the entries that were blended
  std::vector<float> final_color, moments;     // [tile, block, 5, LANES] and [slot, kMoments]
  int64_t visible = 0, pairs = 0;
};
