/** One visit: the stream's splats on the stage, the visitor in the scene, and the words about both. */

import * as THREE from "three";
import { Decoder } from "./decode/decoder";
import type { TimedReply } from "./decode/messages";
import { installDebug } from "./debug";
import type { DeviceProfile } from "./device/profiles";
import type { Quality } from "./device/quality";
import {
  ChunkKind,
  NackReason,
  TREE_HASH_BYTES,
  type ChunkMessage,
  type Portal,
  type SceneJson,
  type Sound,
  type TreeMessage,
} from "./protocol/generated";
import { Failure, type SceneSummary } from "./protocol/link";
import { People } from "./people/people";
import type { ChunkStream, PeopleMessage, StreamEvents, ViewPose } from "./protocol/sceneStream";
import { Figures } from "./render/figures";
import { Stage } from "./render/stage";
import { Soundscape } from "./sound/soundscape";
import { SplatPicture } from "./splats/picture";
import { Successor } from "./splats/successor";
import { Doorways } from "./story/doorways";
import { Thresholds } from "./story/thresholds";
import type { Hud } from "./ui/hud";
import { STRINGS, decimal, megabytes, percent } from "./ui/strings";
import { GamepadSource } from "./walk/gamepad";
import { Keyboard } from "./walk/keyboard";
import { Player } from "./walk/player";
import { Pointer } from "./walk/pointer";
import { XrVisit, offerXr } from "./xr/session";

/** Begin a stream of another scene of the same link. */
export type Travel = (scene: string, events: StreamEvents) => ChunkStream;

export interface VisitParts {
  readonly canvas: HTMLCanvasElement;
  readonly hud: Hud;
  readonly stream: ChunkStream;
  readonly scene: SceneSummary;
  readonly profile: DeviceProfile;
  readonly quality: Quality;
  readonly travel: Travel;
  readonly fail: (error: unknown) => void;
}

/** A full budget is looked through again after a move or a turn of this much. */
const MAKE_ROOM_M = 2;
const MAKE_ROOM_COS = Math.cos((40 * Math.PI) / 180);

/** Looking around moves nobody this far. */
const NEAR_START_M = 0.3;

/** How long a note stands on the screen. */
const SAID_MS = 7_000;

/** Both eyes of a wide headset, together. */
const XR_FOV_DEG = 110;

export interface ChunkTime {
  readonly splats: number;
  readonly workerMs: number;
  readonly mainMs: number;
}

export type Phase = "loading" | "streaming" | "complete" | "travelling" | "reconnecting" | "failed";

export class Visit implements StreamEvents {
  readonly stage: Stage;
  readonly player: Player;
  readonly picture: SplatPicture;
  phase: Phase = "loading";
  hasCollider = false;
  brokenChunks = 0;
  failure: Failure | undefined;
  leftOut = 0;
  /** The place the visitor is in, and the stream that brings it. */
  place: SceneSummary;
  portals: readonly Portal[] = [];
  private manifestPortals: readonly Portal[] = [];
  private stream: ChunkStream;
  /** Splats that may be shown at once, as the governor has it. */
  budget: number;
  private readonly doorways: Doorways;
  private thresholds = new Thresholds([]);
  readonly soundscape: Soundscape;
  readonly others: People;
  private sounds: ReadonlyMap<number, Sound> = new Map();
  private hasSoundFailed = false;
  private readonly decoder = new Decoder();
  private readonly xr: XrVisit;
  private readonly refused = new Set<number>();
  private table: TreeMessage | undefined;
  /** A newer version on its way. */
  private successor: Successor | undefined;
  private pendingDecodes = 0;
  private isBatchDone = false;
  private rescuesTold = 0;
  private hasPicture = false;
  /** For benches: what each chunk took. */
  chunkTimes: ChunkTime[] | undefined;
  private readonly roomMadeAt = new THREE.Vector3();
  private readonly roomMadeFor = new THREE.Vector3();
  private readonly eye = new THREE.Vector3();
  private readonly heading = new THREE.Quaternion();
  private readonly forward = new THREE.Vector3();

