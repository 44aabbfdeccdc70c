/**
 * Chunks of scenes seen before, kept by the browser (IndexedDB) under the hash of their bytes, so that a reload
 * fetches none of them again. Bounded; the oldest go first. A page without storage just fetches.
 */

import type { ChunkMessage } from "./generated";

/** What is known of a kept chunk without reading its bytes. */
export interface Entry {
  /** `scene` and `chunk`. */
  readonly key: string;
  /** The scene's version and what the device asked of it: another budget holds other chunks. */
  readonly scene: string;
  readonly chunk: number;
  readonly kind: number;
  readonly level: number;
  /** First bytes of its sha256, as in TREE. */
  readonly hash: Uint8Array;
  readonly size: number;
  readonly keptAt: number;
}

type KeptMessage = Pick<ChunkMessage, "chunk" | "kind" | "level"> & { readonly glb: Uint8Array<ArrayBuffer> };

/** Where entries and bytes lie. */
export interface ChunkStore {
  entries(): Promise<Entry[]>;
  read(key: string): Promise<ArrayBuffer | undefined>;
  write(entry: Entry, bytes: ArrayBuffer): Promise<void>;
  remove(keys: readonly string[]): Promise<void>;
}

/** Some thirty scenes of ours; browsers allow an origin a share of the disk that is far larger. */
const MOST_BYTES = 256 * 1024 * 1024;

export class ChunkCache {
  private readonly known: Promise<Map<string, Entry>>;
  private total = 0;
  private isFull = false;
  /** Changes, one after another: a chunk that is dropped while it is written must not stay. */
  private changes: Promise<void> = Promise.resolve();

  constructor(
    private readonly store: ChunkStore,
    private readonly mostBytes = MOST_BYTES,
    private readonly now: () => number = () => Date.now(),
  ) {
    this.known = store.entries().then(
      (entries) => {
        this.total = entries.reduce((sum, { size }) => sum + size, 0);
        return new Map(entries.map((entry) => [entry.key, entry]));
      },
      () => {
        this.isFull = true; // storage is forbidden or broken
        return new Map();
      },
    );
  }

  /** What is kept of a scene, parents before children. */
  async of(scene: string): Promise<Entry[]> {
    const found = [...(await this.known).values()].filter((entry) => entry.scene === scene);
    return found.sort((a, b) => a.chunk - b.chunk);
  }

  /** The bytes of an entry; undefined when the browser has thrown them away. */
  async read(entry: Entry): Promise<ArrayBuffer | undefined> {
    return this.store.read(entry.key).catch(() => undefined);
  }

  /** `message.glb` must be a whole buffer that nobody changes or gives away. */
  keep(scene: string, message: KeptMessage, hash: Uint8Array): Promise<void> {
    return this.change(() => this.write(scene, message, hash));
  }

  /** Forget chunks of a scene, or the whole of it. */
  drop(scene: string, chunks?: readonly number[]): Promise<void> {
    return this.change(() => this.remove(scene, chunks));
  }

  private change(work: () => Promise<void>): Promise<void> {
    this.changes = this.changes.then(work);
    return this.changes;
  }

  private async write(scene: string, message: KeptMessage, hash: Uint8Array): Promise<void> {
    const known = await this.known;
    const { chunk, kind, level, glb } = message;
    const key = `${scene}/${chunk}`;
    if (this.isFull || known.has(key)) return;
    const entry: Entry = { key, scene, chunk, kind, level, hash, size: glb.byteLength, keptAt: this.now() };
    known.set(key, entry);
    this.total += entry.size;
    try {
      await this.makeRoom(known);
      await this.store.write(entry, glb.buffer);
    } catch {
      this.forgetEntry(known, key);
      // The disk is full, or the visitor forbids it: what is kept stays, the visit goes on without.
      if (!this.isFull) console.info("this browser keeps no more of the scene; it will be fetched again next time");
      this.isFull = true;
    }
  }

  private async remove(scene: string, chunks?: readonly number[]): Promise<void> {
    const known = await this.known;
    const keys = chunks?.map((chunk) => `${scene}/${chunk}`) ?? (await this.of(scene)).map(({ key }) => key);
    const kept = keys.filter((key) => this.forgetEntry(known, key));
    if (kept.length > 0) await this.store.remove(kept).catch(() => undefined);
  }

  private async makeRoom(known: Map<string, Entry>): Promise<void> {
    if (this.total <= this.mostBytes) return;
    const oldest = [...known.values()].sort((a, b) => a.keptAt - b.keptAt);
    const gone: string[] = [];
    for (const { key } of oldest) {
      if (this.total <= this.mostBytes) break;
      this.forgetEntry(known, key);
      gone.push(key);
    }
    await this.store.remove(gone);
  }

  private forgetEntry(known: Map<string, Entry>, key: string): boolean {
    this.total -= known.get(key)?.size ?? 0;
    return known.delete(key);
  }
}

const ENTRIES = "entries";
const BYTES = "bytes";

/** IndexedDB, and not OPFS: writing there needs a worker in Safari, and two tabs lock each other out. */
export class IndexedChunkStore implements ChunkStore {
  private readonly database: Promise<IDBDatabase>;

  constructor(name = "immersive-chunks") {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore(ENTRIES, { keyPath: "key" });
      opening.result.createObjectStore(BYTES);
    };
    this.database = done(opening);
    this.database.catch(() => undefined); // told to whoever asks for something
  }

  async entries(): Promise<Entry[]> {
    const transaction = (await this.database).transaction(ENTRIES);
    return done(transaction.objectStore(ENTRIES).getAll() as IDBRequest<Entry[]>);
  }

  async read(key: string): Promise<ArrayBuffer | undefined> {
    const transaction = (await this.database).transaction(BYTES);
    return done(transaction.objectStore(BYTES).get(key) as IDBRequest<ArrayBuffer | undefined>);
  }

  async write(entry: Entry, bytes: ArrayBuffer): Promise<void> {
    const transaction = await this.change();
    transaction.objectStore(BYTES).put(bytes, entry.key);
    transaction.objectStore(ENTRIES).put(entry);
    await finished(transaction);
  }

  async remove(keys: readonly string[]): Promise<void> {
    const transaction = await this.change();
    for (const key of keys) {
      transaction.objectStore(BYTES).delete(key);
      transaction.objectStore(ENTRIES).delete(key);
    }
    await finished(transaction);
  }

  private async change(): Promise<IDBTransaction> {
    // A cache need not outlive a power cut, and waiting for the disk would hold up the next chunk.
    return (await this.database).transaction([ENTRIES, BYTES], "readwrite", { durability: "relaxed" });
  }
}

let shared: ChunkCache | undefined;

/** The page's one cache; undefined where the browser has no storage. */
export function sharedChunkCache(): ChunkCache | undefined {
  if (typeof indexedDB === "undefined") return undefined;
  return (shared ??= new ChunkCache(new IndexedChunkStore()));
}

function done<Value>(request: IDBRequest<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function finished(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}
