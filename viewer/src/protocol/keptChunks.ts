/** What earlier visits to a scene left in this browser, and what this one leaves for the next. */

import type { ChunkCache, Entry } from "./chunkCache";
import { ChunkKind, HASH_PREFIX_BYTES, TREE_HASH_BYTES, type ChunkMessage, type TreeMessage } from "./generated";

/** A storage that takes longer is not worth the wait. */
const CACHE_DEADLINE_MS = 500;

type Copy = Omit<ChunkMessage, "glb"> & { readonly glb: Uint8Array<ArrayBuffer> };

export class KeptChunks {
  /** Chunks of an earlier visit that are here, with their hashes. */
  private readonly stored = new Map<number, Entry>();
  /** Chunks that came before the table that names their hashes. */
  private early: Copy[] = [];
  private tree: TreeMessage | undefined;
  private tellTree: () => void = () => undefined;
  private readonly hasTree = new Promise<void>((resolve) => (this.tellTree = resolve));
  private key = "";

  /** Without a cache nothing is kept and nothing found. */
  constructor(private readonly cache: ChunkCache | undefined) {}

  /** Chunks that were found and not dropped since. */
  get count(): number {
    return this.stored.size;
  }

  has(chunk: number): boolean {
    return this.stored.has(chunk);
  }

  /** The first bytes of their hashes, as HELLO names them. */
  prefixes(): Uint8Array[] {
    return [...this.stored.values()].map(({ hash }) => hash.subarray(0, HASH_PREFIX_BYTES));
  }

  /** Look up what is kept as `key`, at most so many, and keep what comes under it from now on. */
  async recall(key: string, most: number): Promise<void> {
    this.key = key;
    if (!this.cache) return;
    const late = new Promise<Entry[]>((resolve) => setTimeout(() => resolve([]), CACHE_DEADLINE_MS));
    const entries = await Promise.race([this.cache.of(key), late]);
    for (const entry of entries.slice(0, most)) this.stored.set(entry.chunk, entry);
  }

  /** Show what was found, but for what is no longer wanted; tell of what cannot be read after all. */
  async replay(
    isWanted: (chunk: number) => boolean,
    show: (chunk: ChunkMessage) => void,
    lose: (chunk: number) => void,
  ): Promise<void> {
    for (const entry of [...this.stored.values()]) {
      // Only roots can be shown, and only roots go unchecked, before the table says what belongs where.
      if (entry.level > 0 || entry.kind !== ChunkKind.splats) await this.hasTree;
      const bytes = await this.cache?.read(entry);
      const { chunk, kind, level } = entry;
      if (!this.stored.has(chunk) || !isWanted(chunk)) continue;
      if (bytes === undefined) lose(chunk);
      else show({ type: "chunk", kind, level, chunk, epoch: 0, seq: 0, glb: new Uint8Array(bytes) });
    }
  }

  /** Keep a chunk that came, under the hash that the table has for it. */
  remember(message: ChunkMessage): void {
    if (!this.cache) return;
    const copy = { ...message, glb: message.glb.slice() }; // the renderer gives the bytes away
    if (this.tree) this.keep(this.tree, copy);
    else this.early.push(copy);
  }

  setTree(tree: TreeMessage): void {
    this.tree = tree;
    for (const early of this.early) this.keep(tree, early);
    this.early = [];
    this.tellTree();
  }

  forget(chunks: readonly number[]): void {
    for (const chunk of chunks) this.stored.delete(chunk);
    void this.cache?.drop(this.key, chunks);
  }

  /** What may no longer be seen is not kept either. */
  forgetAll(): void {
    void this.cache?.drop(this.key);
  }

  private keep(tree: TreeMessage, message: Copy): void {
    const from = message.chunk * TREE_HASH_BYTES;
    void this.cache?.keep(this.key, message, tree.hash.slice(from, from + TREE_HASH_BYTES));
  }
}