  constructor(private readonly parts: VisitParts) {
    const { canvas, hud, scene, profile } = parts;
    this.place = scene;
    this.stream = parts.stream;
    this.budget = profile.maxSplats;
    const query = new URLSearchParams(location.search);
    const isDebug = query.has("debug");
    this.stage = new Stage(
      canvas,
      {
        profile,
        hasFixedResolution: isDebug,
        isExact: profile.name === "desktop" && query.get("exact") !== "0",
        batchesQuads: query.get("batch") !== "0",
        shrinksNearEye: query.get("near") !== "0",
        // Tests look at whole pictures, except those of slow machines.
        quality: isDebug && !query.has("slow") ? "high" : parts.quality,
        slowMs: isDebug ? Number(query.get("slow")) : 0,
        targetMs: isDebug && query.has("fps") ? 1_000 / Number(query.get("fps")) : undefined,
        countAlive: () => this.picture.aliveCount,
        onBudget: (splats) => this.setBudget(splats),
      },
      (seconds, frame) => this.frame(seconds, frame),
      (failure) => this.failed(failure),
    );
    this.stage.setBackground(scene.background);
    this.picture = new SplatPicture(this.stage.backend);
    this.doorways = new Doorways(this.stage.scene);
    this.player = new Player(this.stage, [new Keyboard(window), new Pointer(canvas, hud), new GamepadSource()], scene);
    if (!scene.walkability) this.player.mode = "fly"; // nothing to stand on
    this.xr = new XrVisit(this.stage, this.player);
    hud.setWaiting(STRINGS.firstSplats);
    void offerXr().then((offer) => hud.offerXr(offer));
    this.soundscape = new Soundscape(() => new AudioContext(), safeStorage(), () => this.soundFailed());
    this.others = new People({
      scene: this.stage.scene,
      memory: safeStorage(),
      tell: (message) => this.stream.tell(message),
      changed: () => this.showPeople(),
      said: (name, text) => this.parts.hud.say(STRINGS.saidBy(name, text), SAID_MS),
      invalidate: () => this.stage.invalidate(),
    });
    for (const press of ["pointerdown", "keydown", "touchend"] as const) {
      window.addEventListener(press, () => this.soundscape.wake());
    }
    document.addEventListener("visibilitychange", () => this.soundscape.show(!document.hidden));
    new Figures(hud.root, this);
    if (query.get("view") === "sbs") this.showSideBySide(query);
    if (isDebug) {
      this.chunkTimes = [];
      installDebug(this);
    }
    this.stage.start();
  }

  private showSideBySide(query: URLSearchParams): void {
    const parts = { stage: this.stage, player: this.player, root: this.parts.hud.root, say: (words: string) => this.parts.hud.say(words, SAID_MS) };
    import("./sbs/sideBySide").then(({ SideBySide }) => new SideBySide(parts, query), (error: unknown) => this.parts.fail(error));
  }

  get bytesReceived(): number {
    return this.stream.bytesReceived;
  }

  /** Chunks to come until the picture is whole, as far as the table is known. */
  get chunksPlanned(): number {
    return this.table?.kind.reduce((sum, kind) => sum + Number(kind === ChunkKind.splats), 0) ?? 0;
  }

  /** True when all that will come is decoded and on the screen. */
  get isSettled(): boolean {
    return this.isBatchDone && this.pendingDecodes === 0 && this.stage.backend.isSettled;
  }

  /** Where the visitor stands and looks, as a spawn. */
  get standing(): { position: [number, number, number]; yaw_deg: number } {
    const { x, y, z } = this.player.walker.feet;
    return { position: [x, y, z], yaw_deg: (Math.atan2(-this.forward.x, -this.forward.z) * 180) / Math.PI };
  }

  recentre(): void {
    this.player.recentre();
    this.stage.invalidate();
    this.parts.hud.say(STRINGS.recentred);
  }

  toggleSound(): void {
    this.soundscape.wake();
    this.soundscape.toggle();
    this.parts.hud.showSound(this.sounds.size > 0, this.soundscape.isMuted);
  }

  togglePeople(): void {
    this.others.toggle();
    this.parts.hud.say(this.others.areHidden ? STRINGS.othersHidden : STRINGS.othersShown);
  }

  saySomething(text: string): void {
    this.others.say(text);
    this.parts.hud.say(STRINGS.saidByYou(text), SAID_MS);
  }

  chooseQuality(quality: Quality): void {
    this.stage.choose(quality);
  }

  toggleMovement(): void {
    this.player.mode = this.player.mode === "walk" ? "fly" : "walk";
    this.parts.hud.showMovement(this.player.mode);
    this.parts.hud.say(this.player.mode === "walk" ? STRINGS.walking : STRINGS.flying);
  }

