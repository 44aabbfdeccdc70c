// Made by `python -m streaming.codegen` from streaming/messages.py. Do not edit.

/** Bytes from the server that do not follow the protocol. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

type Vec3 = readonly [number, number, number];

export const SUBPROTOCOL = "splat.v1";
export const PROTOCOL_VERSION = 1;
export const CHUNK_HEADER_BYTES = 16;
export const TREE_HASH_BYTES = 16;
export const HASH_PREFIX_BYTES = 8;
export const MAX_CLIENT_MESSAGE_BYTES = 65536;
export const MAX_CREDIT_BYTES = 4194304;
export const MAX_BUDGET_SPLATS = 50000000;
export const PRESENCE_TICKS_PER_SECOND = 20;
export const PEER_LEFT_HAND = 1;
export const PEER_RIGHT_HAND = 2;
export const PEER_EXPONENT_SHIFT = 4;
export const PEER_LARGEST_EXPONENT = 12;
export const PEER_HAND_BYTES = 10;
export const ChunkKind = { splats: 0, sh: 1, collider: 2, sound: 3 } as const;
export const CloseCode = { badMessage: 4400, ticketExpired: 4401, linkRevoked: 4403, notFound: 4404, tooSlow: 4408, tooMany: 4429 } as const;
export const NackReason = { hash: 1, decode: 2 } as const;
/** C->S. What the viewer can hold and already has. Only needed when the upgrade query gave no credit. */
export interface HelloMessage {
  readonly type: "hello";
  /** PROTOCOL_VERSION */
  readonly version: number;
  /** as Budget.max_splats */
  readonly maxSplats: number;
  /** first window in bytes, as Credit.bytes */
  readonly credit: number;
  /** first 8 bytes of the sha256 of each chunk held */
  readonly have: Uint8Array;
}

/** C->S. Where the viewer looks from now; chunks not yet sent are put in a new order. */
export interface PoseMessage {
  readonly type: "pose";
  /** grows with every pose; older poses are ignored */
  readonly epoch: number;
  /** eye (between the eyes), metres, world */
  readonly position: Vec3;
  /** viewing direction, world, any length but 0 */
  readonly forward: Vec3;
  /** full angle of the cone that holds the picture, 1..180 */
  readonly fovDeg: number;
}

/** C->S. The viewer took in `bytes` more; the server may send as many more. */
export interface CreditMessage {
  readonly type: "credit";
  /** whole chunk messages, headers included */
  readonly bytes: number;
}

/** C->S. How many splats the viewer wants to hold at most. */
export interface BudgetMessage {
  readonly type: "budget";
  /** splats alive at once, replaced ones not counted */
  readonly maxSplats: number;
}

/** C->S. Chunks that the viewer dropped; the server may send them again. */
export interface EvictedMessage {
  readonly type: "evicted";
  /** chunk indices */
  readonly chunks: Uint32Array;
}

/** C->S. A chunk that arrived broken; it is sent again once. */
export interface NackMessage {
  readonly type: "nack";
  /** chunk index */
  readonly chunk: number;
  /** NACK_REASONS */
  readonly reason: number;
}

/** Both. Browsers hide WebSocket pings from scripts, so the round trip is measured with these. */
export interface PingMessage {
  readonly type: "ping";
  /** the sender's clock */
  readonly timeMs: number;
}

/** Both. The answer to a Ping, with its time. */
export interface PongMessage {
  readonly type: "pong";
  /** copied from the Ping */
  readonly timeMs: number;
}

/** C->S. Where this person's head is, and hands if they are tracked; sent when it changes, 20 a second. */
export interface PeerPoseMessage {
  readonly type: "peerPose";
  /** 1: left hand, 2: right hand, bits 4-7: exponent of the position */
  readonly flags: number;
  /** between the eyes, in 2 ** exponent / 1024 m, world */
  readonly position: Vec3;
  /** world from head (looks along -Z), three smallest of 4 numbers */
  readonly turn: number;
  /** left, then right: 3 i16 in mm from the head, and u32 turn */
  readonly hands: Uint8Array;
}

