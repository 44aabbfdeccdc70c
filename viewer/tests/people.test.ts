import * as THREE from "three";
import { describe, expect, it } from "vitest";
import { ownHands } from "../src/people/ownHands";
import { People } from "../src/people/people";
import { posesIn, poseMessage, type PersonPose } from "../src/people/peerPose";
import { TickClock, Track } from "../src/people/track";
import { encodeClientMessage, type ClientMessage } from "../src/protocol/generated";

const HALF = Math.SQRT1_2;
/** As in tests/streaming/test_presence.py: a quarter turn to the left, one hand, 40 m away. */
const POSE: PersonPose = {
  position: [1.5, -2, 40],
  turn: [0, HALF, 0, HALF],
  left: { offset: [-0.25, -0.5, 0.125], turn: [1, 0, 0, 0] },
};

function written(pose: PersonPose): DataView {
  return new DataView(encodeClientMessage(poseMessage(pose)).buffer);
}

/** PEERS' record of somebody, from the message that they sent. */
function record(peer: number, pose: PersonPose): Uint8Array {
  const message = encodeClientMessage(poseMessage(pose));
  return Uint8Array.of(peer & 255, peer >> 8, ...message.subarray(1));
}

function at(x: number): PersonPose {
  return { position: [x, 1.5, 0], turn: [0, 0, 0, 1] };
}

describe("a person's pose", () => {
  it("has the bytes that the server reads", () => {
    const view = written(POSE);

    expect(view.byteLength).toBe(22);
    expect([view.getUint8(0), view.getUint8(1)]).toEqual([0x20, 0x11]);
    expect([2, 4, 6].map((offset) => view.getInt16(offset, true))).toEqual([768, -1024, 20_480]);
    expect(view.getUint32(8, true)).toBe(511 * 2 ** 20 + 1022 * 2 ** 10 + 511);
    expect([12, 14, 16].map((offset) => view.getInt16(offset, true))).toEqual([-250, -500, 125]);
    expect(view.getUint32(18, true)).toBe(2 ** 30 + 511 * 2 ** 20 + 511 * 2 ** 10 + 511);
  });

  it("comes back from the server's records, with hands and without", () => {
    const other: PersonPose = {
      position: [-90_000, 3, 0.25],
      turn: [-0.5, 0.1, -0.7, -0.5],
      right: { offset: [1, 2, -3], turn: [0.5, 0.5, 0.5, 0.5] },
    };
    const records = Uint8Array.of(...record(300, POSE), ...record(7, at(2.25)), ...record(8, other));

    const [[first, one], [second, two], [third, three]] = [...posesIn(records.slice())] as [
      [number, PersonPose],
      [number, PersonPose],
      [number, PersonPose],
    ];

    expect([first, second, third]).toEqual([300, 7, 8]);
    expect(one.position).toEqual([1.5, -2, 40]);
    expect(one.left?.offset).toEqual([-0.25, -0.5, 0.125]);
    expect(one.right).toBeUndefined();
    expect(two).toEqual({ ...at(2.25), left: undefined, right: undefined });
    expect(Math.abs((three.position[0] ?? 0) + 90_000)).toBeLessThan(3);
    const dot = new THREE.Quaternion(...three.turn).dot(new THREE.Quaternion(...other.turn).normalize());
    expect(Math.abs(dot)).toBeGreaterThan(Math.cos((0.2 * Math.PI) / 360));
    expect(three.right?.offset).toEqual([1, 2, -3]);
  });

  it("is refused where it is cut short", () => {
    const whole = record(1, POSE);

    for (const length of [1, 12, whole.length - 1]) {
      expect(() => [...posesIn(whole.slice(0, length))]).toThrow(/whole/);
    }
  });
});