  async enterXr(mode: XRSessionMode): Promise<void> {
    this.parts.hud.say(STRINGS.xrBusy);
    try {
      await this.xr.enter(mode);
      this.parts.hud.stand("");
    } catch (error) {
      this.parts.hud.say(STRINGS.xrFailed(error instanceof Error ? error.message : String(error)), 8_000);
    }
  }

  // ---- the stream's events ----

  opened(): void {
    // The page opened the link before there was a visit.
  }

  renewed(scene: SceneSummary): void {
    this.successor = new Successor();
    this.forgetChunks();
    // Where a draft has no ground, visitors float; who has not moved yet begins where the place does.
    const hasGround = scene.walkability !== null && this.place.walkability === null;
    const isAtStart = this.player.walker.feet.distanceTo(new THREE.Vector3(...this.place.spawn.position)) < NEAR_START_M;
    this.place = scene;
    this.phase = "streaming";
    if (hasGround && isAtStart && !this.xr.isIn) {
      this.player.mode = "walk";
      const yaw = (scene.spawn.yaw_deg * Math.PI) / 180;
      this.player.moveTo(scene, new THREE.Vector3(...scene.spawn.position), yaw);
      this.parts.hud.showMovement("walk");
    } else this.player.know(scene);
    this.stage.setBackground(scene.background);
    this.parts.hud.setScene(scene);
    if (!scene.is_growing) this.parts.hud.say(STRINGS.grown, 6_000);
  }

  scene(scene: SceneJson): void {
    this.parts.hud.setScene(this.place, scene.manifest);
    // Behind a doorway without a scene there is one that was deleted.
    this.manifestPortals = scene.manifest.portals;
    this.portals = this.manifestPortals.filter((portal) => this.targetOf(portal) !== undefined);
    this.doorways.show(this.portals);
    this.thresholds = new Thresholds(this.portals);
    this.sounds = new Map(scene.manifest.sounds.map((sound) => [sound.chunk, sound]));
    this.parts.hud.showSound(this.sounds.size > 0, this.soundscape.isMuted);
    this.stage.invalidate();
  }

  tree(tree: TreeMessage): void {
    this.table = tree;
    if (this.successor) this.successor.plan(tree);
    else this.picture.plan(tree, this.budget);
    // A stream of the next place begins with what the device can at best.
    if (this.budget < this.parts.profile.maxSplats) this.stream.setBudget(this.budget);
  }

  chunk(chunk: ChunkMessage): void {
    const { glb } = chunk;
    if (chunk.kind === ChunkKind.sound) return this.hear(chunk.chunk, glb);
    const bytes = glb.slice().buffer; // without the message's header, and free to be moved to a worker
    const hash = this.table?.hash.slice(chunk.chunk * TREE_HASH_BYTES, (chunk.chunk + 1) * TREE_HASH_BYTES);
    const isCollider = chunk.kind === ChunkKind.collider;
    const isHarmonics = chunk.kind === ChunkKind.sh;
    const { place } = this;
    this.pendingDecodes++;
    const { maxShDegree } = this.parts.profile;
    this.decoder.decode({ isCollider, isHarmonics, maxShDegree, bytes, hash }, (reply) => {
      if (place !== this.place) return; // of a place that was left meanwhile
      this.pendingDecodes--;
      const began = performance.now();
      this.take(chunk.chunk, reply);
      if (reply.ok && reply.decoded.kind === "splats") {
        this.chunkTimes?.push({ splats: reply.decoded.words.count, workerMs: reply.ms, mainMs: performance.now() - began });
      }
    });
  }

  settled(leftOut: number): void {
    this.isBatchDone = true;
    this.leftOut = leftOut;
    this.succeed();
    this.report();
  }

  people(message: PeopleMessage): void {
    this.others.take(message);
  }

  connected(): void {
    // In somebody else's page nobody expects to be seen.
    if (window.self === window.top) this.others.join();
    if (this.phase === "reconnecting") this.parts.hud.say(STRINGS.reconnected);
    this.phase = this.picture.chunkCount > 0 ? "streaming" : "loading";
    this.parts.hud.stand("");
  }

  reconnecting(waitMs: number): void {
    this.phase = "reconnecting";
    this.others.clear();
    this.isBatchDone = false;
    this.parts.hud.stand(STRINGS.reconnecting(Math.max(1, Math.round(waitMs / 1_000))));
  }