/** C->S. Begin to see the others, once, with a name. A first PeerPose alone does the same without one. */
export interface PeerJoinMessage {
  readonly type: "peerJoin";
  /** 0xRRGGBB; 0: the server chooses */
  readonly colour: number;
  /** shown to the others; empty: Guest and a number */
  readonly name: string;
}

/** C->S. A short note to those who are near; kept nowhere. */
export interface SayMessage {
  readonly type: "say";
  /** one line */
  readonly text: string;
}

/** S->C. The manifest. Comes after the root chunks: the first picture does not wait for it. */
export interface SceneMessage {
  readonly type: "scene";
  /** {id, version, chunk_count, byte_length, manifest} */
  readonly json: string;
}

/** S->C. One row per chunk of the scene, in pack order. The collider and the roots have parent -1. */
export interface TreeMessage {
  readonly type: "tree";
  readonly count: number;
  /** chunk index of the parent, or -1 */
  readonly parent: Int32Array;
  /** first splat of the parent that it replaces */
  readonly rangeStart: Uint32Array;
  /** one past the last */
  readonly rangeStop: Uint32Array;
  /** 0 for colliders */
  readonly splatCount: Uint32Array;
  /** of the GLB; offsets are their running sum */
  readonly byteLength: Uint32Array;
  /** metres */
  readonly center: Float32Array;
  /** metres */
  readonly radius: Float32Array;
  /** left while its children are missing */
  readonly error: Float32Array;
  /** index into CHUNK_KINDS */
  readonly kind: Uint8Array;
  /** 0 = coarsest */
  readonly level: Uint8Array;
  /** first 16 bytes of the GLB's sha256 */
  readonly hash: Uint8Array;
}

/** S->C. One GLB. A parent always comes before its children, unless the viewer said it has it. */
export interface ChunkMessage {
  readonly type: "chunk";
  /** index into CHUNK_KINDS */
  readonly kind: number;
  /** 0 = coarsest */
  readonly level: number;
  /** index, the row of Tree */
  readonly chunk: number;
  /** of the pose that chose it */
  readonly epoch: number;
  /** 0, 1, 2 ... in this connection */
  readonly seq: number;
  /** the GLB */
  readonly glb: Uint8Array;
}

/** S->C. Nothing more to send for this pose and budget. */
export interface BatchDoneMessage {
  readonly type: "batchDone";
  /** of the newest pose */
  readonly epoch: number;
  /** chunks kept back by the budget; 0: the whole scene is there */
  readonly leftOut: number;
}

/** S->C. This server is going down or full: connect again, with Hello.have. */
export interface RedirectMessage {
  readonly type: "redirect";
  /** wait this long first */
  readonly retryMs: number;
}

/** S->C. Why the socket closes now. */
export interface ErrorMessage {
  readonly type: "error";
  /** CLOSE_CODES */
  readonly code: number;
  /** one sentence for a person */
  readonly text: string;
}

/** S->C. What a pose sees, for devices that cannot draw; answered with Credit once it is shown. */
export interface PictureMessage {
  readonly type: "picture";
  /** of the pose that it answers */
  readonly epoch: number;
  /** eye, metres, world: where walls and ground let the visitor come */
  readonly position: Vec3;
  /** from the pose's arrival to this message */
  readonly tookMs: number;
  /** index into PICTURE_KINDS */
  readonly kind: number;
  /** the file */
  readonly picture: Uint8Array;
}

/** S->C. Where others are now: the nearest 20 times a second, the rest twice, only those that moved. */
export interface PeersMessage {
  readonly type: "peers";
  /** 20 a second, wraps */
  readonly tick: number;
  /** u16 peer, then PeerPose without its type byte, and again */
  readonly records: Uint8Array;
}

/** S->C. These are gone. */
export interface PeerLeaveMessage {
  readonly type: "peerLeave";
  readonly count: number;
  /** as in Peers */
  readonly peer: Uint16Array;
}

