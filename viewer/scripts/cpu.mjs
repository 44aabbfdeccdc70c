/** CPU of every process that this one started, directly or not; Linux only. */

import { readdirSync, readFileSync } from "node:fs";

/** /proc counts in hundredths of a second on all Linuxes that matter. */
const MS_PER_TICK = 10;

/** Milliseconds that this process's descendants have used so far, those that ended not counted. */
export function treeCpuMs() {
  const children = new Map();
  const ticks = new Map();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // names may hold spaces
      const [parent, user, system] = [fields[1], Number(fields[11]), Number(fields[12])];
      ticks.set(name, user + system);
      children.set(parent, [...(children.get(parent) ?? []), name]);
    } catch {
      // It ended meanwhile.
    }
  }
  const below = (pid) => (children.get(pid) ?? []).reduce((sum, child) => sum + (ticks.get(child) ?? 0) + below(child), 0);
  return below(String(process.pid)) * MS_PER_TICK;
}
