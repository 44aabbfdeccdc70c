/**
 * Spark 2.2 behind `SplatBackend`: one growing `ExtSplats`, its textures written row by row.
 *
 * Spark shows a new set of splats only together with the depth order made for it, as long as the mapping
 * version changes. That is what makes a range replacement one step: no frame lacks both parent and child.
 */

import * as THREE from "three";
import { ExtSplats, SparkRenderer, SplatMesh } from "@sparkjsdev/spark";
import { WORDS_PER_TEXEL, shTexels, type ShadeWords, type SplatWords } from "../decode/words";
import type { Run } from "../splats/ranges";
import { Slots } from "../splats/slots";
import type { SplatBackend } from "./backend";
import { shrinkNearEye } from "./nearEye";
import { drawInBatches } from "./quadBatch";

export interface SparkOptions {
  /** Gaussians are drawn out to this many standard deviations, on a screen and in a headset. */
  readonly maxStdDev: number;
  readonly maxStdDevXr: number;
  readonly sortsByDistance: boolean;
  readonly batchesQuads: boolean;
  readonly shrinksNearEye: boolean;
  /** Float32 centres and half-float colours between Spark's passes, too: exact, at twice the texture reads. */
  readonly isExact: boolean;
  readonly onDirty: () => void;
}

/** Splat textures are 2048 wide in Spark's shaders. */
const TEXTURE_WIDTH = 2048;
/** One layer of a splat texture; more splats than any device profile allows. */
const MAX_SLOTS = TEXTURE_WIDTH * 2048;
const FIRST_SLOTS = TEXTURE_WIDTH * 8;
/** A logarithm whose exponential is 0: Spark leaves splats with three such scales out of the sort. */
const NO_SCALE = 0xfbff;
/** Variance in px^2 added to every splat on screen, its light kept; the rasteriser that fits our scenes does the same. */
const LOW_PASS_PX2 = 0.3;

export class SparkBackend implements SplatBackend {
  readonly spark: SparkRenderer;
  private readonly mesh: SplatMesh;
  private splats: ExtSplats;
  private slots = new Slots();
  private shDegree = 0;
  /** The most of it that is drawn. */
  private shownDegree = 3;
  /** The mapping of the mesh when it was emptied last. */
  private clearedAt = 0;

  constructor(
    private readonly renderer: THREE.WebGLRenderer,
    scene: THREE.Scene,
    private readonly options: SparkOptions,
  ) {
    this.spark = new SparkRenderer({
      renderer,
      timer: new THREE.Timer(), // without one Spark's clock stands still
      onDirty: options.onDirty,
      maxStdDev: options.maxStdDev,
      preBlurAmount: 0,
      blurAmount: LOW_PASS_PX2,
      accumExtSplats: options.isExact,
      sortRadial: options.sortsByDistance,
      enableLod: false, // the server chooses the level of detail
    });
    if (options.shrinksNearEye) shrinkNearEye(this.spark);
    if (options.batchesQuads) drawInBatches(this.spark);
    measureInViewports(this.spark);
    this.splats = room(FIRST_SLOTS, 0);
    this.mesh = new SplatMesh({ extSplats: this.splats, editable: false, raycastable: false });
    scene.add(this.spark, this.mesh);
  }

  get isSettled(): boolean {
    const { current, display, sorting, sortDirty } = this.spark;
    const isShown = current === display && this.mesh.mappingVersion === this.shownVersion();
    return isShown && !sorting && !sortDirty;
  }

  get drawnCount(): number {
    // What is still shown of a scene that was cleared away does not count.
    return (this.shownVersion() ?? 0) < this.clearedAt ? 0 : this.spark.activeSplats;
  }

  /**
   * On a screen splats are sorted by depth, as when they were fitted: 48 dB against the rasteriser of the
   * fit, 34 dB sorted by distance. In a headset by distance, which does not flicker when the head turns.
   */
  setHeadset(isOn: boolean): void {
    this.spark.sortRadial = isOn || this.options.sortsByDistance;
    this.spark.maxStdDev = isOn ? this.options.maxStdDevXr : this.options.maxStdDev;
  }