/** S->C. Who these are; comes once, before their first pose. */
export interface PeerNamesMessage {
  readonly type: "peerNames";
  /** [[peer, colour 0xRRGGBB, name], ...] */
  readonly json: string;
}

/** S->C. What one of the others said, just now. */
export interface PeerSayMessage {
  readonly type: "peerSay";
  /** as in Peers */
  readonly peer: number;
  /** one line, 200 characters at most */
  readonly text: string;
}

export type ClientMessage = HelloMessage | PoseMessage | CreditMessage | BudgetMessage | EvictedMessage | NackMessage | PingMessage | PongMessage | PeerPoseMessage | PeerJoinMessage | SayMessage;

export type ServerMessage = SceneMessage | TreeMessage | ChunkMessage | BatchDoneMessage | RedirectMessage | ErrorMessage | PictureMessage | PingMessage | PongMessage | PeersMessage | PeerLeaveMessage | PeerNamesMessage | PeerSayMessage;

const text = new TextDecoder("utf-8", { fatal: true });

function start(type: number, headBytes: number, tailBytes: number): [Uint8Array<ArrayBuffer>, DataView] {
  const bytes = new Uint8Array(headBytes + tailBytes);
  bytes[0] = type;
  return [bytes, new DataView(bytes.buffer)];
}

function check(name: string, length: number, least: number, isOpenEnded: boolean): void {
  if (length < least || (length > least && !isOpenEnded)) {
    const rule = `${isOpenEnded ? "at least " : ""}${least} bytes`;
    throw new ProtocolError(`${name} must hold ${rule}, got ${length}`);
  }
}

/** Return the bytes of a message to the server. */
export function encodeClientMessage(message: ClientMessage): Uint8Array<ArrayBuffer> {
  switch (message.type) {
    case "hello": {
      const [bytes, view] = start(0x01, 10, message.have.length);
      view.setUint8(1, message.version);
      view.setUint32(2, message.maxSplats, true);
      view.setUint32(6, message.credit, true);
      bytes.set(message.have, 10);
      return bytes;
    }
    case "pose": {
      const [bytes, view] = start(0x02, 33, 0);
      view.setUint32(1, message.epoch, true);
      view.setFloat32(5, message.position[0], true);
      view.setFloat32(9, message.position[1], true);
      view.setFloat32(13, message.position[2], true);
      view.setFloat32(17, message.forward[0], true);
      view.setFloat32(21, message.forward[1], true);
      view.setFloat32(25, message.forward[2], true);
      view.setFloat32(29, message.fovDeg, true);
      return bytes;
    }
    case "credit": {
      const [bytes, view] = start(0x03, 5, 0);
      view.setUint32(1, message.bytes, true);
      return bytes;
    }
    case "budget": {
      const [bytes, view] = start(0x04, 5, 0);
      view.setUint32(1, message.maxSplats, true);
      return bytes;
    }
    case "evicted": {
      const [bytes, view] = start(0x05, 1, 4 * message.chunks.length);
      message.chunks.forEach((value, index) => view.setUint32(1 + 4 * index, value, true));
      return bytes;
    }
    case "nack": {
      const [bytes, view] = start(0x06, 6, 0);
      view.setUint32(1, message.chunk, true);
      view.setUint8(5, message.reason);
      return bytes;
    }
    case "ping": {
      const [bytes, view] = start(0x30, 9, 0);
      view.setFloat64(1, message.timeMs, true);
      return bytes;
    }
    case "pong": {
      const [bytes, view] = start(0x31, 9, 0);
      view.setFloat64(1, message.timeMs, true);
      return bytes;
    }
    case "peerPose": {
      const [bytes, view] = start(0x20, 12, message.hands.length);
      view.setUint8(1, message.flags);
      view.setInt16(2, message.position[0], true);
      view.setInt16(4, message.position[1], true);
      view.setInt16(6, message.position[2], true);
      view.setUint32(8, message.turn, true);
      bytes.set(message.hands, 12);
      return bytes;
    }
    case "peerJoin": {
      const nameBytes = new TextEncoder().encode(message.name);
      const [bytes, view] = start(0x24, 5, nameBytes.length);
      view.setUint32(1, message.colour, true);
      bytes.set(nameBytes, 5);
      return bytes;
    }
    case "say": {
      const textBytes = new TextEncoder().encode(message.text);
      const [bytes] = start(0x23, 1, textBytes.length);
      bytes.set(textBytes, 1);
      return bytes;
    }
  }
}

