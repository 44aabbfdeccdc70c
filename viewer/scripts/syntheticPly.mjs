/** A room of splats around the origin as a PLY file, the same for the same count: for benches. */

const FIELDS = ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"];
const SH_C0 = 0.28209479;

export function syntheticPly(count) {
  const header = `ply\nformat binary_little_endian 1.0\nelement vertex ${count}\n${FIELDS.map((name) => `property float ${name}`).join("\n")}\nend_header\n`;
  const table = new Float32Array(count * FIELDS.length);
  const random = mulberry32(7);
  const normal = () => Math.sqrt(-2 * Math.log(Math.max(1e-9, random()))) * Math.cos(2 * Math.PI * random());
  const size = 4 / Math.sqrt(count);
  for (let splat = 0; splat < count; splat++) {
    const [x, y, z] = place(random, normal);
    const colour = [0.5 + 0.4 * Math.sin(2 * x + z), 0.5 + 0.4 * Math.sin(3 * y), 0.5 + 0.4 * Math.cos(2 * z)];
    const scales = [1, 1.6, 0.4].map((factor) => Math.log(size * factor * (0.5 + random())));
    const quat = [normal(), normal(), normal(), normal()];
    const length = Math.hypot(...quat);
    const opacity = 0.5 + 0.45 * random();
    table.set(
      [x, y, z, ...colour.map((value) => (value - 0.5) / SH_C0), Math.log(opacity / (1 - opacity)), ...scales, ...quat.map((part) => part / length)],
      splat * FIELDS.length,
    );
  }
  return Buffer.concat([Buffer.from(header), Buffer.from(table.buffer)]);
}

/** A floor, four walls, and clumps between them. */
function place(random, normal) {
  const kind = random();
  const [u, v] = [random() - 0.5, random() - 0.5];
  if (kind < 0.3) return [8 * u, -0.02 * Math.abs(normal()), 8 * v];
  if (kind < 0.45) return [8 * u, 1.5 + 3 * v, -4 + 0.02 * normal()];
  if (kind < 0.6) return [(random() < 0.5 ? -4 : 4) + 0.02 * normal(), 1.5 + 3 * v, 8 * u];
  const clump = Math.floor(random() * 6);
  return [3 * Math.sin(clump * 1.9) + 0.3 * normal(), 0.9 + 0.3 * normal(), -2.5 * Math.abs(Math.cos(clump * 1.1)) + 0.3 * normal()];
}

function mulberry32(seed) {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
