/** What a link allows beside looking: editing and forking its scene, and handing it to a headset. Throws `Failure`. */

import { errorCode, Failure, proof, type Link, type Visibility } from "../protocol/link";

/** What is to be changed; what is left out stays. */
export interface SceneChange {
  readonly title?: string;
  readonly notes?: string;
  readonly spawn?: { readonly position: readonly [number, number, number]; readonly yaw_deg: number };
  readonly has_sound?: boolean;
  readonly visibility?: Visibility;
}

export const REPORT_REASONS = ["intimate", "privacy", "copyright", "illegal", "other"] as const;
export type ReportReason = (typeof REPORT_REASONS)[number];

/** Why a scene must not be shown. */
export interface Report {
  readonly reason: ReportReason;
  readonly statement: string;
  readonly contact?: string | undefined;
}

/** Report a scene; returns the number under which the reporter asks how it stands. */
export async function reportScene(link: Link, scene: string, report: Report): Promise<string> {
  const body = { link: link.id, secret: link.secret, scene, ...report };
  const answer = await send("POST", "/api/reports", body, proof(link.id));
  return text((answer as { report?: unknown } | undefined)?.report, "id");
}

export async function editScene(link: Link, scene: string, change: SceneChange): Promise<void> {
  await send("PATCH", `/api/scenes/${encodeURIComponent(scene)}`, change, proof(link.id));
}

/** Fork a scene; returns the path of an edit link to the copy. */
export async function remixScene(link: Link, scene: string): Promise<string> {
  return text(await send("POST", `/api/scenes/${encodeURIComponent(scene)}/remix`, {}, proof(link.id)), "path");
}

/** Return six characters that open the link on another device, once, within ten minutes. */
export async function pairingCode(link: Link): Promise<string> {
  return text(await send("POST", `/api/links/${encodeURIComponent(link.id)}/pair`, { secret: link.secret }), "code");
}

/** Return the path of the link behind a code. */
export async function redeemCode(code: string): Promise<string> {
  const path = text(await send("POST", "/api/pair", { code }), "path");
  if (!path.startsWith("/v/")) throw new Failure("protocol", "no link came back");
  return path;
}

async function send(method: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  } catch (error) {
    throw new Failure("unreachable", String(error));
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer;
  if (response.status === 429) throw new Failure("too_many_requests");
  if (response.status === 404) throw new Failure("link_unknown");
  if (response.status === 410) throw new Failure("link_revoked");
  throw new Failure("protocol", `${errorCode(answer) ?? response.status}`);
}

function text(answer: unknown, name: string): string {
  const value = typeof answer === "object" && answer !== null ? (answer as Record<string, unknown>)[name] : undefined;
  if (typeof value !== "string") throw new Failure("protocol", `the answer has no ${name}`);
  return value;
}