/**
 * Return the message in `data`, or undefined for a type that this version does not know.
 * Byte and column fields are views into `data`, not copies.
 *
 * @throws ProtocolError The bytes do not follow the layout.
 */
export function decodeServerMessage(data: ArrayBuffer): ServerMessage | undefined {
  const view = new DataView(data);
  check("a message", data.byteLength, 1, true);
  switch (view.getUint8(0)) {
    case 0x11: {
      check("Scene", data.byteLength, 1, true);
      return {
        type: "scene",
        json: text.decode(new Uint8Array(data, 1)),
      };
    }
    case 0x12: {
      check("Tree", data.byteLength, 4, true);
      const count = (data.byteLength - 4) / 58;
      if (!Number.isInteger(count)) {
        throw new ProtocolError(`Tree must hold whole rows of 58 bytes`);
      }
      return {
        type: "tree",
        count,
        parent: new Int32Array(data, 4, count),
        rangeStart: new Uint32Array(data, 4 + 4 * count, count),
        rangeStop: new Uint32Array(data, 4 + 8 * count, count),
        splatCount: new Uint32Array(data, 4 + 12 * count, count),
        byteLength: new Uint32Array(data, 4 + 16 * count, count),
        center: new Float32Array(data, 4 + 20 * count, 3 * count),
        radius: new Float32Array(data, 4 + 32 * count, count),
        error: new Float32Array(data, 4 + 36 * count, count),
        kind: new Uint8Array(data, 4 + 40 * count, count),
        level: new Uint8Array(data, 4 + 41 * count, count),
        hash: new Uint8Array(data, 4 + 42 * count, 16 * count),
      };
    }
    case 0x13: {
      check("Chunk", data.byteLength, 16, true);
      return {
        type: "chunk",
        kind: view.getUint8(1),
        level: view.getUint8(2),
        chunk: view.getUint32(3, true),
        epoch: view.getUint32(7, true),
        seq: view.getUint32(11, true),
        glb: new Uint8Array(data, 16),
      };
    }
    case 0x14: {
      check("BatchDone", data.byteLength, 9, false);
      return {
        type: "batchDone",
        epoch: view.getUint32(1, true),
        leftOut: view.getUint32(5, true),
      };
    }
    case 0x15: {
      check("Redirect", data.byteLength, 5, false);
      return {
        type: "redirect",
        retryMs: view.getUint32(1, true),
      };
    }
    case 0x16: {
      check("Error", data.byteLength, 3, true);
      return {
        type: "error",
        code: view.getUint16(1, true),
        text: text.decode(new Uint8Array(data, 3)),
      };
    }
    case 0x17: {
      check("Picture", data.byteLength, 24, true);
      return {
        type: "picture",
        epoch: view.getUint32(1, true),
        position: [view.getFloat32(5, true), view.getFloat32(9, true), view.getFloat32(13, true)],
        tookMs: view.getFloat32(17, true),
        kind: view.getUint8(21),
        picture: new Uint8Array(data, 24),
      };
    }
    case 0x30: {
      check("Ping", data.byteLength, 9, false);
      return {
        type: "ping",
        timeMs: view.getFloat64(1, true),
      };
    }
    case 0x31: {
      check("Pong", data.byteLength, 9, false);
      return {
        type: "pong",
        timeMs: view.getFloat64(1, true),
      };
    }
    case 0x21: {
      check("Peers", data.byteLength, 4, true);
      return {
        type: "peers",
        tick: view.getUint16(1, true),
        records: new Uint8Array(data, 4),
      };
    }
    case 0x22: {
      check("PeerLeave", data.byteLength, 4, true);
      const count = (data.byteLength - 4) / 2;
      if (!Number.isInteger(count)) {
        throw new ProtocolError(`PeerLeave must hold whole rows of 2 bytes`);
      }
      return {
        type: "peerLeave",
        count,
        peer: new Uint16Array(data, 4, count),
      };
    }
    case 0x25: {
      check("PeerNames", data.byteLength, 1, true);
      return {
        type: "peerNames",
        json: text.decode(new Uint8Array(data, 1)),
      };
    }
    case 0x26: {
      check("PeerSay", data.byteLength, 3, true);
      return {
        type: "peerSay",
        peer: view.getUint16(1, true),
        text: text.decode(new Uint8Array(data, 3)),
      };
    }
    default:
      return undefined;
  }
}