  /** Cut splats off at `maxStdDev`, and take no more of their colour that changes with the view than `shDegree`. */
  setDetail(maxStdDev = this.spark.maxStdDev, shDegree = this.shownDegree): void {
    this.spark.maxStdDev = maxStdDev;
    if (shDegree === this.shownDegree) return;
    this.shownDegree = shDegree;
    this.splats.setMaxSh(shDegree);
    this.mesh.updateGenerator();
  }

  reserve(splats: number): void {
    if (splats > this.splats.maxSplats) this.rebuild(splats, this.shDegree);
  }

  append(words: SplatWords): number {
    const base = this.slots.take(words.count);
    const highest = this.slots.highest;
    if (highest > MAX_SLOTS) throw new Error(`a scene must have at most ${MAX_SLOTS} splats at once`);
    if (highest > this.splats.maxSplats || words.shDegree > this.shDegree) {
      const isTooSmall = highest > this.splats.maxSplats;
      const slots = isTooSmall ? Math.max(highest, 2 * this.splats.maxSplats) : this.splats.maxSplats;
      this.rebuild(Math.min(MAX_SLOTS, slots), Math.max(words.shDegree, this.shDegree));
    }
    this.write(words, base, 0, words.count);
    return base;
  }

  shade(words: ShadeWords, base: number): void {
    if (words.shDegree > this.shDegree) this.rebuild(this.splats.maxSplats, words.shDegree);
    shadeArrays(this.splats).forEach((array, texel) => {
      const part = words.texels[texel];
      if (part) array.set(part, base * WORDS_PER_TEXEL);
    });
    this.upload([{ start: base, stop: base + words.count }]);
  }

  restore(words: SplatWords, base: number, from: number, to: number): void {
    this.write(words, base, from, to, true); // a layer of colour may have come since
  }

  free(run: Run): void {
    this.strike([run]);
    this.slots.giveBack(run);
  }

  clear(): void {
    this.strike([{ start: 0, stop: this.slots.highest }]);
    this.slots = new Slots();
    this.clearedAt = this.mesh.mappingVersion;
  }

  strike(runs: readonly Run[]): void {
    const [near, far] = this.splats.extArrays;
    for (const { start, stop } of runs) {
      for (let at = start * WORDS_PER_TEXEL; at < stop * WORDS_PER_TEXEL; at += WORDS_PER_TEXEL) {
        near[at + 3] = 0;
        far[at + 1] = NO_SCALE << 16;
        far[at + 2] = (NO_SCALE << 16) | NO_SCALE;
      }
    }
    this.upload(runs);
  }

  dispose(): void {
    this.mesh.removeFromParent();
    this.mesh.dispose();
    this.spark.removeFromParent();
    this.spark.geometry.dispose();
    this.spark.material.dispose();
    this.spark.dispose();
  }

  private write(words: SplatWords, base: number, from: number, to: number, keepsColour = false): void {
    arrays(this.splats).forEach((array, texel) => {
      const at = (base + from) * WORDS_PER_TEXEL;
      const part = words.texels[texel]?.subarray(from * WORDS_PER_TEXEL, to * WORDS_PER_TEXEL);
      if (part) array.set(part, at);
      // Slots may be second-hand: splats without harmonics must not inherit any.
      else if (!keepsColour) array.fill(0, at, at + (to - from) * WORDS_PER_TEXEL);
    });
    this.splats.numSplats = Math.max(this.splats.numSplats, base + to);
    this.upload([{ start: base + from, stop: base + to }]);
  }

  private shownVersion(): number | undefined {
    return this.spark.display.mapping.find(({ node }) => node === this.mesh)?.mappingVersion;
  }

  private rebuild(slots: number, shDegree: number): void {
    const old = this.splats;
    const grown = room(slots, shDegree);
    const from = arrays(old);
    arrays(grown).forEach((array, texel) => array.set(from[texel] ?? []));
    grown.numSplats = old.numSplats;
    grown.setMaxSh(this.shownDegree);
    this.splats = grown;
    this.shDegree = shDegree;
    this.mesh.extSplats = grown;
    this.mesh.splats = grown;
    this.mesh.updateGenerator();
    old.dispose();
  }