  failed(failure: Failure): void {
    this.phase = "failed";
    this.failure = failure;
    this.stream.dispose();
    this.others.dispose();
    this.soundscape.clear();
    this.decoder.dispose();
    this.xr.leave();
    this.stage.stop();
    this.parts.fail(failure);
  }

  private showPeople(): void {
    this.parts.hud.showPeople(this.others.count, this.others.areHidden);
  }

  // ---- what comes of a chunk ----

  private hear(chunk: number, ogg: Uint8Array): void {
    const sound = this.sounds.get(chunk);
    if (sound) this.soundscape.add(sound, ogg.slice().buffer);
    this.stream.release(chunk);
  }

  private soundFailed(): void {
    if (!this.hasSoundFailed) this.parts.hud.say(STRINGS.soundFailed);
    this.hasSoundFailed = true;
  }

  private take(chunk: number, reply: TimedReply): void {
    const { stream } = this;
    const { hud } = this.parts;
    this.stage.governor.busy();
    if (!reply.ok) {
      // The server sends a broken chunk once more; a second time it is left out, and said.
      if (this.refused.has(chunk)) hud.say(STRINGS.broken(++this.brokenChunks));
      this.refused.add(chunk);
      stream.refuse(chunk, reply.reason === "hash" ? NackReason.hash : NackReason.decode);
      return;
    }
    if (reply.decoded.kind === "collider") {
      this.player.enterWorld(reply.decoded.mesh);
      this.hasCollider = true;
    } else {
      const shown = this.successor ?? this.picture;
      if (reply.decoded.kind === "harmonics") shown.shade(chunk, reply.decoded.words);
      else shown.add(chunk, reply.decoded.words);
      this.stage.invalidate();
    }
    stream.release(chunk);
    this.succeed();
    this.report();
  }

  /** Show the newer version once that is no step back. */
  private succeed(): void {
    if (!this.successor?.isReady(this.chunksPlanned, this.isBatchDone && this.pendingDecodes === 0)) return;
    this.successor.replace(this.picture, this.budget);
    this.successor = undefined;
    this.stage.invalidate();
  }

  private report(): void {
    const { hud } = this.parts;
    const planned = this.chunksPlanned;
    const size = megabytes(this.bytesReceived);
    if (this.phase === "loading" && this.picture.chunkCount > 0) this.phase = "streaming";
    if (this.isBatchDone && this.pendingDecodes === 0) {
      const splats = decimal(this.picture.aliveCount);
      const words = this.leftOut > 0 ? STRINGS.partly(splats) : STRINGS.whole(size, splats);
      if (this.phase === "streaming") this.phase = "complete";
      hud.setProgress(1, words);
    } else if (planned > 0 && this.phase !== "complete") {
      const share = Math.min(0.99, this.picture.chunkCount / planned);
      hud.setProgress(share, STRINGS.streaming(percent(share), size));
    }
  }

  private setBudget(splats: number): void {
    this.budget = splats;
    if (!this.table) return;
    this.picture.setBudget(splats);
    this.stream.setBudget(splats);
    this.isBatchDone = false;
  }

  /** A full budget follows the visitor: what they left goes, for what they see now. */
  private makeRoom(pose: ViewPose): void {
    const trimmed = this.picture.trim(pose);
    if (trimmed.length > 0) return this.drop(trimmed);
    if (this.leftOut === 0 || !this.isBatchDone || this.pendingDecodes > 0) return;
    const isNear = this.eye.distanceTo(this.roomMadeAt) < MAKE_ROOM_M;
    if (isNear && this.forward.dot(this.roomMadeFor) > MAKE_ROOM_COS) return;
    this.roomMadeAt.copy(this.eye);
    this.roomMadeFor.copy(this.forward);
    const dropped = this.picture.makeRoom(pose);
    if (dropped.length > 0) this.drop(dropped);
  }

  private drop(chunks: readonly number[]): void {
    this.isBatchDone = false;
    this.stream.drop(chunks);
    this.stage.governor.busy();
    this.stage.invalidate();
  }

  // ---- through a doorway ----

