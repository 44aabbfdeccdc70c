/** Share links: `/v/{id}#{secret}` in the address bar, and the one request that exchanges them for a ticket. */

import type { QualityReport, Spawn, WalkabilityReport } from "./generated";

export interface Link {
  readonly id: string;
  readonly secret: string;
  /** A scene to which doorways lead from the link's own; undefined: that one. */
  readonly scene?: string;
  readonly password?: string;
}

export type Visibility = "private" | "unlisted" | "public";

/** What the server says about a scene before the stream begins. */
export interface SceneSummary {
  readonly id: string;
  readonly version: string;
  readonly title: string;
  readonly splat_count: number;
  readonly byte_length: number;
  readonly is_generated: boolean;
  readonly quality: QualityReport | null;
  readonly walkability: WalkabilityReport | null;
  readonly spawn: Spawn;
  readonly eye_height_m: number;
  readonly bounds_min: readonly [number, number, number];
  readonly bounds_max: readonly [number, number, number];
  readonly background: readonly [number, number, number];
  /** Ids of the scenes behind the manifest's portals, by their index. */
  readonly portals: Readonly<Record<number, string>>;
  /** What the link allows in this scene; each allows what those before it do. */
  readonly scope: "view" | "remix" | "edit";
  /** Plain text of whoever made or edited the scene. */
  readonly notes: string;
  /** The most that links to the scene may tell. */
  readonly visibility: Visibility;
  /** Title of the scene that this one was forked from. */
  readonly remix_of: string | null;
  /** A draft: the finished scene will take its place under this link. */
  readonly is_growing: boolean;
}

/** What opening a link gives; of a scene of which nothing is made yet, the bearer alone. */
export interface LinkAnswer {
  readonly scene: SceneSummary | null;
  readonly ticket: string | null;
  readonly bearer: string;
}

export interface OpenedLink extends LinkAnswer {
  readonly scene: SceneSummary;
  readonly ticket: string;
  /** Proof that the link was opened: coming back needs no password and is not counted as another open. */
  readonly bearer: string;
}

/** Every way in which a visit can end; `ui/strings.ts` has the words for each. */
export type FailureCode =
  | "no_link"
  | "link_unknown"
  | "link_expired"
  | "link_revoked"
  | "link_used_up"
  | "link_password"
  | "too_many_requests"
  | "unreachable"
  | "server_busy"
  | "scene_gone"
  | "protocol"
  | "webgl_missing"
  | "webgl_lost"
  | "page_broken";

export class Failure extends Error {
  override readonly name = "Failure";

  constructor(
    readonly code: FailureCode,
    readonly detail = "",
  ) {
    super(detail ? `${code}: ${detail}` : code);
  }

  /** Whether waiting and trying again may help without the visitor doing anything. */
  get isPassing(): boolean {
    return this.code === "unreachable" || this.code === "server_busy" || this.code === "too_many_requests";
  }
}

/** Return the link in an address, or undefined when there is none. */
export function parseLink(address: { readonly pathname: string; readonly hash: string }): Link | undefined {
  const id = /^\/v\/([A-Za-z0-9_-]{1,64})\/?$/.exec(address.pathname)?.[1];
  return id === undefined ? undefined : { id, secret: address.hash.replace(/^#/, "") };
}

const CODES: ReadonlySet<string> = new Set<FailureCode>([
  "link_unknown",
  "link_expired",
  "link_revoked",
  "link_used_up",
  "link_password",
  "too_many_requests",
]);

/** A server that takes longer than this to open a link counts as unreachable. */
const OPEN_TIMEOUT_MS = 15_000;

/** The latest bearer of each link that this page opened. */
const bearers = new Map<string, string>();

/** Return the header that proves that this page opened a link, if it did. */
export function proof(linkId: string): Record<string, string> {
  const bearer = bearers.get(linkId);
  return bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
}

/** Exchange a link for its scene and a ticket. Throws `Failure`. */
export async function openLink(link: Link, request: typeof fetch = fetch): Promise<LinkAnswer> {
  let response: Response;
  try {
    response = await request(`/api/links/${encodeURIComponent(link.id)}/open`, {
      method: "POST",
      headers: { "content-type": "application/json", ...proof(link.id) },
      body: JSON.stringify({ secret: link.secret, scene: link.scene, password: link.password }),
      signal: AbortSignal.timeout(OPEN_TIMEOUT_MS),
    });
  } catch (error) {
    throw new Failure("unreachable", String(error));
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok && isOpened(body)) {
    bearers.set(link.id, body.bearer);
    return body;
  }
  const code = errorCode(body);
  if (code !== undefined && CODES.has(code)) throw new Failure(code as FailureCode);
  if (response.status === 404) throw new Failure("link_unknown");
  if (response.status >= 500) throw new Failure("server_busy", `status ${response.status}`);
  throw new Failure("protocol", `status ${response.status}`);
}

export function errorCode(body: unknown): string | undefined {
  if (typeof body !== "object" || body === null || !("error" in body)) return undefined;
  const { error } = body;
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

function isOpened(body: unknown): body is LinkAnswer {
  if (typeof body !== "object" || body === null) return false;
  const { scene, ticket, bearer } = body as Partial<LinkAnswer>;
  if (typeof bearer !== "string") return false;
  if (scene === null) return ticket === null;
  return typeof ticket === "string" && typeof scene === "object" && typeof scene.version === "string";
}