  /** Bring rows that hold `runs` to the GPU; textures that Spark has not used yet go there whole by themselves. */
  private upload(runs: readonly Run[]): void {
    textures(this.splats).forEach((texture, texel) => {
      const data = arrays(this.splats)[texel];
      const handle = (this.renderer.properties.get(texture) as { __webglTexture?: WebGLTexture }).__webglTexture;
      if (!data || !handle || texture.version !== uploadedVersion(this.renderer, texture)) return;
      for (const run of runs) this.uploadRows(handle, data, run);
    });
    this.mesh.updateVersion();
    this.mesh.updateMappingVersion();
  }

  private uploadRows(handle: WebGLTexture, data: Uint32Array, { start, stop }: Run): void {
    const gl = this.renderer.getContext() as WebGL2RenderingContext;
    const top = Math.floor(start / TEXTURE_WIDTH);
    const rows = Math.ceil(stop / TEXTURE_WIDTH) - top;
    const words = TEXTURE_WIDTH * WORDS_PER_TEXEL;
    this.renderer.state.activeTexture(gl.TEXTURE0);
    this.renderer.state.bindTexture(gl.TEXTURE_2D_ARRAY, handle);
    gl.bindBuffer(gl.PIXEL_UNPACK_BUFFER, null);
    for (const setting of [gl.UNPACK_FLIP_Y_WEBGL, gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL]) gl.pixelStorei(setting, false);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 4);
    const part = data.subarray(top * words, (top + rows) * words);
    gl.texSubImage3D(gl.TEXTURE_2D_ARRAY, 0, 0, top, 0, TEXTURE_WIDTH, rows, 1, gl.RGBA_INTEGER, gl.UNSIGNED_INT, part);
    this.renderer.state.unbindTexture();
  }
}

/**
 * An eye has a part of the canvas; Spark measures splats in pixels of the whole of it, so that the low-pass would be
 * half as wide as it is high: 46 dB against the fit's picture for that eye, 49 dB with this.
 */
function measureInViewports(spark: SparkRenderer): void {
  const prepare = spark.onBeforeRender.bind(spark);
  spark.onBeforeRender = (renderer, scene, camera) => {
    prepare(renderer, scene, camera);
    const { viewport } = camera as { viewport?: THREE.Vector4 };
    if (viewport) (spark.uniforms.renderSize.value as THREE.Vector2).set(viewport.z, viewport.w);
  };
}

/** Room for `slots` splats in whole texture rows; Spark silently cuts what does not fill one. */
function room(slots: number, shDegree: number): ExtSplats {
  const rows = Math.min(Math.ceil(slots / TEXTURE_WIDTH), MAX_SLOTS / TEXTURE_WIDTH);
  const words = () => new Uint32Array(rows * TEXTURE_WIDTH * WORDS_PER_TEXEL);
  const extra: Record<string, Uint32Array> = {};
  for (const name of SH_NAMES.slice(0, shTexels(shDegree))) extra[name] = words();
  return new ExtSplats({ extArrays: [words(), words()], numSplats: 0, extra });
}

/** Spark's names for the SH texels, in the order of `encodeWords`. */
const SH_NAMES = ["sh1", "sh2", "sh3a", "sh3b"] as const;
const SH_TEXTURE_NAMES = ["sh1Texture", "sh2Texture", "sh3TextureA", "sh3TextureB"] as const;

function arrays(splats: ExtSplats): Uint32Array[] {
  return [...splats.extArrays, ...shadeArrays(splats)];
}

function shadeArrays(splats: ExtSplats): Uint32Array[] {
  return SH_NAMES.map((name): unknown => splats.extra[name]).filter((array) => array instanceof Uint32Array);
}

function textures(splats: ExtSplats): THREE.Texture[] {
  const sh = SH_TEXTURE_NAMES.map((name) => (splats.extra[name] as { value?: unknown } | undefined)?.value);
  return [...splats.textures, ...sh.filter((texture) => texture instanceof THREE.Texture)];
}

function uploadedVersion(renderer: THREE.WebGLRenderer, texture: THREE.Texture): number | undefined {
  return (renderer.properties.get(texture) as { __version?: number }).__version;
}