  private go(doorway: number): void {
    const portal = this.portals[doorway];
    const target = portal && this.targetOf(portal);
    if (!portal || target === undefined || this.phase === "travelling") return;
    const { hud } = this.parts;
    const before = this.phase;
    this.phase = "travelling";
    hud.stand(STRINGS.goingTo(portal.title));
    // The old place stays until the new one has opened: a doorway that does not is no way out of the world.
    const next = this.parts.travel(target, {
      opened: (scene) => this.arrive(next, scene, portal),
      renewed: (scene) => this.renewed(scene),
      failed: (failure) => {
        if (this.stream === next) return this.failed(failure);
        if (failure.code === "link_revoked" || failure.code === "link_expired") return this.failed(failure);
        this.phase = before;
        hud.stand("");
        hud.say(STRINGS.doorClosed);
      },
      scene: (scene) => this.scene(scene),
      tree: (tree) => this.tree(tree),
      chunk: (chunk) => this.chunk(chunk),
      settled: (leftOut) => this.settled(leftOut),
      people: (message) => this.people(message),
      reconnecting: (waitMs) => this.reconnecting(waitMs),
      connected: () => this.connected(),
    });
    next.start();
  }

  /** Portals keep their index in the manifest, by which the server names what is behind them. */
  private targetOf(portal: Portal): string | undefined {
    return this.place.portals[this.manifestPortals.indexOf(portal)];
  }

  private arrive(stream: ChunkStream, scene: SceneSummary, portal: Portal): void {
    this.stream.dispose();
    this.stream = stream;
    this.place = scene;
    this.successor = undefined;
    this.forgetChunks();
    this.rescuesTold = 0;
    this.hasPicture = false;
    this.phase = "loading";
    this.portals = [];
    this.others.clear();
    this.soundscape.clear();
    this.sounds = new Map();
    this.doorways.show([]);
    this.thresholds = new Thresholds([]);
    this.picture.clear();
    this.stage.setBackground(scene.background);
    const { hud } = this.parts;
    hud.closeCurtain(scene.title, STRINGS.firstSplats);
    hud.setProgress(0, STRINGS.firstSplats);
    hud.setScene(scene);
    hud.stand("");
    const yaw = (portal.arrive_yaw_deg * Math.PI) / 180;
    const feet = new THREE.Vector3(...portal.arrive_position);
    this.player.moveTo(scene, feet, yaw);
    if (this.xr.isIn) this.xr.arrive(feet, yaw);
    this.stage.invalidate();
  }

  private forgetChunks(): void {
    this.table = undefined;
    this.refused.clear();
    this.pendingDecodes = this.leftOut = this.brokenChunks = 0;
    this.isBatchDone = this.hasCollider = false;
  }

  private frame(seconds: number, xrFrame: XRFrame | undefined): void {
    if (xrFrame) this.xr.frame(seconds, xrFrame);
    else this.player.update(seconds);
    const { camera, backend } = this.stage;
    const view = xrFrame ? this.stage.renderer.xr.getCamera() : camera;
    this.eye.setFromMatrixPosition(view.matrixWorld);
    view.getWorldDirection(this.forward);
    const pose: ViewPose = {
      position: [this.eye.x, this.eye.y, this.eye.z],
      forward: [this.forward.x, this.forward.y, this.forward.z],
      fovDeg: xrFrame ? XR_FOV_DEG : this.stage.fovDeg,
    };
    this.stream.setPose(pose);
    this.soundscape.listen(pose);
    this.makeRoom(pose);
    view.getWorldQuaternion(this.heading);
    const hands = xrFrame ? this.xr.hands(xrFrame, this.eye) : undefined;
    this.others.update(performance.now(), { position: this.eye, turn: this.heading, ...hands });
    const doorway = this.player.mode === "walk" ? this.thresholds.entered(this.player.walker.feet) : undefined;
    if (doorway !== undefined) this.go(doorway);
    if (!this.hasPicture && backend.drawnCount > 0) {
      this.hasPicture = true;
      this.parts.hud.openCurtain(matchMedia("(pointer: coarse)").matches);
      this.parts.hud.showMovement(this.player.mode);
    }
    if (this.player.walker.rescues > this.rescuesTold) {
      this.rescuesTold = this.player.walker.rescues;
      this.parts.hud.say(STRINGS.rescued);
    }
  }
}

/** Storage throws where a browser forbids it. */
function safeStorage(): Storage | undefined {
  try {
    return window.localStorage;
  } catch {
    return undefined;
  }
}