// The JSON inside SceneMessage.json; its names are those of streaming/asset.py.
export interface SceneJson {
  readonly id: string;
  readonly version: string;
  readonly chunk_count: number;
  readonly byte_length: number;
  readonly manifest: Manifest;
}

/** Where a visitor begins. */
export interface Spawn {
  readonly position: readonly [number, number, number];
  readonly yaw_deg: number;
}

/** A doorway to another place of the same story. Which scene that is, the catalog knows by its index. */
export interface Portal {
  readonly position: readonly [number, number, number];
  readonly yaw_deg: number;
  readonly width_m: number;
  readonly height_m: number;
  readonly title: string;
  readonly arrive_position: readonly [number, number, number];
  readonly arrive_yaw_deg: number;
}

/** Something that is heard: a loop, at a place or everywhere. */
export interface Sound {
  readonly kind: string;
  readonly caption: string;
  readonly chunk: number;
  readonly position: readonly [number, number, number] | null;
  readonly gain: number;
  readonly reference_m: number;
}

/** How well the splats show views that they never saw. */
export interface QualityReport {
  readonly psnr_db: number;
  readonly ssim: number;
  readonly held_out_frames: number;
  readonly train_psnr_db: number;
  readonly coverage: number;
  readonly splat_count: number;
  readonly verdict: "good" | "usable" | "poor";
  readonly reasons: readonly string[];
  readonly held_out_distance_m: number;
  readonly held_out_turn_deg: number;
}

/** Whether a person can walk in the scene; falls are counted before any rescue. */
export interface WalkabilityReport {
  readonly reachable_m2: number;
  readonly fall_count: number;
  readonly stuck_share: number;
  readonly open_ray_share: number;
  readonly verdict: "good" | "usable" | "poor";
  readonly reasons: readonly string[];
  readonly walkers: number;
  readonly outside_count: number;
  readonly largest_rise_m: number;
  readonly usual_rise_m: number;
  readonly hole_count: number;
  readonly hole_m2: number;
  readonly estimated_share: number;
  readonly boundary_ray_share: number;
  readonly camera_height_m: number;
  readonly ceiling_height_m: number;
}

/** What a viewer must know before and beside the splats. Serialises to one JSON object. */
export interface Manifest {
  readonly title: string;
  readonly splat_count: number;
  readonly sh_degree: number;
  readonly level_count: number;
  readonly bounds_min: readonly [number, number, number];
  readonly bounds_max: readonly [number, number, number];
  readonly spawn: Spawn;
  readonly eye_height_m: number;
  readonly background: readonly [number, number, number];
  readonly is_generated: boolean;
  readonly recipe: Readonly<Record<string, unknown>>;
  readonly quality: QualityReport | null;
  readonly walkability: WalkabilityReport | null;
  readonly camera_path: readonly (readonly [number, number, number, number])[];
  readonly portals: readonly Portal[];
  readonly sounds: readonly Sound[];
  readonly licence: string;
  readonly credit: string;
}