describe("somebody who moves", () => {
  it("is shown a tenth of a second late, between the poses that came", () => {
    const track = new Track();
    for (let tick = 0; tick < 10; tick++) track.add(1_000 + 50 * tick, at(tick));

    expect(track.show(1_225)).toBe(true);
    expect(track.position.x).toBeCloseTo(2.5);
    expect(track.show(1_300)).toBe(true);
    expect(track.position.x).toBeCloseTo(4);
    expect(track.show(5_000)).toBe(false);
    expect(track.position.x).toBe(9);
  });

  it("stood still until just before the word after a pause", () => {
    const track = new Track();
    track.add(0, at(1));
    track.add(10_000, at(2));

    track.show(10_040);
    expect(track.position.x).toBe(1);
    track.show(10_075);
    expect(track.position.x).toBeCloseTo(1.5);
  });

  it("glides where words come twice a second, and never goes back", () => {
    const track = new Track();
    let before = -1;
    let longest = 0;
    for (let now = 0; now < 8_000; now += 16) {
      if (now % 496 === 0) track.add(now, at(now / 1_000));
      track.show(now);
      expect(track.position.x).toBeGreaterThanOrEqual(before - 1e-9);
      if (now > 4_000) longest = Math.max(longest, track.position.x - before);
      before = track.position.x;
    }

    expect(longest).toBeLessThan(0.02); // at 1 m/s a picture is 16 mm
  });

  it("is timed by the server's ticks, whatever the line did to the messages", () => {
    const clock = new TickClock();
    const delays = [30, 0, 90, 45, 0, 10, 70, 0, 55, 0];
    // The number of the tick begins again on the way.
    const times = delays.map((delay, index) => clock.at((65_530 + 2 * index) % 65_536, 1_000 + 100 * index + delay));

    const gaps = times.slice(2).map((time, index) => time - (times[index + 1] ?? 0));
    for (const gap of gaps) expect(Math.abs(gap - 100)).toBeLessThan(4);
  });

  it("is timed rightly after the ticks stood still, and by a server that is a little slow", () => {
    const clock = new TickClock();
    clock.at(5, 1_000);
    expect(clock.at(6, 61_000)).toBe(61_000);

    let now = 61_000;
    let told = 0;
    for (let tick = 7; tick < 400; tick++) told = clock.at(tick, (now += 50.4));
    expect(now - told).toBeLessThan(30);
  });
});

describe("the visitor", () => {
  function company() {
    const told: ClientMessage[] = [];
    const people = new People({
      scene: new THREE.Scene(),
      memory: undefined,
      tell: (message) => told.push(message),
      changed: () => undefined,
      said: () => undefined,
      invalidate: () => undefined,
    });
    const own = { position: new THREE.Vector3(1, 2, 3), turn: new THREE.Quaternion() };
    return { told, people, own };
  }

  it("tells where they are twenty times a second at most, and only what is new", () => {
    const { told, people, own } = company();
    people.update(0, own);
    expect(told).toEqual([]); // not joined yet
    people.join();
    for (let now = 16; now < 1_016; now += 16) {
      own.position.x += 0.02;
      people.update(now, own);
    }

    const poses = told.filter(({ type }) => type === "peerPose");
    expect(told[0]).toEqual({ type: "peerJoin", colour: 0, name: "" });
    expect(poses.length).toBeGreaterThan(14);
    expect(poses.length).toBeLessThanOrEqual(20);
    people.update(2_000, own);
    const before = told.length;
    people.update(3_000, own);
    own.position.y += 0.001;
    people.update(4_000, own);
    expect(told.length).toBe(before);
    own.turn.setFromAxisAngle(new THREE.Vector3(0, 1, 0), 0.05);
    people.update(5_000, own);
    expect(told.length).toBe(before + 1);
  });

  it("says it all again after a connection was lost", () => {
    const { told, people, own } = company();
    people.join();
    people.update(0, own);
    people.clear();
    own.position.x += 1;
    people.update(1_000, own);
    expect(told.map(({ type }) => type)).toEqual(["peerJoin", "peerPose"]);

    people.join();
    people.update(2_000, own);
    expect(told.map(({ type }) => type)).toEqual(["peerJoin", "peerPose", "peerJoin", "peerPose"]);
  });
});

describe("hands in a headset", () => {
  it("are told beside the head, in the world and not in the headset's room", () => {
    const rig = new THREE.Group();
    rig.position.set(10, 0, -3);
    rig.rotation.y = Math.PI / 2; // the room's -Z is the world's -X
    rig.updateMatrixWorld();
    const [grip, lost] = [{}, {}];
    const transform = { position: { x: 0.25, y: 1.25, z: -0.5 }, orientation: { x: 0, y: 0, z: 0, w: 1 } };
    const frame = {
      session: {
        inputSources: [
          { handedness: "right", gripSpace: grip },
          { handedness: "left", gripSpace: lost },
          { handedness: "none", gripSpace: grip },
          { handedness: "left" },
        ],
      },
      getPose: (space: unknown) => (space === grip ? { transform } : null),
    } as unknown as XRFrame;

    const hands = ownHands(frame, {} as XRReferenceSpace, rig, new THREE.Vector3(9, 1.5, -3));

    expect(Object.keys(hands)).toEqual(["right"]);
    // The world has it at (10 - 0.5, 1.25, -3 - 0.25).
    hands.right?.offset.forEach((value, axis) => expect(value).toBeCloseTo([0.5, -0.25, -0.25][axis] ?? NaN));
    hands.right?.turn.forEach((value, axis) => expect(value).toBeCloseTo([0, HALF, 0, HALF][axis] ?? NaN));
  });
});
